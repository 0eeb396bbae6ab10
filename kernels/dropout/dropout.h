// Dropout with a seed: elements are kept and multiplied, or multiplied by 0, as a hash of their place decides.
//
//   y = x * scale where kept, x * 0 elsewhere (NaN and infinities of x stay NaN, as in the networks' own floor(...) *
//   x)
//
// The hash is counter-based: it is a function of a key and of the element's place in the whole tensor alone, so that
// every tiling, thread count and instruction set makes the same decisions. It is the output function of SplitMix64
// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) at state key + (place + 1) *
// 0x9e3779b97f4a7c15; its upper 24 bits are a uniform number u in [0, 1), and kept is what has floor(keep + u) = 1.
#ifndef FOVEA_KERNELS_DROPOUT_DROPOUT_H_
#define FOVEA_KERNELS_DROPOUT_DROPOUT_H_

#include <cstdint>

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

struct DropoutLayer {
  uint64_t key = 0;  // DropoutKey
  float keep = 1;    // probability, [0, 1]
  float scale = 1;   // of what is kept
};
struct DropoutArgs {
  ConstView src;
  View dst;  // same dims; may be src itself
  // Place of the views' first element, and of the next element along each axis from it; 0: decisions are shared.
  uint64_t place = 0;
  int64_t place_strides[kMaxRank] = {};
};
using DropoutKernel = Kernel<DropoutLayer, DropoutArgs>;
std::span<const DropoutKernel> DropoutKernels();

// seed: the user's; stream: a number of the node, so that nodes decide independently of each other.
uint64_t DropoutKey(uint64_t seed, uint64_t stream);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_DROPOUT_DROPOUT_H_
