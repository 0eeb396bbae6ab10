// The reference rows of the reductions.
#ifndef FOVEA_KERNELS_REDUCE_REFERENCE_H_
#define FOVEA_KERNELS_REDUCE_REFERENCE_H_

#include "kernels/loop.h"
#include "kernels/moments/moments.h"
#include "kernels/reduce/reduce.h"

namespace fovea::kernels::reference {

// Partial sums are kept in double and added in order after every kReduceBlock reduced elements.
inline constexpr int64_t kReduceBlock = 4096;

// The kept axes as src (with the reduced ones of size 1) and dst; the reduced axes of src. Either is empty of elements
// when one of its dims is 0.
Loop<2> KeptLoop(uint32_t axes, const ReduceArgs& args);
Loop<1> ReducedLoop(uint32_t axes, const ReduceArgs& args);

// Units of a reduction: pieces of at most kReduceKept elements of dst. fn(offsets in src and dst, n) for each.
inline constexpr int64_t kReduceKept = 64;
template <class Fn>
void ForEachKept(const Loop<2>& kept, int64_t unit_begin, int64_t unit_end, Fn&& fn) {
  const int64_t pieces = CeilDiv(kept.inner(), kReduceKept);
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    int64_t at[2];
    RowOffsets(kept, unit / pieces, at);
    const int64_t begin = unit % pieces * kReduceKept;
    for (int v = 0; v < 2; ++v) at[v] += begin * kept.strides[v][kept.rank - 1];
    fn(at, std::min(kReduceKept, kept.inner() - begin));
  }
}

// True where the last axis is kept and dense: decided by the operator, not by how large a tile is.
inline bool KeepsChannels(const ReduceLayer& layer, const ReduceArgs& args) {
  const int last = args.src.rank - 1;
  return last >= 0 && (layer.axes >> last & 1) == 0 && args.src.strides[last] == 1;
}

// Cells of kernels/moments that an image has.
inline int64_t PositionCells(const ReduceLayer& layer, const ReduceArgs& args) {
  const int last = args.src.rank - 1;
  return MomentRowCells(layer.spatial, args.src.dims[last > 2 ? last - 2 : 0]) *
         MomentColumnCells(layer.spatial, args.src.dims[last - 1]);
}

int64_t ReduceUnits(const ReduceLayer& layer, const ReduceArgs& args);
void Reduce(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float*);
int64_t ArgReduceUnits(const ArgReduceLayer& layer, const ReduceArgs& args);
void ArgReduce(const ArgReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_REDUCE_REFERENCE_H_
