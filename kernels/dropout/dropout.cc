// 64-bit products have no vector instruction before AVX-512, and networks with live dropout are rare: the reference is
// the only row.
#include "kernels/dropout/dropout.h"

#include <cmath>

#include "kernels/loop.h"

namespace fovea::kernels {
namespace {

constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;  // 2^64 / golden ratio, odd

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Loop<3> LoopOver(const DropoutArgs& args) {
  return MakeLoop<3>(args.dst.rank, args.dst.dims, {args.src.strides, args.dst.strides, args.place_strides});
}

int64_t Units(const DropoutLayer&, const DropoutArgs& args) {
  return args.dst.elements() == 0 ? 0 : LoopOver(args).units();
}

void Dropout(const DropoutLayer& layer, const DropoutArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<3> loop = LoopOver(args);
  const int last = loop.rank - 1;
  const int64_t from = loop.strides[0][last], to = loop.strides[1][last];
  // Along the row, places are arithmetic, so states of the hash are too.
  const uint64_t step = static_cast<uint64_t>(loop.strides[2][last]) * kStep;
  // floor(keep + u) = 1 where u >= 1 - keep; u is a multiple of 2^-24.
  const auto least = static_cast<uint64_t>(std::ceil((1 - static_cast<double>(layer.keep)) * 0x1p24));
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t(&offsets)[3], int64_t n, int64_t) {
    const float* src = args.src.data + offsets[0];
    float* dst = args.dst.data + offsets[1];
    uint64_t state = layer.key + (args.place + static_cast<uint64_t>(offsets[2]) + 1) * kStep;
    for (int64_t i = 0; i < n; ++i, state += step) {
      dst[i * to] = src[i * from] * (Mix(state) >> 40 >= least ? layer.scale : 0.0f);
    }
  });
}

}  // namespace

uint64_t DropoutKey(uint64_t seed, uint64_t stream) { return Mix(Mix(seed + kStep) + stream * kStep); }

std::span<const DropoutKernel> DropoutKernels() {
  static constexpr DropoutKernel kRows[] = {
      {Isa::kReference, "dropout/reference", AcceptsAll, Units, NoScratch, Dropout},
  };
  return kRows;
}

}  // namespace fovea::kernels
