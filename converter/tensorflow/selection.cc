// Operators that take a part of a tensor or add to its borders: Slice, StridedSlice, Split, Gather, Pad, Where.
#include <algorithm>

#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

constexpr int64_t kFar = int64_t{1} << 40;

// An index counted from the end where negative.
DimExpr FromStart(const DimExpr& index, const DimExpr& size) {
  if (index.IsConst()) return index.Const() < 0 ? index + size : index;
  const DimExpr is_negative = Min(Max(0 - index, 0), 1);
  return index + is_negative * size;
}

DimExpr Clamp(const DimExpr& x, const DimExpr& low, const DimExpr& high) { return Min(Max(x, low), high); }

Result<ValueId> Cut(ir::Builder& b, ValueId x, SliceParams p) {
  bool whole = SameDims(p.size, b.dims(x));
  for (size_t i = 0; i < p.start.size(); ++i) whole = whole && p.start[i] == DimExpr(0) && p.step[i] == 1;
  if (whole) return x;
  return b.Add(std::move(p), {x});
}

SliceParams Whole(const Dims& dims) { return {Dims(dims.size(), 0), dims, std::vector<int64_t>(dims.size(), 1)}; }

Status Slice(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const Dims begin, c.SizesAt(1));
  FOVEA_ASSIGN_OR_RETURN(const Dims size, c.SizesAt(2));
  SliceParams p = Whole(c.b.dims(x));
  if (begin.size() != p.size.size() || size.size() != begin.size())
    return CorruptFile("begin or size of the wrong length");
  for (size_t i = 0; i < begin.size(); ++i) {
    p.start[i] = begin[i];
    p.size[i] = size[i] == DimExpr(-1) ? p.size[i] - begin[i] : size[i];
  }
  return c.Out(0, Cut(c.b, x, std::move(p)));
}

// Sizes where begin, end or strides are known; begin[a:b] of open numbers is refused.
Status StridedSlice(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const Dims begin, c.SizesAt(1));
  FOVEA_ASSIGN_OR_RETURN(const Dims end, c.SizesAt(2));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> strides, c.IntegersAt(3));
  const Dims in = c.b.dims(x);
  const size_t entries = begin.size();
  if (end.size() != entries || strides.size() != entries || entries > 32) {
    return CorruptFile("begin, end and strides of different lengths");
  }
  const auto bit = [&](const char* mask, size_t i) { return (c.Int(mask, 0) >> i & 1) != 0; };
  size_t named = 0;  // entries that belong to axes of x
  for (size_t i = 0; i < entries; ++i) named += !bit("new_axis_mask", i) && !bit("ellipsis_mask", i);
  if (named > in.size()) return CorruptFile("more entries than axes");

  SliceParams p = Whole(in);
  Dims out;
  size_t axis = 0;
  for (size_t i = 0; i < entries; ++i) {
    if (bit("ellipsis_mask", i)) {
      for (size_t skip = in.size() - named; skip > 0; --skip) out.push_back(in[axis++]);
      named = in.size();  // a second ellipsis stands for nothing
      continue;
    }
    if (bit("new_axis_mask", i)) {
      out.emplace_back(1);
      continue;
    }
    const DimExpr& size = in[axis];
    const int64_t step = strides[i];
    if (step == 0) return CorruptFile("a stride of 0");
    if (bit("shrink_axis_mask", i)) {
      p.start[axis] = FromStart(begin[i], size);
      p.size[axis] = 1;
      if (size.IsConst() && p.start[axis].IsConst() &&
          (p.start[axis].Const() < 0 || p.start[axis].Const() >= size.Const())) {
        return CorruptFile("index " + begin[i].ToString() + " into an axis of size " + size.ToString());
      }
      ++axis;
      continue;
    }
    const DimExpr low = step > 0 ? DimExpr(0) : DimExpr(-1), high = step > 0 ? size : size - 1;
    const auto bring = [&](const DimExpr& index) {
      if (index.IsConst() && index.Const() >= kFar) return high;
      return Clamp(FromStart(index, size), low, high);
    };
    // The usual bound is the size itself or below: the expression stays simple.
    const DimExpr from = bit("begin_mask", i) ? (step > 0 ? DimExpr(0) : size - 1) : bring(begin[i]);
    const DimExpr to = bit("end_mask", i) ? (step > 0 ? size : DimExpr(-1)) : bring(end[i]);
    p.start[axis] = step > 0 ? from : Min(from, size - 1);
    p.step[axis] = std::clamp(step, -kFar, kFar);
    p.size[axis] = step > 0 ? Max(CeilDiv(to - from, p.step[axis]), 0) : Max(CeilDiv(from - to, -p.step[axis]), 0);
    out.push_back(p.size[axis]);
    ++axis;
  }
  for (; axis < in.size(); ++axis) out.push_back(in[axis]);
  FOVEA_ASSIGN_OR_RETURN(const ValueId part, Cut(c.b, x, std::move(p)));
  return c.Out(0, ReshapeTo(c.b, part, out));
}

Status Parts(NodeContext& c, ValueId x, size_t axis, const Dims& sizes) {
  DimExpr begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    SliceParams p = Whole(c.b.dims(x));
    p.start[axis] = begin;
    p.size[axis] = sizes[i];
    begin = begin + sizes[i];
    FOVEA_RETURN_IF_ERROR(c.Out(static_cast<int>(i), Cut(c.b, x, std::move(p))));
  }
  return OkStatus();
}

Status Split(NodeContext& c) {  // axis, x
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, c.AxisAt(0, c.b.rank(x)));
  const int64_t parts = c.Int("num_split", 1);
  if (parts < 1 || parts > 65536) return CorruptFile("num_split " + std::to_string(parts));
  const DimExpr size = c.b.dims(x)[static_cast<size_t>(axis)];
  if (size.IsConst() && size.Const() % parts != 0) {
    return CorruptFile("an axis of size " + size.ToString() + " in " + std::to_string(parts) + " equal parts");
  }
  return Parts(c, x, static_cast<size_t>(axis), Dims(static_cast<size_t>(parts), FloorDiv(size, parts)));
}

Status SplitV(NodeContext& c) {  // x, sizes, axis
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(Dims sizes, c.SizesAt(1));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, c.AxisAt(2, c.b.rank(x)));
  DimExpr known = 0;
  for (const DimExpr& size : sizes) known = size == DimExpr(-1) ? known : known + size;
  for (DimExpr& size : sizes) {
    if (size == DimExpr(-1)) size = c.b.dims(x)[static_cast<size_t>(axis)] - known;
  }
  return Parts(c, x, static_cast<size_t>(axis), sizes);
}

Status Unpack(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const int64_t normal, NormalAxis(c.Int("axis", 0), c.b.rank(x)));
  const size_t axis = static_cast<size_t>(normal);
  const DimExpr size = c.b.dims(x)[axis];
  const int64_t count = c.Int("num", size.IsConst() ? size.Const() : 0);
  if (count < 1 || count > 65536) return CorruptFile("num " + std::to_string(count));
  Dims out = c.b.dims(x);
  out.erase(out.begin() + normal);
  FOVEA_RETURN_IF_ERROR(Parts(c, x, axis, Dims(static_cast<size_t>(count), 1)));
  for (int i = 0; i < count; ++i) FOVEA_RETURN_IF_ERROR(c.Out(i, ReshapeTo(c.b, c.OutValue(i), out)));
  return OkStatus();
}

Status Gather(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId indices, c.Need(1));
  if (c.Int("batch_dims", 0) != 0) return Unsupported("batch_dims; gather along one axis is supported");
  int64_t axis = 0;
  if (c.input_count() > 2) {
    FOVEA_ASSIGN_OR_RETURN(axis, c.AxisAt(2, c.b.rank(x)));
  }
  if (axis >= c.b.rank(x)) return CorruptFile("a tensor without axes");
  const DimExpr size = c.b.dims(x)[static_cast<size_t>(axis)];
  if (const auto numbers = c.b.ConstIntegers(indices); numbers && size.IsConst()) {
    for (const int64_t i : *numbers) {
      if (i < 0 || i >= size.Const()) {
        return CorruptFile("index " + std::to_string(i) + " into an axis of size " + size.ToString());
      }
    }
  }
  return c.Out(0, c.b.Add(GatherParams{axis}, {x, indices}, c.b.value(x).dtype));
}

Status PadWith(NodeContext& c, PadParams p) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const Dims pads, c.SizesAt(1));
  const size_t rank = c.b.dims(x).size();
  if (pads.size() != 2 * rank) return CorruptFile("paddings of the wrong length");
  bool none = true;
  for (size_t i = 0; i < rank; ++i) {
    p.begin.push_back(pads[2 * i]);
    p.end.push_back(pads[2 * i + 1]);
    none = none && pads[2 * i] == DimExpr(0) && pads[2 * i + 1] == DimExpr(0);
  }
  if (none) return c.Out(0, x);
  return c.Out(0, c.b.Add(std::move(p), {x}));
}

Status Pad(NodeContext& c) {
  PadParams p;
  if (c.input_count() > 2) {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<float> value, c.FloatsAt(2));
    if (value.size() != 1) return CorruptFile("the value is not a single number");
    p.value = value[0];
  } else {
    p.value = c.Float("constant_value", 0);
  }
  return PadWith(c, std::move(p));
}

Status MirrorPad(NodeContext& c) {
  const std::string mode = c.String("mode", "REFLECT");
  PadParams p;
  p.mode = mode == "SYMMETRIC" || mode == "symmetric" ? kernels::PadMode::kSymmetric : kernels::PadMode::kReflect;
  if (p.mode == kernels::PadMode::kReflect && mode != "REFLECT" && mode != "reflect")
    return CorruptFile("mode " + mode);
  return PadWith(c, std::move(p));
}

// Positions of what is not 0.
Status Where(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const std::vector<float> numbers, c.FloatsAt(0));
  std::vector<int64_t> dims;
  for (const DimExpr& dim : c.b.dims(c.In(0))) dims.push_back(dim.Const());
  std::vector<float> positions;
  int64_t found = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == 0) continue;
    ++found;
    std::vector<int64_t> index(dims.size());
    int64_t rest = static_cast<int64_t>(i);
    for (size_t axis = dims.size(); axis-- > 0; rest /= dims[axis]) index[axis] = rest % dims[axis];
    positions.insert(positions.end(), index.begin(), index.end());
  }
  return c.Out(
      0, c.b.Constant(c.node().name, DType::kInt64, {found, static_cast<int64_t>(dims.size())}, std::move(positions)));
}

constexpr OpRow kOps[] = {{"Slice", Slice},
                          {"StridedSlice", StridedSlice},
                          {"Split", Split},
                          {"SplitV", SplitV},
                          {"Unpack", Unpack},
                          {"Unstack", Unpack},
                          {"Gather", Gather},
                          {"GatherV2", Gather},
                          {"Pad", Pad},
                          {"PadV2", Pad},
                          {"MirrorPad", MirrorPad},
                          {"Where", Where}};

}  // namespace

std::span<const OpRow> SelectionOps() { return kOps; }

}  // namespace fovea::converter::tf
