#include "kernels/matmul/matmul.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

TEST(MatMul, ShapesStridesAndBatches) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const int64_t m = random.Int(1, round % 20 == 0 ? 200 : 15), n = 1 + round % 67, k = random.Int(0, 40);
    const int64_t batch = random.Int(1, 3), outer = random.Int(1, 2);
    const bool swap_a = random.Coin(), swap_b = random.Coin(), shared = random.Coin();
    Tensor a(swap_a ? std::vector<int64_t>{outer, batch, k, m} : std::vector<int64_t>{outer, batch, m, k}, 1);
    Tensor b(swap_b ? std::vector<int64_t>{1, batch, n, k} : std::vector<int64_t>{1, batch, k, n}, 2);
    a.Fill(random, -1, 1);
    b.Fill(random, -1, 1);
    ConstView view_a = swap_a ? SwapAxes(a.cview(), 2, 3) : a.cview();
    ConstView view_b = swap_b ? SwapAxes(b.cview(), 2, 3) : b.cview();
    view_b.strides[0] = 0;  // broadcast over the outer axis, and over both where `shared`
    view_b.dims[0] = outer;
    if (shared) view_b.strides[1] = 0;
    ForEachKernel(MatMulKernels(), [&](const MatMulKernel& row) {
      const bool swap_dst = random.Coin();
      Tensor dst(swap_dst ? std::vector<int64_t>{outer, batch, n, m} : std::vector<int64_t>{outer, batch, m, n}, 3);
      const View view = swap_dst ? SwapAxes(dst.view(), 2, 3) : dst.view();
      RunRow(row, MatMulLayer{}, MatMulArgs{view_a, view_b, view}, random);
      ASSERT_TRUE(dst.Intact());
      const auto at = [](const auto& v, int64_t i0, int64_t i1, int64_t i2, int64_t i3) {
        return v.data[i0 * v.strides[0] + i1 * v.strides[1] + i2 * v.strides[2] + i3 * v.strides[3]];
      };
      for (int64_t i = 0; i < outer * batch * m * n; ++i) {
        const int64_t col = i % n, r = i / n % m, p = i / n / m % batch, o = i / n / m / batch;
        double want = 0, magnitude = 0;
        for (int64_t d = 0; d < k; ++d) {
          const double term =
              static_cast<double>(at(view_a, o, p, r, d)) * static_cast<double>(at(view_b, o, p, d, col));
          want += term;
          magnitude += std::fabs(term);
        }
        // One product and one addition per term round: at most k + 1 of them on any path.
        ASSERT_NEAR(at(view, o, p, r, col), want, 6e-8 * static_cast<double>(k + 1) * magnitude);
      }
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace fovea::kernels
