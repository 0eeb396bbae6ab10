// Operators that move elements and leave them as they are: layout, joining, repeating.
#include <algorithm>

#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

Status Reshape(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(Dims dims, c.SizesAt(1));
  if (dims.size() > static_cast<size_t>(kMaxTensorRank)) return Unsupported("a result with more than 6 axes");
  Dims left = c.b.dims(x), others;
  std::optional<size_t> rest;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!dims[i].IsConst() || dims[i].Const() >= 0) {
      others.push_back(dims[i]);
    } else if (dims[i].Const() != -1 || rest) {
      return CorruptFile("sizes below 0");
    } else {
      rest = i;
    }
  }
  if (rest) {
    // Sizes on both sides cancel first: what is left divides more simply.
    Dims divisors;
    for (const DimExpr& other : others) {
      const auto same = std::find(left.begin(), left.end(), other);
      if (same != left.end()) {
        left.erase(same);
      } else {
        divisors.push_back(other);
      }
    }
    const DimExpr divisor = Product(divisors);
    if (divisor == DimExpr(0)) return CorruptFile("a size of -1 beside one of 0");
    dims[*rest] = divisor == DimExpr(1) ? Product(left) : FloorDiv(Product(left), divisor);
  }
  return c.Out(0, ReshapeTo(c.b, x, dims));
}

Status Transpose(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(std::vector<int64_t> perm, c.IntegersAt(1));
  const int rank = c.b.rank(x);
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> sorted, NormalAxes(perm, rank));
  if (static_cast<int>(sorted.size()) != rank || perm.size() != sorted.size()) {
    return CorruptFile("perm is not a permutation of the axes");
  }
  for (int64_t& axis : perm) axis = axis < 0 ? axis + rank : axis;
  return c.Out(0, c.b.Transpose(x, perm));
}

Status ExpandDims(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, c.AxisAt(1, c.b.rank(x) + 1));
  Dims dims = c.b.dims(x);
  dims.insert(dims.begin() + axis, DimExpr(1));
  return c.Out(0, ReshapeTo(c.b, x, dims));
}

Status Squeeze(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims dims = c.b.dims(x);
  const std::vector<int64_t> given = c.Ints(c.HasAttr("squeeze_dims") ? "squeeze_dims" : "axis");
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, NormalAxes(given, c.b.rank(x)));
  Dims left;
  if (axes.empty() && std::any_of(dims.begin(), dims.end(), [](const DimExpr& dim) { return !dim.IsConst(); })) {
    c.Warn("it drops whatever axes have the size 1; those of open size are taken to be larger and stay");
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool listed = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    if (listed && dims[i].IsConst() && dims[i].Const() != 1) {
      return CorruptFile("axis " + std::to_string(i) + " has the size " + dims[i].ToString() + ", not 1");
    }
    if (!(axes.empty() ? dims[i] == DimExpr(1) : listed)) left.push_back(dims[i]);
  }
  return c.Out(0, ReshapeTo(c.b, x, left));
}

Status Join(NodeContext& c, int begin, int end, int axis_input) {
  std::vector<ValueId> inputs;
  for (int i = begin; i < end; ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
    // Empty vectors join as nothing.
    const Dims& dims = c.b.dims(x);
    if (dims.size() == 1 && dims[0] == DimExpr(0) && end - begin > 1) continue;
    inputs.push_back(x);
  }
  if (inputs.empty()) return CorruptFile("it has nothing to join");
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, c.AxisAt(axis_input, c.b.rank(inputs[0])));
  if (inputs.size() == 1) return c.Out(0, inputs[0]);
  return c.Out(0, c.b.Add(ConcatParams{axis}, std::move(inputs)));
}
Status ConcatV2(NodeContext& c) { return Join(c, 0, c.input_count() - 1, c.input_count() - 1); }
Status Concat(NodeContext& c) { return Join(c, 1, c.input_count(), 0); }

Status Pack(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId first, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", 0), c.b.rank(first) + 1));
  std::vector<ValueId> parts;
  for (int i = 0; i < c.input_count(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
    Dims dims = c.b.dims(x);
    if (static_cast<int64_t>(dims.size()) < axis) return CorruptFile("tensors with different numbers of axes");
    dims.insert(dims.begin() + axis, DimExpr(1));
    FOVEA_ASSIGN_OR_RETURN(const ValueId part, c.b.Reshape(x, dims));
    parts.push_back(part);
  }
  if (parts.size() == 1) return c.Out(0, parts[0]);
  return c.Out(0, c.b.Add(ConcatParams{axis}, std::move(parts)));
}

Status Tile(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(Dims repeats, c.SizesAt(1));
  if (repeats.size() != c.b.dims(x).size()) return CorruptFile("multiples of the wrong length");
  return c.Out(0, c.b.Add(TileParams{std::move(repeats)}, {x}));
}

constexpr OpRow kOps[] = {{"Reshape", Reshape}, {"Transpose", Transpose}, {"ExpandDims", ExpandDims},
                          {"Squeeze", Squeeze}, {"ConcatV2", ConcatV2},   {"Concat", Concat},
                          {"Pack", Pack},       {"Stack", Pack},          {"Tile", Tile}};

}  // namespace

std::span<const OpRow> ShapeOps() { return kOps; }

}  // namespace fovea::converter::tf
