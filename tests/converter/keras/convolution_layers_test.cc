// Layers with kernels against sums written out: TensorFlow's definition of "same", strides, dilation, groups,
// transposed convolutions and their sizes, in the dialects of Keras 1, 2 and 3. All numbers are multiples of 1/16, so
// every sum is exact and results must be equal to the last bit.
#include <gtest/gtest.h>

#include "tests/converter/keras/support.h"

namespace fovea::testing {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Axis {
  int64_t in, kernel, stride, dilation;
  bool same;
  int64_t Reach() const { return (kernel - 1) * dilation + 1; }
  int64_t Out() const { return same ? CeilDiv(in, stride) : CeilDiv(in - Reach() + 1, stride); }
  // TensorFlow: as much padding as the last window needs, the odd pixel at the end.
  int64_t Before() const { return same ? std::max<int64_t>((Out() - 1) * stride + Reach() - in, 0) / 2 : 0; }
  int64_t Source(int64_t out, int64_t tap) const { return out * stride - Before() + tap * dilation; }
};

// x [n, h, w, c], kernel [kh, kw, c / groups, f].
ir::Tensor Conv2d(const ir::Tensor& x, const Array& kernel, const Array& bias, int64_t stride, int64_t dilation,
                  bool same, int64_t groups = 1) {
  const Axis rows{x.dims[1], kernel.dims[0], stride, dilation, same};
  const Axis cols{x.dims[2], kernel.dims[1], stride, dilation, same};
  const int64_t in = kernel.dims[2], filters = kernel.dims[3];
  return FromIndices({x.dims[0], rows.Out(), cols.Out(), filters}, [&](const std::vector<int64_t>& at) {
    double sum = bias.data.empty() ? 0 : At(bias, {at[3]});
    const int64_t first = at[3] / (filters / groups) * in;
    for (int64_t i = 0; i < kernel.dims[0]; ++i) {
      for (int64_t j = 0; j < kernel.dims[1]; ++j) {
        for (int64_t c = 0; c < in; ++c) {
          sum += At(x, {at[0], rows.Source(at[1], i), cols.Source(at[2], j), first + c}) * At(kernel, {i, j, c, at[3]});
        }
      }
    }
    return sum;
  });
}

ir::Tensor ToChannelsFirst(const ir::Tensor& x) {
  return FromIndices({x.dims[0], x.dims[3], x.dims[1], x.dims[2]}, [&](const std::vector<int64_t>& at) {
    return At(x, {at[0], at[2], at[3], at[1]});
  });
}

Json ConvConfig(int64_t filters, std::vector<int64_t> kernel, int64_t stride, int64_t dilation, bool same) {
  return {{"filters", filters},     {"kernel_size", kernel},
          {"strides", stride},      {"dilation_rate", dilation},
          {"use_bias", true},       {"padding", same ? "same" : "valid"},
          {"activation", "linear"}, {"data_format", "channels_last"}};
}

TEST(KerasConvolution, Conv2DPaddingStrideDilation) {
  const ir::Tensor x = MakeTensor({2, 9, 8, 3}, 1);
  const Array kernel = MakeArray("kernel", {3, 2, 3, 4}, 2), bias = MakeArray("bias", {4}, 3);
  for (const bool same : {false, true}) {
    for (const auto& [stride, dilation] : {std::pair{1, 1}, std::pair{2, 1}, std::pair{3, 1}, std::pair{1, 2}}) {
      for (const int version : {2, 3}) {
        const ir::Tensor got = RunLayer(Layer("Conv2D", "conv", ConvConfig(4, {3, 2}, stride, dilation, same)),
                                        {kernel, bias}, {x}, version);
        ExpectNear(got, Conv2d(x, kernel, bias, stride, dilation, same));
      }
    }
  }
}

TEST(KerasConvolution, Conv2DGroupsAndNoBias) {
  const ir::Tensor x = MakeTensor({1, 6, 5, 4}, 1);
  const Array kernel = MakeArray("kernel", {3, 3, 2, 6}, 2);
  Json config = ConvConfig(6, {3, 3}, 1, 1, true);
  config["groups"] = 2;
  config["use_bias"] = false;
  ExpectNear(RunLayer(Layer("Conv2D", "conv", config), {kernel}, {x}), Conv2d(x, kernel, {}, 1, 1, true, 2));
}

TEST(KerasConvolution, ChannelsFirst) {
  const ir::Tensor x = MakeTensor({1, 7, 6, 3}, 1);
  const Array kernel = MakeArray("kernel", {3, 3, 3, 2}, 2), bias = MakeArray("bias", {2}, 3);
  Json config = ConvConfig(2, {3, 3}, 2, 1, true);
  config["data_format"] = "channels_first";
  ExpectNear(RunLayer(Layer("Conv2D", "conv", config), {kernel, bias}, {ToChannelsFirst(x)}),
             ToChannelsFirst(Conv2d(x, kernel, bias, 2, 1, true)));
}

TEST(KerasConvolution, Keras1Names) {
  const ir::Tensor x = MakeTensor({1, 7, 6, 3}, 1);
  const Array kernel = MakeArray("W", {3, 2, 3, 2}, 2), bias = MakeArray("b", {2}, 3);
  const Json config{{"nb_filter", 2},         {"nb_row", 3},           {"nb_col", 2},
                    {"subsample", {2, 2}},    {"border_mode", "same"}, {"dim_ordering", "tf"},
                    {"activation", "linear"}, {"bias", true}};
  ExpectNear(RunLayer(Layer("Convolution2D", "convolution2d_1", config), {kernel, bias}, {x}, 1),
             Conv2d(x, kernel, bias, 2, 1, true));
}

// Theano's Keras 1: images and kernels channels first, [out, in, rows, cols], kernels turned around.
TEST(KerasConvolution, Keras1Theano) {
  const ir::Tensor x = MakeTensor({1, 7, 6, 3}, 1);
  const Array kernel = MakeArray("kernel", {3, 3, 3, 2}, 2), bias = MakeArray("b", {2}, 3);
  const ir::Tensor stored = FromIndices({2, 3, 3, 3}, [&](const std::vector<int64_t>& at) {
    return At(kernel, {2 - at[2], 2 - at[3], at[1], at[0]});
  });
  const Json config{{"nb_filter", 2}, {"nb_row", 3}, {"nb_col", 3}, {"border_mode", "valid"}, {"dim_ordering", "th"}};
  ExpectNear(RunLayer(Layer("Convolution2D", "c", config), {{"W", stored.dims, stored.data}, bias},
                      {ToChannelsFirst(x)}, 1, "theano"),
             ToChannelsFirst(Conv2d(x, kernel, bias, 1, 1, false)));
}

TEST(KerasConvolution, Conv1DCausal) {
  const ir::Tensor x = MakeTensor({2, 9, 3}, 1);
  const Array kernel = MakeArray("kernel", {3, 3, 2}, 2), bias = MakeArray("bias", {2}, 3);
  Json config = ConvConfig(2, {3}, 1, 2, false);
  config["padding"] = "causal";
  const ir::Tensor want = FromIndices({2, 9, 2}, [&](const std::vector<int64_t>& at) {
    double sum = At(bias, {at[2]});
    for (int64_t k = 0; k < 3; ++k) {
      for (int64_t c = 0; c < 3; ++c) sum += At(x, {at[0], at[1] - (2 - k) * 2, c}) * At(kernel, {k, c, at[2]});
    }
    return sum;
  });
  ExpectNear(RunLayer(Layer("Conv1D", "conv", config), {kernel, bias}, {x}), want);
}

TEST(KerasConvolution, Conv3D) {
  const ir::Tensor x = MakeTensor({1, 5, 4, 6, 2}, 1);
  const Array kernel = MakeArray("kernel", {3, 1, 2, 2, 3}, 2), bias = MakeArray("bias", {3}, 3);
  const Axis depth{5, 3, 2, 1, true}, rows{4, 1, 2, 1, true}, cols{6, 2, 2, 1, true};
  const ir::Tensor want = FromIndices({1, depth.Out(), rows.Out(), cols.Out(), 3}, [&](const std::vector<int64_t>& at) {
    double sum = At(bias, {at[4]});
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 2; ++j) {
        for (int64_t c = 0; c < 2; ++c) {
          sum += At(x, {0, depth.Source(at[1], i), rows.Source(at[2], 0), cols.Source(at[3], j), c}) *
                 At(kernel, {i, 0, j, c, at[4]});
        }
      }
    }
    return sum;
  });
  ExpectNear(RunLayer(Layer("Conv3D", "conv", ConvConfig(3, {3, 1, 2}, 2, 1, true)), {kernel, bias}, {x}), want);
}

TEST(KerasConvolution, DepthwiseAndSeparable) {
  const ir::Tensor x = MakeTensor({1, 6, 7, 3}, 1);
  const Array depthwise = MakeArray("depthwise_kernel", {3, 3, 3, 2}, 2), bias = MakeArray("bias", {6}, 3);
  const Axis rows{6, 3, 2, 1, true}, cols{7, 3, 2, 1, true};
  const ir::Tensor middle = FromIndices({1, rows.Out(), cols.Out(), 6}, [&](const std::vector<int64_t>& at) {
    double sum = 0;
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        sum += At(x, {0, rows.Source(at[1], i), cols.Source(at[2], j), at[3] / 2}) *
               At(depthwise, {i, j, at[3] / 2, at[3] % 2});
      }
    }
    return sum;
  });
  const Json config{{"kernel_size", {3, 3}}, {"strides", {2, 2}}, {"padding", "same"}, {"depth_multiplier", 2}};
  const ir::Tensor with_bias =
      FromIndices(middle.dims, [&](const std::vector<int64_t>& at) { return At(middle, at) + At(bias, {at[3]}); });
  ExpectNear(RunLayer(Layer("DepthwiseConv2D", "d", config), {depthwise, bias}, {x}), with_bias);
  Array keras3 = depthwise;
  keras3.name = "kernel";
  ExpectNear(RunLayer(Layer("DepthwiseConv2D", "d", config), {keras3, bias}, {x}, 3), with_bias);

  const Array pointwise = MakeArray("pointwise_kernel", {1, 1, 6, 4}, 4), last = MakeArray("bias", {4}, 5);
  const ir::Tensor want = FromIndices({1, 3, 4, 4}, [&](const std::vector<int64_t>& at) {
    double sum = At(last, {at[3]});
    for (int64_t c = 0; c < 6; ++c) sum += At(middle, {0, at[1], at[2], c}) * At(pointwise, {0, 0, c, at[3]});
    return sum;
  });
  ExpectNear(RunLayer(Layer("SeparableConv2D", "s", config), {depthwise, pointwise, last}, {x}), want);
}

// The gradient of a convolution: every input pixel spreads its kernel over the output.
ir::Tensor ConvTranspose2d(const ir::Tensor& x, const Array& kernel, const Array& bias, int64_t stride, int64_t before,
                           int64_t rows, int64_t cols) {
  ir::Tensor y = FromIndices({x.dims[0], rows, cols, kernel.dims[2]},
                             [&](const std::vector<int64_t>& at) { return At(bias, {at[3]}); });
  for (int64_t r = 0; r < x.dims[1]; ++r) {
    for (int64_t c = 0; c < x.dims[2]; ++c) {
      for (int64_t i = 0; i < kernel.dims[0]; ++i) {
        for (int64_t j = 0; j < kernel.dims[1]; ++j) {
          const int64_t row = r * stride + i - before, col = c * stride + j - before;
          if (row < 0 || row >= rows || col < 0 || col >= cols) continue;
          for (int64_t f = 0; f < kernel.dims[2]; ++f) {
            double sum = 0;
            for (int64_t k = 0; k < x.dims[3]; ++k) sum += At(x, {0, r, c, k}) * At(kernel, {i, j, f, k});
            y.data[static_cast<size_t>((row * cols + col) * kernel.dims[2] + f)] += static_cast<float>(sum);
          }
        }
      }
    }
  }
  return y;
}

// Sizes as keras.io gives them: "valid" (in - 1) stride + max(kernel, stride), "same" in stride; with output_padding
// (in - 1) stride + kernel - 2 (same ? kernel / 2 : 0) + output_padding. "same" cuts what the forward convolution would
// pad: the smaller half in front.
TEST(KerasConvolution, Conv2DTranspose) {
  struct Case {
    int64_t kernel, stride;
    bool same;
    int64_t output_padding;  // -1: none
    int64_t size, before;    // of an input of 4
  };
  const Case cases[] = {{2, 2, true, -1, 8, 0}, {3, 2, true, -1, 8, 0},   {3, 2, false, -1, 9, 0},
                        {5, 2, true, -1, 8, 1}, {2, 3, false, -1, 12, 0}, {2, 3, true, -1, 12, 0},
                        {4, 2, true, -1, 8, 1}, {3, 1, true, -1, 4, 1},   {3, 2, true, 1, 8, 0},
                        {3, 2, true, 0, 7, 1},  {3, 2, false, 1, 10, 0}};
  const ir::Tensor x = MakeTensor({1, 4, 4, 3}, 1);
  for (const Case& c : cases) {
    SCOPED_TRACE("kernel " + std::to_string(c.kernel) + " stride " + std::to_string(c.stride) +
                 (c.same ? " same " : " valid ") + std::to_string(c.output_padding));
    const Array kernel = MakeArray("kernel", {c.kernel, c.kernel, 2, 3}, 2), bias = MakeArray("bias", {2}, 3);
    Json config = ConvConfig(2, {c.kernel, c.kernel}, c.stride, 1, c.same);
    config["output_padding"] = c.output_padding < 0 ? Json() : Json(c.output_padding);
    ExpectNear(RunLayer(Layer("Conv2DTranspose", "up", config), {kernel, bias}, {x}),
               ConvTranspose2d(x, kernel, bias, c.stride, c.before, c.size, c.size));
  }
}

TEST(KerasConvolution, Conv1DAnd3DTranspose) {
  const Array line = MakeArray("kernel", {2, 3, 4}, 2), cube = MakeArray("kernel", {2, 2, 2, 3, 4}, 2);
  const Array bias = MakeArray("bias", {3}, 3);
  const ir::Tensor x1 = MakeTensor({1, 5, 4}, 1), x3 = MakeTensor({1, 2, 3, 2, 4}, 1);
  // Kernel equal to the stride: every output pixel has one source.
  const ir::Tensor y1 = FromIndices({1, 10, 3}, [&](const std::vector<int64_t>& at) {
    double sum = At(bias, {at[2]});
    for (int64_t k = 0; k < 4; ++k) sum += At(x1, {0, at[1] / 2, k}) * At(line, {at[1] % 2, at[2], k});
    return sum;
  });
  const ir::Tensor y3 = FromIndices({1, 4, 6, 4, 3}, [&](const std::vector<int64_t>& at) {
    double sum = At(bias, {at[4]});
    for (int64_t k = 0; k < 4; ++k) {
      sum += At(x3, {0, at[1] / 2, at[2] / 2, at[3] / 2, k}) * At(cube, {at[1] % 2, at[2] % 2, at[3] % 2, at[4], k});
    }
    return sum;
  });
  ExpectNear(RunLayer(Layer("Conv1DTranspose", "u", ConvConfig(3, {2}, 2, 1, true)), {line, bias}, {x1}), y1);
  ExpectNear(RunLayer(Layer("Conv3DTranspose", "u", ConvConfig(3, {2, 2, 2}, 2, 1, true)), {cube, bias}, {x3}), y3);
}

TEST(KerasConvolution, PoolingExcludesPadding) {
  const ir::Tensor x = MakeTensor({1, 7, 6, 2}, 1);
  for (const bool same : {false, true}) {
    const Axis rows{7, 3, 2, 1, same}, cols{6, 3, 2, 1, same};
    const auto pooled = [&](bool max) {
      return FromIndices({1, rows.Out(), cols.Out(), 2}, [&](const std::vector<int64_t>& at) {
        double sum = 0, best = -100, count = 0;
        for (int64_t i = 0; i < 3; ++i) {
          for (int64_t j = 0; j < 3; ++j) {
            const int64_t r = rows.Source(at[1], i), c = cols.Source(at[2], j);
            if (r < 0 || r >= 7 || c < 0 || c >= 6) continue;
            sum += At(x, {0, r, c, at[3]});
            best = std::max(best, At(x, {0, r, c, at[3]}));
            ++count;
          }
        }
        return max ? best : sum / count;
      });
    };
    const Json config{{"pool_size", {3, 3}}, {"strides", {2, 2}}, {"padding", same ? "same" : "valid"}};
    ExpectNear(RunLayer(Layer("MaxPooling2D", "p", config), {}, {x}), pooled(true));
    // One rounding of the quotient, or one of the reciprocal and one of the product.
    ExpectNear(RunLayer(Layer("AveragePooling2D", "p", config), {}, {x}), pooled(false), 1);
  }
}

}  // namespace
}  // namespace fovea::testing
