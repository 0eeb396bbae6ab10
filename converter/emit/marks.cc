#include "converter/emit/marks.h"

#include <algorithm>

namespace fovea::converter {

namespace {

using Letters = std::string;  // of a value's axes: z, y, x where spatial, else ' '
constexpr char kNone = ' ';

bool IsSpatial(char letter) { return letter == 'z' || letter == 'y' || letter == 'x'; }
bool IsOne(const DimExpr& d) { return d == DimExpr(1); }

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), letters_(graph.values.size()) {
    for (size_t v = 0; v < letters_.size(); ++v) letters_[v].assign(graph.values[v].dims.size(), kNone);
  }

  std::vector<Mark> Run() {
    for (const Port& port : graph_.inputs) Start(port);
    for (const Node& node : graph_.nodes) Visit(node);
    return std::move(marks_);
  }

 private:
  const std::vector<DimExpr>& DimsOf(int v) const { return graph_.values[static_cast<size_t>(v)].dims; }
  Letters& Of(int v) { return letters_[static_cast<size_t>(v)]; }

  void Start(const Port& port) {
    Letters& letters = Of(port.value);
    for (size_t a = 0; a < port.axes.size(); ++a) {
      if (IsSpatial(port.axes[a])) letters[a] = port.axes[a];
      const DimExpr& size = DimsOf(port.value)[a];
      if (port.axes[a] == 'b' && size.IsConst() && size.Const() != 1) {
        marks_.push_back({Mark::Kind::kFixedSize, "input '" + port.name + "': batches of " + size.ToString()});
      }
    }
  }

  // Axes with more than one element that `couples` names.
  template <class Couples>
  void MarkWhole(const Node& node, size_t input, const Couples& couples) {
    const Letters& letters = Of(node.inputs[input]);
    std::string axes;
    for (size_t a = 0; a < letters.size(); ++a) {
      if (!IsSpatial(letters[a]) || !couples(a) || IsOne(DimsOf(node.inputs[input])[a])) continue;
      axes += (axes.empty() ? "" : ", ") + std::string(1, letters[a]);
    }
    if (!axes.empty()) Add(Mark::Kind::kWholeImage, node, "over " + axes);
  }
  void Add(Mark::Kind kind, const Node& node, const std::string& what) {
    marks_.push_back({kind, "node '" + node.name + "' (" + OpKindName(KindOf(node.params)) + "): " + what});
  }

  // Input `i` to the output, axes aligned at the right, the last `but` axes of both left out.
  void Carry(const Node& node, size_t i, size_t but = 0) {
    const Letters in = Of(node.inputs[i]);
    Letters& out = Of(node.output);
    for (size_t k = but; k < std::min(in.size(), out.size()); ++k) {
      const size_t from = in.size() - 1 - k, to = out.size() - 1 - k;
      if (IsSpatial(in[from]) && !IsOne(DimsOf(node.output)[to])) out[to] = in[from];
    }
  }

  void Visit(const Node& node) {
    if (node.inputs.empty() || node.inputs[0] == kNoValue) return;
    const size_t rank = DimsOf(node.inputs[0]).size();
    const auto is = [](int64_t axis, size_t a) { return static_cast<size_t>(axis) == a; };
    switch (KindOf(node.params)) {
      case OpKind::kReduce: {
        const ReduceParams& p = std::get<ReduceParams>(node.params);
        Reduced(node, p.axes, p.keep_dims);
        return;
      }
      case OpKind::kArgReduce: {
        const ArgReduceParams& p = std::get<ArgReduceParams>(node.params);
        Reduced(node, {p.axis}, p.keep_dims);
        return;
      }
      case OpKind::kTranspose: {
        const auto& perm = std::get<TransposeParams>(node.params).perm;
        for (size_t a = 0; a < perm.size(); ++a) {
          Of(node.output)[a] = Of(node.inputs[0])[static_cast<size_t>(perm[a])];
        }
        return;
      }
      case OpKind::kReshape: Reshaped(node); return;
      case OpKind::kMatMul:
        MarkWhole(node, 0, [&](size_t a) { return a + 1 == rank; });
        if (const size_t b = DimsOf(node.inputs[1]).size(); b > 0) {
          MarkWhole(node, 1, [&](size_t a) { return a + 2 == b || b == 1; });
        }
        if (rank > 1) Carry(node, 0, 1);
        return;
      case OpKind::kGather: {
        const size_t axis = static_cast<size_t>(std::get<GatherParams>(node.params).axis);
        MarkWhole(node, 0, [&](size_t a) { return a == axis; });
        const size_t shift = DimsOf(node.inputs[1]).size();
        for (size_t a = 0; a < rank; ++a) {
          if (a != axis) Of(node.output)[a < axis ? a : a + shift - 1] = Of(node.inputs[0])[a];
        }
        return;
      }
      case OpKind::kGroupNorm: MarkWhole(node, 0, [](size_t) { return true; }); break;
      case OpKind::kLayerNorm:
        MarkWhole(node, 0,
                  [&](size_t a) { return a >= static_cast<size_t>(std::get<LayerNormParams>(node.params).axis); });
        break;
      case OpKind::kSoftmax:
        MarkWhole(node, 0, [&](size_t a) { return is(std::get<SoftmaxParams>(node.params).axis, a); });
        break;
      case OpKind::kTile:
        MarkWhole(node, 0, [&](size_t a) { return !IsOne(std::get<TileParams>(node.params).repeats[a]); });
        break;
      case OpKind::kResize: Resized(node); break;
      default: break;
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool image = i == 0 || KindOf(node.params) == OpKind::kBinary || KindOf(node.params) == OpKind::kSelect ||
                         KindOf(node.params) == OpKind::kConcat;
      if (image && node.inputs[i] != kNoValue) Carry(node, i);
    }
  }

  void Reduced(const Node& node, const std::vector<int64_t>& axes, bool keep_dims) {
    const auto reduced = [&](size_t a) {
      return std::find(axes.begin(), axes.end(), static_cast<int64_t>(a)) != axes.end();
    };
    MarkWhole(node, 0, reduced);
    const Letters in = Of(node.inputs[0]);
    size_t to = 0;
    for (size_t a = 0; a < in.size(); ++a) {
      if (!reduced(a)) Of(node.output)[to] = in[a];
      if (!reduced(a) || keep_dims) ++to;
    }
  }

  void Resized(const Node& node) {
    const auto& sizes = std::get<ResizeParams>(node.params).sizes;
    std::string fixed;
    for (size_t a = 0; a < sizes.size(); ++a) {
      if (!IsSpatial(Of(node.inputs[0])[a]) || !sizes[a].IsConst() || DimsOf(node.inputs[0])[a].IsConst()) continue;
      fixed += (fixed.empty() ? "" : ", ") + std::string(1, Of(node.inputs[0])[a]) + " " + sizes[a].ToString();
    }
    if (!fixed.empty()) Add(Mark::Kind::kFixedSize, node, "to " + fixed);
  }

  // Axes of equal size stay themselves; a spatial axis that is split or joined with more than axes of size 1 is read as
  // a whole, but for the slowest axis of such a group, which stays an order of rows.
  void Reshaped(const Node& node) {
    const std::vector<DimExpr>&in = DimsOf(node.inputs[0]), &out = DimsOf(node.output);
    const Letters from = Of(node.inputs[0]);
    std::vector<bool> whole(in.size(), false);
    size_t i = 0, o = 0;
    while (i < in.size() && o < out.size()) {
      if (in[i] == out[o]) {
        Of(node.output)[o++] = from[i++];
        continue;
      }
      if (IsOne(in[i])) {
        ++i;
        continue;
      }
      if (IsOne(out[o])) {
        ++o;
        continue;
      }
      const size_t first = i, to = o;
      DimExpr left = in[i++], right = out[o++];
      // Grown until the products agree; sizes that are not numbers take whatever is left.
      while (!(left == right) && (i < in.size() || o < out.size())) {
        const bool grow_left =
            o == out.size() ||
            (i < in.size() && left.IsConst() && right.IsConst() ? left.Const() < right.Const() : i < in.size());
        if (grow_left) {
          left = left * in[i++];
        } else {
          right = right * out[o++];
        }
      }
      for (size_t a = first; a < i; ++a) whole[a] = i - first > 1 && (a > first || o - to > 1);
      Of(node.output)[to] = from[first];
    }
    MarkWhole(node, 0, [&](size_t a) { return whole[a]; });
  }

  const Graph& graph_;
  std::vector<Letters> letters_;
  std::vector<Mark> marks_;
};

}  // namespace

std::vector<Mark> FindMarks(const Graph& graph) { return Finder(graph).Run(); }

std::string MarksText(const Graph& graph, Mark::Kind kind) {
  std::string text;
  for (const Mark& mark : FindMarks(graph)) {
    if (mark.kind == kind) text += (text.empty() ? "" : "; ") + mark.text;
  }
  return text;
}

}  // namespace fovea::converter
