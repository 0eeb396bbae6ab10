#include "kernels/softmax/softmax.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

void Check(const SoftmaxLayer& layer, const Tensor& src, const Tensor& dst) {
  const View& view = src.view();
  const int64_t size = view.dims[layer.axis];
  for (int64_t i = 0; i < src.size(); ++i) {
    int64_t rest = i, at = 0;
    for (int axis = view.rank - 1; axis >= 0; --axis) {
      if (axis != layer.axis) at += rest % view.dims[axis] * view.strides[axis];
      rest /= view.dims[axis];
    }
    double max = -kInf, sum = 0;
    for (int64_t k = 0; k < size; ++k) max = std::max<double>(max, view.data[at + k * view.strides[layer.axis]]);
    for (int64_t k = 0; k < size; ++k) sum += std::exp(view.data[at + k * view.strides[layer.axis]] - max);
    const double shifted = src[i] - max;
    const double eps = 6e-8;
    // x - max rounds once (eps |x - max| of the exponential); 2 units for an exponential, one for each addition of the
    // sum, a half for the division.
    const double error = eps * (std::fabs(shifted) + 6 + static_cast<double>(size));
    if (layer.log) {
      // ... and the last subtraction rounds the result.
      ASSERT_NEAR(dst[i], shifted - std::log(sum), error + eps * (4 * std::log(sum) + std::fabs(shifted))) << i;
    } else {
      ASSERT_NEAR(dst[i], std::exp(shifted) / sum, error * std::exp(shifted) / sum + 1.5e-45) << i;
    }
  }
}

TEST(Softmax, AnyAxisInPlaceToo) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const int rank = static_cast<int>(random.Int(1, 4));
    std::vector<int64_t> dims;
    for (int i = 0; i < rank; ++i) dims.push_back(random.Int(1, 7));
    const SoftmaxLayer layer{static_cast<int>(random.Int(0, rank - 1)), random.Coin()};
    dims[static_cast<size_t>(random.Coin() ? rank - 1 : layer.axis)] = 1 + round % 37;
    Tensor src(dims, random.Int(0, 1) * 3);
    src.Fill(random, -30, 30);
    ForEachKernel(SoftmaxKernels(), [&](const SoftmaxKernel& row) {
      Tensor dst(dims, random.Int(0, 1) * 2), same = src;
      RunRow(row, layer, SoftmaxArgs{src.cview(), dst.view()}, random);
      ASSERT_TRUE(dst.Intact());
      Check(layer, src, dst);
      RunRow(row, layer, SoftmaxArgs{same.cview(), same.view()}, random);
      ASSERT_TRUE(same.Intact() && SameBits(same, dst));
    });
    if (HasFatalFailure()) return;
  }
}

TEST(Softmax, PositionDoesNotMatter) {
  Random random(2);
  Tensor src({40, 3});
  src.Fill(random, -5, 5);
  ForEachKernel(SoftmaxKernels(), [&](const SoftmaxKernel& row) {
    Tensor whole({40, 3});
    RunRow(row, SoftmaxLayer{1}, SoftmaxArgs{src.cview(), whole.view()}, random);
    for (int64_t begin = 0; begin < 40; ++begin) {
      const int64_t n = random.Int(1, 40 - begin);
      Tensor part({n, 3}, 2);
      RunRow(row, SoftmaxLayer{1}, SoftmaxArgs{SubView(src.cview(), {begin, 0}, {n, 3}), part.view()}, random);
      for (int64_t i = 0; i < part.size(); ++i) ASSERT_TRUE(SameBits(part[i], whole[begin * 3 + i]));
    }
  });
}

TEST(Softmax, NanStaysInItsPosition) {
  Random random(3);
  Tensor src({2, 2});
  src[0] = kNan;
  src[1] = 1;
  src[2] = -kInf;
  src[3] = 1;
  ForEachKernel(SoftmaxKernels(), [&](const SoftmaxKernel& row) {
    Tensor dst({2, 2});
    RunRow(row, SoftmaxLayer{1}, SoftmaxArgs{src.cview(), dst.view()}, random);
    EXPECT_TRUE(std::isnan(dst[0]) && std::isnan(dst[1]));
    EXPECT_EQ(dst[2], 0);
    EXPECT_EQ(dst[3], 1);
  });
}

}  // namespace
}  // namespace fovea::kernels
