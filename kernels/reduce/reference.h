// The reference rows of the reductions.
#ifndef FOVEA_KERNELS_REDUCE_REFERENCE_H_
#define FOVEA_KERNELS_REDUCE_REFERENCE_H_

#include "kernels/loop.h"
#include "kernels/reduce/reduce.h"

namespace fovea::kernels::reference {

// Partial sums are kept in double and added in order after every kReduceBlock reduced elements.
inline constexpr int64_t kReduceBlock = 4096;

// The kept axes as src (with the reduced ones of size 1) and dst; the reduced axes of src. Either is empty of elements
// when one of its dims is 0.
Loop<2> KeptLoop(uint32_t axes, const ReduceArgs& args);
Loop<1> ReducedLoop(uint32_t axes, const ReduceArgs& args);

int64_t ReduceUnits(const ReduceLayer& layer, const ReduceArgs& args);  // one unit: one element of dst
void Reduce(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float*);
int64_t ArgReduceUnits(const ArgReduceLayer& layer, const ReduceArgs& args);
void ArgReduce(const ArgReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_REDUCE_REFERENCE_H_
