// Walking several views of equal dims together, and the parts that most table rows share.
//
// A Loop is a set of views reduced to what matters for elementwise work: axes of size 1 dropped, neighbouring axes
// merged where every view allows it. Its last axis is called the row. Units are whole rows, or pieces of one long row,
// of about kUnitElements elements: 32 KB, small enough to balance threads, large enough to hide the dispatch.
#ifndef FOVEA_KERNELS_LOOP_H_
#define FOVEA_KERNELS_LOOP_H_

#include <algorithm>
#include <cstdint>

#include "kernels/view.h"

namespace fovea::kernels {

inline constexpr int64_t kUnitElements = 8192;

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of the table that accept every layer, and that need no scratch.
template <class Layer>
bool AcceptsAll(const Layer&) {
  return true;
}
template <class Layer, class Args>
int64_t NoScratch(const Layer&, const Args&) {
  return 0;
}

template <int kViews>
struct Loop {
  int rank = 0;  // at least 1
  int64_t dims[kMaxRank] = {};
  int64_t strides[kViews][kMaxRank] = {};

  int64_t inner() const { return dims[rank - 1]; }
  int64_t rows() const {
    int64_t n = 1;
    for (int i = 0; i + 1 < rank; ++i) n *= dims[i];
    return n;
  }
  int64_t rows_per_unit() const { return std::max<int64_t>(1, kUnitElements / std::max<int64_t>(1, inner())); }
  int64_t pieces_per_row() const { return CeilDiv(inner(), kUnitElements); }
  int64_t units() const {
    const int64_t pieces = pieces_per_row();
    return pieces > 1 ? rows() * pieces : CeilDiv(rows(), rows_per_unit()) * pieces;
  }
};

// strides[v] are the strides of view v over the same dims.
template <int kViews>
Loop<kViews> MakeLoop(int rank, const int64_t* dims, const int64_t* const (&strides)[kViews]) {
  Loop<kViews> loop;
  for (int axis = 0; axis < rank; ++axis) {
    if (dims[axis] == 1) continue;
    bool merge = loop.rank > 0;
    for (int v = 0; v < kViews && merge; ++v) {
      merge = loop.strides[v][loop.rank - 1] == strides[v][axis] * dims[axis];
    }
    const int to = merge ? loop.rank - 1 : loop.rank++;
    loop.dims[to] = merge ? loop.dims[to] * dims[axis] : dims[axis];
    for (int v = 0; v < kViews; ++v) loop.strides[v][to] = strides[v][axis];
  }
  if (loop.rank == 0) {
    loop.rank = 1;
    loop.dims[0] = 1;
    for (int v = 0; v < kViews; ++v) loop.strides[v][0] = 1;
  }
  return loop;
}

// Offsets of the first element of row `row`, in row-major order of the outer axes.
template <int kViews>
void RowOffsets(const Loop<kViews>& loop, int64_t row, int64_t (&offsets)[kViews]) {
  for (int v = 0; v < kViews; ++v) offsets[v] = 0;
  for (int axis = loop.rank - 2; axis >= 0; --axis) {
    const int64_t at = row % loop.dims[axis];
    row /= loop.dims[axis];
    for (int v = 0; v < kViews; ++v) offsets[v] += at * loop.strides[v][axis];
  }
}

// Calls fn(offsets, n, begin) for every row or piece of a row in the units: n elements of the row from position begin;
// offsets are those of element `begin` in each view.
template <int kViews, class Fn>
void ForEachRow(const Loop<kViews>& loop, int64_t unit_begin, int64_t unit_end, Fn&& fn) {
  const int64_t inner = loop.inner();
  int64_t offsets[kViews];
  if (const int64_t pieces = loop.pieces_per_row(); pieces > 1) {
    for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
      RowOffsets(loop, unit / pieces, offsets);
      const int64_t begin = unit % pieces * kUnitElements;
      for (int v = 0; v < kViews; ++v) offsets[v] += begin * loop.strides[v][loop.rank - 1];
      fn(offsets, std::min(kUnitElements, inner - begin), begin);
    }
    return;
  }
  const int64_t row_end = std::min(loop.rows(), unit_end * loop.rows_per_unit());
  int64_t row = unit_begin * loop.rows_per_unit();
  if (row >= row_end) return;
  RowOffsets(loop, row, offsets);
  int64_t at[kMaxRank] = {};
  for (int64_t axis = loop.rank - 2, rest = row; axis >= 0; --axis) {
    at[axis] = rest % loop.dims[axis];
    rest /= loop.dims[axis];
  }
  for (;; ++row) {
    fn(offsets, inner, int64_t{0});
    if (row + 1 >= row_end) return;
    for (int axis = loop.rank - 2; axis >= 0; --axis) {
      for (int v = 0; v < kViews; ++v) offsets[v] += loop.strides[v][axis];
      if (++at[axis] < loop.dims[axis]) break;
      at[axis] = 0;
      for (int v = 0; v < kViews; ++v) offsets[v] -= loop.strides[v][axis] * loop.dims[axis];
    }
  }
}

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_LOOP_H_
