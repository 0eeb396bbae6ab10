// Operators that take a part of a tensor or add to its borders: Slice, Split, Gather, Pad.
#include <algorithm>

#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

constexpr int64_t kBeyond = int64_t{1} << 40;  // "to the end": exporters write INT32_MAX or INT64_MAX

// An index counted from the end where negative.
DimExpr FromStart(const DimExpr& index, const DimExpr& size) {
  if (index.IsConst()) return index.Const() < 0 ? index + size : index;
  const DimExpr is_negative = Min(Max(0 - index, 0), 1);
  return index + is_negative * size;
}

DimExpr Clamp(const DimExpr& x, const DimExpr& low, const DimExpr& high) { return Min(Max(x, low), high); }

int64_t Near(int64_t index) { return std::clamp(index, -kBeyond, kBeyond); }

// One axis of Slice: begin:end:step of numpy as start and count.
void SliceAxis(const DimExpr& size, const DimExpr& begin, const DimExpr& end, int64_t step, DimExpr* start,
               DimExpr* count) {
  const auto bring = [&](const DimExpr& e, const DimExpr& low, const DimExpr& high) {
    if (e.IsConst() && e.Const() >= kBeyond) return high;
    if (e.IsConst() && e.Const() <= -kBeyond) return low;
    return Clamp(FromStart(e, size), low, high);
  };
  if (step > 0) {
    *start = bring(begin, 0, size);
    *count = Max(CeilDiv(bring(end, 0, size) - *start, step), 0);
  } else {
    *start = bring(begin, 0, size - 1);
    *count = Max(CeilDiv(*start - bring(end, -1, size - 1), -step), 0);
  }
}

Status Slice(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims in = c.b.dims(x);
  Dims begins, ends;
  std::vector<int64_t> axes, steps;
  if (c.opset < 10) {
    for (const int64_t v : c.Ints("starts")) begins.emplace_back(Near(v));
    for (const int64_t v : c.Ints("ends")) ends.emplace_back(Near(v));
    axes = c.Ints("axes");
  } else {
    FOVEA_ASSIGN_OR_RETURN(begins, c.SizesAt(1));
    FOVEA_ASSIGN_OR_RETURN(ends, c.SizesAt(2));
    if (c.Has(3)) {
      FOVEA_ASSIGN_OR_RETURN(axes, c.IntegersAt(3));
    }
    if (c.Has(4)) {
      FOVEA_ASSIGN_OR_RETURN(steps, c.IntegersAt(4));
    }
  }
  if (axes.empty()) {
    for (size_t i = 0; i < begins.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (steps.empty()) steps.assign(axes.size(), 1);
  if (begins.size() != axes.size() || ends.size() != axes.size() || steps.size() != axes.size()) {
    return CorruptFile("starts, ends, axes and steps of different lengths");
  }
  SliceParams p{Dims(in.size(), 0), in, std::vector<int64_t>(in.size(), 1)};
  bool whole = true;
  for (size_t i = 0; i < axes.size(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const int64_t normal, NormalAxis(axes[i], static_cast<int>(in.size())));
    const size_t axis = static_cast<size_t>(normal);
    if (steps[i] == 0) return CorruptFile("a step of 0");
    const auto bounded = [](const DimExpr& e) { return e.IsConst() ? DimExpr(Near(e.Const())) : e; };
    p.step[axis] = std::clamp(steps[i], -kBeyond, kBeyond);
    SliceAxis(in[axis], bounded(begins[i]), bounded(ends[i]), p.step[axis], &p.start[axis], &p.size[axis]);
    whole = whole && p.step[axis] == 1 && p.start[axis] == DimExpr(0) && p.size[axis] == in[axis];
  }
  if (whole) return c.Out(0, x);
  return c.Out(0, c.b.Add(std::move(p), {x}));
}

Status Split(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims in = c.b.dims(x);
  FOVEA_ASSIGN_OR_RETURN(const int64_t normal, NormalAxis(c.Int("axis", 0), static_cast<int>(in.size())));
  const size_t axis = static_cast<size_t>(normal), outputs = static_cast<size_t>(c.output_count());
  Dims sizes;
  if (c.Has(1)) {
    FOVEA_ASSIGN_OR_RETURN(sizes, c.SizesAt(1));
  } else {
    for (const int64_t size : c.Ints("split")) sizes.emplace_back(size);
  }
  if (sizes.empty()) {
    const int64_t parts = c.Int("num_outputs", c.output_count());
    if (parts < 1 || static_cast<size_t>(parts) < outputs) return CorruptFile("num_outputs " + std::to_string(parts));
    const DimExpr each = CeilDiv(in[axis], parts);
    DimExpr begin = 0;
    for (size_t i = 0; i < outputs; ++i) {
      sizes.push_back(static_cast<int64_t>(i) + 1 < parts ? each : in[axis] - begin);
      begin = begin + each;
    }
  }
  if (sizes.size() < outputs) return CorruptFile("fewer split sizes than outputs");
  DimExpr begin = 0;
  for (size_t i = 0; i < outputs; ++i) {
    SliceParams p{Dims(in.size(), 0), in, std::vector<int64_t>(in.size(), 1)};
    p.start[axis] = begin;
    p.size[axis] = sizes[i];
    begin = begin + sizes[i];
    if (c.node().output(static_cast<int>(i)).empty()) continue;
    FOVEA_RETURN_IF_ERROR(c.Out(static_cast<int>(i), c.b.Add(std::move(p), {x})));
  }
  return OkStatus();
}

Status Gather(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId indices, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", 0), c.b.rank(x)));
  const DimExpr size = c.b.dims(x)[static_cast<size_t>(axis)];
  if (const auto numbers = c.b.ConstIntegers(indices); numbers && size.IsConst()) {
    for (const int64_t i : *numbers) {
      if (i < -size.Const() || i >= size.Const()) {
        return CorruptFile("index " + std::to_string(i) + " into an axis of size " + size.ToString());
      }
    }
  }
  return c.Out(0, c.b.Add(GatherParams{axis}, {x, indices}, c.b.value(x).dtype));
}

// Where wrapping pads are negative the image is cropped first, and what is left is what repeats (as in PyTorch and ONNX
// Runtime; ONNX's text is silent). The other modes give the same either way.
Result<ValueId> CropBeforeWrap(NodeContext& c, ValueId x, PadParams* p) {
  if (p->mode != kernels::PadMode::kWrap) return x;
  PadParams crop;
  bool any = false;
  for (size_t axis = 0; axis < p->begin.size(); ++axis) {
    crop.begin.push_back(Min(p->begin[axis], 0));
    crop.end.push_back(Min(p->end[axis], 0));
    any = any || !(crop.begin[axis] == DimExpr(0)) || !(crop.end[axis] == DimExpr(0));
    p->begin[axis] = Max(p->begin[axis], 0);
    p->end[axis] = Max(p->end[axis], 0);
  }
  return any ? c.b.Add(std::move(crop), {x}) : Result<ValueId>(x);
}

Status Pad(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const size_t rank = c.b.dims(x).size();
  const std::string mode = c.String("mode", "constant");
  PadParams p;
  p.mode = mode == "reflect" ? kernels::PadMode::kReflect
           : mode == "edge"  ? kernels::PadMode::kEdge
           : mode == "wrap"  ? kernels::PadMode::kWrap
                             : kernels::PadMode::kConstant;
  if (p.mode == kernels::PadMode::kConstant && mode != "constant") return Unsupported("mode " + mode);
  Dims pads, axes;
  ValueId value = ir::kNoValue;
  if (c.opset < 11) {
    for (const int64_t pad : c.Ints(c.opset < 2 ? "paddings" : "pads")) pads.emplace_back(pad);
    p.value = c.Float("value", 0);
  } else {
    FOVEA_ASSIGN_OR_RETURN(pads, c.SizesAt(1));
    if (c.Has(2)) {
      const auto numbers = c.b.ConstFloats(c.In(2));
      if (numbers && numbers->size() == 1) {
        p.value = (*numbers)[0];
      } else {
        value = c.In(2);
      }
    }
    if (c.Has(3)) {
      FOVEA_ASSIGN_OR_RETURN(axes, c.SizesAt(3));
    }
  }
  if (axes.empty()) {
    for (size_t i = 0; i < rank; ++i) axes.emplace_back(static_cast<int64_t>(i));
  }
  if (pads.size() != 2 * axes.size()) {
    return CorruptFile("pads has " + std::to_string(pads.size()) + " numbers for " + std::to_string(axes.size()) +
                       " axes");
  }
  p.begin.assign(rank, 0);
  p.end.assign(rank, 0);
  bool none = true;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].IsConst()) FOVEA_RETURN_IF_ERROR(NormalAxis(axes[i].Const(), static_cast<int>(rank)).status());
    for (size_t axis = 0; axis < rank; ++axis) {  // axes may be a shape input: then both factors are expressions
      const DimExpr meant = IsEqual(Mod(axes[i], static_cast<int64_t>(rank)), static_cast<int64_t>(axis));
      p.begin[axis] = p.begin[axis] + meant * pads[i];
      p.end[axis] = p.end[axis] + meant * pads[axes.size() + i];
      none = none && p.begin[axis] == DimExpr(0) && p.end[axis] == DimExpr(0);
    }
  }
  if (none) return c.Out(0, x);
  FOVEA_ASSIGN_OR_RETURN(const ValueId cropped, CropBeforeWrap(c, x, &p));
  std::vector<ValueId> inputs{cropped};
  if (value != ir::kNoValue && p.mode == kernels::PadMode::kConstant) inputs.push_back(value);
  return c.Out(0, c.b.Add(std::move(p), std::move(inputs)));
}

constexpr OpRow kOps[] = {{"Slice", Slice}, {"Split", Split}, {"Gather", Gather}, {"Pad", Pad}};

}  // namespace

std::span<const OpRow> SelectionOps() { return kOps; }

}  // namespace fovea::converter
