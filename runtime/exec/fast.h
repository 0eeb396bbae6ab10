// The fast executor: follows a Plan. Create packs weights and allocates (fast.cc); Run lays out each tile's regions,
// binds each node's calls and spreads their units over threads (fast_run.cc). Run allocates nothing, except that an
// untiled session that is given a source without having been planned for it gets its buffers on the first such run.
#ifndef FOVEA_RUNTIME_EXEC_FAST_H_
#define FOVEA_RUNTIME_EXEC_FAST_H_

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "runtime/exec/packing.h"
#include "runtime/exec/runner.h"
#include "runtime/exec/thread_pool.h"
#include "runtime/exec/tile_classes.h"
#include "runtime/plan/plan.h"

namespace fovea::exec {

plan::PlanOptions PlanOptionsOf(const ModelFile& file, const plan::ResolvedGraph& graph, const SessionOptions& options,
                                kernels::Isa cap, int threads, bool smallest);
// The plan that a session with these options follows. threads: those that it has.
Result<plan::Plan> PlanSession(const ModelFile& file, plan::ResolvedGraph graph, const SessionOptions& options,
                               kernels::Isa cap, int threads, bool smallest = false);
// speed: zeros for nominal figures.
PlanReport ReportOf(const plan::Plan& plan, kernels::Isa cap, int threads, const MachineSpeed& speed);

// The caller's threads, or a pool of the session's own.
struct Threads {
  explicit Threads(const SessionOptions& options);
  std::unique_ptr<ThreadPool> pool;
  int count = 1;
  ParallelFor parallel_for;
};

class FastRunner : public Runner {
 public:
  // only_packed: see OnlyPacked, of the graph as it was before it was planned.
  Status Prepare(std::shared_ptr<const ModelFile> file, plan::Plan plan, const std::vector<uint8_t>& only_packed,
                 const SessionOptions& options, kernels::Isa cap, Threads threads);
  // For one of the passes of a network (passes.h): constants, packed weights (of the pass's nodes) and memory for the
  // arena and the tile buffers are there; threads are those of `parallel`.
  void PreparePass(std::shared_ptr<const ModelFile> file, plan::Plan plan, Constants constants,
                   std::vector<const float*> packed, float* memory, const ParallelFor& parallel, int threads,
                   kernels::Isa cap);
  const plan::Plan& plan() const { return plan_; }
  Status Run(std::span<const float* const> inputs, std::span<float* const> outputs) override;
  Status Run(TensorSource& source, TensorSink& sink) override;
  std::vector<StepProfile> Profile() const override { return profile_; }

 private:
  using TileIndex = std::array<int64_t, 3>;

  const Graph& graph() const { return *plan_.graph.graph; }
  const plan::Dims& dims(int value) const { return plan_.graph.dims[static_cast<size_t>(value)]; }

  Status AllocateAndPack(const SessionOptions& options, kernels::Isa cap, const std::vector<uint8_t>& only_packed);
  // Buffers of the inputs and outputs, or of their tiles.
  Status AllocateTileBuffers();
  void PlaceTileBuffers();
  void PrepareTiles(kernels::Isa cap);
  void CollectPorts();
  void FillReport(kernels::Isa cap);

  // Lays the tile out and fills tile_info_.
  void DescribeTile(int64_t index, const TileIndex& tile);
  // source, sink: null when the ports are the caller's memory.
  Status RunTile(const TileIndex& tile, TensorSource* source, TensorSink* sink);
  Status RunBands(size_t s, TensorSource* source, TensorSink* sink);
  bool RunNodes(const plan::Segment& segment);
  void NoteWork(double share);
  void MoveRows(const plan::Slide& slide);
  void RepeatRows(int value);
  Status Stopped() const;
  // segment: the rows of its band, for ports that roll with it; -1: the tile, for the others.
  Status ReadInputs(TensorSource& source, int segment);
  Status WriteOutputs(TensorSink& sink, int segment, const TileIndex* tile);
  bool RunNode(size_t n);
  bool RunCall(size_t n, int64_t work);
  // A convolution whose weights are packed now, slice by slice.
  bool PackAndRun(size_t n, std::span<const Operand> in, const Operand& out, int64_t work);
  void CopyOutputs(const TileIndex& tile);
  Operand Held(int value);
  float* BufferData(const plan::Buffer& buffer);
  // Runs body(task, thread) for every task; false when cancelled.
  template <class Body>
  bool Parallel(int64_t tasks, const Body& body);
  bool Poll() {
    if (!stop_.load(std::memory_order_relaxed) && hooks.cancelled && hooks.cancelled()) stop_ = true;
    return !stop_.load(std::memory_order_relaxed);
  }

  std::shared_ptr<const ModelFile> file_;
  Allocator allocator_;
  plan::Plan plan_;
  plan::TileState state_;
  Constants constants_;
  PackedWeights packed_;
  Block arena_, tile_buffers_;
  // Where the tensors of the ports, or their tiles, are during this run. Inputs are only read.
  std::vector<float*> ports_[2];
  std::vector<float*> tile_ports_[2];
  std::vector<const plan::Dims*> port_dims_[2];
  TensorRegion region_;
  TileClasses tile_classes_;
  TileInfo tile_info_;
  std::vector<Operand> operands_;  // of the node that runs
  Call call_;
  const kernels::CopyKernel* copy_ = nullptr;
  std::unique_ptr<ThreadPool> pool_;  // null: the caller's ParallelFor
  ParallelFor parallel_for_;          // the caller's, or the pool's
  int threads_ = 1;
  std::atomic<bool> stop_{false};
  bool short_of_scratch_ = false;  // a tile asks for more than any that the planner measured
  std::vector<StepProfile> profile_;
  std::vector<double> share_;  // of each node: of the predicted time, an element that it makes
  double work_ = 0;            // of the predicted time, done
};

template <class Body>
bool FastRunner::Parallel(int64_t tasks, const Body& body) {
  struct Context {
    FastRunner* runner;
    const Body* body;
  } context{this, &body};
  const auto run = [](void* argument, int64_t task, int thread) {
    const Context& c = *static_cast<const Context*>(argument);
    if (c.runner->Poll()) (*c.body)(task, thread);
  };
  if (tasks < 2) {
    for (int64_t task = 0; task < tasks; ++task) run(&context, task, 0);
  } else {
    parallel_for_.run(parallel_for_.context, tasks, run, &context);
  }
  return !stop_.load(std::memory_order_relaxed);
}

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_FAST_H_
