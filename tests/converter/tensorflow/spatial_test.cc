// Operators with windows, against the formulas of TensorFlow's documentation written as plain loops: convolutions with
// SAME and VALID padding at sizes that do not divide by the stride, their transposes, pooling, resizing, blocks.
#include <cmath>

#include "tests/converter/tensorflow/maker.h"

namespace fovea::testing {
namespace {

struct Same {
  int64_t out, before;
};
Same SamePadding(int64_t in, int64_t kernel, int64_t stride, int64_t dilation = 1) {
  const int64_t out = (in + stride - 1) / stride;
  const int64_t total = std::max<int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in);
  return {out, total / 2};
}
int64_t ValidSize(int64_t in, int64_t kernel, int64_t stride, int64_t dilation = 1) {
  return (in - (kernel - 1) * dilation - 1) / stride + 1;
}

// x [n,h,w,c], w [kh,kw,c/groups,o]
ir::Tensor Conv(const ir::Tensor& x, const ir::Tensor& w, int64_t stride, int64_t dilation, bool same,
                int64_t groups = 1) {
  const int64_t kh = w.dims[0], kw = w.dims[1], in = w.dims[2], each = w.dims[3] / groups;
  Same rows{ValidSize(x.dims[1], kh, stride, dilation), 0}, cols{ValidSize(x.dims[2], kw, stride, dilation), 0};
  if (same) {
    rows = SamePadding(x.dims[1], kh, stride, dilation);
    cols = SamePadding(x.dims[2], kw, stride, dilation);
  }
  return Tabulate({x.dims[0], rows.out, cols.out, w.dims[3]}, [&](const Ints& i) {
    double sum = 0;
    for (int64_t a = 0; a < kh; ++a) {
      for (int64_t b = 0; b < kw; ++b) {
        for (int64_t c = 0; c < in; ++c) {
          sum += At(x, {i[0], i[1] * stride + a * dilation - rows.before, i[2] * stride + b * dilation - cols.before,
                        i[3] / each * in + c}) *
                 At(w, {a, b, c, i[3]});
        }
      }
    }
    return sum;
  });
}

Attrs Window(int64_t stride, const char* padding, int64_t dilation = 1) {
  return {{"strides", Ints{1, stride, stride, 1}},
          {"dilations", Ints{1, dilation, dilation, 1}},
          {"padding", Text(padding)}};
}

// Sums of at most 5 * 5 * 6 products of numbers below 1: float32 rounding stays far below.
constexpr double kSum = 2e-5;

TEST(TensorFlowSpatial, Conv2D) {
  Random random(1);
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t dilation : {1, 2}) {
        if (stride > 1 && dilation > 1) continue;
        for (const char* padding : {"SAME", "VALID"}) {
          const ir::Tensor x = random.Tensor({2, 11, 14, 4}), w = random.Tensor({kernel, kernel, 4, 6});
          TfMaker m;
          const std::string image = m.Input("x", {-1, -1, -1, 4});
          const std::string y = m.Op("Conv2D", {image, m.Floats(w)}, Window(stride, padding, dilation));
          SCOPED_TRACE(std::string(padding) + " kernel " + std::to_string(kernel) + " stride " +
                       std::to_string(stride));
          ExpectResult(m, y, {x}, Conv(x, w, stride, dilation, std::string(padding) == "SAME"), kSum);
        }
      }
    }
  }
}

TEST(TensorFlowSpatial, GroupedAndDepthwise) {
  Random random(2);
  const ir::Tensor x = random.Tensor({1, 7, 9, 6}), w = random.Tensor({3, 3, 2, 9}), d = random.Tensor({3, 3, 6, 2});
  TfMaker grouped;
  std::string image = grouped.Input("x", {1, -1, -1, 6});
  ExpectResult(grouped, grouped.Op("Conv2D", {image, grouped.Floats(w)}, Window(1, "SAME")), {x},
               Conv(x, w, 1, 1, true, 3), kSum);
  // [kh,kw,c,m] read as [kh,kw,1,c m]: channel c m + k of the result belongs to channel c.
  const ir::Tensor as_groups{{3, 3, 1, 12}, d.data};
  TfMaker depthwise;
  image = depthwise.Input("x", {1, -1, -1, 6});
  ExpectResult(depthwise, depthwise.Op("DepthwiseConv2dNative", {image, depthwise.Floats(d)}, Window(2, "SAME")), {x},
               Conv(x, as_groups, 2, 1, true, 6), kSum);
}

TEST(TensorFlowSpatial, ExplicitPadding) {
  Random random(3);
  const ir::Tensor x = random.Tensor({1, 6, 6, 2}), w = random.Tensor({3, 3, 2, 2});
  const ir::Tensor padded = Tabulate({1, 9, 8, 2}, [&](const Ints& i) { return At(x, {0, i[1] - 1, i[2] - 2, i[3]}); });
  TfMaker m;
  const std::string image = m.Input("x", {1, -1, -1, 2});
  Attrs attrs = Window(1, "EXPLICIT");
  attrs["explicit_paddings"] = Ints{0, 0, 1, 2, 2, 0, 0, 0};
  ExpectResult(m, m.Op("Conv2D", {image, m.Floats(w)}, attrs), {x}, Conv(padded, w, 1, 1, false), kSum);
}

TEST(TensorFlowSpatial, ChannelsFirst) {
  Random random(4);
  const ir::Tensor x = random.Tensor({1, 3, 8, 10}), w = random.Tensor({3, 3, 3, 4}), bias = random.Tensor({4});
  const ir::Tensor last = Tabulate({1, 8, 10, 3}, [&](const Ints& i) { return At(x, {i[0], i[3], i[1], i[2]}); });
  const ir::Tensor y = Conv(last, w, 2, 1, true);
  const ir::Tensor want = Tabulate({1, 4, 4, 5}, [&](const Ints& i) {
    return At(y, {i[0], i[2], i[3], i[1]}) + At(bias, {i[1]});
  });
  TfMaker m;
  const std::string image = m.Input("x", {1, 3, -1, -1});
  const std::string conv =
      m.Op("Conv2D", {image, m.Floats(w)},
           {{"strides", Ints{1, 1, 2, 2}}, {"padding", Text("SAME")}, {"data_format", Text("NCHW")}});
  const std::string sum = m.Op("BiasAdd", {conv, m.Floats(bias)}, {{"data_format", Text("NCHW")}});
  m.Output(sum);
  ExpectResult(m.graph, {x}, want, kSum);
  const ir::Graph graph = Import(m.graph);
  EXPECT_EQ(graph.inputs[0].axes, "bcyx");
  EXPECT_EQ(graph.outputs[0].axes, "bcyx");
}

TEST(TensorFlowSpatial, Conv3D) {
  Random random(5);
  const ir::Tensor x = random.Tensor({1, 5, 6, 7, 2}), w = random.Tensor({3, 3, 3, 2, 3});
  const ir::Tensor want = Tabulate({1, 5, 6, 7, 3}, [&](const Ints& i) {
    double sum = 0;
    for (int64_t k = 0; k < 27 * 2; ++k) {
      const int64_t c = k % 2, a = k / 2 / 9, b = k / 2 / 3 % 3, e = k / 2 % 3;
      sum += At(x, {0, i[1] + a - 1, i[2] + b - 1, i[3] + e - 1, c}) * At(w, {a, b, e, c, i[4]});
    }
    return sum;
  });
  TfMaker m;
  const std::string image = m.Input("x", {-1, -1, -1, -1, 2});
  m.Output(m.Op("Conv3D", {image, m.Floats(w)}, {{"strides", Ints{1, 1, 1, 1, 1}}, {"padding", Text("SAME")}}));
  ExpectResult(m.graph, {x}, want, kSum);
  EXPECT_EQ(Import(m.graph).inputs[0].axes, "bzyxc");
}

// The gradient of a convolution: y[o] = sum of x[i] w[k] over i stride + k - before = o, `before` being that of the
// convolution from the size of y.
TEST(TensorFlowSpatial, TransposedConvolution) {
  Random random(6);
  for (const int64_t kernel : {2, 3, 4, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const bool same : {true, false}) {
        if (same && kernel < stride) continue;
        const ir::Tensor x = random.Tensor({1, 5, 7, 4}), w = random.Tensor({kernel, kernel, 3, 4});
        const int64_t least = std::max<int64_t>(kernel - stride, 0);
        const int64_t rows = same ? 5 * stride : 5 * stride + least, cols = same ? 7 * stride : 7 * stride + least;
        const int64_t up = same ? SamePadding(rows, kernel, stride).before : 0;
        const int64_t left = same ? SamePadding(cols, kernel, stride).before : 0;
        ir::Tensor want = Tabulate({1, rows, cols, 3}, [](const Ints&) { return 0; });
        for (int64_t n = 0; n < 5 * 7 * kernel * kernel; ++n) {
          const int64_t b = n % kernel, a = n / kernel % kernel, j = n / kernel / kernel % 7,
                        i = n / kernel / kernel / 7;
          const int64_t row = i * stride + a - up, col = j * stride + b - left;
          if (row < 0 || row >= rows || col < 0 || col >= cols) continue;
          for (int64_t o = 0; o < 3; ++o) {
            for (int64_t c = 0; c < 4; ++c) {
              want.data[static_cast<size_t>((row * cols + col) * 3 + o)] +=
                  static_cast<float>(At(x, {0, i, j, c}) * At(w, {a, b, o, c}));
            }
          }
        }
        TfMaker m;
        const std::string image = m.Input("x", {-1, -1, -1, 4});
        // The size of the result as Keras computes it.
        const std::string shape = m.Op("Shape", {image});
        const auto size = [&](int64_t axis) {
          const std::string one =
              m.Op("StridedSlice", {shape, m.Integers({axis}), m.Integers({axis + 1}), m.Integers({1})},
                   {{"shrink_axis_mask", int64_t{1}}});
          const std::string scaled = m.Op("Mul", {one, m.Integer(stride)});
          return same ? scaled : m.Op("AddV2", {scaled, m.Integer(least)});
        };
        const std::string batch = m.Op("StridedSlice", {shape, m.Integers({0}), m.Integers({1}), m.Integers({1})},
                                       {{"shrink_axis_mask", int64_t{1}}});
        const std::string sizes = m.Op("Pack", {batch, size(1), size(2), m.Integer(3)}, {{"axis", int64_t{0}}});
        const std::string y =
            m.Op("Conv2DBackpropInput", {sizes, m.Floats(w), image}, Window(stride, same ? "SAME" : "VALID"));
        SCOPED_TRACE("kernel " + std::to_string(kernel) + " stride " + std::to_string(stride));
        ExpectResult(m, y, {x}, want, kSum);
      }
    }
  }
}

TEST(TensorFlowSpatial, Pooling) {
  Random random(7);
  const ir::Tensor x = random.Tensor({2, 7, 10, 3});
  for (const bool same : {true, false}) {
    for (const int64_t kernel : {2, 3}) {
      const int64_t stride = 2;
      Same rows{ValidSize(7, kernel, stride), 0}, cols{ValidSize(10, kernel, stride), 0};
      if (same) rows = SamePadding(7, kernel, stride), cols = SamePadding(10, kernel, stride);
      const auto pool = [&](bool max) {
        return Tabulate({2, rows.out, cols.out, 3}, [&](const Ints& i) {
          double best = -1e9, sum = 0;
          int count = 0;
          for (int64_t k = 0; k < kernel * kernel; ++k) {
            const int64_t r = i[1] * stride + k / kernel - rows.before, c = i[2] * stride + k % kernel - cols.before;
            if (r < 0 || r >= 7 || c < 0 || c >= 10) continue;
            best = std::max(best, At(x, {i[0], r, c, i[3]}));
            sum += At(x, {i[0], r, c, i[3]});
            ++count;
          }
          return max ? best : sum / count;
        });
      };
      for (const bool max : {true, false}) {
        TfMaker m;
        const std::string image = m.Input("x", {-1, -1, -1, 3});
        const std::string y = m.Op(max ? "MaxPool" : "AvgPool", {image},
                                   {{"ksize", Ints{1, kernel, kernel, 1}},
                                    {"strides", Ints{1, stride, stride, 1}},
                                    {"padding", Text(same ? "SAME" : "VALID")}});
        ExpectResult(m, y, {x}, pool(max), 1e-6);
      }
      TfMaker m;
      const std::string image = m.Input("x", {-1, -1, -1, 3});
      const std::string y =
          m.Op("MaxPoolV2", {image, m.Integers({1, kernel, kernel, 1}), m.Integers({1, stride, stride, 1})},
               {{"padding", Text(same ? "SAME" : "VALID")}});
      ExpectResult(m, y, {x}, pool(true));
    }
  }
}

TEST(TensorFlowSpatial, ResizeNearestAndBilinear) {
  Random random(8);
  const ir::Tensor x = random.Tensor({1, 5, 7, 2});
  const int64_t rows = 8, cols = 21;
  for (const char* mode : {"legacy", "align", "half"}) {
    const std::string name = mode;
    const bool align = name == "align", half = name == "half";
    const auto position = [&](int64_t o, int64_t in, int64_t out) {
      const double scale = align ? static_cast<double>(in - 1) / static_cast<double>(out - 1)
                                 : static_cast<double>(in) / static_cast<double>(out);
      return half ? (static_cast<double>(o) + 0.5) * scale - 0.5 : static_cast<double>(o) * scale;
    };
    const auto nearest = [&](int64_t o, int64_t in, int64_t out) {
      const double p = position(o, in, out) + (half ? 0.5 : 0);
      // A hair above, for positions that are whole numbers but for rounding.
      return std::min<int64_t>(static_cast<int64_t>(std::floor((align ? p + 0.5 : p) + 1e-9)), in - 1);
    };
    const ir::Tensor want_nearest = Tabulate({1, rows, cols, 2}, [&](const Ints& i) {
      return At(x, {0, nearest(i[1], 5, rows), nearest(i[2], 7, cols), i[3]});
    });
    const ir::Tensor want_linear = Tabulate({1, rows, cols, 2}, [&](const Ints& i) {
      const double r = std::max(position(i[1], 5, rows), 0.0), c = std::max(position(i[2], 7, cols), 0.0);
      const int64_t r0 = static_cast<int64_t>(r), c0 = static_cast<int64_t>(c);
      const int64_t r1 = std::min<int64_t>(r0 + 1, 4), c1 = std::min<int64_t>(c0 + 1, 6);
      const double a = r - static_cast<double>(r0), b = c - static_cast<double>(c0);
      return (1 - a) * ((1 - b) * At(x, {0, r0, c0, i[3]}) + b * At(x, {0, r0, c1, i[3]})) +
             a * ((1 - b) * At(x, {0, r1, c0, i[3]}) + b * At(x, {0, r1, c1, i[3]}));
    });
    for (const bool linear : {false, true}) {
      TfMaker m;
      const std::string image = m.Input("x", {1, -1, -1, 2});
      const std::string y = m.Op(linear ? "ResizeBilinear" : "ResizeNearestNeighbor", {image, m.Integers({rows, cols})},
                                 {{"align_corners", align}, {"half_pixel_centers", half}});
      SCOPED_TRACE(name + (linear ? " bilinear" : " nearest"));
      ExpectResult(m, y, {x}, linear ? want_linear : want_nearest, linear ? 2e-6 : 0);
    }
  }
}

// Keras UpSampling2D: the size is computed from the image's.
TEST(TensorFlowSpatial, ResizeBySizesOfTheImage) {
  Random random(9);
  const ir::Tensor x = random.Tensor({1, 3, 5, 2});
  TfMaker m;
  const std::string image = m.Input("x", {-1, -1, -1, 2});
  const std::string part =
      m.Op("StridedSlice", {m.Op("Shape", {image}), m.Integers({1}), m.Integers({3}), m.Integers({1})});
  const std::string y =
      m.Op("ResizeNearestNeighbor", {image, m.Op("Mul", {part, m.Integers({2, 3})})}, {{"align_corners", false}});
  ExpectResult(m, y, {x}, Tabulate({1, 6, 15, 2}, [&](const Ints& i) { return At(x, {0, i[1] / 2, i[2] / 3, i[3]}); }));
}

TEST(TensorFlowSpatial, DepthToSpaceAndBack) {
  Random random(10);
  const ir::Tensor x = random.Tensor({1, 3, 4, 12});
  const ir::Tensor y = Tabulate({1, 6, 8, 3}, [&](const Ints& i) {
    return At(x, {0, i[1] / 2, i[2] / 2, (i[1] % 2 * 2 + i[2] % 2) * 3 + i[3]});
  });
  TfMaker there, back;
  ExpectResult(there, there.Op("DepthToSpace", {there.Input("x", {1, -1, -1, 12})}, {{"block_size", int64_t{2}}}), {x},
               y);
  ExpectResult(back, back.Op("SpaceToDepth", {back.Input("x", {1, -1, -1, 3})}, {{"block_size", int64_t{2}}}), {y}, x);
}

// Dilated convolution as tf.layers writes it: SAME padding, sizes that do not divide by the dilation.
TEST(TensorFlowSpatial, SpaceToBatchIsDilation) {
  Random random(11);
  const ir::Tensor x = random.Tensor({2, 9, 10, 3}), w = random.Tensor({3, 3, 3, 4}), bias = random.Tensor({4});
  ir::Tensor want = Conv(x, w, 1, 2, true);
  for (size_t i = 0; i < want.data.size(); ++i) want.data[i] = std::max(want.data[i] + bias.data[i % 4], 0.0f);
  TfMaker m;
  const std::string image = m.Input("x", {-1, -1, -1, 3});
  const std::string block = m.Integers({2, 2});
  // 9 + 2 + 2 = 13 takes one row more to be even.
  const std::string blocks = m.Op("SpaceToBatchND", {image, block, m.Integers({2, 2}, {2, 3, 2, 2})});
  const std::string conv = m.Op("Conv2D", {blocks, m.Floats(w)}, Window(1, "VALID"));
  const std::string whole = m.Op("BatchToSpaceND", {conv, block, m.Integers({2, 2}, {0, 1, 0, 0})});
  const std::string y = m.Op("Relu", {m.Op("BiasAdd", {whole, m.Floats(bias)})});
  m.Output(y);
  ExpectResult(m.graph, {x}, want, kSum);
  const ir::Graph graph = Optimised(m.graph);
  EXPECT_EQ(graph.nodes.size(), 1u) << graph.ToString();
}

// Blocks of channels and rows are no dilation.
TEST(TensorFlowSpatial, SpaceToBatchWithChannelsFirstIsRefused) {
  Random random(11);
  TfMaker m;
  const std::string image = m.Input("x", {1, 4, 8, 8});
  const std::string block = m.Integers({2, 2}), none = m.Integers({2, 2}, {0, 0, 0, 0});
  const std::string blocks = m.Op("SpaceToBatchND", {image, block, none});
  Attrs window = Window(1, "SAME");
  window["data_format"] = Text("NCHW");
  const std::string conv = m.Op("Conv2D", {blocks, m.Floats(random.Tensor({3, 3, 2, 2}))}, window);
  m.Output(m.Op("BatchToSpaceND", {conv, block, none}));
  EXPECT_NE(ImportFails(m.graph).message().find("channels first"), std::string::npos);
}

TEST(TensorFlowSpatial, FusedConvolution) {
  Random random(12);
  const ir::Tensor x = random.Tensor({1, 6, 6, 3}), w = random.Tensor({3, 3, 3, 4}), bias = random.Tensor({4});
  const ir::Tensor slope = random.Tensor({4}, 0.1f, 0.5f);
  ir::Tensor want = Conv(x, w, 1, 1, true);
  for (size_t i = 0; i < want.data.size(); ++i) {
    const float v = want.data[i] + bias.data[i % 4];
    want.data[i] = v < 0 ? v * slope.data[i % 4] : v;
  }
  TfMaker m;
  const std::string image = m.Input("x", {1, -1, -1, 3});
  Attrs attrs = Window(1, "SAME");
  attrs["fused_ops"] = std::vector<std::string>{"BiasAdd", "Prelu"};
  attrs["num_args"] = int64_t{2};
  ExpectResult(m, m.Op("_FusedConv2D", {image, m.Floats(w), m.Floats(bias), m.Floats(slope)}, attrs), {x}, want, kSum);
}

}  // namespace
}  // namespace fovea::testing
