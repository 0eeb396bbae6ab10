#include "kernels/copy/copy.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

// dst in row-major order with slack; src through any permutation of its axes, some reversed, some repeated.
TEST(Copy, PermutedReversedAndRepeated) {
  Random random(1);
  for (int round = 0; round < 600; ++round) {
    const int rank = static_cast<int>(random.Int(1, 5));
    std::vector<int64_t> dims, order;
    for (int i = 0; i < rank; ++i) {
      dims.push_back(random.Int(1, 5));
      order.push_back(i);
    }
    dims[static_cast<size_t>(random.Int(0, rank - 1))] = random.Int(1, 70);
    for (int i = rank - 1; i > 0 && random.Int(0, 3) > 0; --i) {
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.Int(0, i))]);
    }
    std::vector<int64_t> src_dims;
    for (int64_t axis : order) src_dims.push_back(dims[static_cast<size_t>(axis)]);
    Tensor from(src_dims, random.Int(0, 1) * 2);
    for (int64_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
    ConstView src = from.cview();
    const bool plain = random.Coin();
    for (int i = 0; i < rank; ++i) {
      const size_t axis = static_cast<size_t>(order[static_cast<size_t>(i)]);
      src.dims[axis] = from.view().dims[i];
      src.strides[axis] = from.view().strides[i];
    }
    for (int i = 0; i < rank && !plain; ++i) {
      const int64_t kind = random.Int(0, 5);
      if (kind == 0) src.strides[i] = 0;
      if (kind == 1) {
        src.data += (src.dims[i] - 1) * src.strides[i];
        src.strides[i] = -src.strides[i];
      }
    }
    ForEachKernel(CopyKernels(), [&](const CopyKernel& row) {
      Tensor dst(dims, random.Int(0, 1) * 3);
      RunRow(row, CopyLayer{}, CopyArgs{src, dst.view()}, random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t i = 0; i < dst.size(); ++i) {
        int64_t at = 0, rest = i;
        for (int axis = rank - 1; axis >= 0; --axis) {
          at += rest % src.dims[axis] * src.strides[axis];
          rest /= src.dims[axis];
        }
        ASSERT_EQ(dst[i], src.data[at]) << i;
      }
    });
    if (HasFatalFailure()) return;
  }
}

// NCHW to NHWC and back: all numbers of channels around the vectors' sizes, planes larger than a tile.
TEST(Copy, ChannelsFirstAndLast) {
  Random random(2);
  for (int64_t channels : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 130}) {
    const int64_t pixels = random.Int(1000, 3000);
    Tensor first({2, channels, pixels});
    for (int64_t i = 0; i < first.size(); ++i) first[i] = static_cast<float>(i);
    ForEachKernel(CopyKernels(), [&](const CopyKernel& row) {
      Tensor last({2, pixels, channels}, random.Int(0, 1) * 4), back({2, channels, pixels});
      RunRow(row, CopyLayer{}, CopyArgs{SwapAxes(first.cview(), 1, 2), last.view()}, random);
      ASSERT_TRUE(last.Intact());
      for (int64_t n = 0; n < 2; ++n) {
        for (int64_t p = 0; p < pixels; ++p) {
          for (int64_t c = 0; c < channels; ++c) ASSERT_EQ(last.At({n, p, c}), first.At({n, c, p}));
        }
      }
      RunRow(row, CopyLayer{}, CopyArgs{SwapAxes(last.cview(), 1, 2), back.view()}, random);
      ASSERT_TRUE(back.Intact());
      ASSERT_TRUE(SameBits(back, first));
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace fovea::kernels
