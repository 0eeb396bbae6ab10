// The fast executor: follows a Plan. Create packs weights and allocates; Run lays out each tile's regions, binds each
// node's calls and spreads their units over threads. Run allocates nothing, except that an untiled session that is
// given a source instead of memory gets its whole-image buffers on the first such run.
#include <atomic>
#include <chrono>

#include "runtime/exec/rectangles.h"
#include "runtime/exec/runner.h"
#include "runtime/exec/thread_pool.h"
#include "runtime/plan/plan.h"

namespace fovea::exec {
namespace {

using TileIndex = std::array<int64_t, 3>;
using Clock = std::chrono::steady_clock;

// In multiply-adds or elements. A task of kLeastWork takes tens of microseconds, so that handing it out is worth it;
// one of kMostWork some milliseconds, so that cancelling is prompt.
constexpr int64_t kLeastWork = 200'000;
constexpr int64_t kMostWork = 50'000'000;

class FastRunner : public Runner {
 public:
  Status Prepare(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph, const SessionOptions& options,
                 kernels::Isa cap);
  Status Run(std::span<const float* const> inputs, std::span<float* const> outputs) override;
  Status Run(TensorSource& source, TensorSink& sink) override;
  std::vector<StepProfile> Profile() const override { return profile_; }

 private:
  const Graph& graph() const { return *plan_.graph.graph; }
  const plan::Dims& dims(int value) const { return plan_.graph.dims[static_cast<size_t>(value)]; }

  std::vector<uint8_t> OnlyPacked(const plan::ResolvedGraph& resolved) const;
  Status AllocateAndPack(const SessionOptions& options, const std::vector<uint8_t>& only_packed);
  void FillReport(kernels::Isa cap);

  Status RunWhole(TensorSource& source, TensorSink& sink);
  void SetRegion(const plan::Region& region, size_t rank);
  Status RunTile(const TileIndex& tile);
  bool RunNode(size_t n);
  bool RunCall(size_t n, int64_t work);
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
  Block packed_, arena_, tile_buffers_, whole_;
  std::vector<float*> packed_at_;  // of nodes whose weights are packed ahead
  // Where the tensors of the ports, or their tiles, are during this run. Inputs are only read.
  std::vector<float*> ports_[2];
  std::vector<float*> tile_ports_[2];
  std::vector<const plan::Dims*> port_dims_[2];
  TensorRegion region_;
  std::vector<Operand> operands_;  // of the node that runs
  Call call_;
  const kernels::CopyKernel* copy_ = nullptr;
  std::unique_ptr<ThreadPool> pool_;
  ParallelFor parallel_for_;
  int threads_ = 1;
  std::atomic<bool> stop_{false};
  std::vector<StepProfile> profile_;
};

// Constants that are weights and bias of convolutions and nothing else: they live on in packed form only.
std::vector<uint8_t> FastRunner::OnlyPacked(const plan::ResolvedGraph& resolved) const {
  const Graph& g = *resolved.graph;
  std::vector<uint8_t> packed(g.values.size(), 0), used(g.values.size(), 0);
  for (const Port& port : g.outputs) used[static_cast<size_t>(port.value)] = 1;
  for (const plan::ResolvedNode& node : resolved.nodes) {
    const auto known = [&](size_t i) {
      return !node.Has(i) || g.values[static_cast<size_t>(node.node->inputs[i])].is_const;
    };
    const bool conv = node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose;
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const bool ahead = conv && (i == 1 || i == 2) && known(1) && known(2);
      (ahead ? packed : used)[static_cast<size_t>(node.node->inputs[i])] = 1;
    }
  }
  for (size_t v = 0; v < packed.size(); ++v) packed[v] = packed[v] && !used[v] ? 1 : 0;
  return packed;
}

Status FastRunner::Prepare(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph resolved,
                           const SessionOptions& options, kernels::Isa cap) {
  file_ = std::move(file);
  allocator_ = options.allocator;
  threads_ = options.threads;
  parallel_for_ = options.parallel_for;
  const std::vector<uint8_t> only_packed = OnlyPacked(resolved);
  plan::PlanOptions plan_options;
  plan_options.cap = cap;
  plan_options.exact_order = options.exact_convolution;
  plan_options.threads = threads_;
  plan_options.tile = {options.tile[0], options.tile[1], options.tile[2]};
  plan_options.memory_bytes = options.memory_bytes;
  plan_options.fixed_bytes = Constants::Bytes(*file_, resolved, only_packed);
  FOVEA_ASSIGN_OR_RETURN(plan_, plan::MakePlan(std::move(resolved), plan_options));
  state_ = plan::MakeTileState(plan_);
  copy_ = kernels::Pick(kernels::CopyKernels(), kernels::CopyLayer{}, cap);
  if (parallel_for_.run == nullptr) pool_ = std::make_unique<ThreadPool>(threads_);
  FOVEA_RETURN_IF_ERROR(AllocateAndPack(options, only_packed));
  region_.begin.resize(kMaxTensorRank);
  region_.size.resize(kMaxTensorRank);
  size_t most_inputs = 0;
  for (const plan::ResolvedNode& node : plan_.graph.nodes) most_inputs = std::max(most_inputs, node.in.size());
  operands_.resize(most_inputs);
  FillReport(cap);
  return OkStatus();
}

Status FastRunner::AllocateAndPack(const SessionOptions& options, const std::vector<uint8_t>& only_packed) {
  FOVEA_ASSIGN_OR_RETURN(constants_, Constants::Load(*file_, plan_.graph, options.allocator, only_packed));
  FOVEA_ASSIGN_OR_RETURN(packed_, Block::Allocate(options.allocator, plan_.packed_weight_bytes));
  FOVEA_ASSIGN_OR_RETURN(arena_, Block::Allocate(options.allocator, plan_.arena_bytes));
  FOVEA_ASSIGN_OR_RETURN(tile_buffers_, Block::Allocate(options.allocator, plan_.tile_buffer_bytes));
  float* next = tile_buffers_.floats();
  for (size_t side = 0; side < 2; ++side) {
    const std::vector<Port>& ports = side == 0 ? graph().inputs : graph().outputs;
    for (size_t p = 0; p < ports.size(); ++p) {
      tile_ports_[side].push_back(plan_.tiled ? next : nullptr);
      port_dims_[side].push_back(&dims(ports[p].value));
      if (!plan_.tiled) continue;
      const int buffer = plan_.port_buffers[side][p];
      next += AlignUp(plan_.buffers[static_cast<size_t>(buffer)].bytes) / sizeof(float);
    }
    ports_[side].resize(ports.size(), nullptr);
  }
  packed_at_.resize(plan_.operators.size(), nullptr);
  next = packed_.floats();
  std::vector<float> weights_storage, bias_storage;
  for (size_t n = 0; n < plan_.operators.size(); ++n) {
    if (!plan_.packed_ahead[n]) continue;
    const Operator& op = plan_.operators[n];
    const plan::ResolvedNode& node = op.node();
    const auto floats = [&](size_t input, std::vector<float>* storage) -> const float* {
      if (!node.Has(input)) return nullptr;
      const int value = node.node->inputs[input];
      if (constants_.data(value) != nullptr) return constants_.data(value);
      return file_->Floats(graph().values[static_cast<size_t>(value)], storage).data();
    };
    const float* weights = floats(1, &weights_storage);
    const float* bias = floats(2, &bias_storage);
    packed_at_[n] = next;
    Parallel(threads_, [&](int64_t part, int) { op.Pack(weights, bias, next, static_cast<int>(part), threads_); });
    next += AlignUp(static_cast<uint64_t>(op.PackedFloats()) * sizeof(float)) / sizeof(float);
  }
  return OkStatus();
}

void FastRunner::FillReport(kernels::Isa cap) {
  report.weight_bytes = plan_.fixed_bytes;
  report.packed_weight_bytes = plan_.packed_weight_bytes;
  report.arena_bytes = plan_.arena_bytes;
  report.tile_buffer_bytes = plan_.tile_buffer_bytes;
  report.tiles = plan_.grid.tiles();
  for (size_t s = 0; s < 3; ++s) report.tile_size[s] = plan_.grid.tile[s];
  report.multiply_adds = plan_.multiply_adds;
  report.strategy = plan_.tiled ? "tiles" : "whole image";
  report.isa = kernels::IsaName(cap);
  report.threads = threads_;
  for (const Operator& op : plan_.operators) {
    const plan::ResolvedNode& node = op.node();
    StepProfile& step = profile_.emplace_back();
    step.node = node.node->name;
    step.kind = OpKindName(node.kind);
    step.kernel = op.kernel_name();
    step.multiply_adds = plan::MultiplyAdds(node);
    int64_t elements = plan::Elements(node.out);
    for (size_t i = 0; i < node.in.size(); ++i) elements += node.Has(i) ? plan::Elements(node.in[i]) : 0;
    step.bytes_moved = elements * static_cast<int64_t>(sizeof(float));
  }
}

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
  if (tasks == 1) {
    run(&context, 0, 0);
  } else if (pool_ != nullptr) {
    pool_->Run(tasks, run, &context);
  } else {
    parallel_for_.run(parallel_for_.context, tasks, run, &context);
  }
  return !stop_.load(std::memory_order_relaxed);
}

float* FastRunner::BufferData(const plan::Buffer& buffer) {
  switch (buffer.home) {
    case plan::Home::kInput: return ports_[0][static_cast<size_t>(buffer.port)];
    case plan::Home::kOutput: return ports_[1][static_cast<size_t>(buffer.port)];
    case plan::Home::kArena: break;
  }
  return arena_.floats() + buffer.offset / sizeof(float);
}

Operand FastRunner::Held(int value) {
  const plan::Slot& slot = plan_.slots[static_cast<size_t>(value)];
  if (slot.group < 0) {
    // Operands are one type for reading and writing; constants are only ever read.
    return TightOperand(const_cast<float*>(constants_.data(value)), dims(value), plan::WholeRegion(dims(value)));
  }
  const plan::Group& group = plan_.groups[static_cast<size_t>(slot.group)];
  float* data = BufferData(plan_.buffers[static_cast<size_t>(group.buffer)]);
  return plan::OperandOf(plan_, state_, value, data);
}

bool FastRunner::RunCall(size_t n, int64_t work) {
  const int64_t units = call_.Units();
  if (units <= 0) return true;
  const plan::Temporary& temporary = plan_.temporaries[n];
  const int64_t wanted = std::max(std::min(work / kLeastWork, int64_t{8} * threads_), work / kMostWork);
  const int64_t tasks = std::max<int64_t>(1, std::min(units, wanted));
  char* scratch = reinterpret_cast<char*>(arena_.floats()) + temporary.scratch_offset;
  const uint64_t bytes = temporary.scratch_bytes;
  return Parallel(tasks, [&](int64_t task, int thread) {
    call_.Run(units * task / tasks, units * (task + 1) / tasks,
              reinterpret_cast<float*>(scratch + static_cast<uint64_t>(thread) * bytes));
  });
}

bool FastRunner::RunNode(size_t n) {
  const Operator& op = plan_.operators[n];
  const plan::ResolvedNode& node = op.node();
  const size_t value = static_cast<size_t>(node.node->output);
  if (plan_.constant[value] || plan::IsEmpty(state_.regions[value], node.out.size())) return true;
  const Clock::time_point start = hooks.profile ? Clock::now() : Clock::time_point();
  const Operand out = Held(node.node->output);
  int64_t read = 0;
  for (size_t i = 0; i < node.in.size(); ++i) {
    operands_[i] = Operand();
    if (!node.Has(i)) continue;
    const int input = node.node->inputs[i];
    const bool decides_sizes = plan_.slots[static_cast<size_t>(input)].group < 0 && constants_.data(input) == nullptr;
    // Weights that are packed are not looked at again, a shape input has no memory.
    if (decides_sizes || (packed_at_[n] != nullptr && (i == 1 || i == 2))) continue;
    operands_[i] = plan::NarrowToNeed(plan_, state_, n, i, Held(input));
    read += plan::RegionElements(operands_[i].region, operands_[i].rank);
  }
  const std::span<const Operand> in(operands_.data(), node.in.size());
  const float* packed = packed_at_[n];
  if (packed == nullptr && op.PackedFloats() > 0) {
    float* at = arena_.floats() + plan_.temporaries[n].packed_offset / sizeof(float);
    const float* bias = in.size() > 2 ? in[2].data : nullptr;
    if (!Parallel(threads_,
                  [&](int64_t part, int) { op.Pack(in[1].data, bias, at, static_cast<int>(part), threads_); })) {
      return false;
    }
    packed = at;
  }
  const int64_t made = plan::RegionElements(out.region, out.rank);
  // In double: the product of a large image's elements and multiply-adds does not fit 64 bits.
  const double share = static_cast<double>(made) / static_cast<double>(std::max<int64_t>(1, plan::Elements(node.out)));
  const int64_t work =
      std::max(made, read) + static_cast<int64_t>(share * static_cast<double>(profile_[n].multiply_adds));
  const int64_t calls = op.CallCount(in, out);
  for (int64_t c = 0; c < calls; ++c) {
    op.Bind(c, in, out, packed, &call_);
    if (!RunCall(n, work)) return false;
  }
  if (hooks.profile) profile_[n].ms += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return true;
}

void FastRunner::CopyOutputs(const TileIndex& tile) {
  for (size_t o = 0; o < graph().outputs.size(); ++o) {
    if (plan_.direct[o]) continue;
    const int value = graph().outputs[o].value;
    const plan::Region wanted = plan::OutputTile(plan_, o, tile);
    const Operand to = TightOperand(ports_[1][o], dims(value), wanted);
    const kernels::View dst = AsView(to);
    call_.any = CopyCall{copy_, {}, {AsBroadcast(Held(value), to), dst}};
    const int64_t units = call_.Units();
    Parallel(std::min<int64_t>(units, dst.elements() / kLeastWork + 1), [&](int64_t task, int) {
      const int64_t tasks = std::min<int64_t>(units, dst.elements() / kLeastWork + 1);
      call_.Run(units * task / tasks, units * (task + 1) / tasks, nullptr);
    });
  }
}

Status FastRunner::RunTile(const TileIndex& tile) {
  for (size_t n = 0; n < plan_.operators.size(); ++n) {
    if (!Poll() || !RunNode(n)) return Cancelled("the run was cancelled");
  }
  CopyOutputs(tile);
  return stop_ ? Cancelled("the run was cancelled") : OkStatus();
}

Status FastRunner::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  if (plan_.tiled) {
    MemorySource source(port_dims_[0], inputs);
    MemorySink sink(port_dims_[1], outputs);
    return Run(source, sink);
  }
  stop_ = false;
  for (StepProfile& step : profile_) step.ms = 0;
  for (size_t i = 0; i < inputs.size(); ++i) ports_[0][i] = const_cast<float*>(inputs[i]);
  for (size_t o = 0; o < outputs.size(); ++o) ports_[1][o] = outputs[o];
  plan::LayOutTile(plan_, {0, 0, 0}, &state_);
  FOVEA_RETURN_IF_ERROR(RunTile({0, 0, 0}));
  if (hooks.progress) hooks.progress(1, 1);
  return OkStatus();
}

Status FastRunner::Run(TensorSource& source, TensorSink& sink) {
  if (!plan_.tiled) return RunWhole(source, sink);
  stop_ = false;
  for (StepProfile& step : profile_) step.ms = 0;
  for (size_t side = 0; side < 2; ++side) ports_[side] = tile_ports_[side];
  const TileIndex& count = plan_.grid.count;
  const int64_t tiles = plan_.grid.tiles();
  for (int64_t t = 0; t < tiles; ++t) {
    const TileIndex tile{t / (count[1] * count[2]), t / count[2] % count[1], t % count[2]};
    plan::LayOutTile(plan_, tile, &state_);
    for (size_t i = 0; i < graph().inputs.size(); ++i) {
      const Port& port = graph().inputs[i];
      const plan::Slot& slot = plan_.slots[static_cast<size_t>(port.value)];
      if (slot.group < 0) continue;
      const plan::Region& region = state_.memory[static_cast<size_t>(slot.group)];
      if (plan::IsEmpty(region, dims(port.value).size())) continue;
      SetRegion(region, dims(port.value).size());
      FOVEA_RETURN_IF_ERROR(source.Read(static_cast<int>(i), region_, tile_ports_[0][i]));
    }
    FOVEA_RETURN_IF_ERROR(RunTile(tile));
    for (size_t o = 0; o < graph().outputs.size(); ++o) {
      const size_t rank = dims(graph().outputs[o].value).size();
      const plan::Region region = plan::OutputTile(plan_, o, tile);
      if (plan::IsEmpty(region, rank)) continue;
      SetRegion(region, rank);
      FOVEA_RETURN_IF_ERROR(sink.Write(static_cast<int>(o), region_, tile_ports_[1][o]));
    }
    if (hooks.progress) hooks.progress(t + 1, tiles);
  }
  return OkStatus();
}

Status FastRunner::RunWhole(TensorSource& source, TensorSink& sink) {
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
  uint64_t bytes = 0;
  for (const auto& side : port_dims_) {
    for (const plan::Dims* d : side) bytes += AlignUp(static_cast<uint64_t>(plan::Elements(*d)) * sizeof(float));
  }
  if (whole_.bytes() < bytes) {
    FOVEA_ASSIGN_OR_RETURN(whole_, Block::Allocate(allocator_, bytes));
  }
  float* next = whole_.floats();
  for (size_t side = 0; side < 2; ++side) {
    for (size_t p = 0; p < port_dims_[side].size(); ++p) {
      const plan::Dims& d = *port_dims_[side][p];
      if (side == 0 && !graph().inputs[p].is_shape) {
        FOVEA_RETURN_IF_ERROR(source.Read(static_cast<int>(p), WholeTensor(d), next));
      }
      if (side == 0) {
        inputs.push_back(next);
      } else {
        outputs.push_back(next);
      }
      next += AlignUp(static_cast<uint64_t>(plan::Elements(d)) * sizeof(float)) / sizeof(float);
    }
  }
  FOVEA_RETURN_IF_ERROR(Run(inputs, outputs));
  for (size_t o = 0; o < outputs.size(); ++o) {
    FOVEA_RETURN_IF_ERROR(sink.Write(static_cast<int>(o), WholeTensor(*port_dims_[1][o]), outputs[o]));
  }
  return OkStatus();
}

void FastRunner::SetRegion(const plan::Region& region, size_t rank) {
  region_.begin.resize(rank);
  region_.size.resize(rank);
  for (size_t a = 0; a < rank; ++a) {
    region_.begin[a] = region.axis[a].begin;
    region_.size[a] = region.axis[a].size();
  }
}

}  // namespace

Result<std::unique_ptr<Runner>> CreateFastRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                 const SessionOptions& options, kernels::Isa cap) {
  auto runner = std::make_unique<FastRunner>();
  FOVEA_RETURN_IF_ERROR(runner->Prepare(std::move(file), std::move(graph), options, cap));
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace fovea::exec
