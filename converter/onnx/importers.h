// The importers, one list a file; registry.cc joins them.
#ifndef FOVEA_CONVERTER_ONNX_IMPORTERS_H_
#define FOVEA_CONVERTER_ONNX_IMPORTERS_H_

#include <span>

#include "converter/onnx/node_context.h"

namespace fovea::converter {

std::span<const OpRow> ConvOps();           // conv.cc
std::span<const OpRow> PoolOps();           // pool.cc
std::span<const OpRow> ResizeOps();         // resize.cc
std::span<const OpRow> ActivationOps();     // activation.cc
std::span<const OpRow> ArithmeticOps();     // arithmetic.cc
std::span<const OpRow> ShapeOps();          // shape_ops.cc
std::span<const OpRow> SelectionOps();      // selection.cc
std::span<const OpRow> NormalizationOps();  // normalization.cc
std::span<const OpRow> MatMulOps();         // matmul.cc
std::span<const OpRow> ReduceOps();         // reduce.cc
std::span<const OpRow> ConstantOps();       // constant.cc
std::span<const OpRow> ControlOps();        // control.cc

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_IMPORTERS_H_
