// Layers of several inputs.
#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

using kernels::BinaryFn;

// Inputs of fewer axes than the others get axes of 1 behind the batch, as Keras' merging layers do.
Status SameRank(LayerContext& c) {
  int rank = 0;
  for (const ValueId x : c.inputs) rank = std::max(rank, c.b.rank(x));
  for (ValueId& x : c.inputs) {
    if (c.b.rank(x) == rank || c.b.rank(x) == 0) continue;
    Dims dims = c.b.dims(x);
    dims.insert(dims.begin() + 1, static_cast<size_t>(rank - c.b.rank(x)), DimExpr(1));
    FOVEA_ASSIGN_OR_RETURN(x, c.b.Reshape(x, dims));
  }
  return OkStatus();
}

// A list of tensors that also holds a constant.
Status OnlyTensors(const LayerContext& c) {
  if (c.operands.size() == c.inputs.size() || c.operands.empty()) return OkStatus();
  return Unsupported("a constant among several operands; make it a layer of its own, such as Rescaling");
}

Result<ValueId> Fold(LayerContext& c, BinaryFn fn) {
  FOVEA_RETURN_IF_ERROR(OnlyTensors(c));
  if (c.inputs.size() < 2) return CorruptFile("fewer than two inputs");
  FOVEA_RETURN_IF_ERROR(SameRank(c));
  ValueId y = c.inputs[0];
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(fn, y, c.inputs[i]));
  }
  return y;
}

// Keras 3 gives the operations keras.ops.add and so on the names of the layers; they may have a constant operand.
template <BinaryFn kFn>
Result<ValueId> Merge(LayerContext& c) {
  if (c.operands.size() != 2 || c.inputs.size() != 1) return Fold(c, kFn);
  ValueId pair[2] = {c.operands[0].value, c.operands[1].value};
  for (size_t i = 0; i < 2; ++i) {
    if (c.operands[i].constant == nullptr) continue;
    const auto numbers = AsFloats(*c.operands[i].constant);
    if (!numbers || numbers->size() != 1) return Unsupported("an operand that is neither a tensor nor a number");
    pair[i] = c.b.Scalar((*numbers)[0]);
  }
  return c.b.Binary(kFn, pair[0], pair[1]);
}

Result<ValueId> Subtract(LayerContext& c) {
  if (c.operands.size() != 2) return CorruptFile(std::to_string(c.inputs.size()) + " inputs instead of two");
  return Merge<BinaryFn::kSub>(c);
}

Result<ValueId> Average(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId sum, Fold(c, BinaryFn::kAdd));
  return c.b.Binary(BinaryFn::kDiv, sum, c.b.Scalar(static_cast<float>(c.inputs.size())));
}

Result<ValueId> Concatenate(LayerContext& c) {
  FOVEA_RETURN_IF_ERROR(OnlyTensors(c));
  if (c.inputs.empty()) return CorruptFile("no inputs");
  if (c.inputs.size() == 1) return c.inputs[0];
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", -1), c.b.rank(c.inputs[0])));
  return c.b.Add(ConcatParams{axis}, c.inputs);
}

// Keras 1's Merge arrives here with a mode that is not the layer of that name.
Result<ValueId> OtherMerge(LayerContext& c) {
  return Unsupported("mode " + c.String("mode", "that is a function") +
                     "; sum, mul, concat, ave, max and min are supported");
}

constexpr LayerRow kLayers[] = {{"Add", Merge<BinaryFn::kAdd>},
                                {"Multiply", Merge<BinaryFn::kMul>},
                                {"Subtract", Subtract},
                                {"Average", Average},
                                {"Maximum", Merge<BinaryFn::kMax>},
                                {"Minimum", Merge<BinaryFn::kMin>},
                                {"Divide", Merge<BinaryFn::kDiv>},
                                {"TrueDivide", Merge<BinaryFn::kDiv>},
                                {"Power", Merge<BinaryFn::kPow>},
                                {"Concatenate", Concatenate},
                                {"Merge", OtherMerge}};

}  // namespace

std::span<const LayerRow> MergeLayers() { return kLayers; }

}  // namespace fovea::converter::keras
