#include "runtime/plan/cost.h"

#include <algorithm>
#include <cmath>

namespace fovea::plan {
namespace {

// Measured on Zen 5, as parts of what the machine can do at best.
constexpr double kConvEfficiency = 0.85;
constexpr double kOtherBytesPerMultiplyAdd = 0.1;  // elementwise kernels of one thread, in cache
// A Winograd transform of one position and channel, and packing one float of transformed weights, in multiply-adds.
constexpr double kTransform = 14.5, kPack = 100;
// Winograd without packed weights: tiles of a run; packing one float for each run, its weights coming from the page
// cache; and what transforms cost more, because those of a long run leave the second cache.
constexpr double kUnpackedTiles = 112, kPackInRun = 60, kUnpackedTransform = 20;
// What a node costs besides its work: regions, binding, waking the threads.
constexpr double kCallSeconds = 5e-6;
// Memory that is touched for the first time: the system clears it, 4 KiB at a time.
constexpr double kTouchSeconds = 3.5e-10;  // a byte
// Values above this leave the caches between two nodes; weights above it between two bands.
constexpr double kCacheBytes = 16 << 20;

double Bytes(double elements) { return elements * static_cast<double>(sizeof(float)); }

// Multiply-adds, or what takes as long, for one element of the node's output.
double WorkPerElement(const Plan& plan, size_t n) {
  const ResolvedNode& node = plan.graph.nodes[n];
  const auto elements = static_cast<double>(std::max<int64_t>(1, Elements(node.out)));
  const double direct = static_cast<double>(MultiplyAdds(node)) / elements;
  const std::array<int64_t, 3> lattice = plan.operators[n].lattice();
  if (direct == 0 || lattice[1] * lattice[2] == 1) return direct / kConvEfficiency;
  const auto& kernel = std::get<ConvParams>(node.node->params).kernel;
  double positions = 1;  // of the transformed tile, for each output
  for (size_t s = 1; s < 3; ++s) {
    const auto m = static_cast<double>(lattice[s]);
    positions *= (m + static_cast<double>(kernel[s] - node.upsample[s])) / m;  // one less where the image is doubled
  }
  const auto in = static_cast<double>(node.in[0].back()), out = static_cast<double>(node.out.back());
  const double products = direct / static_cast<double>(kernel[1] * kernel[2]);
  return positions * (products / kConvEfficiency + kTransform * (in + out) / out);
}

// Bytes of values that go out to memory between nodes: large ones that no band keeps in the cache.
double MemoryBytes(const Plan& plan, size_t n) {
  double bytes = 0;
  const auto add = [&](int value) {
    const Slot& slot = plan.slots[static_cast<size_t>(value)];
    if (slot.group < 0 || plan.groups[static_cast<size_t>(slot.group)].rolling >= 0) return;
    const Group& group = plan.groups[static_cast<size_t>(slot.group)];
    const auto held = static_cast<double>(plan.buffers[static_cast<size_t>(group.buffer)].bytes);
    if (held > kCacheBytes) bytes += Bytes(plan.work.made[static_cast<size_t>(value)]);
  };
  const ResolvedNode& node = plan.graph.nodes[n];
  for (size_t i = 0; i < node.in.size(); ++i) {
    if (node.Has(i)) add(node.node->inputs[i]);
  }
  add(node.node->output);
  return bytes;
}

// Multiply-adds, or what takes as long, of packing weights when they are used, over all runs of node n.
double PackingWork(const Plan& plan, size_t n, int threads) {
  const ResolvedNode& node = plan.graph.nodes[n];
  const exec::Operator& op = plan.operators[n];
  const double made = plan.work.made[static_cast<size_t>(node.node->output)], runs = plan.work.runs[n];
  const auto packed = static_cast<double>(op.PackedFloats());
  if (!op.packs_when_run() || runs == 0) return runs * packed * kPack;
  const auto in = static_cast<double>(node.in[0].back()), out = static_cast<double>(node.out.back());
  const std::array<int64_t, 3> lattice = op.lattice();
  const double tiles = made / runs / out / static_cast<double>(lattice[1] * lattice[2]);
  const double parts = std::ceil(tiles / kUnpackedTiles);
  // Threads without a run of their own share one, and each transforms all of its inputs.
  const double repeated = std::max(0.0, std::ceil(threads / parts) - 1) * kTransform * in / out;
  return runs * parts * packed * kPackInRun + made * (repeated + kUnpackedTransform * (in + out) / out);
}

}  // namespace

MachineRates NominalRates(kernels::Isa isa) {
  switch (isa) {
    case kernels::Isa::kAvx512: return {1.3e11, 3e10};
    case kernels::Isa::kAvx2: return {6.5e10, 3e10};
    case kernels::Isa::kNeon: return {2.5e10, 3e10};
    case kernels::Isa::kSse4: return {1.6e10, 3e10};
    case kernels::Isa::kReference: break;
  }
  return {5e8, 3e10};
}

double LeastSeconds(const Plan& plan, size_t n, int threads, const MachineRates& rates) {
  const ResolvedNode& node = plan.graph.nodes[n];
  if (plan.constant[static_cast<size_t>(node.node->output)] || node.kind == OpKind::kDims) return 0;
  return WorkPerElement(plan, n) * static_cast<double>(Elements(node.out)) / (rates.multiply_adds * threads);
}

Cost PredictCost(const Plan& plan, int threads, const MachineRates& rates, std::vector<double>* each) {
  Cost cost;
  if (each != nullptr) each->assign(plan.graph.nodes.size(), 0);
  const double rate = rates.multiply_adds * threads;
  const bool weights_stay = static_cast<double>(plan.packed_weight_bytes) <= kCacheBytes;
  for (size_t n = 0; n < plan.graph.nodes.size(); ++n) {
    const ResolvedNode& node = plan.graph.nodes[n];
    const size_t v = static_cast<size_t>(node.node->output);
    if (plan.constant[v] || node.kind == OpKind::kDims) continue;
    const double made = plan.work.made[v], runs = plan.work.runs[n], before = cost.seconds;
    double work = made * WorkPerElement(plan, n);
    if (MultiplyAdds(node) == 0) work = 2 * Bytes(made) / kOtherBytesPerMultiplyAdd / 8;
    const double seconds = std::max(work / rate, MemoryBytes(plan, n) / rates.memory_bytes);
    const auto whole = static_cast<double>(Elements(node.out));
    cost.redundant += node.again ? seconds : made > whole ? seconds * (1 - whole / made) : 0;
    cost.seconds += seconds + runs * kCallSeconds;
    const auto packed = static_cast<double>(plan.operators[n].PackedFloats());
    if (packed > 0 && !plan.packed_ahead[n]) {
      const double packing = PackingWork(plan, n, threads) / rate;
      cost.packing += packing;
      cost.seconds += packing;
    } else if (packed > 0 && !weights_stay) {
      cost.seconds += (runs - 1) * Bytes(packed) / rates.memory_bytes;
    }
    if (each != nullptr) (*each)[n] = cost.seconds - before;
  }
  cost.seconds += plan.work.moved_bytes / (0.6 * rates.memory_bytes);
  cost.seconds += static_cast<double>(plan.arena_bytes) * kTouchSeconds;
  return cost;
}

}  // namespace fovea::plan
