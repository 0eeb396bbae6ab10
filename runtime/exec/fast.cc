#include "runtime/exec/fast.h"

#include <algorithm>
#include <numeric>

#include "runtime/exec/choice.h"
#include "runtime/exec/passes.h"
#include "runtime/plan/cost.h"

namespace fovea::exec {

plan::PlanOptions PlanOptionsOf(const ModelFile& file, const plan::ResolvedGraph& resolved,
                                const SessionOptions& options, kernels::Isa cap, int threads, bool smallest) {
  plan::PlanOptions plan_options;
  plan_options.cap = cap;
  plan_options.exact_order = options.exact_convolution;
  plan_options.approximate = options.tiling == Tiling::kApproximate;
  plan_options.streaming = options.streaming;
  plan_options.threads = threads;
  plan_options.tile = {options.tile[0], options.tile[1], options.tile[2]};
  plan_options.band_rows = options.band_rows;
  plan_options.memory_bytes = options.memory_bytes;
  plan_options.packed_limit = options.packed_weight_limit;
  plan_options.smallest = smallest;
  plan_options.in_place = Constants::InPlaceValues(file);
  plan_options.fixed_bytes = Constants::Bytes(file, resolved, OnlyPacked(resolved));
  return plan_options;
}

Result<plan::Plan> PlanSession(const ModelFile& file, plan::ResolvedGraph resolved, const SessionOptions& options,
                               kernels::Isa cap, int threads, bool smallest) {
  const plan::PlanOptions plan_options = PlanOptionsOf(file, resolved, options, cap, threads, smallest);
  return plan::MakePlan(std::move(resolved), plan_options);
}

namespace {

// Pixels of the first input that the tile in the middle reads beyond its own, on the side where that is more.
void FindHalo(const plan::Plan& plan, int64_t (&halo)[3]) {
  const Graph& graph = *plan.graph.graph;
  if (!plan.tiled || graph.inputs.empty() || graph.inputs[0].is_shape) return;
  const plan::TileGrid& grid = plan.grid;
  std::array<int64_t, 3> middle;
  for (size_t s = 0; s < 3; ++s) middle[s] = grid.count[s] / 2;
  plan::TileState state = plan::MakeTileState(plan);
  plan::LayOutTile(plan, middle, &state);
  const Port& port = graph.inputs[0];
  const plan::Dims& dims = plan.graph.dims[static_cast<size_t>(port.value)];
  for (size_t a = 0; a < std::min(dims.size(), port.axes.size()); ++a) {
    const size_t s = std::string("zyx").find(port.axes[a]);
    if (s == std::string::npos || grid.count[s] == 1) continue;
    const plan::Interval read = state.regions[static_cast<size_t>(port.value)].axis[a];
    const int64_t begin = middle[s] * grid.tile[s], end = std::min(grid.size[s], begin + grid.tile[s]);
    halo[s] = std::max<int64_t>(
        0, std::max(begin * dims[a] / grid.size[s] - read.begin, read.end - end * dims[a] / grid.size[s]));
  }
}

}  // namespace

PlanReport ReportOf(const plan::Plan& plan, kernels::Isa cap, int threads, const MachineSpeed& speed) {
  PlanReport report;
  report.weight_bytes = plan.fixed_bytes;
  report.packed_weight_bytes = plan.packed_weight_bytes;
  report.arena_bytes = plan.arena_bytes;
  report.tile_buffer_bytes = plan.tile_buffer_bytes;
  report.mapped_bytes =
      plan.total_bytes() - plan.packed_weight_bytes - plan.fixed_bytes - plan.arena_bytes - plan.tile_buffer_bytes;
  report.tiles = plan.grid.tiles();
  for (size_t s = 0; s < 3; ++s) report.tile_size[s] = plan.grid.tile[s];
  FindHalo(plan, report.halo);
  report.multiply_adds = plan.multiply_adds;
  report.bands = plan.bands;
  report.band_rows = plan.band_rows();
  for (const plan::Group& group : plan.groups) {
    const plan::Buffer& buffer = plan.buffers[static_cast<size_t>(group.buffer)];
    if (group.rolling >= 0 && buffer.home == plan::Home::kArena) report.rolling_bytes += buffer.bytes;
  }
  for (const Port& port : plan.graph.graph->outputs) {
    report.output_dims.push_back(plan.graph.dims[static_cast<size_t>(port.value)]);
  }
  report.strategy = plan.Strategy();
  report.approximate = plan.approximate;
  report.recomputed_skips = plan.recomputed;
  report.isa = kernels::IsaName(cap);
  report.threads = threads;
  plan::MachineRates rates = plan::NominalRates(cap);
  const double scale = speed.multiply_adds > 0 ? rates.multiply_adds / speed.multiply_adds : 1;
  if (speed.multiply_adds > 0) rates.multiply_adds = speed.multiply_adds;
  if (speed.memory_bytes > 0) rates.memory_bytes = speed.memory_bytes;
  const plan::Cost cost = plan::PredictCost(plan, threads, rates);
  report.seconds = cost.seconds;
  report.redundant_percent = cost.seconds > 0 ? 100 * cost.redundant / cost.seconds : 0;
  report.packing_percent = cost.seconds > 0 ? 100 * cost.packing / cost.seconds : 0;
  for (const plan::Alternative& a : plan.alternatives) {
    report.alternatives.push_back({a.strategy, a.bytes, a.seconds * scale, a.fits});
  }
  return report;
}

Threads::Threads(const SessionOptions& options) : count(options.threads), parallel_for(options.parallel_for) {
  if (parallel_for.run != nullptr) return;
  pool = std::make_unique<ThreadPool>(count);
  count = pool->threads();  // scratch is laid out for those that there are
  parallel_for = {pool.get(), [](void* all, int64_t tasks, ThreadPool::Body body, void* context) {
                    static_cast<ThreadPool*>(all)->Run(tasks, body, context);
                  }};
}

Status FastRunner::Prepare(std::shared_ptr<const ModelFile> file, plan::Plan plan,
                           const std::vector<uint8_t>& only_packed, const SessionOptions& options, kernels::Isa cap,
                           Threads threads) {
  file_ = std::move(file);
  allocator_ = options.allocator;
  threads_ = threads.count;
  parallel_for_ = threads.parallel_for;
  pool_ = std::move(threads.pool);
  plan_ = std::move(plan);
  FOVEA_RETURN_IF_ERROR(AllocateAndPack(options, cap, only_packed));
  PrepareTiles(cap);
  return OkStatus();
}

void FastRunner::PrepareTiles(kernels::Isa cap) {
  state_ = plan::MakeTileState(plan_);
  copy_ = kernels::Pick(kernels::CopyKernels(), kernels::CopyLayer{}, cap);
  region_.begin.resize(kMaxTensorRank);
  region_.size.resize(kMaxTensorRank);
  tile_info_.inputs.assign(graph().inputs.size(), region_);
  tile_info_.outputs.assign(graph().outputs.size(), region_);
  tile_classes_.Prepare(plan_);
  size_t most_inputs = 0;
  for (const plan::ResolvedNode& node : plan_.graph.nodes) most_inputs = std::max(most_inputs, node.in.size());
  operands_.resize(most_inputs);
  FillReport(cap);
}

void FastRunner::PreparePass(std::shared_ptr<const ModelFile> file, plan::Plan plan, Constants constants,
                             std::vector<const float*> packed, float* memory, const ParallelFor& parallel, int threads,
                             kernels::Isa cap) {
  file_ = std::move(file);
  threads_ = threads;
  parallel_for_ = parallel;
  plan_ = std::move(plan);
  constants_ = std::move(constants);
  packed_.at = std::move(packed);
  const uint64_t arena = AlignUp(plan_.arena_bytes);
  arena_ = Block::Part(memory, arena);
  tile_buffers_ = Block::Part(memory + arena / sizeof(float), plan_.tile_buffer_bytes);
  CollectPorts();
  PlaceTileBuffers();
  PrepareTiles(cap);
}

void FastRunner::CollectPorts() {
  for (size_t side = 0; side < 2; ++side) {
    const std::vector<Port>& ports = side == 0 ? graph().inputs : graph().outputs;
    for (const Port& port : ports) port_dims_[side].push_back(&dims(port.value));
    ports_[side].resize(ports.size(), nullptr);
    tile_ports_[side].resize(ports.size(), nullptr);
  }
}

Status FastRunner::AllocateAndPack(const SessionOptions& options, kernels::Isa cap,
                                   const std::vector<uint8_t>& only_packed) {
  FOVEA_ASSIGN_OR_RETURN(constants_, Constants::Load(*file_, plan_.graph, options.allocator, only_packed));
  FOVEA_ASSIGN_OR_RETURN(packed_, PackWeights(*file_, plan_, constants_, options, cap, parallel_for_, threads_));
  FOVEA_ASSIGN_OR_RETURN(arena_, Block::Allocate(options.allocator, plan_.arena_bytes));
  CollectPorts();
  if (plan_.has_tile_buffers()) FOVEA_RETURN_IF_ERROR(AllocateTileBuffers());
  return OkStatus();
}

Status FastRunner::AllocateTileBuffers() {
  const auto size = [&](int buffer) { return AlignUp(plan_.buffers[static_cast<size_t>(buffer)].bytes); };
  uint64_t bytes = 0;
  for (const std::vector<int>& side : plan_.port_buffers) {
    for (int buffer : side) bytes += size(buffer);
  }
  FOVEA_ASSIGN_OR_RETURN(tile_buffers_, Block::Allocate(allocator_, bytes));
  PlaceTileBuffers();
  return OkStatus();
}

void FastRunner::PlaceTileBuffers() {
  const auto size = [&](int buffer) { return AlignUp(plan_.buffers[static_cast<size_t>(buffer)].bytes); };
  float* next = tile_buffers_.floats();
  for (size_t side = 0; side < 2; ++side) {
    for (size_t p = 0; p < tile_ports_[side].size(); ++p) {
      tile_ports_[side][p] = next;
      next += size(plan_.port_buffers[side][p]) / sizeof(float);
    }
  }
}

void FastRunner::FillReport(kernels::Isa cap) {
  report = ReportOf(plan_, cap, threads_, {});
  report.weight_cache = packed_.cache;
  plan::PredictCost(plan_, threads_, plan::NominalRates(cap), &share_);
  const double seconds = std::accumulate(share_.begin(), share_.end(), 0.0);
  for (size_t n = 0; n < share_.size(); ++n) {
    const double made = plan_.work.made[static_cast<size_t>(plan_.graph.nodes[n].node->output)];
    share_[n] = made > 0 && seconds > 0 ? share_[n] / made / seconds : 0;
  }
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

Result<std::unique_ptr<Runner>> CreateFastRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                 const SessionOptions& options, kernels::Isa cap) {
  Threads threads(options);
  FOVEA_ASSIGN_OR_RETURN(Choice choice, Choose(*file, graph, options, cap, threads.count, false));
  if (choice.takes_passes) {
    choice.one.reset();
    ReturnFreedHeap();
    auto runner = std::make_unique<PassRunner>();
    FOVEA_RETURN_IF_ERROR(
        runner->Prepare(std::move(file), *std::move(choice.passes), options, cap, std::move(threads)));
    return std::unique_ptr<Runner>(std::move(runner));
  }
  choice.passes.reset();
  if (choice.looked_at_passes) ReturnFreedHeap();
  auto runner = std::make_unique<FastRunner>();
  const std::vector<uint8_t> only_packed = OnlyPacked(graph);
  FOVEA_RETURN_IF_ERROR(
      runner->Prepare(std::move(file), *std::move(choice.one), only_packed, options, cap, std::move(threads)));
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace fovea::exec
