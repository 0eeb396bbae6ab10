// Layers without kernels against their definitions at keras.io.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/converter/keras/support.h"

namespace fovea::testing {
namespace {

// Transcendental functions of the reference kernels are the C library's in float32, which are within one or two units;
// chains of them get a few more.
constexpr double kUlps = 4;

TEST(KerasLayers, NamedActivations) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  struct Case {
    const char* name;
    std::function<double(double)> f;
    int version = 2;
  };
  const Case cases[] = {
      {"linear", [](double x) { return x; }},
      {"relu", [](double x) { return std::max(x, 0.0); }},
      {"relu6", [](double x) { return std::clamp(x, 0.0, 6.0); }},
      {"sigmoid", sigmoid},
      {"hard_sigmoid", [](double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); }},
      {"hard_sigmoid", [](double x) { return std::clamp(x / 6 + 0.5, 0.0, 1.0); }, 3},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"elu", [](double x) { return x > 0 ? x : std::expm1(x); }},
      {"selu", [](double x) { return 1.05070098 * (x > 0 ? x : 1.67326324 * std::expm1(x)); }},
      {"softplus", softplus},
      {"softsign", [](double x) { return x / (1 + std::fabs(x)); }},
      {"exponential", [](double x) { return std::exp(x); }},
      {"swish", [&](double x) { return x * sigmoid(x); }},
      {"silu", [&](double x) { return x * sigmoid(x); }, 3},
      {"gelu", [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"gelu_new",
       [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))); }},
      {"mish", [&](double x) { return x * std::tanh(softplus(x)); }},
      {"leaky_relu", [](double x) { return x > 0 ? x : 0.2 * x; }, 3},
      {"hard_silu", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }, 3},
      {"hard_tanh", [](double x) { return std::clamp(x, -1.0, 1.0); }, 3},
      {"log_sigmoid", [&](double x) { return -softplus(-x); }, 3},
      {"tanh_shrink", [](double x) { return x - std::tanh(x); }, 3},
      {"soft_shrink", [](double x) { return x > 0.5    ? x - 0.5
                                            : x < -0.5 ? x + 0.5
                                                       : 0; }, 3},
      {"hard_shrink", [](double x) { return std::fabs(x) > 0.5 ? x : 0; }, 3},
      {"squareplus", [](double x) { return (x + std::sqrt(x * x + 4)) / 2; }, 3},
      {"sparse_plus", [](double x) { return x <= -1  ? 0
                                            : x >= 1 ? x
                                                     : (x + 1) * (x + 1) / 4; }, 3},
      {"sparse_sigmoid", [](double x) { return std::clamp((x + 1) / 2, 0.0, 1.0); }, 3},
      {"celu", [](double x) { return x > 0 ? x : std::expm1(x); }, 3},
  };
  ir::Tensor x = MakeTensor({2, 5, 7}, 1);
  for (float& v : x.data) v *= 8;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ExpectNear(RunLayer(Layer("Activation", "a", {{"activation", c.name}}), {}, {x}, c.version), Map(x, c.f), kUlps);
  }
}

TEST(KerasLayers, SoftmaxAlongTheLastAxis) {
  const ir::Tensor x = MakeTensor({1, 3, 4}, 1);
  const auto softmax = [&](bool last) {
    return FromIndices(x.dims, [&](const std::vector<int64_t>& at) {
      double sum = 0;
      for (int64_t i = 0; i < (last ? 4 : 3); ++i) sum += std::exp(last ? At(x, {0, at[1], i}) : At(x, {0, i, at[2]}));
      return std::exp(At(x, at)) / sum;
    });
  };
  ExpectNear(RunLayer(Layer("Activation", "a", {{"activation", "softmax"}}), {}, {x}), softmax(true), kUlps);
  ExpectNear(RunLayer(Layer("Softmax", "a", {{"axis", -1}}), {}, {x}), softmax(true), kUlps);
  ExpectNear(RunLayer(Layer("Softmax", "a", {{"axis", 1}}), {}, {x}, 3), softmax(false), kUlps);
}

TEST(KerasLayers, GatedLinearUnit) {
  const ir::Tensor x = MakeTensor({1, 3, 4}, 1);
  const ir::Tensor want = FromIndices({1, 3, 2}, [&](const std::vector<int64_t>& at) {
    return At(x, at) / (1 + std::exp(-At(x, {0, at[1], at[2] + 2})));
  });
  ExpectNear(RunLayer(Layer("Activation", "a", {{"activation", "glu"}}), {}, {x}, 3), want, kUlps);
}

TEST(KerasLayers, ActivationLayers) {
  ir::Tensor x = MakeTensor({1, 4, 3, 2}, 1);
  for (float& v : x.data) v *= 4;
  const auto run = [&](const std::string& name, const Json& config, int version = 2) {
    return RunLayer(Layer(name, "a", config), {}, {x}, version);
  };
  const auto leaky = [](double slope) { return [slope](double v) { return v > 0 ? v : slope * v; }; };
  ExpectNear(run("LeakyReLU", {{"alpha", 0.25}}), Map(x, leaky(0.25)));
  ExpectNear(run("LeakyReLU", {{"negative_slope", 0.25}}, 3), Map(x, leaky(0.25)));
  ExpectNear(run("LeakyReLU", Json::object()), Map(x, leaky(0.3)), 1);
  ExpectNear(run("LeakyReLU", {{"alpha", {{"type", "ndarray"}, {"value", 0.25}}}}), Map(x, leaky(0.25)));
  ExpectNear(run("ELU", {{"alpha", 0.5}}), Map(x, [](double v) { return v > 0 ? v : 0.5 * std::expm1(v); }), kUlps);
  ExpectNear(run("ThresholdedReLU", {{"theta", 0.75}}), Map(x, [](double v) { return v > 0.75 ? v : 0; }));
  ExpectNear(run("ReLU", Json::object()), Map(x, [](double v) { return std::max(v, 0.0); }));
  ExpectNear(run("ReLU", {{"max_value", 2.0}}), Map(x, [](double v) { return std::clamp(v, 0.0, 2.0); }));
  ExpectNear(run("ReLU", {{"max_value", 2.0}, {"negative_slope", 0.25}}),
             Map(x, [](double v) { return std::min(v > 0 ? v : 0.25 * v, 2.0); }));
  ExpectNear(run("ReLU", {{"max_value", 2.0}, {"negative_slope", 0.25}, {"threshold", 1.03}}),
             Map(x, [](double v) { return std::min(v > 1.03 ? v : 0.25 * (v - 1.03), 2.0); }), 1);
}

TEST(KerasLayers, ActivationsInsideOtherLayers) {
  const ir::Tensor x = MakeTensor({1, 3, 4}, 1);
  const Array kernel = MakeArray("kernel", {4, 2}, 2);
  const auto dense = [&](const std::function<double(double)>& f) {
    return FromIndices({1, 3, 2}, [&](const std::vector<int64_t>& at) {
      double sum = 0;
      for (int64_t i = 0; i < 4; ++i) sum += At(x, {0, at[1], i}) * At(kernel, {i, at[2]});
      return f(sum);
    });
  };
  const Json forms[] = {"relu",
                        {{"module", "builtins"}, {"class_name", "function"}, {"config", "relu"}},
                        {{"class_name", "ReLU"}, {"config", {{"name", "r"}, {"max_value", nullptr}}}}};
  for (const Json& form : forms) {
    ExpectNear(
        RunLayer(Layer("Dense", "d", {{"units", 2}, {"use_bias", false}, {"activation", form}}), {kernel}, {x}, 3),
        dense([](double v) { return std::max(v, 0.0); }));
  }
}

TEST(KerasLayers, PReluSharesSlopes) {
  const ir::Tensor x = MakeTensor({2, 3, 4, 2}, 1);
  const Array slopes = MakeArray("alpha", {1, 1, 2}, 2);
  const ir::Tensor want = FromIndices(x.dims, [&](const std::vector<int64_t>& at) {
    const double v = At(x, at);
    return v < 0 ? v * At(slopes, {0, 0, at[3]}) : v;
  });
  ExpectNear(RunLayer(Layer("PReLU", "p", {{"shared_axes", {1, 2}}}), {slopes}, {x}), want);
}

TEST(KerasLayers, DropoutAndNoiseVanish) {
  const ir::Tensor x = MakeTensor({1, 3, 4, 2}, 1);
  for (const char* name :
       {"Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"}) {
    ExpectNear(RunLayer(Layer(name, "d", {{"rate", 0.5}}), {}, {x}), x);
  }
}

TEST(KerasLayers, Merging) {
  const ir::Tensor a = MakeTensor({1, 3, 4, 2}, 1), b = MakeTensor({1, 3, 4, 2}, 2), c = MakeTensor({1, 3, 4, 2}, 3);
  const auto each = [&](const std::function<double(double, double, double)>& f) {
    return FromIndices(a.dims, [&](const std::vector<int64_t>& at) { return f(At(a, at), At(b, at), At(c, at)); });
  };
  const auto run = [&](const char* name, int version) { return RunLayer(Layer(name, "m"), {}, {a, b, c}, version); };
  for (const int version : {2, 3}) {
    ExpectNear(run("Add", version), each([](double x, double y, double z) { return x + y + z; }));
    ExpectNear(run("Multiply", version), each([](double x, double y, double z) { return x * y * z; }));
    ExpectNear(run("Average", version), each([](double x, double y, double z) { return (x + y + z) / 3; }), 1);
    ExpectNear(run("Maximum", version), each([](double x, double y, double z) { return std::max({x, y, z}); }));
    ExpectNear(run("Minimum", version), each([](double x, double y, double z) { return std::min({x, y, z}); }));
    ExpectNear(RunLayer(Layer("Subtract", "m"), {}, {a, b}, version),
               each([](double x, double y, double) { return x - y; }));
  }
  ExpectNear(RunLayer(Layer("Merge", "m", {{"mode", "sum"}}), {}, {a, b, c}, 1),
             each([](double x, double y, double z) { return x + y + z; }));
  const ir::Tensor joined = FromIndices({1, 3, 4, 4}, [&](const std::vector<int64_t>& at) {
    return at[3] < 2 ? At(a, at) : At(b, {0, at[1], at[2], at[3] - 2});
  });
  ExpectNear(RunLayer(Layer("Concatenate", "m", {{"axis", -1}}), {}, {a, b}), joined);
  ExpectNear(RunLayer(Layer("Merge", "m", {{"mode", "concat"}, {"concat_axis", 3}}), {}, {a, b}, 1), joined);
}

TEST(KerasLayers, BatchNormalization) {
  const ir::Tensor x = MakeTensor({2, 3, 4, 3}, 1);
  Array gamma = MakeArray("gamma", {3}, 2), beta = MakeArray("beta", {3}, 3), mean = MakeArray("moving_mean", {3}, 4),
        variance{"moving_variance", {3}, {0.5f, 1.25f, 2}};
  const auto want = [&](bool scale, bool center, size_t axis) {
    return FromIndices(x.dims, [&, axis](const std::vector<int64_t>& at) {
      const std::vector<int64_t> c{at[axis]};
      const double y = (At(x, at) - At(mean, c)) / std::sqrt(At(variance, c) + 0.01);
      return y * (scale ? At(gamma, c) : 1) + (center ? At(beta, c) : 0);
    });
  };
  const Json config{{"axis", {3}}, {"epsilon", 0.01}, {"scale", true}, {"center", true}};
  ExpectNear(RunLayer(Layer("BatchNormalization", "b", config), {gamma, beta, mean, variance}, {x}),
             want(true, true, 3), kUlps);
  Json first = config;
  first["axis"] = 1;
  ExpectNear(RunLayer(Layer("BatchNormalization", "b", first), {gamma, beta, mean, variance}, {x}, 3),
             want(true, true, 1), kUlps);
  Json plain = config;
  plain["scale"] = false;
  ExpectNear(RunLayer(Layer("SyncBatchNormalization", "b", plain), {beta, mean, variance}, {x}), want(false, true, 3),
             kUlps);
  plain["center"] = false;
  ExpectNear(RunLayer(Layer("BatchNormalization", "b", plain), {mean, variance}, {x}), want(false, false, 3), kUlps);
  mean.name = "running_mean";
  variance.name = "running_std";  // Keras 1's name of the variance
  ExpectNear(RunLayer(Layer("BatchNormalization", "b", {{"axis", -1}, {"epsilon", 0.01}, {"mode", 0}}),
                      {gamma, beta, mean, variance}, {x}, 1),
             want(true, true, 3), kUlps);
}

// Mean and variance of the elements that share at's batch and, where told, its group of channels.
struct Moments {
  double mean = 0, variance = 0;
};
Moments MomentsOf(const ir::Tensor& x, const std::function<bool(const std::vector<int64_t>&)>& same) {
  double sum = 0, squares = 0, count = 0;
  FromIndices(x.dims, [&](const std::vector<int64_t>& at) {
    if (!same(at)) return 0.0;
    sum += At(x, at), squares += At(x, at) * At(x, at), ++count;
    return 0.0;
  });
  return {sum / count, squares / count - sum / count * sum / count};
}

TEST(KerasLayers, InstanceGroupAndLayerNormalization) {
  const ir::Tensor x = MakeTensor({2, 3, 4, 4}, 1);
  const Array gamma = MakeArray("gamma", {4}, 2), beta = MakeArray("beta", {4}, 3);
  using Index = std::vector<int64_t>;
  const auto normalized = [&](const std::function<bool(const Index&, const Index&)>& same, bool epsilon_outside) {
    return FromIndices(x.dims, [&](const Index& at) {
      const Moments m = MomentsOf(x, [&](const Index& other) { return other[0] == at[0] && same(at, other); });
      const double divisor = epsilon_outside ? std::sqrt(m.variance) + 1e-3 : std::sqrt(m.variance + 1e-3);
      return (At(x, at) - m.mean) / divisor * At(gamma, {at[3]}) + At(beta, {at[3]});
    });
  };
  // Sums of 12 to 48 elements in float32, then a division: within a few units of results near 1.
  constexpr double kNormUlps = 32;
  const auto channel = [](const Index& a, const Index& b) { return a[3] == b[3]; };
  const auto pairs = [](const Index& a, const Index& b) { return a[3] / 2 == b[3] / 2; };
  const auto pixel = [](const Index& a, const Index& b) { return a[1] == b[1] && a[2] == b[2]; };
  ExpectNear(RunLayer(Layer("InstanceNormalization", "n", {{"axis", -1}, {"epsilon", 1e-3}}), {gamma, beta}, {x}),
             normalized(channel, true), kNormUlps);
  ExpectNear(RunLayer(Layer("Addons>InstanceNormalization", "n", {{"groups", -1}, {"axis", -1}, {"epsilon", 1e-3}}),
                      {gamma, beta}, {x}),
             normalized(channel, false), kNormUlps);
  ExpectNear(RunLayer(Layer("GroupNormalization", "n", {{"groups", 2}, {"epsilon", 1e-3}}), {gamma, beta}, {x}, 3),
             normalized(pairs, false), kNormUlps);
  ExpectNear(RunLayer(Layer("LayerNormalization", "n", {{"axis", {3}}, {"epsilon", 1e-3}}), {gamma, beta}, {x}),
             normalized(pixel, false), kNormUlps);
}

TEST(KerasLayers, ResizePadCrop) {
  const ir::Tensor x = MakeTensor({1, 3, 4, 2}, 1);
  ExpectNear(RunLayer(Layer("UpSampling2D", "u", {{"size", {2, 3}}, {"interpolation", "nearest"}}), {}, {x}),
             FromIndices({1, 6, 12, 2}, [&](const std::vector<int64_t>& at) {
               return At(x, {0, at[1] / 2, at[2] / 3, at[3]});
             }));
  // Pixel centres, clamped at the border: out 0 lies at -0.25.
  const auto linear = [&](const std::vector<int64_t>& at, double shift) {
    const auto weigh = [&](int64_t out, int64_t in, int64_t* low, int64_t* high) {
      const double at_source =
          std::clamp((static_cast<double>(out) + shift) / 2 - shift, 0.0, static_cast<double>(in - 1));
      *low = static_cast<int64_t>(at_source);
      *high = std::min(*low + 1, in - 1);
      return at_source - static_cast<double>(*low);
    };
    int64_t r0, r1, c0, c1;
    const double r = weigh(at[1], 3, &r0, &r1), c = weigh(at[2], 4, &c0, &c1);
    return (1 - r) * ((1 - c) * At(x, {0, r0, c0, at[3]}) + c * At(x, {0, r0, c1, at[3]})) +
           r * ((1 - c) * At(x, {0, r1, c0, at[3]}) + c * At(x, {0, r1, c1, at[3]}));
  };
  const Json bilinear = Layer("UpSampling2D", "u", {{"size", {2, 2}}, {"interpolation", "bilinear"}});
  ExpectNear(RunLayer(bilinear, {}, {x}, 3),
             FromIndices({1, 6, 8, 2}, [&](const std::vector<int64_t>& at) { return linear(at, 0.5); }), 1);
  KerasFile old;
  old.config = OneLayer(bilinear, {x.dims}, 2);
  old.keras_version = "2.2.2";
  ExpectNear(RunKeras(old, {x})[0],
             FromIndices({1, 6, 8, 2}, [&](const std::vector<int64_t>& at) { return linear(at, 0); }), 1);
  ExpectNear(RunLayer(Layer("ZeroPadding2D", "z", {{"padding", {{1, 2}, {0, 3}}}}), {}, {x}),
             FromIndices({1, 6, 7, 2}, [&](const std::vector<int64_t>& at) {
               return At(x, {0, at[1] - 1, at[2], at[3]});
             }));
  ExpectNear(RunLayer(Layer("Cropping2D", "z", {{"cropping", {{1, 0}, {1, 2}}}}), {}, {x}),
             FromIndices({1, 2, 1, 2}, [&](const std::vector<int64_t>& at) {
               return At(x, {0, at[1] + 1, at[2] + 1, at[3]});
             }));
  const ir::Tensor cube = MakeTensor({1, 2, 3, 2, 2}, 1), line = MakeTensor({1, 4, 2}, 1);
  ExpectNear(RunLayer(Layer("UpSampling3D", "u", {{"size", {2, 1, 2}}}), {}, {cube}),
             FromIndices({1, 4, 3, 4, 2}, [&](const std::vector<int64_t>& at) {
               return At(cube, {0, at[1] / 2, at[2], at[3] / 2, at[4]});
             }));
  ExpectNear(RunLayer(Layer("ZeroPadding1D", "z", {{"padding", {1, 2}}}), {}, {line}),
             FromIndices({1, 7, 2}, [&](const std::vector<int64_t>& at) {
               return At(line, {0, at[1] - 1, at[2]});
             }));
}

TEST(KerasLayers, Rearranging) {
  const ir::Tensor x = MakeTensor({2, 3, 4, 2}, 1);
  const auto flat = [&](std::vector<int64_t> dims) { return ir::Tensor{std::move(dims), x.data}; };
  ExpectNear(RunLayer(Layer("Flatten", "f"), {}, {x}), flat({2, 24}));
  ExpectNear(RunLayer(Layer("Reshape", "r", {{"target_shape", {4, -1}}}), {}, {x}), flat({2, 4, 6}));
  ExpectNear(RunLayer(Layer("Permute", "p", {{"dims", {3, 1, 2}}}), {}, {x}),
             FromIndices({2, 2, 3, 4}, [&](const std::vector<int64_t>& at) {
               return At(x, {at[0], at[2], at[3], at[1]});
             }));
  const ir::Tensor v = MakeTensor({2, 5}, 1);
  ExpectNear(RunLayer(Layer("RepeatVector", "p", {{"n", 3}}), {}, {v}),
             FromIndices({2, 3, 5}, [&](const std::vector<int64_t>& at) {
               return At(v, {at[0], at[2]});
             }));
  ExpectNear(RunLayer(Layer("Flatten", "f", {{"data_format", "channels_first"}}), {}, {x}),
             FromIndices({2, 24}, [&](const std::vector<int64_t>& at) {
               return At(x, {at[0], at[1] % 3, at[1] / 6, at[1] / 3 % 2});
             }));
}

TEST(KerasLayers, RescalingAndNormalization) {
  const ir::Tensor x = MakeTensor({1, 2, 3, 2}, 1);
  ExpectNear(
      RunLayer(Layer("Rescaling", "r", {{"scale", 0.5}, {"offset", {1.0, -2.0}}}), {}, {x}),
      FromIndices(x.dims, [&](const std::vector<int64_t>& at) { return At(x, at) * 0.5 + (at[3] == 0 ? 1 : -2); }));
  const Array mean{"mean", {2}, {0.5f, -1}}, variance{"variance", {2}, {4, 0.25f}}, count{"count", {1}, {3}};
  const ir::Tensor want = FromIndices(x.dims, [&](const std::vector<int64_t>& at) {
    return at[3] == 0 ? (At(x, at) - 0.5) / 2 : (At(x, at) + 1) / 0.5;
  });
  ExpectNear(RunLayer(Layer("Normalization", "n", {{"axis", {-1}}}), {mean, variance, count}, {x}), want);
  ExpectNear(
      RunLayer(Layer("Normalization", "n", {{"axis", {-1}}, {"mean", {0.5, -1}}, {"variance", {4, 0.25}}}), {}, {x}, 3),
      want);
}

TEST(KerasLayers, GlobalPooling) {
  const ir::Tensor x = MakeTensor({2, 3, 4, 2}, 1);
  const auto reduced = [&](bool max) {
    return FromIndices({2, 2}, [&](const std::vector<int64_t>& at) {
      double sum = 0, best = -100;
      for (int64_t i = 0; i < 12; ++i) {
        const double v = At(x, {at[0], i / 4, i % 4, at[1]});
        sum += v, best = std::max(best, v);
      }
      return max ? best : sum / 12;
    });
  };
  ExpectNear(RunLayer(Layer("GlobalMaxPooling2D", "g"), {}, {x}), reduced(true));
  ExpectNear(RunLayer(Layer("GlobalAveragePooling2D", "g"), {}, {x}), reduced(false), 1);
  ir::Tensor kept = reduced(false);
  kept.dims = {2, 1, 1, 2};
  ExpectNear(RunLayer(Layer("GlobalAveragePooling2D", "g", {{"keepdims", true}}), {}, {x}, 3), kept, 1);
}

TEST(KerasLayers, UnsupportedLayersAreListedTogether) {
  KerasFile file;
  Json lstm = Layer("LSTM", "memory"), dot = Layer("Dot", "scores"), in = InputLayer("x", {1, 4, 2});
  lstm["inbound_nodes"] = Json::array({Inbound({"x"})});
  dot["inbound_nodes"] = Json::array({Inbound({"x", "x"})});
  file.config = Functional({in, lstm, dot}, {"x"}, {"memory", "scores"});
  converter::Report report;
  const Result<ir::Graph> graph = ConvertKeras(file, &report);
  ASSERT_EQ(graph.status().code(), StatusCode::kUnsupported);
  ASSERT_EQ(report.unsupported.size(), 2u);
  EXPECT_EQ(report.unsupported[0].name, "memory");
  EXPECT_EQ(report.unsupported[1].op, "Dot");
}

}  // namespace
}  // namespace fovea::testing
