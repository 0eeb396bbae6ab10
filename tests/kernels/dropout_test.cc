#include "kernels/dropout/dropout.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

// The first outputs of SplitMix64 with seed 0, as published with its reference implementation; place i of key 0 is
// output i.
TEST(Dropout, DecidesByTheUpperBitsOfSplitMix64) {
  const uint64_t published[] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec};
  Random random(1);
  ForEachKernel(DropoutKernels(), [&](const DropoutKernel& row) {
    for (const float keep : {0.0f, 0.02f, 0.1f, 0.5f, 0.97f, 0.98f, 1.0f}) {
      Tensor src({4}), dst({4});
      for (int i = 0; i < 4; ++i) src[i] = static_cast<float>(i + 1);
      DropoutArgs args{src.cview(), dst.view(), 0, {1}};
      RunRow(row, DropoutLayer{0, keep, 3}, args, random);
      for (int i = 0; i < 4; ++i) {
        const double u = static_cast<double>(published[i] >> 40) / 16777216.0;
        EXPECT_EQ(dst[i], std::floor(static_cast<double>(keep) + u) == 1 ? 3 * src[i] : 0) << keep << " " << i;
      }
    }
  });
}

// Any part of a tensor, at its place, gets what the whole gets; along axes of stride 0 decisions are shared.
TEST(Dropout, PartsAgreeWithTheWhole) {
  Random random(2);
  const std::vector<int64_t> dims{2, 9, 70, 21};
  for (const bool shared : {false, true}) {
    const int64_t strides[4] = {9 * 70 * 21, shared ? 0 : 70 * 21, shared ? 0 : 21, 1};
    ForEachKernel(DropoutKernels(), [&](const DropoutKernel& row) {
      Tensor src(dims, 3), whole(dims, 1);
      src.Fill(random, 0.5f, 1);
      DropoutLayer layer{DropoutKey(7, 11), 0.7f, 1 / 0.7f};
      DropoutArgs args{src.cview(), whole.view(), 0, {strides[0], strides[1], strides[2], strides[3]}};
      RunRow(row, layer, args, random);
      ASSERT_TRUE(whole.Intact());
      int64_t kept = 0;
      for (int64_t i = 0; i < whole.size(); ++i) {
        const float all = src[i] * layer.scale;
        EXPECT_TRUE(whole[i] == 0 || whole[i] == all);
        kept += whole[i] != 0;
        if (shared) {  // as the first pixel of the same image and channel
          const int64_t first = i / (9 * 70 * 21) * (9 * 70 * 21) + i % 21;
          EXPECT_EQ(whole[i] != 0, whole[first] != 0);
        }
      }
      if (!shared) {  // 26460 draws: five standard deviations of their mean are 0.0141
        EXPECT_NEAR(static_cast<double>(kept) / static_cast<double>(whole.size()), 0.7, 0.0141);
      }
      for (int round = 0; round < 8; ++round) {
        std::vector<int64_t> begin, size;
        uint64_t place = 0;
        for (size_t a = 0; a < dims.size(); ++a) {
          begin.push_back(random.Int(0, dims[a] - 1));
          size.push_back(random.Int(1, dims[a] - begin[a]));
          place += static_cast<uint64_t>(begin[a] * strides[a]);
        }
        Tensor part(size);
        DropoutArgs some{SubView(src.cview(), begin, size), part.view(), place, {}};
        for (int a = 0; a < 4; ++a) some.place_strides[a] = strides[a];
        RunRow(row, layer, some, random);
        const ConstView same = SubView(whole.cview(), begin, size);
        for (int64_t i = 0; i < part.size(); ++i) {
          int64_t at = 0;
          for (int64_t a = 3, rest = i; a >= 0; rest /= size[static_cast<size_t>(a)], --a) {
            at += rest % size[static_cast<size_t>(a)] * same.strides[a];
          }
          ASSERT_TRUE(SameBits(part[i], same.data[at]));
        }
      }
    });
  }
}

TEST(Dropout, SeedsAndStreamsDecideIndependently) {
  constexpr int64_t kCount = 4096;
  Random random(3);
  const auto decisions = [&](uint64_t seed, uint64_t stream) {
    Tensor src({kCount}), dst({kCount});
    for (int64_t i = 0; i < kCount; ++i) src[i] = 1;
    RunRow(DropoutKernels().back(), DropoutLayer{DropoutKey(seed, stream), 0.5f, 1},
           DropoutArgs{src.cview(), dst.view(), 0, {1}}, random);
    return dst;
  };
  const Tensor base = decisions(0, 0);
  for (const auto& [seed, stream] : {std::pair<uint64_t, uint64_t>{0, 1}, {1, 0}, {1, 1}, {~uint64_t{0}, 0}}) {
    const Tensor other = decisions(seed, stream);
    int64_t equal = 0;
    for (int64_t i = 0; i < kCount; ++i) equal += base[i] == other[i];
    EXPECT_NEAR(static_cast<double>(equal), kCount / 2, 5 * 32) << seed << " " << stream;  // a deviation is 32
  }
}

}  // namespace
}  // namespace fovea::kernels
