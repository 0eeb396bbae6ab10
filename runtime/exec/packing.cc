#include "runtime/exec/packing.h"

#include <algorithm>

namespace fovea::exec {
namespace {

// Some milliseconds of packing, so that threads end at about the same time.
constexpr int64_t kTaskFloats = 1 << 20;

// Weights up to this size are read again for every few tiles of an image, and huge pages make that 2 to 4 % faster
// (U-Nets at 512x512). Larger ones belong to layers of few pixels.
constexpr uint64_t kHugePageBytes = 40 << 20;

// Enough for all threads; few beside what is packed.
constexpr uint64_t kReadBytes = 16 << 20;

// One node's weights and bias, as the model has them.
struct Source {
  const Operator* op = nullptr;
  const float *weights = nullptr, *bias = nullptr;
  float* packed = nullptr;
};

struct Task {
  size_t source = 0;
  int part = 0, parts = 1;
};

class Packer {
 public:
  Packer(const ParallelFor& parallel, int threads) : parallel_(parallel), threads_(threads) {}

  void Add(const Source& source) {
    const int64_t parts = std::clamp<int64_t>(source.op->PackedFloats() / kTaskFloats, 1, int64_t{8} * threads_);
    for (int64_t part = 0; part < parts; ++part) {
      tasks_.push_back({sources_.size(), static_cast<int>(part), static_cast<int>(parts)});
    }
    sources_.push_back(source);
  }

  // Packs what was added.
  void Run() {
    const auto body = [](void* context, int64_t task, int) {
      const Packer& packer = *static_cast<const Packer*>(context);
      const Task& t = packer.tasks_[static_cast<size_t>(task)];
      const Source& s = packer.sources_[t.source];
      s.op->Pack(s.weights, s.bias, s.packed, t.part, t.parts);
    };
    if (!tasks_.empty()) parallel_.run(parallel_.context, static_cast<int64_t>(tasks_.size()), body, this);
    tasks_.clear();
    sources_.clear();
  }

 private:
  const ParallelFor& parallel_;
  int threads_;
  std::vector<Source> sources_;
  std::vector<Task> tasks_;
};

}  // namespace

std::vector<uint8_t> OnlyPacked(const plan::ResolvedGraph& resolved) {
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

namespace {

// Where each node's packed weights begin in the block.
std::vector<const float*> Places(const plan::Plan& plan, const float* block) {
  std::vector<const float*> at(plan.operators.size(), nullptr);
  for (size_t n = 0; n < plan.operators.size(); ++n) {
    if (!plan.packed_ahead[n]) continue;
    at[n] = block;
    block += AlignUp(static_cast<uint64_t>(plan.operators[n].PackedFloats()) * sizeof(float)) / sizeof(float);
  }
  return at;
}

void PackAll(const ModelFile& file, const plan::Plan& plan, const Constants& constants, const ParallelFor& parallel,
             int threads, float* block) {
  const std::vector<const float*> at = Places(plan, block);
  Packer packer(parallel, threads);
  std::vector<float> weights_storage, bias_storage;
  std::vector<int> read;  // constants whose pages are there for the tasks that wait
  uint64_t read_bytes = 0;
  const auto run = [&] {
    packer.Run();
    for (int value : read) file.Release(plan.graph.graph->values[static_cast<size_t>(value)]);
    read.clear();
    read_bytes = 0;
  };
  for (size_t n = 0; n < plan.operators.size(); ++n) {
    if (!plan.packed_ahead[n]) continue;
    const Operator& op = plan.operators[n];
    const plan::ResolvedNode& node = op.node();
    bool decoded = false;
    const auto floats = [&](size_t input, std::vector<float>* storage) -> const float* {
      if (!node.Has(input)) return nullptr;
      const int value = node.node->inputs[input];
      if (constants.data(value) != nullptr) return constants.data(value);
      const float* const data = file.Floats(plan.graph.graph->values[static_cast<size_t>(value)], storage).data();
      decoded = decoded || data == storage->data();
      return data;
    };
    const float* const weights = floats(1, &weights_storage);
    const float* const bias = floats(2, &bias_storage);
    float* const packed = block + (at[n] - block);
    const uint64_t bytes = static_cast<uint64_t>(op.PackedFloats()) * sizeof(float);
    if (bytes <= kHugePageBytes) AskForHugePages(packed, bytes);
    packer.Add({&op, weights, bias, packed});
    read.push_back(node.node->inputs[1]);
    read_bytes += static_cast<uint64_t>(plan::Elements(node.in[1])) * sizeof(float);
    // The storage serves one node at a time: it is not part of the plan, and must not grow with the network. Nor should
    // pages of the file.
    if (decoded || read_bytes >= kReadBytes) run();
  }
  run();
}

}  // namespace

Result<PackedWeights> PackWeights(const ModelFile& file, const plan::Plan& plan, const Constants& constants,
                                  const SessionOptions& options, kernels::Isa isa, const ParallelFor& parallel,
                                  int threads) {
  PackedWeights packed;
  const bool caches = !options.cache_directory.empty() && plan.packed_weight_bytes > 0;
  if (caches) {
    const float* const found = WeightCache(options.cache_directory, file, plan, isa).Find(parallel, &packed.mapping);
    if (found != nullptr) {
      packed.at = Places(plan, found);
      packed.cache = "read";
      return packed;
    }
    packed.mapping = Mapping();
  }
  FOVEA_ASSIGN_OR_RETURN(packed.block, Block::Allocate(options.allocator, plan.packed_weight_bytes));
  PackAll(file, plan, constants, parallel, threads, packed.block.floats());
  packed.at = Places(plan, packed.block.floats());
  if (caches) {
    const Status stored =
        WeightCache(options.cache_directory, file, plan, isa)
            .Store(std::as_bytes(std::span(packed.block.floats(), plan.packed_weight_bytes / sizeof(float))), parallel);
    packed.cache = stored.ok() ? "written" : stored.message();
  }
  return packed;
}

}  // namespace fovea::exec
