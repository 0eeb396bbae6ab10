#include "runtime/exec/xnnpack/express.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace fovea::exec {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

size_t Size(int64_t v) { return static_cast<size_t>(v); }

// Product of dims [from, to).
size_t Product(const plan::Dims& dims, size_t from, size_t to) {
  size_t n = 1;
  for (size_t a = from; a < to; ++a) n *= Size(dims[a]);
  return n;
}

bool IsClamp(const kernels::Activation& act) {
  if (act.fn == UnaryFn::kIdentity || act.fn == UnaryFn::kRelu) return true;
  return act.fn == UnaryFn::kClip && act.alpha < act.beta;
}

// ---- one input, element by element

using CreateUnary = xnn_status (*)(size_t, size_t, size_t, uint32_t, xnn_operator_t*);
using SetupUnary = xnn_status (*)(xnn_operator_t, size_t, const float*, float*, pthreadpool_t);
struct Unary {
  UnaryFn fn;
  CreateUnary create;
  SetupUnary setup;
};
constexpr Unary kUnary[] = {
    {UnaryFn::kSigmoid, xnn_create_sigmoid_nc_f32, xnn_setup_sigmoid_nc_f32},
    {UnaryFn::kAbs, xnn_create_abs_nc_f32, xnn_setup_abs_nc_f32},
    {UnaryFn::kNeg, xnn_create_negate_nc_f32, xnn_setup_negate_nc_f32},
    {UnaryFn::kSquare, xnn_create_square_nc_f32, xnn_setup_square_nc_f32},
    {UnaryFn::kSqrt, xnn_create_square_root_nc_f32, xnn_setup_square_root_nc_f32},
    {UnaryFn::kFloor, xnn_create_floor_nc_f32, xnn_setup_floor_nc_f32},
    {UnaryFn::kCeil, xnn_create_ceiling_nc_f32, xnn_setup_ceiling_nc_f32},
    {UnaryFn::kRound, xnn_create_bankers_rounding_nc_f32, xnn_setup_bankers_rounding_nc_f32},
    {UnaryFn::kTrunc, xnn_create_truncation_nc_f32, xnn_setup_truncation_nc_f32},
    {UnaryFn::kHardSwish, xnn_create_hardswish_nc_f32, xnn_setup_hardswish_nc_f32},
};

const Unary* FindUnary(UnaryFn fn) {
  const auto* found = std::find_if(std::begin(kUnary), std::end(kUnary), [&](const Unary& u) { return u.fn == fn; });
  return found == std::end(kUnary) ? nullptr : found;
}

bool CanExpressUnary(const kernels::Activation& fn) {
  const bool slope = std::isnormal(fn.alpha) && fn.alpha > 0 && fn.alpha < 1;
  return IsClamp(fn) || FindUnary(fn.fn) != nullptr || (fn.fn == UnaryFn::kLeakyRelu && slope) ||
         (fn.fn == UnaryFn::kElu && std::isnormal(fn.alpha) && fn.alpha > 0);
}

Status ExpressUnary(const plan::ResolvedNode& node, const kernels::Activation& fn, const float* in,
                    const XnnPlace& place, XnnStep* step) {
  const size_t channels = Size(node.out.back()), batch = Size(plan::Elements(node.out)) / channels;
  xnn_operator_t op = nullptr;
  xnn_status made;
  SetupUnary setup;
  if (IsClamp(fn)) {
    const XnnClamp clamp = ClampOf(fn);
    made = xnn_create_clamp_nc_f32(channels, channels, channels, clamp.low, clamp.high, 0, &op);
    setup = xnn_setup_clamp_nc_f32;
  } else if (fn.fn == UnaryFn::kLeakyRelu) {
    made = xnn_create_leaky_relu_nc_f32(channels, channels, channels, fn.alpha, 0, &op);
    setup = xnn_setup_leaky_relu_nc_f32;
  } else if (fn.fn == UnaryFn::kElu) {
    made = xnn_create_elu_nc_f32(channels, channels, channels, fn.alpha, 0, &op);
    setup = xnn_setup_elu_nc_f32;
  } else {
    const Unary& unary = *FindUnary(fn.fn);
    made = unary.create(channels, channels, channels, 0, &op);
    setup = unary.setup;
  }
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  return XnnStatus(node, setup(op, batch, in, place.out, place.pool));
}

// ---- two inputs

using CreateBinary = xnn_status (*)(float, float, uint32_t, xnn_operator_t*);
using CreateUnclamped = xnn_status (*)(uint32_t, xnn_operator_t*);
using SetupBinary = xnn_status (*)(xnn_operator_t, size_t, const size_t*, size_t, const size_t*, const float*,
                                   const float*, float*, pthreadpool_t);
struct Binary {
  BinaryFn fn;
  CreateBinary create;  // null: bounds are not applied, the other creates it
  CreateUnclamped create_unclamped;
  SetupBinary setup;
};
constexpr Binary kBinary[] = {
    {BinaryFn::kAdd, xnn_create_add_nd_f32, nullptr, xnn_setup_add_nd_f32},
    {BinaryFn::kSub, xnn_create_subtract_nd_f32, nullptr, xnn_setup_subtract_nd_f32},
    {BinaryFn::kMul, xnn_create_multiply_nd_f32, nullptr, xnn_setup_multiply_nd_f32},
    {BinaryFn::kDiv, xnn_create_divide_nd_f32, nullptr, xnn_setup_divide_nd_f32},
    {BinaryFn::kMin, nullptr, xnn_create_minimum_nd_f32, xnn_setup_minimum_nd_f32},
    {BinaryFn::kMax, nullptr, xnn_create_maximum_nd_f32, xnn_setup_maximum_nd_f32},
    {BinaryFn::kSquaredDifference, nullptr, xnn_create_squared_difference_nd_f32, xnn_setup_squared_difference_nd_f32},
};

const Binary* FindBinary(BinaryFn fn) {
  const auto* found = std::find_if(std::begin(kBinary), std::end(kBinary), [&](const Binary& b) { return b.fn == fn; });
  return found == std::end(kBinary) ? nullptr : found;
}

Status ExpressBinary(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const auto& params = std::get<BinaryParams>(node.node->params);
  const Binary& binary = *FindBinary(params.fn);
  XnnClamp clamp = ClampOf(params.act);
  xnn_operator_t op = nullptr;
  xnn_status made;
  if (binary.create != nullptr) {
    made = binary.create(clamp.low, clamp.high, 0, &op);
  } else {
    made = binary.create_unclamped(0, &op);
    clamp.rest = params.act;
  }
  step->rest = clamp.rest;
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  size_t dims[2][XNN_MAX_TENSOR_DIMS] = {};
  for (size_t i = 0; i < 2; ++i) std::transform(node.in[i].begin(), node.in[i].end(), dims[i], Size);
  return XnnStatus(node, binary.setup(op, node.in[0].size(), dims[0], node.in[1].size(), dims[1], place.in[0],
                                      place.in[1], place.out, place.pool));
}

// ---- windows

bool CanExpressPool(const plan::ResolvedNode& node) {
  const auto& p = std::get<PoolParams>(node.node->params);
  if (node.out.size() != 4 || p.kernel[1] * p.kernel[2] < 2) return false;
  bool padded = false;
  for (size_t a = 1; a < 3; ++a) {
    if (node.pad_begin[a] < 0 || node.pad_end[a] < 0) return false;
    padded = padded || node.pad_begin[a] > 0 || node.pad_end[a] > 0;
    const int64_t reach = (p.kernel[a] - 1) * p.dilation[a] + 1;
    const int64_t size = (node.in[0][a] + node.pad_begin[a] + node.pad_end[a] - reach) / p.stride[a] + 1;
    if (size != node.out[a]) return false;  // ceil_mode
    // A window in the padding alone: minus infinity, which XNNPACK has not.
    if (node.pad_begin[a] >= reach || node.pad_end[a] >= reach) return false;
  }
  if (p.kind == kernels::PoolKind::kMax) return true;
  return p.dilation[1] == 1 && p.dilation[2] == 1 && (!padded || !p.count_include_pad);
}

Status ExpressPool(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const auto& p = std::get<PoolParams>(node.node->params);
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  const uint32_t top = u32(node.pad_begin[1]), left = u32(node.pad_begin[2]);
  const uint32_t bottom = u32(node.pad_end[1]), right = u32(node.pad_end[2]);
  const size_t c = Size(node.out[3]), n = Size(node.out[0]), rows = Size(node.in[0][1]), cols = Size(node.in[0][2]);
  xnn_operator_t op = nullptr;
  if (p.kind == kernels::PoolKind::kMax) {
    const xnn_status made = xnn_create_max_pooling2d_nhwc_f32(
        top, right, bottom, left, u32(p.kernel[1]), u32(p.kernel[2]), u32(p.stride[1]), u32(p.stride[2]),
        u32(p.dilation[1]), u32(p.dilation[2]), c, c, c, -kInfinity, kInfinity, 0, &op);
    FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
    return XnnStatus(node, xnn_setup_max_pooling2d_nhwc_f32(op, n, rows, cols, place.in[0], place.out, place.pool));
  }
  const xnn_status made =
      xnn_create_average_pooling2d_nhwc_f32(top, right, bottom, left, u32(p.kernel[1]), u32(p.kernel[2]),
                                            u32(p.stride[1]), u32(p.stride[2]), c, c, c, -kInfinity, kInfinity, 0, &op);
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  return XnnStatus(node, xnn_setup_average_pooling2d_nhwc_f32(op, n, rows, cols, place.in[0], place.out, place.pool));
}

uint32_t ResizeFlags(kernels::ResizeCoordinates coordinates) {
  if (coordinates == kernels::ResizeCoordinates::kAlignCorners) return XNN_FLAG_ALIGN_CORNERS;
  return coordinates == kernels::ResizeCoordinates::kAsymmetric ? XNN_FLAG_TENSORFLOW_LEGACY_MODE : 0;
}

// Bilinear along H and W. Single rows and columns, and sizes from 2^24 on, are left to our kernels.
bool CanExpressResize(const plan::ResolvedNode& node) {
  using C = kernels::ResizeCoordinates;
  const auto& p = std::get<ResizeParams>(node.node->params);
  if (p.mode != kernels::ResizeMode::kLinear || p.antialias || p.exclude_outside || node.out.size() != 4) return false;
  if (p.coordinates != C::kHalfPixel && p.coordinates != C::kAlignCorners && p.coordinates != C::kAsymmetric) {
    return false;
  }
  if (node.in[0][0] != node.out[0] || node.in[0][3] != node.out[3]) return false;
  for (size_t a = 1; a < 3; ++a) {
    const int64_t in = node.in[0][a], out = node.out[a];
    if (in < 2 || out < 2 || in >= 1 << 24 || out >= 1 << 24) return false;
    if (node.scale[a] != static_cast<double>(out) / static_cast<double>(in)) return false;
  }
  return true;
}

Status ExpressResize(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const size_t c = Size(node.out[3]);
  xnn_operator_t op = nullptr;
  const xnn_status made = xnn_create_resize_bilinear2d_nhwc_f32(
      c, c, c, ResizeFlags(std::get<ResizeParams>(node.node->params).coordinates), &op);
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  return XnnStatus(node, xnn_setup_resize_bilinear2d_nhwc_f32(op, Size(node.out[0]), Size(node.in[0][1]),
                                                              Size(node.in[0][2]), Size(node.out[1]), Size(node.out[2]),
                                                              place.in[0], place.out, place.pool));
}

// ---- copies

Status ExpressConcat(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const size_t axis = Size(std::get<ConcatParams>(node.node->params).axis), rank = node.out.size();
  const size_t batch = Product(node.out, 0, axis), stride = Product(node.out, axis, rank);
  float* out = place.out;
  for (size_t i = 0; i < node.in.size(); ++i) {
    const size_t channels = Product(node.in[i], axis, rank);
    xnn_operator_t op = nullptr;
    const xnn_status made = xnn_create_copy_nc_x32(channels, channels, stride, 0, &op);
    FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
    FOVEA_RETURN_IF_ERROR(XnnStatus(node, xnn_setup_copy_nc_x32(op, batch, place.in[i], out, place.pool)));
    out += channels;
  }
  return OkStatus();
}

bool CanExpressPad(const plan::ResolvedNode& node) {
  if (std::get<PadParams>(node.node->params).mode != kernels::PadMode::kConstant || node.Has(1)) return false;
  for (size_t a = 0; a < node.out.size(); ++a) {
    if (node.begin[a] < 0 || node.out[a] - node.in[0][a] - node.begin[a] < 0) return false;
  }
  return true;
}

Status ExpressPad(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  size_t dims[XNN_MAX_TENSOR_DIMS], before[XNN_MAX_TENSOR_DIMS], after[XNN_MAX_TENSOR_DIMS];
  for (size_t a = 0; a < node.out.size(); ++a) {
    dims[a] = Size(node.in[0][a]);
    before[a] = Size(node.begin[a]);
    after[a] = Size(node.out[a] - node.in[0][a] - node.begin[a]);
  }
  xnn_operator_t op = nullptr;
  const xnn_status made = xnn_create_constant_pad_nd_x32(&std::get<PadParams>(node.node->params).value, 0, &op);
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  return XnnStatus(node, xnn_setup_constant_pad_nd_x32(op, node.out.size(), dims, before, after, place.in[0], place.out,
                                                       place.pool));
}

bool CanExpressDepthToSpace(const plan::ResolvedNode& node) {
  const auto& p = std::get<DepthToSpaceParams>(node.node->params);
  return node.out.size() == 4 && p.order == BlockOrder::kDcr && p.block[1] == p.block[2] && p.block[1] > 1;
}

Status ExpressDepthToSpace(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const auto block = static_cast<uint32_t>(std::get<DepthToSpaceParams>(node.node->params).block[1]);
  xnn_operator_t op = nullptr;
  const xnn_status made =
      xnn_create_depth_to_space_nhwc_x32(Size(node.out[3]), Size(node.in[0][3]), Size(node.out[3]), block, 0, &op);
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  return XnnStatus(node, xnn_setup_depth_to_space_nhwc_x32(op, Size(node.in[0][0]), Size(node.in[0][1]),
                                                           Size(node.in[0][2]), place.in[0], place.out, place.pool));
}

Status ExpressSoftmax(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step) {
  const size_t channels = Size(node.out.back());
  xnn_operator_t op = nullptr;
  const xnn_status made = xnn_create_softmax_nc_f32(channels, channels, channels, 0, &op);
  FOVEA_RETURN_IF_ERROR(AddOperator(node, made, op, step));
  return XnnStatus(node, xnn_setup_softmax_nc_f32(op, Size(plan::Elements(node.out)) / channels, place.in[0], place.out,
                                                  place.pool));
}

}  // namespace

Status XnnStatus(const plan::ResolvedNode& node, xnn_status status) {
  if (status == xnn_status_success) return OkStatus();
  if (status == xnn_status_out_of_memory)
    return OutOfMemory("XNNPACK has no memory left for '" + node.node->name + "'");
  return Internal("XNNPACK refuses '" + node.node->name + "' (" + OpKindName(node.kind) + "), status " +
                  std::to_string(static_cast<int>(status)));
}

Status AddOperator(const plan::ResolvedNode& node, xnn_status created, xnn_operator_t op, XnnStep* step) {
  FOVEA_RETURN_IF_ERROR(XnnStatus(node, created));
  step->operators.emplace_back(op);
  return OkStatus();
}

XnnClamp ClampOf(const kernels::Activation& act) {
  if (act.fn == UnaryFn::kRelu) return {0, kInfinity, {}};
  if (act.fn == UnaryFn::kClip && IsClamp(act)) return {act.alpha, act.beta, {}};
  return {-kInfinity, kInfinity, act};
}

bool CanExpress(const plan::ResolvedNode& node, std::span<const bool> constant) {
  if (node.out.empty() || plan::Elements(node.out) == 0) return false;
  for (const plan::Dims& dims : node.in) {
    if (!dims.empty() && plan::Elements(dims) == 0) return false;
  }
  switch (node.kind) {
    case OpKind::kConv:
    case OpKind::kConvTranspose: return CanExpressConv(node, constant);
    case OpKind::kPool: return CanExpressPool(node);
    case OpKind::kResize: return CanExpressResize(node);
    case OpKind::kPad: return CanExpressPad(node);
    case OpKind::kDepthToSpace: return CanExpressDepthToSpace(node);
    case OpKind::kConcat: return true;
    case OpKind::kUnary: return CanExpressUnary(std::get<UnaryParams>(node.node->params).fn);
    case OpKind::kBinary:
      return FindBinary(std::get<BinaryParams>(node.node->params).fn) != nullptr && !node.in[0].empty() &&
             !node.in[1].empty();
    case OpKind::kSoftmax: {
      const auto& p = std::get<SoftmaxParams>(node.node->params);
      return !p.log && p.axis + 1 == static_cast<int64_t>(node.out.size());
    }
    default: return false;
  }
}

Result<XnnStep> ExpressNode(const plan::ResolvedNode& node, const XnnPlace& place) {
  XnnStep step;
  Status made = OkStatus();
  switch (node.kind) {
    case OpKind::kConv:
    case OpKind::kConvTranspose: made = ExpressConv(node, place, &step); break;
    case OpKind::kPool: made = ExpressPool(node, place, &step); break;
    case OpKind::kResize: made = ExpressResize(node, place, &step); break;
    case OpKind::kPad: made = ExpressPad(node, place, &step); break;
    case OpKind::kDepthToSpace: made = ExpressDepthToSpace(node, place, &step); break;
    case OpKind::kConcat: made = ExpressConcat(node, place, &step); break;
    case OpKind::kUnary:
      made = ExpressUnary(node, std::get<UnaryParams>(node.node->params).fn, place.in[0], place, &step);
      break;
    case OpKind::kBinary: made = ExpressBinary(node, place, &step); break;
    case OpKind::kSoftmax: made = ExpressSoftmax(node, place, &step); break;
    default: made = Internal("XNNPACK has no operator for '" + node.node->name + "'");
  }
  if (!made.ok()) return made;
  if (CanExpressUnary(step.rest) && step.rest.fn != UnaryFn::kIdentity) {
    FOVEA_RETURN_IF_ERROR(ExpressUnary(node, step.rest, place.out, place, &step));
    step.rest = {};
  }
  return step;
}

}  // namespace fovea::exec
