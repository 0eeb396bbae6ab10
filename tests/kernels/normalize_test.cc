#include "kernels/normalize/normalize.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

constexpr double kEps = 6e-8;  // half a unit of 1

std::vector<float> Values(Random& random, int64_t n, float low, float high) {
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(random.Float(low, high));
  return values;
}

TEST(GroupNorm, AgainstDouble) {
  Random random(1);
  for (int round = 0; round < 150; ++round) {
    const int64_t per_group = random.Int(1, 5), groups = 1 + round % (per_group == 1 ? 67 : 13);
    GroupNormLayer layer{groups, 1e-3f, {}};
    if (random.Coin()) layer.act = {UnaryFn::kLeakyRelu, 0.25f, 0};
    const std::vector<int64_t> dims = {random.Int(1, 2), random.Int(1, 2), random.Int(1, 9), random.Int(2, 20),
                                       groups * per_group};
    Tensor src(dims, random.Int(0, 1) * 5);
    // A mean far from 0: what one pass of sums of squares would lose.
    src.Fill(random, 500, 501);
    const std::vector<float> scale = Values(random, dims[4], -2, 2), bias = Values(random, dims[4], -1, 1);
    const bool affine = random.Coin();
    ForEachKernel(GroupNormKernels(), [&](const GroupNormKernel& row) {
      Tensor dst(dims, random.Int(0, 1) * 3), same = src;
      GroupNormArgs args{src.cview(), dst.view(), affine ? scale.data() : nullptr, affine ? bias.data() : nullptr};
      RunRow(row, layer, args, random);
      ASSERT_TRUE(dst.Intact());
      const int64_t pixels = dims[1] * dims[2] * dims[3], channels = dims[4];
      for (int64_t n = 0; n < dims[0]; ++n) {
        for (int64_t g = 0; g < groups; ++g) {
          double sum = 0, squares = 0;
          const double count = static_cast<double>(pixels * per_group);
          const auto each = [&](auto&& fn) {
            for (int64_t p = 0; p < pixels; ++p) {
              for (int64_t c = g * per_group; c < (g + 1) * per_group; ++c) fn((n * pixels + p) * channels + c, c);
            }
          };
          each([&](int64_t i, int64_t) { sum += src[i]; });
          each([&](int64_t i, int64_t) { squares += (src[i] - sum / count) * (src[i] - sum / count); });
          each([&](int64_t i, int64_t c) {
            const double gain = (affine ? scale[static_cast<size_t>(c)] : 1) / std::sqrt(squares / count + 1e-3f);
            const double shift = affine ? bias[static_cast<size_t>(c)] : 0;
            double want = (src[i] - sum / count) * gain + shift;
            // Five roundings, each relative to the product or the shift.
            const double error = 5 * kEps * (std::fabs(want - shift) + std::fabs(shift)) + 1e-9;
            if (layer.act.fn == UnaryFn::kLeakyRelu && want < 0) want *= 0.25;
            ASSERT_NEAR(dst[i], want, error);
          });
        }
      }
      args.src = same.cview();
      args.dst = same.view();
      RunRow(row, layer, args, random);
      ASSERT_TRUE(same.Intact() && SameBits(same, dst));
    });
    if (HasFatalFailure()) return;
  }
}

TEST(LayerNorm, AgainstDouble) {
  Random random(2);
  for (int64_t inner = 1; inner <= 70; ++inner) {
    Tensor src({20, inner}, random.Int(0, 3));
    src.Fill(random, 99, 101);
    const std::vector<float> scale = Values(random, inner, -2, 2), bias = Values(random, inner, -1, 1);
    const bool affine = random.Coin();
    ForEachKernel(LayerNormKernels(), [&](const LayerNormKernel& row) {
      Tensor dst({20, inner}, random.Int(0, 3));
      const LayerNormLayer layer{1e-5f};
      RunRow(row, layer,
             LayerNormArgs{src.cview(), dst.view(), affine ? scale.data() : nullptr, affine ? bias.data() : nullptr},
             random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t r = 0; r < 20; ++r) {
        double sum = 0, squares = 0;
        const double count = static_cast<double>(inner);
        for (int64_t i = 0; i < inner; ++i) sum += src.At({r, i});
        for (int64_t i = 0; i < inner; ++i) {
          squares += (src.At({r, i}) - sum / count) * (src.At({r, i}) - sum / count);
        }
        for (int64_t i = 0; i < inner; ++i) {
          const double gain = (affine ? scale[static_cast<size_t>(i)] : 1) / std::sqrt(squares / count + 1e-5f);
          const double shift = affine ? bias[static_cast<size_t>(i)] : 0;
          const double product = (src.At({r, i}) - sum / count) * gain;
          ASSERT_NEAR(dst.At({r, i}), product + shift, 6 * kEps * (std::fabs(product) + std::fabs(shift)) + 1e-9);
        }
      }
    });
    if (HasFatalFailure()) return;
  }
}

TEST(Lrn, AgainstDouble) {
  Random random(3);
  for (int64_t size = 1; size <= 6; ++size) {
    const LrnLayer layer{size, 0.3f, 0.75f, 2.0f};
    Tensor src({19, 9}, 2);
    src.Fill(random, -3, 3);
    ForEachKernel(LrnKernels(), [&](const LrnKernel& row) {
      Tensor dst({19, 9}, 1);
      RunRow(row, layer, LrnArgs{src.cview(), dst.view()}, random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t p = 0; p < 19; ++p) {
        for (int64_t c = 0; c < 9; ++c) {
          double sum = 0;
          for (int64_t k = 0; k < 9; ++k) {
            // floor((size - 1) / 2) before, ceil((size - 1) / 2) after
            if (k >= c - (size - 1) / 2 && k <= c + size / 2) sum += src.At({p, k}) * src.At({p, k});
          }
          const double want = src.At({p, c}) / std::pow(2 + 0.3f / static_cast<double>(size) * sum, 0.75);
          ASSERT_NEAR(dst.At({p, c}), want, 8 * kEps * std::fabs(want));
        }
      }
    });
  }
}

}  // namespace
}  // namespace fovea::kernels
