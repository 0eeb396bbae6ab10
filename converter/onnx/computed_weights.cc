#include "converter/onnx/computed_weights.h"

#include <set>

namespace fovea::converter {

namespace {

constexpr int64_t kMaxCopies = 1024;  // taps times groups

SliceParams WholeSlice(const Dims& dims) { return {Dims(dims.size(), 0), dims, std::vector<int64_t>(dims.size(), 1)}; }

Result<ValueId> Columns(ir::Builder& b, ValueId x, const DimExpr& begin, const DimExpr& count) {
  SliceParams p = WholeSlice(b.dims(x));
  p.start.back() = begin;
  p.size.back() = count;
  return b.Add(std::move(p), {x});
}

Result<ValueId> Joined(ir::Builder& b, std::vector<ValueId> parts) {
  if (parts.size() == 1) return parts[0];
  const int64_t axis = b.rank(parts[0]) - 1;
  return b.Add(ConcatParams{axis}, std::move(parts));
}

// The padded image once for every tap of the window, side by side in the channels.
Result<ValueId> Taps(ir::Builder& b, ValueId padded, const Window& w) {
  const Dims dims = b.dims(padded);
  const size_t spatial = dims.size() - 2, first = 3 - spatial;
  SliceParams p = WholeSlice(dims);
  for (size_t i = 0; i < spatial; ++i) {
    const size_t a = first + i;
    p.size[i + 1] = FloorDiv(dims[i + 1] - ((w.kernel[a] - 1) * w.dilation[a] + 1), w.stride[a]) + 1;
    p.step[i + 1] = w.stride[a];
  }
  std::vector<ValueId> taps;
  for (int64_t kd = 0; kd < w.kernel[0]; ++kd) {
    for (int64_t kh = 0; kh < w.kernel[1]; ++kh) {
      for (int64_t kw = 0; kw < w.kernel[2]; ++kw) {
        const Int3 tap{kd, kh, kw};
        for (size_t i = 0; i < spatial; ++i) p.start[i + 1] = tap[first + i] * w.dilation[first + i];
        FOVEA_ASSIGN_OR_RETURN(const ValueId shifted, b.Add(p, {padded}));
        taps.push_back(shifted);
      }
    }
  }
  return Joined(b, std::move(taps));
}

Result<ValueId> Padded(ir::Builder& b, ValueId x, const Window& w) {
  const size_t rank = b.dims(x).size(), first = 5 - rank;
  PadParams p;
  p.begin.assign(rank, 0);
  p.end.assign(rank, 0);
  bool none = true;
  for (size_t i = 0; i + 2 < rank; ++i) {
    p.begin[i + 1] = w.pad_begin[first + i];
    p.end[i + 1] = w.pad_end[first + i];
    none = none && p.begin[i + 1] == DimExpr(0) && p.end[i + 1] == DimExpr(0);
  }
  if (none) return x;
  return b.Add(std::move(p), {x});
}

}  // namespace

bool IsComputedFromConstants(const ir::Graph& graph, ValueId v) {
  std::vector<ValueId> stack{v};
  std::set<ValueId> seen;
  while (!stack.empty()) {
    const ValueId at = stack.back();
    stack.pop_back();
    if (at == ir::kNoValue || !seen.insert(at).second) continue;
    const ir::Value& value = graph.values[static_cast<size_t>(at)];
    if (value.is_const()) continue;
    if (value.producer < 0) return false;
    const ir::Node& node = graph.nodes[static_cast<size_t>(value.producer)];
    if (KindOf(node.params) == OpKind::kDims) return false;
    stack.insert(stack.end(), node.inputs.begin(), node.inputs.end());
  }
  return true;
}

Result<ValueId> ConvWithComputedWeights(ir::Builder& b, ValueId x, ValueId weights, const Window& w, int64_t groups) {
  const int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
  if (taps > kMaxCopies || groups > kMaxCopies || taps * groups > kMaxCopies) {
    return Unsupported("weights that are computed from the inputs, with a window this large; give them with --set");
  }
  const DimExpr in = b.dims(weights)[3], out = b.dims(weights)[4], channels = b.dims(x).back();
  if (channels.IsConst() && !(channels == in * groups)) {
    return CorruptFile("channels " + channels.ToString() + " of the image against " + (in * groups).ToString() +
                       " of the weights");
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId padded, Padded(b, x, w));
  FOVEA_ASSIGN_OR_RETURN(const ValueId matrix, b.Reshape(weights, {in * taps, out}));
  std::vector<ValueId> parts;
  for (int64_t g = 0; g < groups; ++g) {
    ValueId image = padded, columns = matrix;
    if (groups > 1) {
      FOVEA_ASSIGN_OR_RETURN(image, Columns(b, padded, in * g, in));
      FOVEA_ASSIGN_OR_RETURN(columns, Columns(b, matrix, FloorDiv(out, groups) * g, FloorDiv(out, groups)));
    }
    FOVEA_ASSIGN_OR_RETURN(const ValueId copies, Taps(b, image, w));
    FOVEA_ASSIGN_OR_RETURN(const ValueId part, b.Add(MatMulParams{}, {copies, columns}));
    parts.push_back(part);
  }
  return Joined(b, std::move(parts));
}

// stride - 1 zeros between the elements, then a convolution with the window turned round.
Result<ValueId> ConvTransposeWithComputedWeights(ir::Builder& b, ValueId x, ValueId weights, const Window& w,
                                                 int64_t groups) {
  const size_t spatial = b.dims(x).size() - 2, first = 3 - spatial;
  Window plain;
  plain.kernel = w.kernel;
  plain.dilation = w.dilation;
  SliceParams turned = WholeSlice(b.dims(weights));
  for (size_t i = 0; i < spatial; ++i) {
    const size_t a = first + i;
    const Dims dims = b.dims(x);
    if (w.stride[a] > 1) {
      FOVEA_ASSIGN_OR_RETURN(const ValueId apart, b.Reshape(x, {Product(dims, 0, i + 1), dims[i + 1], 1,
                                                                Product(dims, i + 2, dims.size())}));
      FOVEA_ASSIGN_OR_RETURN(
          const ValueId spread,
          b.Add(PadParams{kernels::PadMode::kConstant, {0, 0, 0, 0}, {0, 0, w.stride[a] - 1, 0}, 0}, {apart}));
      Dims larger = dims;
      larger[i + 1] = dims[i + 1] * w.stride[a];
      FOVEA_ASSIGN_OR_RETURN(x, b.Reshape(spread, larger));
    }
    const int64_t reach = (w.kernel[a] - 1) * w.dilation[a];
    plain.pad_begin[a] = reach - w.pad_begin[a];
    plain.pad_end[a] = reach - w.pad_end[a] - (w.stride[a] - 1);
    turned.start[a] = w.kernel[a] - 1;
    turned.step[a] = -1;
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId flipped, b.Add(std::move(turned), {weights}));
  return ConvWithComputedWeights(b, x, flipped, plain, groups);
}

}  // namespace fovea::converter
