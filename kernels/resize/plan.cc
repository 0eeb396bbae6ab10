#include "kernels/resize/plan.h"

#include <algorithm>
#include <cmath>

#include "kernels/loop.h"

namespace fovea::kernels {
namespace {

// Upper bound of the taps of one position.
int64_t MaxTaps(const ResizeAxis& axis) {
  if (axis.identity || axis.mode == ResizeMode::kNearest) return 1;
  return 2 * static_cast<int64_t>(std::ceil((axis.mode == ResizeMode::kLinear ? 1 : 2) / axis.stretch)) + 1;
}

// Enough rows that computing the columns' table for each unit does not matter.
int64_t RowsPerUnit(const ResizePlan& plan) {
  return std::max<int64_t>(4, 2 * kUnitElements / std::max<int64_t>(1, plan.width * plan.channels));
}

int64_t OutputRows(const ResizeArgs& args) {
  int64_t rows = 1;
  for (int i = 0; i + 2 < args.dst.rank; ++i) rows *= args.dst.dims[i];
  return rows;
}

struct Tables {
  ResizeTap* row_taps;
  ResizeTap* column_taps;
  ResizePixel* pixels;
};
constexpr int64_t FloatsOf(int64_t count, size_t size) {
  return CeilDiv(count * static_cast<int64_t>(size), 64) * static_cast<int64_t>(64 / sizeof(float));
}
int64_t PlaceTables(const ResizePlan& plan, float* scratch, Tables* tables) {
  const int64_t rows = FloatsOf(plan.row_taps, sizeof(ResizeTap));
  const int64_t columns = FloatsOf(plan.width * plan.column_taps, sizeof(ResizeTap));
  const int64_t pixels = FloatsOf(plan.width, sizeof(ResizePixel));
  if (tables != nullptr) {
    tables->row_taps = reinterpret_cast<ResizeTap*>(scratch);
    tables->column_taps = reinterpret_cast<ResizeTap*>(scratch + rows);
    tables->pixels = reinterpret_cast<ResizePixel*>(scratch + rows + columns);
  }
  return rows + columns + pixels;
}

// Appends the taps of one axis, weights times `weight`, to the list of all outer axes'.
struct RowTaps {
  const ResizePlan& plan;
  const ResizeArgs& args;
  ResizeTaps taps[kMaxRank];
  ResizeTap* list;
  int64_t count = 0;

  void Add(int axis, int64_t offset, double weight) {
    if (axis == plan.rank - 2) {
      list[count++] = {offset, static_cast<float>(weight)};
      return;
    }
    for (int64_t k = 0; k < taps[axis].count; ++k) {
      const double w = ResizeWeight(plan.axes[axis], taps[axis], k);
      if (w == 0) continue;
      const int64_t at = ResizeSource(plan.axes[axis], taps[axis], k) - args.src_origin[axis];
      Add(axis + 1, offset + at * args.src.strides[axis], weight * w);
    }
  }
};

}  // namespace

bool MakeResizePlan(const ResizeLayer& layer, const ResizeArgs& args, ResizePlan* plan) {
  const int rank = args.dst.rank;
  if (rank < 2 || args.dst.elements() == 0) return false;
  if (args.dst.dims[rank - 1] > 1 && (args.src.strides[rank - 1] != 1 || args.dst.strides[rank - 1] != 1)) return false;
  plan->rank = rank;
  plan->width = args.dst.dims[rank - 2];
  plan->channels = args.dst.dims[rank - 1];
  plan->row_taps = 1;
  for (int i = 0; i < rank; ++i) {
    plan->axes[i] = MakeResizeAxis(layer, args, i);
    if (i < rank - 2) plan->row_taps *= MaxTaps(plan->axes[i]);
  }
  plan->column_taps = MaxTaps(plan->axes[rank - 2]);
  return plan->axes[rank - 1].identity;
}

int64_t ResizeRowUnits(const ResizeLayer& layer, const ResizeArgs& args) {
  ResizePlan plan;
  if (!MakeResizePlan(layer, args, &plan)) return reference::ResizeUnits(layer, args);
  return CeilDiv(OutputRows(args), RowsPerUnit(plan));
}

int64_t ResizeRowScratch(const ResizeLayer& layer, const ResizeArgs& args) {
  ResizePlan plan;
  return MakeResizePlan(layer, args, &plan) ? PlaceTables(plan, nullptr, nullptr) : 0;
}

void RunResizeRows(const ResizeLayer& layer, const ResizeArgs& args, int64_t unit_begin, int64_t unit_end,
                   float* scratch, ResizeBlend blend) {
  ResizePlan plan;
  if (!MakeResizePlan(layer, args, &plan)) return reference::Resize(layer, args, unit_begin, unit_end, scratch);
  Tables tables;
  PlaceTables(plan, scratch, &tables);
  const int column = plan.rank - 2;
  int64_t filled = 0;
  for (int64_t w = 0; w < plan.width; ++w) {
    const ResizeTaps taps = MakeResizeTaps(plan.axes[column], w + args.dst_origin[column]);
    tables.pixels[w] = {filled, 0};
    for (int64_t k = 0; k < taps.count; ++k) {
      const double weight = ResizeWeight(plan.axes[column], taps, k);
      if (weight == 0) continue;
      const int64_t at = ResizeSource(plan.axes[column], taps, k) - args.src_origin[column];
      tables.column_taps[filled++] = {at * args.src.strides[column], static_cast<float>(weight)};
      ++tables.pixels[w].count;
    }
  }

  // Dense channels begin at the position of the view, not of the image.
  const int64_t channel = args.dst_origin[column + 1] - args.src_origin[column + 1];
  const int64_t end = std::min(OutputRows(args), unit_end * RowsPerUnit(plan));
  for (int64_t row = unit_begin * RowsPerUnit(plan); row < end; ++row) {
    RowTaps rows{plan, args, {}, tables.row_taps};
    int64_t to = 0;
    bool outside = false;
    for (int64_t axis = column - 1, rest = row; axis >= 0; --axis) {
      const int64_t o = rest % args.dst.dims[axis];
      rest /= args.dst.dims[axis];
      to += o * args.dst.strides[axis];
      rows.taps[axis] = MakeResizeTaps(plan.axes[axis], o + args.dst_origin[axis]);
      outside = outside || rows.taps[axis].outside;
    }
    if (!outside) rows.Add(0, 0, 1);
    blend(layer, plan, args.src.data + channel, args.src.strides[column], tables.row_taps, rows.count, tables.pixels,
          tables.column_taps, args.dst.data + to, args.dst.strides[column]);
  }
}

}  // namespace fovea::kernels
