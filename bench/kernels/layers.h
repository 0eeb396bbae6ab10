// The convolutions of the six benchmark networks, one entry a distinct shape, and some that tempt the picks.
#ifndef FOVEA_BENCH_KERNELS_LAYERS_H_
#define FOVEA_BENCH_KERNELS_LAYERS_H_

#include <cstdint>
#include <span>

#include "kernels/elementwise/elementwise.h"

namespace fovea::bench {

struct Layer {
  const char* network;
  bool transposed;
  int64_t kernel, stride;  // on every axis that the network has
  int64_t in_channels, out_channels;
  int64_t depth, rows, cols;  // of the input; depth 1: a 2-D network
  int64_t pad;                // before and after, as in the network
  int64_t output_padding;     // transposed only
  kernels::UnaryFn act;
  int64_t upsample = 1;  // 2: the convolution reads the input with every position doubled (nearest neighbour)
};

std::span<const Layer> Layers();

}  // namespace fovea::bench

#endif  // FOVEA_BENCH_KERNELS_LAYERS_H_
