// Operators with others fused behind them, as graph optimisers write them: the attribute fused_ops names what follows,
// the inputs from 2 on are its arguments in that order.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

// Input `at` as numbers of the channels of x: scale, offset, mean, variance.
Status BatchNormBehind(NodeContext& c, int at) {
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  for (int i = at; i < at + 4; ++i) FOVEA_RETURN_IF_ERROR(c.Need(i).status());
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(c.b, c.OutValue(0), first));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, BatchNorm(c.b, last, c.In(at), c.In(at + 1), c.In(at + 2), c.In(at + 3),
                                                    c.Float("epsilon", 1e-4f)));
  return c.Out(0, FromChannelsLast(c.b, y, first));
}

Status PReluBehind(NodeContext& c, int at) {
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  FOVEA_ASSIGN_OR_RETURN(ValueId slope, c.Need(at));
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(c.b, c.OutValue(0), first));
  if (first && c.b.rank(slope) > 1) {
    FOVEA_ASSIGN_OR_RETURN(slope, ReshapeTo(c.b, slope, {Product(c.b.dims(slope))}));
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, c.b.Binary(BinaryFn::kPRelu, last, slope));
  return c.Out(0, FromChannelsLast(c.b, y, first));
}

Status Behind(NodeContext& c) {
  int argument = 2;
  const auto unary = [&](UnaryFn fn, float alpha = 0, float beta = 0) {
    return c.Out(0, c.b.Unary(fn, c.OutValue(0), alpha, beta));
  };
  for (const std::string& op : c.Strings("fused_ops")) {
    if (op == "BiasAdd") {
      FOVEA_ASSIGN_OR_RETURN(const ValueId bias, c.Need(argument++));
      FOVEA_RETURN_IF_ERROR(AddBias(c, c.OutValue(0), bias));
    } else if (op == "FusedBatchNorm") {
      FOVEA_RETURN_IF_ERROR(BatchNormBehind(c, argument));
      argument += 4;
    } else if (op == "Prelu") {
      FOVEA_RETURN_IF_ERROR(PReluBehind(c, argument++));
    } else if (op == "Add") {
      FOVEA_ASSIGN_OR_RETURN(const ValueId other, c.Need(argument++));
      FOVEA_RETURN_IF_ERROR(c.Out(0, c.b.Binary(BinaryFn::kAdd, c.OutValue(0), other)));
    } else if (op == "Relu") {
      FOVEA_RETURN_IF_ERROR(unary(UnaryFn::kRelu));
    } else if (op == "Relu6") {
      FOVEA_RETURN_IF_ERROR(unary(UnaryFn::kClip, 0, 6));
    } else if (op == "Elu") {
      FOVEA_RETURN_IF_ERROR(unary(UnaryFn::kElu, 1));
    } else if (op == "LeakyRelu") {
      FOVEA_RETURN_IF_ERROR(unary(UnaryFn::kLeakyRelu, c.Float("leakyrelu_alpha", 0.2f)));
    } else if (op == "Sigmoid") {
      FOVEA_RETURN_IF_ERROR(unary(UnaryFn::kSigmoid));
    } else if (op == "Tanh") {
      FOVEA_RETURN_IF_ERROR(unary(UnaryFn::kTanh));
    } else if (op == "GeluExact" || op == "GeluApproximate") {
      FOVEA_RETURN_IF_ERROR(unary(op == "GeluExact" ? UnaryFn::kGelu : UnaryFn::kGeluTanh));
    } else if (op != "Identity" && op != "Linear") {
      return Unsupported("fused_ops has " + op +
                         "; BiasAdd, FusedBatchNorm, Relu, Relu6, Elu, LeakyRelu, Prelu, Sigmoid, Tanh and Gelu are "
                         "supported");
    }
  }
  return OkStatus();
}

template <Status (*kFirst)(NodeContext&)>
Status Fused(NodeContext& c) {
  FOVEA_RETURN_IF_ERROR(kFirst(c));
  return Behind(c);
}

constexpr OpRow kOps[] = {{"_FusedConv2D", Fused<Conv2d>},
                          {"FusedConv2D", Fused<Conv2d>},
                          {"_FusedDepthwiseConv2dNative", Fused<DepthwiseConv2d>},
                          {"FusedDepthwiseConv2dNative", Fused<DepthwiseConv2d>},
                          {"FusedDepthwiseConv2D", Fused<DepthwiseConv2d>},
                          {"_FusedMatMul", Fused<MatMul>},
                          {"FusedMatMul", Fused<MatMul>}};

}  // namespace

std::span<const OpRow> FusedOps() { return kOps; }

}  // namespace fovea::converter::tf
