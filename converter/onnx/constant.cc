// Constants and what follows from sizes: Constant, ConstantOfShape, Shape, Size, Range.
#include <algorithm>
#include <cmath>

#include "converter/onnx/common.h"
#include "converter/onnx/importer.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

Status Constant(NodeContext& c) {
  const std::string& name = c.node().output_size() > 0 ? c.node().output(0) : c.op();
  if (const auto* value = c.Find("value")) return c.Out(0, c.importer().ConstantFrom(name, value->t()));
  TensorData data;
  if (c.HasAttr("value_float") || c.HasAttr("value_floats")) {
    data.floats = c.HasAttr("value_float") ? std::vector<float>{c.Float("value_float", 0)} : c.Floats("value_floats");
    if (c.HasAttr("value_floats")) data.dims = {static_cast<int64_t>(data.floats.size())};
  } else if (c.HasAttr("value_int") || c.HasAttr("value_ints")) {
    data.dtype = DType::kInt64;
    data.integers = c.HasAttr("value_int") ? std::vector<int64_t>{c.Int("value_int", 0)} : c.Ints("value_ints");
    if (c.HasAttr("value_ints")) data.dims = {static_cast<int64_t>(data.integers.size())};
  } else {
    return Unsupported("a constant that is sparse or a string; only dense numbers are supported");
  }
  return c.Out(0, c.importer().ConstantFrom(name, data));
}

Status ConstantOfShape(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const Dims dims, c.SizesAt(0));
  if (dims.size() > kMaxTensorRank) return Unsupported("a result with more than 6 axes");
  TensorData data;
  data.floats = {0};
  if (const auto* value = c.Find("value")) {
    FOVEA_ASSIGN_OR_RETURN(data, ReadTensor(value->t(), c.importer().folder()));
  }
  if (std::max(data.floats.size(), data.integers.size()) != 1) return CorruptFile("value must be one number");
  data.dims.clear();
  const ValueId one = c.importer().ConstantFrom("filled", data);
  return c.Out(0, dims.empty() ? Result<ValueId>(one) : c.b.Add(ExpandParams{dims}, {one}));
}

Status Shape(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims dims = c.b.dims(x);
  const int64_t rank = static_cast<int64_t>(dims.size());
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t begin = bound(c.Int("start", 0)), end = bound(c.Int("end", rank));
  Dims part;
  for (int64_t i = begin; i < end; ++i) part.push_back(dims[static_cast<size_t>(i)]);
  return c.Out(0, c.b.Sizes(c.op(), std::move(part), 1));
}

Status Size(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims dims = c.b.dims(x);
  return c.Out(0, c.b.Sizes(c.op(), {Product(dims, 0, dims.size())}, 0));
}

Status Range(NodeContext& c) {
  constexpr double kMaxElements = 1 << 24;
  double numbers[3];
  for (int i = 0; i < 3; ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId v, c.Need(i));
    const auto integers = c.b.ConstIntegers(v);
    const auto floats = c.b.ConstFloats(v);
    if (!integers && !floats) {
      return Unsupported("a range whose length is open; fix the input's size with --size, or give " +
                         c.node().input(i) + " with --set");
    }
    if ((integers ? integers->size() : floats->size()) != 1) return CorruptFile("an input that is not one number");
    numbers[i] = integers ? static_cast<double>((*integers)[0]) : static_cast<double>((*floats)[0]);
  }
  const double count = std::max(0.0, std::ceil((numbers[1] - numbers[0]) / numbers[2]));
  if (!(count <= kMaxElements)) return CorruptFile("a range without end, or a very long one");
  TensorData data;
  data.dtype = c.InType(0);
  data.dims = {static_cast<int64_t>(count)};
  for (int64_t i = 0; i < data.dims[0]; ++i) {
    const double value = numbers[0] + static_cast<double>(i) * numbers[2];
    if (data.is_integer()) {
      data.integers.push_back(static_cast<int64_t>(value));
    } else {
      data.floats.push_back(static_cast<float>(value));
    }
  }
  return c.Out(0, c.importer().ConstantFrom(c.op(), data));
}

constexpr OpRow kOps[] = {
    {"Constant", Constant}, {"ConstantOfShape", ConstantOfShape}, {"Shape", Shape}, {"Size", Size}, {"Range", Range}};

}  // namespace

std::span<const OpRow> ConstantOps() { return kOps; }

}  // namespace fovea::converter
