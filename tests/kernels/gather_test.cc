#include "kernels/gather/gather.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

TEST(Gather, NegativeAndOutOfRange) {
  Random random(1);
  Tensor src({3, 5, 7}, 2), indices({6});
  src.Fill(random, -1, 1);
  const float given[] = {0, 4, -1, -5, 9, -9};
  const int64_t want[] = {0, 4, 4, 0, 4, 0};  // from the end; then clamped
  for (int64_t i = 0; i < 6; ++i) indices[i] = given[i];
  ForEachKernel(GatherKernels(), [&](const GatherKernel& row) {
    for (const bool dense : {true, false}) {
      Tensor dst({3, 6, 7}, 1), swapped({3, 7, 6});
      const View view = dense ? dst.view() : SwapAxes(swapped.view(), 1, 2);
      RunRow(row, GatherLayer{}, GatherArgs{src.cview(), indices.cview(), view}, random);
      ASSERT_TRUE(dst.Intact() && swapped.Intact());
      for (int64_t o = 0; o < 3; ++o) {
        for (int64_t i = 0; i < 6; ++i) {
          for (int64_t k = 0; k < 7; ++k) {
            EXPECT_EQ(view.data[o * view.strides[0] + i * view.strides[1] + k * view.strides[2]],
                      src.At({o, want[i], k}));
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace fovea::kernels
