// Constants and what follows from sizes: Const, Shape, Size, Rank, Range, Fill.
#include <cmath>
#include <limits>

#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

constexpr int64_t kMaxRange = int64_t{1} << 24;

Status Const(NodeContext& c) {
  const TfTensor* tensor = FindAttr<TfTensor>(c.node(), "value");
  if (tensor == nullptr) return CorruptFile("the attribute 'value' is missing");
  if (tensor->is_string) return Unsupported("a constant of text; only numbers are supported");
  if (tensor->dims.size() > static_cast<size_t>(kMaxTensorRank)) {
    return Unsupported("a constant with " + std::to_string(tensor->dims.size()) + " axes; fovea goes up to " +
                       std::to_string(kMaxTensorRank));
  }
  const std::string& name = c.node().name;
  // Exact integers where they may be sizes.
  if (!IsFloat(tensor->dtype) && !tensor->integers.empty()) {
    if (tensor->dims.size() <= 1) return c.Out(0, c.b.Integers(name, tensor->dtype, tensor->dims, tensor->integers));
    if (tensor->data == nullptr) {
      std::vector<float> data(tensor->integers.begin(), tensor->integers.end());
      return c.Out(0, c.b.Constant(name, tensor->dtype, tensor->dims, std::move(data)));
    }
  }
  uint64_t count = 1;
  for (const int64_t dim : tensor->dims) count *= static_cast<uint64_t>(dim);
  if (tensor->data == nullptr) {
    if (count != 0) return Unsupported("a constant without numbers that fovea can read");
    return c.Out(0, c.b.Constant(name, tensor->dtype, tensor->dims, std::vector<float>()));
  }
  if (tensor->data->size() != count) return CorruptFile("a constant whose numbers do not fill its dims");
  return c.Out(0, c.b.Constant(name, tensor->dtype, tensor->dims, tensor->data));
}

Status ShapeN(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const DType dtype, c.Type("out_type", DType::kInt32));
  for (int i = 0; i < c.input_count(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
    FOVEA_RETURN_IF_ERROR(c.Out(i, c.b.Sizes(c.node().name, c.b.dims(x), 1, dtype)));
  }
  return OkStatus();
}

Status Size(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const DType dtype, c.Type("out_type", DType::kInt32));
  return c.Out(0, c.b.Sizes(c.node().name, {Product(c.b.dims(x))}, 0, dtype));
}

Status Rank(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  return c.Out(0, c.b.Integers(c.node().name, DType::kInt32, {}, {c.b.rank(x)}));
}

Status Range(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId first, c.Need(0));
  const DType dtype = c.b.value(first).dtype;
  if (IsFloat(dtype)) {
    double bound[3];
    for (int i = 0; i < 3; ++i) {
      FOVEA_ASSIGN_OR_RETURN(const std::vector<float> numbers, c.FloatsAt(i));
      if (numbers.size() != 1) return CorruptFile("input " + std::to_string(i) + " is not a single number");
      bound[i] = static_cast<double>(numbers[0]);
    }
    const double count = std::ceil((bound[1] - bound[0]) / bound[2]);
    if (!(count <= static_cast<double>(kMaxRange))) return CorruptFile("a range without end");
    std::vector<float> data;
    for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) {
      data.push_back(static_cast<float>(bound[0] + static_cast<double>(i) * bound[2]));
    }
    const int64_t size = static_cast<int64_t>(data.size());
    return c.Out(0, c.b.Constant(c.node().name, dtype, {size}, std::move(data)));
  }
  FOVEA_ASSIGN_OR_RETURN(const int64_t begin, c.IntegerAt(0));
  FOVEA_ASSIGN_OR_RETURN(const int64_t end, c.IntegerAt(1));
  FOVEA_ASSIGN_OR_RETURN(const int64_t step, c.IntegerAt(2));
  // The numbers are the file's: in uint64, where their difference fits and nothing overflows.
  const uint64_t first_u = static_cast<uint64_t>(begin), last_u = static_cast<uint64_t>(end);
  const uint64_t step_u = static_cast<uint64_t>(step), stride = step > 0 ? step_u : 0 - step_u;
  const bool is_empty = step > 0 ? begin >= end : begin <= end;
  const uint64_t length = is_empty ? 0 : step > 0 ? last_u - first_u : first_u - last_u;
  const uint64_t count = step == 0 ? length : length / stride + (length % stride != 0 ? 1 : 0);
  if (step == 0 || count > static_cast<uint64_t>(kMaxRange)) return CorruptFile("a range without end");
  std::vector<int64_t> data;
  for (uint64_t i = 0; i < count; ++i) data.push_back(static_cast<int64_t>(first_u + i * step_u));
  return c.Out(0, c.b.Integers(c.node().name, dtype, {static_cast<int64_t>(data.size())}, data));
}

Result<Dims> CheckedDims(NodeContext& c, int i) {
  FOVEA_ASSIGN_OR_RETURN(Dims dims, c.SizesAt(i));
  if (dims.size() > static_cast<size_t>(kMaxTensorRank)) return Unsupported("a result with more than 6 axes");
  return dims;
}

Status Fill(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const Dims dims, CheckedDims(c, 0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId value, c.Need(1));
  if (c.b.rank(value) != 0) return CorruptFile("the value is not a single number");
  return c.Out(0, ExpandTo(c.b, value, dims));
}

Status Like(NodeContext& c, float number) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const ValueId value = c.b.Constant("filled", c.b.value(x).dtype, {}, std::vector<float>{number});
  return c.Out(0, ExpandTo(c.b, value, c.b.dims(x)));
}
Status ZerosLike(NodeContext& c) { return Like(c, 0); }
Status OnesLike(NodeContext& c) { return Like(c, 1); }

Status BroadcastTo(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const Dims dims, CheckedDims(c, 1));
  return c.Out(0, ExpandTo(c.b, x, dims));
}

// The sizes that two shapes broadcast to.
Status BroadcastArgs(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(Dims a, CheckedDims(c, 0));
  FOVEA_ASSIGN_OR_RETURN(Dims b, CheckedDims(c, 1));
  if (a.size() < b.size()) std::swap(a, b);
  for (size_t i = 0; i < b.size(); ++i) {
    DimExpr& x = a[a.size() - b.size() + i];
    if (x == DimExpr(1)) x = b[i];
  }
  return c.Out(0, c.b.Sizes(c.node().name, a, 1, c.b.value(c.In(0)).dtype));
}

constexpr OpRow kOps[] = {{"Const", Const},
                          {"Shape", ShapeN},
                          {"ShapeN", ShapeN},
                          {"Size", Size},
                          {"Rank", Rank},
                          {"Range", Range},
                          {"Fill", Fill},
                          {"ZerosLike", ZerosLike},
                          {"OnesLike", OnesLike},
                          {"BroadcastTo", BroadcastTo},
                          {"BroadcastArgs", BroadcastArgs}};

}  // namespace

std::span<const OpRow> ConstantOps() { return kOps; }

}  // namespace fovea::converter::tf
