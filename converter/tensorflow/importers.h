// The importers, one list a file; registry.cc joins them.
#ifndef FOVEA_CONVERTER_TENSORFLOW_IMPORTERS_H_
#define FOVEA_CONVERTER_TENSORFLOW_IMPORTERS_H_

#include <span>

#include "converter/tensorflow/node_context.h"

namespace fovea::converter::tf {

std::span<const OpRow> ConvOps();           // conv.cc
std::span<const OpRow> FusedOps();          // fused.cc
std::span<const OpRow> PoolOps();           // pool.cc
std::span<const OpRow> ResizeOps();         // resize.cc
std::span<const OpRow> BlockOps();          // blocks.cc
std::span<const OpRow> ActivationOps();     // activation.cc
std::span<const OpRow> ArithmeticOps();     // arithmetic.cc
std::span<const OpRow> ShapeOps();          // shape_ops.cc
std::span<const OpRow> SelectionOps();      // selection.cc
std::span<const OpRow> NormalizationOps();  // normalization.cc
std::span<const OpRow> MatMulOps();         // matmul.cc
std::span<const OpRow> ReduceOps();         // reduce.cc
std::span<const OpRow> ConstantOps();       // constant.cc

// The operator's importer, or null.
ImportFn FindImporter(const std::string& op);
// What to use instead of a well-known operator that fovea does not have.
std::string WhyUnsupported(const std::string& op);

// What other importers need of each other.
Status Conv2d(NodeContext& c);
Status DepthwiseConv2d(NodeContext& c);
Status MatMul(NodeContext& c);
Result<ValueId> BatchNorm(ir::Builder& b, ValueId x, ValueId scale, ValueId offset, ValueId mean, ValueId variance,
                          float epsilon);  // channels last
Status AddBias(NodeContext& c, ValueId x, ValueId bias);

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_IMPORTERS_H_
