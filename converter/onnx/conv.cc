// Conv and ConvTranspose. Weights arrive as [Cout, Cin/g, k...] and [Cin, Cout/g, k...] and leave as
// [kd, kh, kw, Cin/g, Cout]; constants are rearranged at once, weights computed by the graph when it runs.
#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

// The numbers of a shape that must be fixed: the weights'.
Result<std::vector<int64_t>> WeightDims(NodeContext& c, int rank) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId w, c.Need(1));
  std::vector<int64_t> dims;
  for (const DimExpr& dim : c.b.dims(w)) {
    if (!dim.IsConst()) return Unsupported("weights whose size depends on the image");
    dims.push_back(dim.Const());
  }
  if (static_cast<int>(dims.size()) != rank) {
    return CorruptFile("weights with " + std::to_string(dims.size()) + " axes for an image with " +
                       std::to_string(rank));
  }
  return dims;
}

// [a, b, k...] to [kd, kh, kw, b or a, a or b].
Result<ValueId> SpatialFirst(ir::Builder& b, ValueId w, bool swap, const Dims& last_two) {
  const int rank = b.rank(w);
  std::vector<int64_t> perm;
  for (int i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(swap ? 1 : 0);
  perm.push_back(swap ? 0 : 1);
  Dims dims(static_cast<size_t>(5 - rank), 1);
  for (int i = 2; i < rank; ++i) dims.push_back(b.dims(w)[static_cast<size_t>(i)]);
  dims.insert(dims.end(), last_two.begin(), last_two.end());
  FOVEA_ASSIGN_OR_RETURN(const ValueId moved, b.Transpose(w, perm));
  return ReshapeTo(b, moved, dims);
}

Dims SpatialSizes(const Dims& channels_last) { return {channels_last.begin() + 1, channels_last.end() - 1}; }

template <class Params>
Result<ValueId> AddConv(NodeContext& c, ValueId x, ValueId weights, const Window& w, int64_t groups) {
  std::vector<ValueId> operands{x, weights};
  if (c.Has(2)) operands.push_back(c.In(2));
  return c.b.Add(Params{w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, groups, {}}, operands);
}

Status Conv(NodeContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, WeightDims(c, c.b.rank(x)));
    const std::vector<int64_t> kernel(dims.begin() + 2, dims.end());
    FOVEA_ASSIGN_OR_RETURN(const Window w, ReadWindow(c, SpatialSizes(c.b.dims(x)), kernel));
    const int64_t groups = c.Int("group", 1);
    if (groups < 1 || dims[0] % groups != 0) return CorruptFile("group " + std::to_string(groups));
    FOVEA_ASSIGN_OR_RETURN(const ValueId weights, SpatialFirst(c.b, c.In(1), true, {dims[1], dims[0]}));
    return AddConv<ConvParams>(c, x, weights, w, groups);
  });
}

// [Cin, Cout/g, k...] to [kd, kh, kw, Cin/g, Cout], group g's outputs in columns g Cout/g ...
Result<ValueId> TransposedWeights(ir::Builder& b, ValueId w, const std::vector<int64_t>& dims, int64_t groups) {
  const int64_t in = dims[0] / groups, out = dims[1];
  if (groups == 1) return SpatialFirst(b, w, false, {in, out});
  Dims split{groups, in, out}, joined(5 - dims.size(), 1);
  std::vector<int64_t> perm;
  for (size_t i = 2; i < dims.size(); ++i) {
    split.push_back(dims[i]);
    joined.push_back(dims[i]);
    perm.push_back(static_cast<int64_t>(i) + 1);
  }
  perm.insert(perm.end(), {1, 0, 2});
  joined.insert(joined.end(), {in, groups * out});
  FOVEA_ASSIGN_OR_RETURN(const ValueId parts, b.Reshape(w, split));
  FOVEA_ASSIGN_OR_RETURN(const ValueId moved, b.Transpose(parts, perm));
  return b.Reshape(moved, joined);
}

// A kernel that is smaller than its stride leaves gaps, and sizes that are asked for may reach beyond the last one.
// Where the missing part goes, ONNX's text and ONNX Runtime, which never pads by less than 0, tell differently.
Status CheckReach(const DimExpr& total, bool same) {
  if (!total.IsConst() || total.Const() >= (same ? 0 : -1)) return OkStatus();
  return Unsupported(
      "sizes that its kernel does not reach, about which ONNX's text and ONNX Runtime disagree; export it with pads "
      "and output_padding");
}

// What ConvTranspose adds to a window: pads that follow from output_shape or auto_pad, and output_padding.
Status PadTransposed(NodeContext& c, const Dims& in, Window* w) {
  const size_t spatial = in.size(), first = 3 - spatial;
  std::vector<int64_t> extra = c.Ints("output_padding"), shape = c.Ints("output_shape");
  extra.resize(spatial, 0);
  if (shape.size() > spatial) shape.erase(shape.begin(), shape.end() - static_cast<ptrdiff_t>(spatial));
  const std::string auto_pad = c.String("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!shape.empty() && shape.size() != spatial) return CorruptFile("output_shape of the wrong length");
  for (size_t i = 0; i < spatial; ++i) {
    const size_t a = first + i;
    if (same || !shape.empty()) {
      const DimExpr out = shape.empty() ? in[i] * w->stride[a] : DimExpr(shape[i]);
      const DimExpr total = (in[i] - 1) * w->stride[a] + extra[i] + (w->kernel[a] - 1) * w->dilation[a] + 1 - out;
      FOVEA_RETURN_IF_ERROR(CheckReach(total, shape.empty()));
      const DimExpr half = FloorDiv(total, 2);
      w->pad_begin[a] = Max(auto_pad == "SAME_UPPER" ? half : total - half, 0);  // what lacks is added at the end
      w->pad_end[a] = total - w->pad_begin[a];
    }
    w->pad_end[a] = w->pad_end[a] - extra[i];
  }
  return OkStatus();
}

Status ConvTranspose(NodeContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, WeightDims(c, c.b.rank(x)));
    const std::vector<int64_t> kernel(dims.begin() + 2, dims.end());
    const Dims in = SpatialSizes(c.b.dims(x));
    FOVEA_ASSIGN_OR_RETURN(Window w, ReadWindow(c, in, kernel));
    FOVEA_RETURN_IF_ERROR(PadTransposed(c, in, &w));
    const int64_t groups = c.Int("group", 1);
    if (groups < 1 || dims[0] % groups != 0) return CorruptFile("group " + std::to_string(groups));
    FOVEA_ASSIGN_OR_RETURN(const ValueId weights, TransposedWeights(c.b, c.In(1), dims, groups));
    return AddConv<ConvTransposeParams>(c, x, weights, w, groups);
  });
}

constexpr OpRow kOps[] = {{"Conv", Conv}, {"ConvTranspose", ConvTranspose}};

}  // namespace

std::span<const OpRow> ConvOps() { return kOps; }

}  // namespace fovea::converter
