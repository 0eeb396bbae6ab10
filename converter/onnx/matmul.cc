// Matrix products.
#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

using kernels::BinaryFn;

Status MatMul(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId b, c.Need(1));
  return c.Out(0, c.b.Add(MatMulParams{}, {a, b}));
}

// alpha A' B' + beta C
Status Gemm(NodeContext& c) {
  ValueId operands[2];
  for (int i = 0; i < 2; ++i) {
    FOVEA_ASSIGN_OR_RETURN(operands[i], c.Need(i));
    if (c.b.rank(operands[i]) != 2) return CorruptFile("a factor that is not a matrix");
    if (c.Int(i == 0 ? "transA" : "transB", 0) != 0) {
      FOVEA_ASSIGN_OR_RETURN(operands[i], c.b.Transpose(operands[i], {1, 0}));
    }
  }
  FOVEA_ASSIGN_OR_RETURN(ValueId y, c.b.Add(MatMulParams{}, {operands[0], operands[1]}));
  const float alpha = c.Float("alpha", 1), beta = c.Float("beta", 1);
  if (alpha != 1) {
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kMul, y, c.b.Scalar(alpha)));
  }
  if (c.Has(2) && beta != 0) {
    ValueId added = c.In(2);
    if (beta != 1) {
      FOVEA_ASSIGN_OR_RETURN(added, c.b.Binary(BinaryFn::kMul, added, c.b.Scalar(beta)));
    }
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kAdd, y, added));
  }
  return c.Out(0, y);
}

constexpr OpRow kOps[] = {{"MatMul", MatMul}, {"Gemm", Gemm}};

}  // namespace

std::span<const OpRow> MatMulOps() { return kOps; }

}  // namespace fovea::converter
