#include "runtime/model/size_rules.h"

#include <algorithm>
#include <map>
#include <optional>

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
  // The same with other sizes for the axes of `group`, all of which have one size now.
  bool LegalWith(const std::vector<Axis>& group, int64_t size) {
    const int64_t before = this->size(group[0]);
    for (const Axis& axis : group) Set(axis, size);
    const bool legal = Legal();
    for (const Axis& axis : group) Set(axis, before);
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

// axes: varied together. The least step d such that the base and the next multiples of d above it are legal.
int64_t FindStep(const std::vector<Axis>& axes, Prober* prober) {
  const int64_t base = prober->size(axes[0]);
  for (int64_t step = 1; step <= kMaxStep; ++step) {
    if (prober->LegalWith(axes, base + step) && prober->LegalWith(axes, base + 2 * step) &&
        prober->LegalWith(axes, base + 3 * step) && prober->LegalWith(axes, base + 7 * step)) {
      return step;
    }
  }
  return 0;
}

// The least size on the lattice of base and step from which on everything up to the base is legal: below some size a
// window does not fit any more, so legality is monotonic, and a bisection finds the border.
int64_t FindLeast(const std::vector<Axis>& axes, int64_t step, Prober* prober) {
  const int64_t base = prober->size(axes[0]);
  int64_t legal = 0, illegal = (base - 1) / step + 1;  // in steps below the base
  while (illegal - legal > 1) {
    const int64_t middle = (legal + illegal) / 2;
    (prober->LegalWith(axes, base - middle * step) ? legal : illegal) = middle;
  }
  int64_t least = base - legal * step;
  // Sizes of 1 can be legal for reasons that do not hold for the next (a size of 1 broadcasts): look a few steps up.
  for (int64_t size = least; size < std::min(base, least + 6 * step); size += step) {
    if (!prober->LegalWith(axes, size)) least = size + step;
  }
  return least;
}

// A size of 1 may be legal because it broadcasts over a constant of the size that the network was made for. That size
// is what is meant: the least one above 1 that is legal, alone; the prober is left with it.
std::optional<AxisRule> FindBeyondOne(const Axis& axis, Prober* prober) {
  for (int64_t size = 2; size <= kLargest; ++size) {
    if (!prober->LegalWith({axis}, size)) continue;
    prober->Set(axis, size);
    const int64_t step = FindStep({axis}, prober);
    return step == 0 ? AxisRule{size, 0} : AxisRule{FindLeast({axis}, step, prober), step};
  }
  return std::nullopt;
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
    // Alone where possible; else with the axes of other inputs that mean the same, else (square images) with all.
    std::vector<Axis> alike, spatial;
    for (const Axis& other : prober.open()) {
      if (other.letter == axis.letter) alike.push_back(other);
      if (IsSpatial(other.letter) && prober.size(other) == prober.size(axis)) spatial.push_back(other);
    }
    AxisRule rule{prober.size(axis), 0};
    for (const std::vector<Axis>& axes : {std::vector<Axis>{axis}, alike, spatial}) {
      const int64_t step = axes.empty() ? 0 : FindStep(axes, &prober);
      if (step == 0) continue;
      rule = {FindLeast(axes, step, &prober), step};
      break;
    }
    if (rule.step == 0 && rule.min == 1 && axis.letter != 'b') rule = FindBeyondOne(axis, &prober).value_or(rule);
    rules[axis.input][axis.axis] = rule;
  }
  return rules;
}

}  // namespace fovea
