// A row that copies runs: inside of the image a row of dense pixels is one run, at the borders a run is a pixel. There
// is no arithmetic, so it runs on any CPU; the reference stays as the plain statement of the rule.
#include <cstring>

#include "kernels/pad/reference.h"

namespace fovea::kernels {
namespace {

// The last two axes are done together when the last one is neither padded nor cut and dense; else the last one is
// padded element by element and the "pixel" is one element.
struct PadPlan {
  bool pixels;  // the last axis is the channels of a pixel
  int column;   // the axis along which a row runs
  int64_t width, channels;
  int64_t src_step, dst_step;
};

PadPlan MakePlan(const PadArgs& args) {
  const int last = args.dst.rank - 1;
  const bool dense = (args.src.strides[last] == 1 && args.dst.strides[last] == 1) || args.dst.dims[last] == 1;
  const bool untouched = args.begin[last] == 0 && args.dst_origin[last] == args.src_origin[last] &&
                         args.dst.dims[last] == args.src.dims[last] &&
                         args.dst_origin[last] + args.dst.dims[last] <= args.in_size[last];
  if (last > 0 && dense && untouched) {
    return {true,
            last - 1,
            args.dst.dims[last - 1],
            args.dst.dims[last],
            args.src.strides[last - 1],
            args.dst.strides[last - 1]};
  }
  return {false, last, args.dst.dims[last], 1, args.src.strides[last], args.dst.strides[last]};
}

int64_t Rows(const PadArgs& args, const PadPlan& plan) {
  int64_t rows = 1;
  for (int axis = 0; axis < plan.column; ++axis) rows *= args.dst.dims[axis];
  return rows;
}

int64_t RowsPerUnit(const PadPlan& plan) { return std::max<int64_t>(1, kUnitElements / (plan.width * plan.channels)); }

int64_t Units(const PadLayer& layer, const PadArgs& args) {
  if (args.dst.rank == 0 || args.dst.elements() == 0) return reference::PadUnits(layer, args);
  const PadPlan plan = MakePlan(args);
  return CeilDiv(Rows(args, plan), RowsPerUnit(plan));
}

void Fill(const PadPlan& plan, float value, float* dst, int64_t pixels) {
  for (int64_t w = 0; w < pixels; ++w) std::fill_n(dst + w * plan.dst_step, plan.channels, value);
}

void CopyRun(const PadPlan& plan, const float* src, float* dst, int64_t pixels) {
  if (plan.src_step == plan.channels && plan.dst_step == plan.channels) {
    std::memcpy(dst, src, static_cast<size_t>(pixels * plan.channels) * sizeof(float));
    return;
  }
  for (int64_t w = 0; w < pixels; ++w) {
    std::copy_n(src + w * plan.src_step, plan.channels, dst + w * plan.dst_step);
  }
}

void PadRow(const PadLayer& layer, const PadArgs& args, const PadPlan& plan, const float* src, float* dst) {
  const int axis = plan.column;
  // Output positions [begin, end) of the view that lie inside the image.
  const int64_t first = args.begin[axis] - args.dst_origin[axis];
  const int64_t begin = std::clamp<int64_t>(first, 0, plan.width);
  const int64_t end = std::clamp<int64_t>(first + args.in_size[axis], begin, plan.width);
  for (int64_t w = 0; w < plan.width; ++w) {
    if (w == begin && end > begin) {
      CopyRun(plan, src + reference::PadAxisSource(layer, args, axis, w) * plan.src_step, dst + w * plan.dst_step,
              end - begin);
      w = end - 1;
      continue;
    }
    const int64_t at = reference::PadAxisSource(layer, args, axis, w);
    if (at < 0) {
      Fill(plan, args.value, dst + w * plan.dst_step, 1);
    } else {
      CopyRun(plan, src + at * plan.src_step, dst + w * plan.dst_step, 1);
    }
  }
}

void PadRuns(const PadLayer& layer, const PadArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  if (args.dst.rank == 0) return reference::Pad(layer, args, unit_begin, unit_end, scratch);
  if (args.dst.elements() == 0) return;
  const PadPlan plan = MakePlan(args);
  const int64_t end = std::min(Rows(args, plan), unit_end * RowsPerUnit(plan));
  for (int64_t row = unit_begin * RowsPerUnit(plan); row < end; ++row) {
    int64_t from = 0, to = 0, rest = row;
    bool constant = false;
    for (int axis = plan.column - 1; axis >= 0; --axis) {
      const int64_t i = rest % args.dst.dims[axis];
      rest /= args.dst.dims[axis];
      to += i * args.dst.strides[axis];
      const int64_t at = reference::PadAxisSource(layer, args, axis, i);
      constant = constant || at < 0;
      from += at * args.src.strides[axis];
    }
    if (constant) {
      Fill(plan, args.value, args.dst.data + to, plan.width);
    } else {
      PadRow(layer, args, plan, args.src.data + from, args.dst.data + to);
    }
  }
}

}  // namespace

std::span<const PadKernel> PadKernels() {
  static constexpr PadKernel kRows[] = {
      {Isa::kReference, "pad/runs", AcceptsAll, Units, NoScratch, PadRuns},
      {Isa::kReference, "pad/reference", AcceptsAll, reference::PadUnits, NoScratch, reference::Pad},
  };
  return kRows;
}

}  // namespace fovea::kernels
