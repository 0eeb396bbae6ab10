#include "kernels/pool/pool.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

struct Case {
  PoolLayer layer;
  std::vector<int64_t> src_dims, dst_dims;
  int64_t pad[3], pad_end[3];
};

Case RandomCase(Random& random, int64_t channels) {
  Case c;
  c.layer.kind = random.Coin() ? PoolKind::kMax : PoolKind::kAverage;
  c.layer.count_include_pad = random.Coin();
  const bool two_by_two = random.Coin();
  c.src_dims = {random.Int(1, 2), 1, 1, 1, channels};
  c.dst_dims = c.src_dims;
  for (int i = 0; i < 3; ++i) {
    const size_t axis = static_cast<size_t>(i) + 1;
    if (two_by_two) {
      c.layer.kernel[i] = i == 0 ? 1 : 2;
      c.layer.stride[i] = i == 0 ? 1 : 2;
    } else {
      c.layer.kernel[i] = i == 0 ? random.Int(1, 2) : random.Int(1, 4);
      c.layer.stride[i] = random.Int(1, 3);
      c.layer.dilation[i] = random.Int(1, 2);
    }
    const int64_t reach = (c.layer.kernel[i] - 1) * c.layer.dilation[i];
    c.pad[i] = random.Int(0, reach / 2);
    c.pad_end[i] = random.Int(0, reach / 2);
    c.src_dims[axis] = std::max<int64_t>(1, reach + 1 - c.pad[i] - c.pad_end[i]) + random.Int(0, i == 0 ? 1 : 9);
    const int64_t span = c.src_dims[axis] + c.pad[i] + c.pad_end[i] - reach - 1;
    c.dst_dims[axis] = span / c.layer.stride[i] + 1;
    // ceil_mode: one window more, as long as it starts inside the image or its leading padding.
    if (span % c.layer.stride[i] != 0 && random.Coin() &&
        c.dst_dims[axis] * c.layer.stride[i] < c.src_dims[axis] + c.pad[i]) {
      ++c.dst_dims[axis];
    }
  }
  return c;
}

PoolArgs MakeArgs(const Case& c, const ConstView& src, const View& dst) {
  PoolArgs args{src, dst};
  for (int i = 0; i < 3; ++i) {
    args.pad[i] = c.pad[i];
    args.padded_begin[i] = -c.pad[i];
    args.padded_end[i] = c.src_dims[static_cast<size_t>(i) + 1] + c.pad_end[i];
  }
  return args;
}

struct Expected {
  double value;
  double magnitude;  // sum of absolute values over the divisor: what rounding errors scale with
  int taps;
};
Expected Oracle(const Case& c, const Tensor& src, const int64_t (&o)[3], int64_t n, int64_t channel) {
  double sum = 0, magnitude = 0, best = -kInf;
  int inside = 0, padded = 0;
  for (int64_t i = 0; i < c.layer.kernel[0]; ++i) {
    for (int64_t j = 0; j < c.layer.kernel[1]; ++j) {
      for (int64_t k = 0; k < c.layer.kernel[2]; ++k) {
        const int64_t tap[3] = {i, j, k};
        int64_t at[3];
        bool in = true, in_padded = true;
        for (int a = 0; a < 3; ++a) {
          at[a] = o[a] * c.layer.stride[a] - c.pad[a] + tap[a] * c.layer.dilation[a];
          const int64_t size = c.src_dims[static_cast<size_t>(a) + 1];
          in = in && at[a] >= 0 && at[a] < size;
          in_padded = in_padded && at[a] < size + c.pad_end[a];
        }
        padded += in_padded;
        if (!in) continue;
        ++inside;
        const double x = src.At({n, at[0], at[1], at[2], channel});
        sum += x;
        magnitude += std::fabs(x);
        best = std::isnan(x) || std::isnan(best) ? kNan : std::max(best, x);
      }
    }
  }
  if (c.layer.kind == PoolKind::kMax) return {best, 0, inside};
  const double divisor = std::max(1, c.layer.count_include_pad ? padded : inside);
  return {sum / divisor, magnitude / divisor, inside};
}

TEST(Pool, AgainstDoubleAndCutsOfTheOutput) {
  Random random(1);
  for (int round = 0; round < 150; ++round) {
    const Case c = RandomCase(random, 1 + round % 35);
    Tensor src(c.src_dims, random.Int(0, 1) * 5);
    src.Fill(random, -1, 1);
    if (c.layer.kind == PoolKind::kMax) {
      src[random.Int(0, src.size() - 1)] = kNan;
      src[random.Int(0, src.size() - 1)] = -kInf;
    }
    ForEachKernel(PoolKernels(), [&](const PoolKernel& row) {
      Tensor dst(c.dst_dims, random.Int(0, 1) * 3);
      RunRow(row, c.layer, MakeArgs(c, src.cview(), dst.view()), random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t i = 0; i < dst.size(); ++i) {
        int64_t rest = i, at[5];
        for (int axis = 4; axis >= 0; --axis) {
          at[axis] = rest % dst.view().dims[axis];
          rest /= dst.view().dims[axis];
        }
        const Expected want = Oracle(c, src, {at[1], at[2], at[3]}, at[0], at[4]);
        if (std::isnan(want.value) || std::isinf(want.value)) {
          ASSERT_TRUE(UlpError(dst[i], want.value) == 0) << i << ": " << dst[i];
        } else {
          // Each of the taps' additions and the division round once.
          ASSERT_NEAR(dst[i], want.value, 6e-8 * (want.taps + 1) * want.magnitude) << i;
        }
      }
      // A rectangle of the output, from a view of just the source it needs, has the same bits.
      std::vector<int64_t> begin(5, 0), dims = c.dst_dims, src_begin(5, 0), src_dims = c.src_dims;
      PoolArgs args = MakeArgs(c, src.cview(), dst.view());
      for (int a = 0; a < 3; ++a) {
        const size_t axis = static_cast<size_t>(a) + 1;
        begin[axis] = random.Int(0, c.dst_dims[axis] - 1);
        dims[axis] = random.Int(1, c.dst_dims[axis] - begin[axis]);
        const int64_t first = begin[axis] * c.layer.stride[a] - c.pad[a];
        const int64_t last =
            first + (dims[axis] - 1) * c.layer.stride[a] + (c.layer.kernel[a] - 1) * c.layer.dilation[a];
        src_begin[axis] = std::clamp<int64_t>(first, 0, c.src_dims[axis] - 1);
        src_dims[axis] = std::clamp<int64_t>(last + 1, src_begin[axis] + 1, c.src_dims[axis]) - src_begin[axis];
        args.pad[a] = src_begin[axis] - first;
        args.padded_begin[a] -= src_begin[axis];
        args.padded_end[a] -= src_begin[axis];
      }
      Tensor part(dims, 1);
      args.src = SubView(src.cview(), src_begin, src_dims);
      args.dst = part.view();
      RunRow(row, c.layer, args, random);
      ASSERT_TRUE(part.Intact());
      const View whole = SubView(dst.view(), begin, dims);
      for (int64_t i = 0; i < part.size(); ++i) {
        int64_t rest = i, at = 0;
        for (int axis = 4; axis >= 0; --axis) {
          at += rest % whole.dims[axis] * whole.strides[axis];
          rest /= whole.dims[axis];
        }
        ASSERT_TRUE(SameBits(part[i], whole.data[at])) << i;
      }
    });
    if (HasFatalFailure()) return;
  }
}

TEST(Pool, WindowInThePaddingIsMinusInfinity) {
  Random random(2);
  PoolLayer layer;
  layer.kernel[2] = 2;
  layer.stride[2] = 2;
  Tensor src({1, 1, 1, 2, 3});
  src.Fill(random, -1, 1);
  ForEachKernel(PoolKernels(), [&](const PoolKernel& row) {
    Tensor dst({1, 1, 1, 2, 3});
    PoolArgs args{src.cview(), dst.view()};
    args.pad[2] = 2;
    RunRow(row, layer, args, random);
    for (int64_t i = 0; i < 3; ++i) {
      EXPECT_EQ(dst[i], -kInf);
      EXPECT_EQ(dst[3 + i], std::max(src[i], src[3 + i]));
    }
  });
}

}  // namespace
}  // namespace fovea::kernels
