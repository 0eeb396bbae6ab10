// Random small U-Nets, written once as a TensorFlow graph (channels last, SAME, sizes by arithmetic on Shape) and once
// as ONNX (channels first, numbers for padding), give the same result.
#include <cmath>

#include "converter/passes/pipeline.h"
#include "tests/converter/onnx/support.h"
#include "tests/converter/tensorflow/maker.h"

namespace fovea::testing {
namespace {

struct Feature {
  std::string tf, onnx;
  int64_t channels = 0;
};

class Net {
 public:
  explicit Net(uint32_t seed) : onnx_(13), random_(seed) {}

  Feature Input(int64_t channels) {
    onnx_.Input("x", {1, channels, -1, -1});
    return {tf_.Input("x", {1, -1, -1, channels}), "x", channels};
  }

  Feature Conv(const Feature& x, int64_t out) {
    const int64_t k = random_.Below(2) == 0 ? 3 : 1;
    const float bound = 1 / std::sqrt(static_cast<float>(k * k * x.channels));
    const ir::Tensor w = random_.Tensor({k, k, x.channels, out}, -2 * bound, 2 * bound), bias = random_.Tensor({out});
    Feature y{"", Name(), out};
    const std::string conv =
        tf_.Op("Conv2D", {x.tf, tf_.Floats(w)}, {{"strides", Ints{1, 1, 1, 1}}, {"padding", Text("SAME")}});
    y.tf = tf_.Op("BiasAdd", {conv, tf_.Floats(bias)});
    onnx_.Weights(y.onnx + "_w", {out, x.channels, k, k}, Permuted(w, {3, 2, 0, 1}));
    onnx_.Weights(y.onnx + "_b", {out}, bias.data);
    auto& node = onnx_.Node("Conv", {x.onnx, y.onnx + "_w", y.onnx + "_b"}, {y.onnx});
    SetInts(node, "pads", {k / 2, k / 2, k / 2, k / 2});
    return y;
  }

  // In one of its spellings, as constants.
  Feature BatchNorm(const Feature& x) {
    const ir::Tensor gamma = random_.Tensor({x.channels}, 0.5f, 1.5f), beta = random_.Tensor({x.channels});
    const ir::Tensor mean = random_.Tensor({x.channels}), variance = random_.Tensor({x.channels}, 0.5f, 2);
    Feature y{"", Name(), x.channels};
    const std::string g = tf_.Floats(gamma), b = tf_.Floats(beta), m = tf_.Floats(mean), v = tf_.Floats(variance);
    if (random_.Below(2) == 0) {
      y.tf = tf_.Op("FusedBatchNormV3", {x.tf, g, b, m, v}, {{"epsilon", 0.001f}, {"is_training", false}});
    } else {
      const std::string f = tf_.Op("Mul", {tf_.Op("Rsqrt", {tf_.Op("Add", {v, tf_.Number(0.001f)})}), g});
      y.tf = tf_.Op("Add", {tf_.Op("Mul", {x.tf, f}), tf_.Op("Sub", {b, tf_.Op("Mul", {m, f})})});
    }
    std::vector<std::string> inputs{x.onnx};
    const ir::Tensor* parameters[] = {&gamma, &beta, &mean, &variance};
    for (size_t i = 0; i < 4; ++i) {
      inputs.push_back(y.onnx + "_" + std::to_string(i));
      onnx_.Weights(inputs.back(), {x.channels}, parameters[i]->data);
    }
    SetFloat(onnx_.Node("BatchNormalization", inputs, {y.onnx}), "epsilon", 0.001f);
    return y;
  }

  Feature Activation(const Feature& x) {
    Feature y{"", Name(), x.channels};
    switch (random_.Below(4)) {
      case 0:
        y.tf = tf_.Op("Relu", {x.tf});
        onnx_.Node("Relu", {x.onnx}, {y.onnx});
        break;
      case 1:
        y.tf = tf_.Op("Elu", {x.tf});
        onnx_.Node("Elu", {x.onnx}, {y.onnx});
        break;
      case 2:
        y.tf = tf_.Op("LeakyRelu", {x.tf}, {{"alpha", 0.1f}});
        SetFloat(onnx_.Node("LeakyRelu", {x.onnx}, {y.onnx}), "alpha", 0.1f);
        break;
      default:
        y.tf = tf_.Op("Maximum", {x.tf, tf_.Op("Mul", {tf_.Number(0.1f), x.tf})});
        SetFloat(onnx_.Node("LeakyRelu", {x.onnx}, {y.onnx}), "alpha", 0.1f);
    }
    return y;
  }

  Feature Block(Feature x, int64_t channels) {
    for (int i = 1 + random_.Below(2); i > 0; --i) {
      x = Conv(x, channels);
      if (random_.Below(2) == 0) x = BatchNorm(x);
      x = Activation(x);
      if (random_.Below(3) == 0) x = Dropout(x);
    }
    return x;
  }

  // Guarded by the learning phase, or live.
  Feature Dropout(const Feature& x) {
    const std::string keep = tf_.Number(0.75f);
    const std::string noise = tf_.Op("RandomUniform", {tf_.Op("Shape", {x.tf})});
    const std::string mask = tf_.Op("Floor", {tf_.Op("Add", {keep, noise})});
    return {tf_.Op("Mul", {tf_.Op("RealDiv", {x.tf, keep}), mask}), x.onnx, x.channels};
  }

  Feature Pool(const Feature& x) {
    const bool max = random_.Below(2) == 0;
    Feature y{"", Name(), x.channels};
    y.tf = tf_.Op(max ? "MaxPool" : "AvgPool", {x.tf},
                  {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", Text("VALID")}});
    auto& node = onnx_.Node(max ? "MaxPool" : "AveragePool", {x.onnx}, {y.onnx});
    SetInts(node, "kernel_shape", {2, 2});
    SetInts(node, "strides", {2, 2});
    return y;
  }

  Feature Up(const Feature& x) {
    Feature y{"", Name(), x.channels};
    const std::string shape = tf_.Op("Shape", {x.tf});
    const auto doubled = [&](int64_t axis) {
      const std::string size =
          tf_.Op("StridedSlice", {shape, tf_.Integers({axis}), tf_.Integers({axis + 1}), tf_.Integers({1})},
                 {{"shrink_axis_mask", int64_t{1}}});
      return tf_.Op("Mul", {size, tf_.Integer(2)});
    };
    if (random_.Below(2) == 0) {
      y.tf = tf_.Op("ResizeNearestNeighbor", {x.tf, tf_.Op("Pack", {doubled(1), doubled(2)})},
                    {{"half_pixel_centers", random_.Below(2) == 0}});
      onnx_.Weights(y.onnx + "_s", {4}, {1, 1, 2, 2});
      auto& node = onnx_.Node("Resize", {x.onnx, "", y.onnx + "_s"}, {y.onnx});
      SetString(node, "mode", "nearest");
      SetString(node, "coordinate_transformation_mode", "asymmetric");
      SetString(node, "nearest_mode", "floor");
      return y;
    }
    const int64_t k = 2 + random_.Below(3);
    const ir::Tensor w = random_.Tensor({k, k, x.channels, x.channels}, -0.5f, 0.5f);  // [k,k,out,in]
    const std::string sizes = tf_.Op("Pack", {tf_.Integer(1), doubled(1), doubled(2), tf_.Integer(x.channels)});
    y.tf = tf_.Op("Conv2DBackpropInput", {sizes, tf_.Floats(w), x.tf},
                  {{"strides", Ints{1, 2, 2, 1}}, {"padding", Text("SAME")}});
    onnx_.Weights(y.onnx + "_w", {x.channels, x.channels, k, k}, Permuted(w, {3, 2, 0, 1}));
    auto& node = onnx_.Node("ConvTranspose", {x.onnx, y.onnx + "_w"}, {y.onnx});
    const int64_t before = (k - 2) / 2;
    SetInts(node, "strides", {2, 2});
    SetInts(node, "pads", {before, before, k - 2 - before, k - 2 - before});
    return y;
  }

  Feature Concat(const Feature& a, const Feature& b) {
    Feature y{tf_.Op("ConcatV2", {a.tf, b.tf, tf_.Integer(3)}), Name(), a.channels + b.channels};
    SetInt(onnx_.Node("Concat", {a.onnx, b.onnx}, {y.onnx}), "axis", 1);
    return y;
  }

  void Output(const Feature& x) {
    tf_.Output(tf_.Op("Sigmoid", {x.tf}));
    onnx_.Node("Sigmoid", {x.onnx}, {"y"});
    onnx_.Output("y");
  }

  // Down and up again by `depth` steps, then compared at a size.
  void Build() {
    Feature x = Input(1 + random_.Below(3));
    const int depth = 1 + random_.Below(3);
    std::vector<Feature> skips;
    int64_t channels = 3 + random_.Below(4);
    for (int i = 0; i < depth; ++i, channels *= 2) {
      x = Block(x, channels);
      skips.push_back(x);
      x = Pool(x);
    }
    x = Block(x, channels);
    while (!skips.empty()) {
      x = Concat(Up(x), skips.back());
      skips.pop_back();
      channels /= 2;
      x = Block(x, channels);
    }
    Output(Conv(x, 2));
  }

  void Compare(int64_t rows, int64_t cols) {
    const int64_t channels = tf_.graph.inputs[0].shape.dims[3];
    const ir::Tensor image = random_.Tensor({1, rows, cols, channels});
    Tensor first{"float32", {1, channels, rows, cols}, {}}, last{"float32", image.dims, {}};
    const std::vector<float> moved = Permuted(image, {0, 3, 1, 2});
    first.values.assign(moved.begin(), moved.end());
    last.values.assign(image.data.begin(), image.data.end());

    converter::Report report;
    const Model onnx = Must(ConvertAndLoad(onnx_.model, {}, &report));
    const Model tf = Must(Model::FromBytes(Must(converter::Emit(Optimised(tf_.graph), {})), "tf"));
    const Tensor want = Must(Run(onnx, {first}, {}))[0];
    Tensor got = Must(Run(tf, {last}, {}))[0];
    ASSERT_EQ(got.dims, (Ints{1, rows, cols, 2}));
    ir::Tensor result{got.dims, {got.values.begin(), got.values.end()}};
    const std::vector<float> back = Permuted(result, {0, 3, 1, 2});
    got.dims = want.dims;
    got.values.assign(back.begin(), back.end());
    // Weights are folded in another order: sums of a few hundred terms, a dozen layers deep.
    EXPECT_EQ(fovea::testing::Compare(got, want, 0, 2e-5), "");
  }

 private:
  std::string Name() { return "v" + std::to_string(next_++); }

  static std::vector<float> Permuted(const ir::Tensor& t, const Ints& perm) {
    Ints dims;
    for (const int64_t axis : perm) dims.push_back(t.dims[static_cast<size_t>(axis)]);
    return Tabulate(dims,
                    [&](const Ints& i) {
                      Ints from(i.size());
                      for (size_t k = 0; k < i.size(); ++k) from[static_cast<size_t>(perm[k])] = i[k];
                      return At(t, from);
                    })
        .data;
  }

  TfMaker tf_;
  ModelMaker onnx_;
  Random random_;
  int next_ = 0;
};

TEST(TensorFlowUNets, AgreeWithOnnx) {
  for (uint32_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE(seed);
    Net net(seed);
    net.Build();
    net.Compare(16, 24);
    net.Compare(8, 40);
  }
}

}  // namespace
}  // namespace fovea::testing
