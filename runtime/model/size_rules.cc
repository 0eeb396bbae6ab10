#include "runtime/model/size_rules.h"

#include <algorithm>
#include <map>

#include "runtime/model/shapes.h"

namespace fovea {
namespace {

using Dims = std::vector<int64_t>;

constexpr int64_t kLargest = 1200;  // beyond the least size of unpadded U-Nets of usual depths
constexpr int64_t kMaxStep = 256;

// One open axis of one input.
struct Axis {
  size_t input, axis;
  char letter;
};

class Prober {
 public:
  explicit Prober(const Graph& graph) : graph_(graph) {
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const Port& port = graph.inputs[i];
      Dims& dims = dims_.emplace_back();
      // What a small vector that decides sizes may hold is unknown; twos are scales and sizes alike.
      const std::vector<DimExpr>& sizes = graph.values[static_cast<size_t>(port.value)].dims;
      values_.emplace_back();
      for (size_t a = 0; a < sizes.size(); ++a) {
        dims.push_back(sizes[a].IsConst() ? sizes[a].Const() : 1);
        if (!sizes[a].IsConst()) open_.push_back({i, a, a < port.axes.size() ? port.axes[a] : 'i'});
      }
      if (port.is_shape) values_.back().assign(dims.empty() ? 1 : static_cast<size_t>(dims[0]), 2.0);
    }
    for (const Value& value : graph.values) {
      Dims& dims = constants_.emplace_back();
      if (!value.is_const) continue;
      for (const DimExpr& dim : value.dims) dims.push_back(dim.Const());
    }
  }

  const std::vector<Axis>& open() const { return open_; }
  int64_t size(const Axis& axis) const { return dims_[axis.input][axis.axis]; }
  void Set(const Axis& axis, int64_t size) { dims_[axis.input][axis.axis] = size; }

  // Whether shapes infer at the sizes set.
  bool Legal() {
    const auto [found, fresh] = known_.try_emplace(dims_, false);
    if (fresh) found->second = Infer();
    return found->second;
  }
  bool LegalWith(const Axis& axis, int64_t size) {
    const int64_t before = this->size(axis);
    Set(axis, size);
    const bool legal = Legal();
    Set(axis, before);
    return legal;
  }

 private:
  bool Infer() {
    const DimBindings bindings{dims_, values_};
    std::vector<Dims> dims = constants_;
    for (size_t i = 0; i < dims_.size(); ++i) dims[static_cast<size_t>(graph_.inputs[i].value)] = dims_[i];
    std::vector<const Dims*> in;
    for (const Node& node : graph_.nodes) {
      in.clear();
      for (int v : node.inputs) in.push_back(v == kNoValue ? nullptr : &dims[static_cast<size_t>(v)]);
      auto out = InferShape<int64_t>(node.params, in, &bindings);
      if (!out.ok()) return false;
      // An empty image is no result, even where shapes allow it.
      for (int64_t d : *out) {
        if (d < 1) return false;
      }
      dims[static_cast<size_t>(node.output)] = *std::move(out);
    }
    return true;
  }

  const Graph& graph_;
  std::vector<Dims> dims_, constants_;
  std::vector<std::vector<double>> values_;
  std::vector<Axis> open_;
  std::map<std::vector<Dims>, bool> known_;
};

bool IsSpatial(char letter) { return letter == 'z' || letter == 'y' || letter == 'x' || letter == 'i'; }

// Sets all open spatial axes to one size at which the network is legal; others are 1.
bool FindBase(Prober* prober) {
  const auto try_all = [&](int64_t size, int64_t depth) {
    for (const Axis& axis : prober->open()) {
      prober->Set(axis, axis.letter == 'z' ? depth : IsSpatial(axis.letter) ? size : 1);
    }
    return prober->Legal();
  };
  // Powers of two serve every padded network; sizes a little below serve unpadded ones.
  for (int64_t size : {256, 512, 1024, 64, 128, 32, 16, 8, 1, 384, 768, 572, 252, 1000}) {
    if (try_all(size, size)) return true;
    if (try_all(size, 32) || try_all(size, 1)) return true;
  }
  for (int64_t size = kLargest; size > 1; --size) {
    if (try_all(size, size)) return true;
  }
  return false;
}

// The least step d such that the base and the next multiples of d above it are legal.
int64_t FindStep(const Axis& axis, Prober* prober) {
  const int64_t base = prober->size(axis);
  for (int64_t step = 1; step <= kMaxStep; ++step) {
    if (prober->LegalWith(axis, base + step) && prober->LegalWith(axis, base + 2 * step) &&
        prober->LegalWith(axis, base + 3 * step) && prober->LegalWith(axis, base + 7 * step)) {
      return step;
    }
  }
  return 0;
}

// The least size on the lattice of base and step from which on everything up to the base is legal: below some size a
// window does not fit any more, so legality is monotonic, and a bisection finds the border.
int64_t FindLeast(const Axis& axis, int64_t step, Prober* prober) {
  const int64_t base = prober->size(axis);
  int64_t legal = 0, illegal = (base - 1) / step + 1;  // in steps below the base
  while (illegal - legal > 1) {
    const int64_t middle = (legal + illegal) / 2;
    (prober->LegalWith(axis, base - middle * step) ? legal : illegal) = middle;
  }
  int64_t least = base - legal * step;
  // Sizes of 1 can be legal for reasons that do not hold for the next (a size of 1 broadcasts): look a few steps up.
  for (int64_t size = least; size < std::min(base, least + 6 * step); size += step) {
    if (!prober->LegalWith(axis, size)) least = size + step;
  }
  return least;
}

}  // namespace

std::vector<std::vector<AxisRule>> FindSizeRules(const Graph& graph) {
  Prober prober(graph);
  std::vector<std::vector<AxisRule>> rules;
  for (const Port& port : graph.inputs) {
    std::vector<AxisRule>& port_rules = rules.emplace_back();
    for (const DimExpr& dim : graph.values[static_cast<size_t>(port.value)].dims) {
      port_rules.push_back(dim.IsConst() ? AxisRule{dim.Const(), 0} : AxisRule{1, 1});
    }
  }
  if (!FindBase(&prober)) return rules;
  for (const Axis& axis : prober.open()) {
    const int64_t step = FindStep(axis, &prober);
    AxisRule rule{prober.size(axis), 0};
    if (step > 0) rule = {FindLeast(axis, step, &prober), step};
    rules[axis.input][axis.axis] = rule;
  }
  return rules;
}

}  // namespace fovea
