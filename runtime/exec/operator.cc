#include "runtime/exec/operator.h"

#include <type_traits>

#include "runtime/plan/passes.h"

namespace fovea::exec {
namespace {

using kernels::Isa;
using kernels::Pick;

template <class Params>
void FillConvLayer(const Params& params, const plan::ResolvedNode& node, kernels::ConvLayer* layer) {
  for (size_t a = 0; a < 3; ++a) {
    layer->kernel[a] = params.kernel[a];
    layer->stride[a] = params.stride[a];
    layer->dilation[a] = params.dilation[a];
    layer->upsample[a] = node.upsample[a];
  }
  layer->groups = params.groups;
  layer->in_channels = node.in[0].back();
  layer->out_channels = node.out.back();
  layer->act = params.act;
}

}  // namespace

int64_t Call::Units() const {
  return std::visit(
      [](const auto& call) -> int64_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(call)>, std::monostate>) {
          return 0;
        } else {
          return call.row->units(call.layer, call.args);
        }
      },
      any);
}

int64_t Call::ScratchFloats() const {
  return std::visit(
      [](const auto& call) -> int64_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(call)>, std::monostate>) {
          return 0;
        } else {
          return call.row->scratch_floats(call.layer, call.args);
        }
      },
      any);
}

void Call::Run(int64_t unit_begin, int64_t unit_end, float* scratch) const {
  std::visit(
      [&](const auto& call) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(call)>, std::monostate>) {
          call.row->run(call.layer, call.args, unit_begin, unit_end, scratch);
        }
      },
      any);
}

std::array<int64_t, 3> Operator::lattice() const {
  if (conv_ == nullptr) return {1, 1, 1};
  return {conv_->lattice[0], conv_->lattice[1], conv_->lattice[2]};
}

void Operator::SetPhase(std::span<const int64_t> phase) {
  for (size_t a = 0; a < phase.size(); ++a) phase_[a] = phase[a];
}

Operator::Operator(const plan::ResolvedNode& node, Isa cap, bool exact_order) : node_(&node) {
  const OpParams& params = node.node->params;
  const auto pick = [&](const auto& rows, const auto& layer, const auto** row) {
    *row = Pick(rows, layer, cap);
    name_ = (*row)->name;
  };
  switch (node.kind) {
    case OpKind::kConv:
      FillConvLayer(std::get<ConvParams>(params), node, &conv_layer_);
      conv_layer_.has_residual = node.Has(3);
      conv_layer_.exact_order = exact_order;
      pick(kernels::ConvKernels(), conv_layer_, &conv_);
      break;
    case OpKind::kConvTranspose:
      FillConvLayer(std::get<ConvTransposeParams>(params), node, &conv_layer_);
      pick(kernels::ConvTransposeKernels(), conv_layer_, &conv_transpose_);
      break;
    case OpKind::kPool: {
      const auto& p = std::get<PoolParams>(params);
      kernels::PoolLayer layer{p.kind, {}, {}, {}, p.count_include_pad};
      for (size_t a = 0; a < 3; ++a) {
        layer.kernel[a] = p.kernel[a];
        layer.stride[a] = p.stride[a];
        layer.dilation[a] = p.dilation[a];
      }
      pool_layer_ = layer;
      pick(kernels::PoolKernels(), layer, &pool_);
      break;
    }
    case OpKind::kResize: {
      const auto& p = std::get<ResizeParams>(params);
      resize_layer_ = {p.mode,      p.coordinates,        p.rounding, p.cubic_a, p.exclude_outside,
                       p.antialias, p.extrapolation_value};
      pick(kernels::ResizeKernels(), resize_layer_, &resize_);
      break;
    }
    case OpKind::kPad: pick(kernels::PadKernels(), kernels::PadLayer{std::get<PadParams>(params).mode}, &pad_); break;
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth:
    case OpKind::kConcat:
    case OpKind::kSlice:
    case OpKind::kTranspose:
    case OpKind::kReshape:
    case OpKind::kExpand:
    case OpKind::kTile: pick(kernels::CopyKernels(), kernels::CopyLayer{}, &copy_); break;
    case OpKind::kGather: pick(kernels::GatherKernels(), kernels::GatherLayer{}, &gather_); break;
    case OpKind::kUnary:
      unary_layer_ = std::get<UnaryParams>(params).fn;
      pick(kernels::UnaryKernels(), unary_layer_, &unary_);
      break;
    case OpKind::kBinary:
      binary_layer_ = {std::get<BinaryParams>(params).fn, std::get<BinaryParams>(params).act};
      pick(kernels::BinaryKernels(), binary_layer_, &binary_);
      break;
    case OpKind::kSelect: pick(kernels::SelectKernels(), kernels::SelectLayer{}, &select_); break;
    case OpKind::kSoftmax: {
      const auto& p = std::get<SoftmaxParams>(params);
      softmax_layer_ = {static_cast<int>(p.axis), p.log};
      pick(kernels::SoftmaxKernels(), softmax_layer_, &softmax_);
      break;
    }
    case OpKind::kReduce: {
      const auto& p = std::get<ReduceParams>(params);
      reduce_layer_.fn = p.fn;
      for (int64_t a : p.axes) reduce_layer_.axes |= 1u << a;
      if (plan::SumsPositions(node)) reduce_layer_.spatial = static_cast<int>(node.in[0].size()) - 2;
      pick(kernels::ReduceKernels(), reduce_layer_, &reduce_);
      break;
    }
    case OpKind::kArgReduce: {
      const auto& p = std::get<ArgReduceParams>(params);
      arg_reduce_layer_ = {p.max, static_cast<int>(p.axis), p.last};
      reduce_layer_.axes = 1u << p.axis;
      pick(kernels::ArgReduceKernels(), arg_reduce_layer_, &arg_reduce_);
      break;
    }
    case OpKind::kGroupNorm: {
      const auto& p = std::get<GroupNormParams>(params);
      group_norm_layer_ = {p.groups == 0 ? node.in[0].back() : p.groups, p.epsilon, p.act,
                           static_cast<int>(node.in[0].size()) - 2};
      pick(kernels::GroupNormKernels(), group_norm_layer_, &group_norm_);
      break;
    }
    case OpKind::kLayerNorm:
      layer_norm_layer_ = {std::get<LayerNormParams>(params).epsilon};
      pick(kernels::LayerNormKernels(), layer_norm_layer_, &layer_norm_);
      break;
    case OpKind::kLrn: {
      const auto& p = std::get<LrnParams>(params);
      lrn_layer_ = {p.size, p.alpha, p.beta, p.bias};
      pick(kernels::LrnKernels(), lrn_layer_, &lrn_);
      break;
    }
    case OpKind::kMatMul: pick(kernels::MatMulKernels(), kernels::MatMulLayer{}, &mat_mul_); break;
    case OpKind::kCast: name_ = TheCastKernel().name; break;
    case OpKind::kDims: name_ = "known when planned"; break;
    case OpKind::kDropout: {
      const auto& p = std::get<DropoutParams>(params);
      dropout_layer_ = {kernels::DropoutKey(static_cast<uint64_t>(p.seed), static_cast<uint64_t>(p.stream)), p.keep,
                        p.scale};
      pick(kernels::DropoutKernels(), dropout_layer_, &dropout_);
      break;
    }
  }
}

int64_t Operator::PackedFloats() const {
  if (conv_ != nullptr) return conv_->packed_floats(conv_layer_);
  if (conv_transpose_ != nullptr) return conv_transpose_->packed_floats(conv_layer_);
  return 0;
}

void Operator::Pack(const float* weights, const float* bias, float* packed, int part, int parts) const {
  if (conv_ != nullptr) conv_->pack(conv_layer_, weights, bias, packed, part, parts);
  if (conv_transpose_ != nullptr) conv_transpose_->pack(conv_layer_, weights, bias, packed, part, parts);
}

bool Operator::AllowsInPlace(size_t input) const {
  switch (node_->kind) {
    case OpKind::kUnary:
    case OpKind::kCast:
    case OpKind::kDropout:
    case OpKind::kSoftmax:
    case OpKind::kGroupNorm: return input == 0;
    case OpKind::kBinary: return node_->in[input] == node_->out;
    case OpKind::kConv: return input == 3;
    default: return false;
  }
}

bool Operator::NeedsTight(size_t input) const {
  switch (node_->kind) {
    case OpKind::kConv: return input == 1 || input == 2;
    case OpKind::kConvTranspose:
    case OpKind::kPad:
    case OpKind::kGroupNorm:
    case OpKind::kGather: return input >= 1;
    case OpKind::kLayerNorm: return input >= 1 || NeedsTightOutput();
    default: return false;
  }
}

bool Operator::NeedsTightOutput() const {
  if (node_->kind == OpKind::kReshape) return true;
  if (node_->kind == OpKind::kGather) return node_->in[1].size() > 1;
  return node_->kind == OpKind::kLayerNorm &&
         std::get<LayerNormParams>(node_->node->params).axis + 1 < static_cast<int64_t>(node_->out.size());
}

}  // namespace fovea::exec
