// Upsampling by two (nearest neighbour) whose result one convolution alone reads, made part of that convolution.
//
// The doubled image is then never written, and kernels that know of the doubling do two thirds of the multiplications
// and less (kernels/conv/winograd-inl.h, Upsampled). Done where such a kernel would be picked.
#ifndef FOVEA_RUNTIME_PLAN_FUSE_UPSAMPLING_H_
#define FOVEA_RUNTIME_PLAN_FUSE_UPSAMPLING_H_

#include "kernels/kernels.h"
#include "runtime/plan/resolve.h"

namespace fovea::plan {

// Removes such Resize nodes; their convolutions get ResolvedNode::upsample. Which do follows from cap, exact_order and
// the network alone, never from sizes of the image beyond their being doubled.
void FuseUpsampling(kernels::Isa cap, bool exact_order, ResolvedGraph* graph);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_FUSE_UPSAMPLING_H_
