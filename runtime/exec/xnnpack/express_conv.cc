// Convolution and transposed convolution through XNNPACK.
#include "runtime/exec/xnnpack/express.h"

namespace fovea::exec {
namespace {

bool NeitherDeepNorNegative(const plan::ResolvedNode& node, const Int3& kernel) {
  return kernel[0] == 1 && node.out.size() <= 4 && node.pad_begin[1] >= 0 && node.pad_begin[2] >= 0;
}

// From [kh][kw][in][out] to [out][kh][kw][in], where out counts groups first.
std::vector<float> OutputsFirst(const float* weights, int64_t outputs, int64_t rest) {
  std::vector<float> turned(static_cast<size_t>(outputs * rest));
  for (int64_t r = 0; r < rest; ++r) {
    for (int64_t o = 0; o < outputs; ++o) turned[static_cast<size_t>(o * rest + r)] = weights[r * outputs + o];
  }
  return turned;
}

struct Geometry {
  uint32_t top, right, bottom, left, kernel[2], stride[2], dilation[2], groups;
  size_t group_in, group_out, in, out, batch, rows, cols;
};

uint32_t Unsigned(int64_t v) { return static_cast<uint32_t>(v); }

template <class Params>
Geometry GeometryOf(const Params& params, const plan::ResolvedNode& node) {
  Geometry g{};
  g.top = Unsigned(node.pad_begin[1]), g.left = Unsigned(node.pad_begin[2]);
  g.bottom = Unsigned(std::max<int64_t>(0, node.pad_end[1]));
  g.right = Unsigned(std::max<int64_t>(0, node.pad_end[2]));
  for (size_t a = 0; a < 2; ++a) {
    g.kernel[a] = Unsigned(params.kernel[a + 1]);
    g.stride[a] = Unsigned(params.stride[a + 1]);
    g.dilation[a] = Unsigned(params.dilation[a + 1]);
  }
  const plan::Dims& src = node.in[0];
  g.groups = Unsigned(params.groups);
  g.in = static_cast<size_t>(src.back()), g.out = static_cast<size_t>(node.out.back());
  g.group_in = g.in / g.groups, g.group_out = g.out / g.groups;
  g.batch = static_cast<size_t>(src[0]);
  g.rows = src.size() == 4 ? static_cast<size_t>(src[1]) : 1;
  g.cols = static_cast<size_t>(src[src.size() - 2]);
  return g;
}

// Output padding, which the model states as a negative end of the padding.
Int3 Adjustment(const plan::ResolvedNode& node) {
  return {0, std::max<int64_t>(0, -node.pad_end[1]), std::max<int64_t>(0, -node.pad_end[2])};
}

}  // namespace

bool CanExpressConv(const plan::ResolvedNode& node, std::span<const bool> constant) {
  if (!constant[1] || (node.Has(2) && !constant[2])) return false;
  if (plan::Elements(node.out) == 0) return false;
  if (const auto* conv = std::get_if<ConvParams>(&node.node->params)) {
    return NeitherDeepNorNegative(node, conv->kernel) && node.pad_end[1] >= 0 && node.pad_end[2] >= 0 &&
           conv->stride[0] == 1;
  }
  const auto& transposed = std::get<ConvTransposeParams>(node.node->params);
  const Int3 extra = Adjustment(node);
  return NeitherDeepNorNegative(node, transposed.kernel) && transposed.stride[0] == 1 &&
         extra[1] < transposed.stride[1] && extra[2] < transposed.stride[2];
}

Status ExpressConv(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const auto* conv = std::get_if<ConvParams>(&node.node->params);
  const Geometry g =
      conv != nullptr ? GeometryOf(*conv, node) : GeometryOf(std::get<ConvTransposeParams>(node.node->params), node);
  const kernels::Activation& act = conv != nullptr ? conv->act : std::get<ConvTransposeParams>(node.node->params).act;
  const bool residual = node.Has(3);
  const XnnClamp clamp = ClampOf(act), none = ClampOf({});
  const XnnClamp& now = residual ? none : clamp;
  const std::vector<float> weights =
      OutputsFirst(place.weights, node.out.back(), static_cast<int64_t>(g.group_in) * g.kernel[0] * g.kernel[1]);
  xnn_operator_t op = nullptr;
  if (conv != nullptr) {
    const xnn_status made =
        xnn_create_convolution2d_nhwc_f32(g.top, g.right, g.bottom, g.left, g.kernel[0], g.kernel[1], g.stride[0],
                                          g.stride[1], g.dilation[0], g.dilation[1], g.groups, g.group_in, g.group_out,
                                          g.in, g.out, weights.data(), place.bias, now.low, now.high, 0, &op);
    FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
    FOVEA_RETURN_IF_ERROR(XnnStatus(
        node, xnn_setup_convolution2d_nhwc_f32(op, g.batch, g.rows, g.cols, place.in[0], place.out, place.pool)));
  } else {
    const Int3 extra = Adjustment(node);
    const xnn_status made = xnn_create_deconvolution2d_nhwc_f32(
        g.top, g.right, g.bottom, g.left, g.kernel[0], g.kernel[1], g.stride[0], g.stride[1], g.dilation[0],
        g.dilation[1], g.groups, g.group_in, g.group_out, g.in, g.out, weights.data(), place.bias, now.low, now.high, 0,
        &op);
    FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
    FOVEA_RETURN_IF_ERROR(
        XnnStatus(node, xnn_setup_deconvolution2d_nhwc_f32(op, g.batch, g.rows, g.cols, Unsigned(extra[1]),
                                                           Unsigned(extra[2]), place.in[0], place.out, place.pool)));
  }
  step->rest = clamp.rest;
  if (!residual) return OkStatus();
  xnn_operator_t add = nullptr;
  const xnn_status made = xnn_create_add_nd_f32(clamp.low, clamp.high, 0, &add);
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, add, step));
  const size_t elements = static_cast<size_t>(plan::Elements(node.out));
  return XnnStatus(
      node, xnn_setup_add_nd_f32(add, 1, &elements, 1, &elements, place.out, place.in[3], place.out, place.pool));
}

}  // namespace fovea::exec
