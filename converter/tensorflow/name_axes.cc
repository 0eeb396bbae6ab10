// Letters of the axes of inputs and outputs. Tensors of spatial operators are channels last ("byxc"); from them letters
// spread through operators that keep axes and through Transposes, in both directions. Ports that nothing reaches get
// the letters of an image in TensorFlow's usual order.
#include <algorithm>

#include "converter/tensorflow/idioms.h"

namespace fovea::converter::tf {
namespace {

std::string ChannelsLast(size_t rank) {
  switch (rank) {
    case 5: return "bzyxc";
    case 4: return "byxc";
    case 3: return "bxc";
    default: return "";
  }
}

bool IsSpatial(OpKind kind) {
  switch (kind) {
    case OpKind::kConv:
    case OpKind::kConvTranspose:
    case OpKind::kPool:
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth:
    case OpKind::kGroupNorm: return true;
    default: return false;
  }
}

bool KeepsAxes(OpKind kind) {
  switch (kind) {
    case OpKind::kResize:
    case OpKind::kPad:
    case OpKind::kConcat:
    case OpKind::kSlice:
    case OpKind::kTile:
    case OpKind::kUnary:
    case OpKind::kBinary:
    case OpKind::kSelect:
    case OpKind::kSoftmax:
    case OpKind::kLrn:
    case OpKind::kDropout:
    case OpKind::kCast: return true;
    default: return false;
  }
}

class Letters {
 public:
  explicit Letters(const ir::Graph& graph) : graph_(graph), of_(graph.values.size()) {}
  const std::string& of(ir::ValueId v) const { return of_[static_cast<size_t>(v)]; }

  void Spread() {
    for (changed_ = true; changed_;) {
      changed_ = false;
      for (const ir::Node& node : graph_.nodes) Visit(node);
    }
  }

 private:
  size_t Rank(ir::ValueId v) const { return graph_.values[static_cast<size_t>(v)].dims.size(); }

  void Set(ir::ValueId v, const std::string& letters) {
    if (v == kNoValue || letters.empty() || letters.size() != Rank(v) || !of(v).empty()) return;
    if (graph_.values[static_cast<size_t>(v)].is_const()) return;
    of_[static_cast<size_t>(v)] = letters;
    changed_ = true;
  }

  void Visit(const ir::Node& node) {
    const OpKind kind = KindOf(node.params);
    const ir::ValueId y = node.output;
    if (node.inputs.empty()) return;
    const ir::ValueId x = node.inputs[0];
    if (IsSpatial(kind)) {
      Set(x, ChannelsLast(Rank(x)));
      Set(y, ChannelsLast(Rank(y)));
    } else if (const TransposeParams* p = std::get_if<TransposeParams>(&node.params)) {
      std::string forward = of(x), backward = of(y);
      for (size_t i = 0; i < p->perm.size(); ++i) {
        const size_t from = static_cast<size_t>(p->perm[i]);
        if (!of(x).empty()) forward[i] = of(x)[from];
        if (!of(y).empty()) backward[from] = of(y)[i];
      }
      Set(y, forward);
      Set(x, backward);
    } else if (const ReduceParams* reduce = std::get_if<ReduceParams>(&node.params)) {
      Set(y, Without(of(x), reduce->axes, reduce->keep_dims));
    } else if (const ArgReduceParams* arg = std::get_if<ArgReduceParams>(&node.params)) {
      Set(y, Without(of(x), {arg->axis}, arg->keep_dims));
    } else if (KeepsAxes(kind)) {
      for (const ir::ValueId v : node.inputs) {
        if (v == kNoValue) continue;
        Set(y, of(v));
        Set(v, of(y));
      }
    }
  }

  static std::string Without(const std::string& letters, const std::vector<int64_t>& axes, bool keep) {
    if (letters.empty() || keep) return letters;
    std::string left;
    for (size_t i = 0; i < letters.size(); ++i) {
      if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) == axes.end()) left += letters[i];
    }
    return left;
  }

  const ir::Graph& graph_;
  std::vector<std::string> of_;
  bool changed_ = false;
};

}  // namespace

void NameAxes(ir::Graph* graph) {
  Letters letters(*graph);
  letters.Spread();
  for (auto* ports : {&graph->inputs, &graph->outputs}) {
    for (ir::Port& port : *ports) {
      const size_t rank = graph->values[static_cast<size_t>(port.value)].dims.size();
      const std::string& found = letters.of(port.value);
      port.axes = !found.empty() ? found : rank >= 4 ? ChannelsLast(rank) : "";
    }
  }
}

}  // namespace fovea::converter::tf
