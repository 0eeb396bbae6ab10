// What is recognised in small operators: each in its spellings, that it is found (what is left of the graph), and that
// the result stays.
#include <cmath>

#include "tests/converter/tensorflow/maker.h"

namespace fovea::testing {
namespace {

std::string ImageInput(TfMaker& m, int64_t channels) { return m.Input("x", {-1, -1, -1, channels}); }

std::string Size(TfMaker& m, const std::string& x, int64_t axis) {
  return m.Op("StridedSlice", {m.Op("Shape", {x}), m.Integers({axis}), m.Integers({axis + 1}), m.Integers({1})},
              {{"shrink_axis_mask", int64_t{1}}});
}

int CountUnary(const ir::Graph& graph, UnaryFn fn) {
  int count = 0;
  for (const ir::Node& node : graph.nodes) {
    const auto* unary = std::get_if<UnaryParams>(&node.params);
    count += unary != nullptr && unary->fn.fn == fn;
  }
  return count;
}

// The graph of the maker whose output is y has so many nodes of the kind, and few others.
void ExpectOnly(const TfMaker& m, OpKind kind, size_t nodes) {
  const ir::Graph graph = Optimised(m.graph);
  EXPECT_EQ(CountKind(graph, kind), 1) << graph.ToString();
  EXPECT_EQ(graph.nodes.size(), nodes) << graph.ToString();
}

// Keras repeat_elements along each axis in turn: ExpandDims, Tile, Reshape to the size times the factor.
TEST(TensorFlowIdioms, UpsamplingByTiling) {
  Random random(1);
  for (const bool volume : {false, true}) {
    TfMaker m;
    const Ints dims = volume ? Ints{1, 2, 3, 2, 3} : Ints{2, 3, 4, 3};
    const ir::Tensor x = random.Tensor(dims);
    std::string y = m.Input("x", volume ? Ints{-1, -1, -1, -1, 3} : Ints{-1, -1, -1, 3});
    const size_t rank = dims.size();
    Ints out = dims, factors(rank, 1);
    for (size_t axis = 1; axis + 1 < rank; ++axis) {
      const int64_t factor = axis == 1 ? 2 : 3;
      const std::string wide = m.Op("ExpandDims", {y, m.Integer(static_cast<int64_t>(axis) + 1)});
      Ints multiples(rank + 1, 1), scale(rank, 1);
      multiples[axis + 1] = factor;
      scale[axis] = factor;
      const std::string sizes = m.Op("Mul", {m.Op("Shape", {y}), m.Integers(scale)});
      y = m.Op("Reshape", {m.Op("Tile", {wide, m.Integers(multiples)}), sizes});
      out[axis] *= factor;
      factors[axis] = factor;
    }
    m.Output(y);
    ExpectResult(m.graph, {x}, Tabulate(out, [&](const Ints& i) {
                   Ints from = i;
                   for (size_t axis = 0; axis < rank; ++axis) from[axis] /= factors[axis];
                   return At(x, from);
                 }));
    ExpectOnly(m, OpKind::kResize, 1);
  }
}

TEST(TensorFlowIdioms, UpsamplingByStackingBothAxesAtOnce) {
  Random random(2);
  const ir::Tensor x = random.Tensor({1, 3, 4, 2});
  const ir::Tensor want = Tabulate({1, 6, 8, 2}, [&](const Ints& i) { return At(x, {0, i[1] / 2, i[2] / 2, i[3]}); });
  TfMaker ones;
  std::string image = ImageInput(ones, 2);
  std::string rows = Size(ones, image, 1), cols = Size(ones, image, 2), two = ones.Integer(2);
  std::string wide = ones.Op(
      "Reshape", {image, ones.Op("Pack", {ones.Integer(-1), rows, ones.Integer(1), cols, ones.Integer(1), two})});
  std::string product = ones.Op("Mul", {wide, ones.Floats({1, 1, 2, 1, 2, 1}, {1, 1, 1, 1})});
  const auto double_of = [](TfMaker& m, const std::string& size) { return m.Op("Mul", {size, m.Integer(2)}); };
  ones.Output(ones.Op(
      "Reshape", {product, ones.Op("Pack", {ones.Integer(-1), double_of(ones, rows), double_of(ones, cols), two})}));
  ExpectResult(ones.graph, {x}, want);
  ExpectOnly(ones, OpKind::kResize, 1);

  TfMaker stack;
  image = ImageInput(stack, 2);
  rows = Size(stack, image, 1), cols = Size(stack, image, 2), two = stack.Integer(2);
  const std::string right =
      stack.Op("Reshape", {stack.Op("Pack", {image, image}, {{"axis", int64_t{3}}}),
                           stack.Op("Pack", {stack.Integer(-1), rows, double_of(stack, cols), two})});
  stack.Output(stack.Op("Reshape",
                        {stack.Op("Pack", {right, right}, {{"axis", int64_t{2}}}),
                         stack.Op("Pack", {stack.Integer(-1), double_of(stack, rows), double_of(stack, cols), two})}));
  ExpectResult(stack.graph, {x}, want);
  ExpectOnly(stack, OpKind::kResize, 1);
}

// Keras 2.0: a split into single rows, every one joined twice.
TEST(TensorFlowIdioms, UpsamplingBySplitting) {
  Random random(3);
  const ir::Tensor x = random.Tensor({1, 3, 4, 2});
  TfMaker m;
  const std::string image = m.Input("x", {1, 3, -1, 2});
  const std::string rows = m.Op("Split", {m.Integer(1), image}, {{"num_split", int64_t{3}}});
  m.Output(m.Op("ConcatV2", {rows, rows, rows + ":1", rows + ":1", rows + ":2", rows + ":2", m.Integer(1)}));
  ExpectResult(m.graph, {x}, Tabulate({1, 6, 4, 2}, [&](const Ints& i) { return At(x, {0, i[1] / 2, i[2], i[3]}); }));
  ExpectOnly(m, OpKind::kResize, 1);
}

// Tiling that repeats the whole image is none of these.
TEST(TensorFlowIdioms, TilingOfTheWholeImageStays) {
  Random random(4);
  const ir::Tensor x = random.Tensor({1, 3, 4, 2});
  TfMaker m;
  const std::string image = ImageInput(m, 2);
  const std::string wide = m.Op("ExpandDims", {image, m.Integer(1)});
  const std::string sizes = m.Op("Mul", {m.Op("Shape", {image}), m.Integers({1, 2, 1, 1})});
  m.Output(m.Op("Reshape", {m.Op("Tile", {wide, m.Integers({1, 2, 1, 1, 1})}), sizes}));
  ExpectResult(m.graph, {x}, Tabulate({1, 6, 4, 2}, [&](const Ints& i) { return At(x, {0, i[1] % 3, i[2], i[3]}); }));
  EXPECT_EQ(CountKind(Optimised(m.graph), OpKind::kResize), 0);
}

TEST(TensorFlowIdioms, PixelShuffle) {
  Random random(5);
  const ir::Tensor x = random.Tensor({1, 3, 4, 8});
  TfMaker m;
  const std::string image = ImageInput(m, 8);
  const std::string rows = Size(m, image, 1), cols = Size(m, image, 2), two = m.Integer(2), rest = m.Integer(-1);
  const std::string six = m.Op("Reshape", {image, m.Op("Pack", {rest, rows, cols, two, two, two})});
  const std::string moved = m.Op("Transpose", {six, m.Integers({0, 1, 3, 2, 4, 5})});
  const std::string twice_rows = m.Op("Mul", {rows, two}), twice_cols = m.Op("Mul", {cols, two});
  m.Output(m.Op("Reshape", {moved, m.Op("Pack", {rest, twice_rows, twice_cols, two})}));
  ExpectResult(m.graph, {x}, Tabulate({1, 6, 8, 2}, [&](const Ints& i) {
                 return At(x, {0, i[1] / 2, i[2] / 2, (i[1] % 2 * 2 + i[2] % 2) * 2 + i[3]});
               }));
  ExpectOnly(m, OpKind::kDepthToSpace, 1);
}

struct Statistics {
  double mean = 0, variance = 0;
};
Statistics Of(const std::vector<double>& values) {
  Statistics s;
  for (const double v : values) s.mean += v / static_cast<double>(values.size());
  for (const double v : values) s.variance += (v - s.mean) * (v - s.mean) / static_cast<double>(values.size());
  return s;
}

// Channels [from, to) of one image.
Statistics OfChannels(const ir::Tensor& x, int64_t n, int64_t from, int64_t to) {
  std::vector<double> values;
  for (int64_t i = 0; i < x.dims[1] * x.dims[2]; ++i) {
    for (int64_t c = from; c < to; ++c) values.push_back(At(x, {n, i / x.dims[2], i % x.dims[2], c}));
  }
  return Of(values);
}

constexpr double kEpsilon = 0.001;

TEST(TensorFlowIdioms, InstanceNormalisationInItsSpellings) {
  Random random(6);
  const ir::Tensor x = random.Tensor({2, 5, 6, 3}, -2, 3), gamma = random.Tensor({3}), beta = random.Tensor({3});
  const ir::Tensor want = Tabulate(x.dims, [&](const Ints& i) {
    const Statistics s = OfChannels(x, i[0], i[3], i[3] + 1);
    return (At(x, i) - s.mean) / std::sqrt(s.variance + kEpsilon) * At(gamma, {i[3]}) + At(beta, {i[3]});
  });
  for (int spelling = 0; spelling < 5; ++spelling) {
    SCOPED_TRACE(spelling);
    TfMaker m;
    const std::string image = ImageInput(m, 3);
    const auto mean_of = [&](const std::string& v) {
      return m.Op("Mean", {v, m.Integers({1, 2})}, {{"keep_dims", true}});
    };
    const std::string g = m.Floats(gamma), b = m.Floats(beta), e = m.Number(static_cast<float>(kEpsilon));
    const std::string mean = mean_of(image), difference = m.Op("Sub", {image, mean});
    const std::string variance = spelling == 1 ? mean_of(m.Op("Square", {difference}))
                                 : spelling == 4
                                     ? m.Op("Sub", {mean_of(m.Op("Square", {image})), m.Op("Square", {mean})})
                                     : mean_of(m.Op("SquaredDifference", {image, m.Op("StopGradient", {mean})}));
    const std::string shifted = m.Op("Add", {variance, e});
    std::string y;
    if (spelling == 0) {  // (x - m) rsqrt(v + e) g + b
      y = m.Op("Add", {m.Op("Mul", {m.Op("Mul", {difference, m.Op("Rsqrt", {shifted})}), g}), b});
    } else if (spelling == 1) {  // g (x - m) / sqrt(v + e) + b
      y = m.Op("Add", {m.Op("Mul", {g, m.Op("RealDiv", {difference, m.Op("Sqrt", {shifted})})}), b});
    } else {  // tf.nn.batch_normalization
      const std::string f = m.Op("Mul", {m.Op("Rsqrt", {shifted}), g});
      y = m.Op("Add", {m.Op("Mul", {image, f}), m.Op("Sub", {b, m.Op("Mul", {mean, f})})});
    }
    m.Output(y);
    ExpectResult(m.graph, {x}, want, 1e-5);
    ExpectOnly(m, OpKind::kGroupNorm, 1);
  }
}

TEST(TensorFlowIdioms, GroupNormalisation) {
  Random random(7);
  const ir::Tensor x = random.Tensor({2, 4, 5, 6}, -2, 3), gamma = random.Tensor({6}), beta = random.Tensor({6});
  const ir::Tensor want = Tabulate(x.dims, [&](const Ints& i) {
    const int64_t group = i[3] / 2;
    const Statistics s = OfChannels(x, i[0], group * 2, group * 2 + 2);
    return (At(x, i) - s.mean) / std::sqrt(s.variance + kEpsilon) * At(gamma, {i[3]}) + At(beta, {i[3]});
  });
  for (const bool inside : {true, false}) {  // scale and offset before the way back to four axes, or behind it
    TfMaker m;
    const std::string image = ImageInput(m, 6);
    const std::string shape = m.Op("Shape", {image});
    const std::string five = m.Op(
        "Reshape",
        {image, m.Op("Pack", {Size(m, image, 0), Size(m, image, 1), Size(m, image, 2), m.Integer(3), m.Integer(2)})});
    const auto mean_of = [&](const std::string& v) {
      return m.Op("Mean", {v, m.Integers({1, 2, 4})}, {{"keep_dims", true}});
    };
    const std::string mean = mean_of(five);
    const std::string shifted =
        m.Op("AddV2", {mean_of(m.Op("SquaredDifference", {five, mean})), m.Number(static_cast<float>(kEpsilon))});
    std::string f = m.Op("Rsqrt", {shifted}), y;
    if (inside) {
      f = m.Op("Mul", {f, m.Floats({1, 1, 1, 3, 2}, gamma.data)});
      const std::string rest = m.Op("Sub", {m.Floats({1, 1, 1, 3, 2}, beta.data), m.Op("Mul", {mean, f})});
      y = m.Op("Reshape", {m.Op("AddV2", {m.Op("Mul", {five, f}), rest}), shape});
    } else {
      y = m.Op("Reshape", {m.Op("Mul", {m.Op("Sub", {five, mean}), f}), shape});
      y = m.Op("AddV2", {m.Op("Mul", {y, m.Floats(gamma)}), m.Floats(beta)});
    }
    m.Output(y);
    ExpectResult(m.graph, {x}, want, 1e-5);
    ExpectOnly(m, OpKind::kGroupNorm, 1);
  }
}

// Means over the batch are not means of one image.
TEST(TensorFlowIdioms, BatchStatisticsStay) {
  Random random(8);
  const ir::Tensor x = random.Tensor({2, 3, 4, 2});
  TfMaker m;
  const std::string image = ImageInput(m, 2);
  const auto mean_of = [&](const std::string& v) {
    return m.Op("Mean", {v, m.Integers({0, 1, 2})}, {{"keep_dims", true}});
  };
  const std::string mean = mean_of(image);
  const std::string shifted = m.Op("Add", {mean_of(m.Op("SquaredDifference", {image, mean})), m.Number(0.001f)});
  m.Output(m.Op("Mul", {m.Op("Sub", {image, mean}), m.Op("Rsqrt", {shifted})}));
  std::vector<double> values[2];
  for (size_t i = 0; i < x.data.size(); ++i) values[i % 2].push_back(static_cast<double>(x.data[i]));
  ExpectResult(m.graph, {x},
               Tabulate(x.dims,
                        [&](const Ints& i) {
                          const Statistics s = Of(values[i[3]]);
                          return (At(x, i) - s.mean) / std::sqrt(s.variance + 0.001);
                        }),
               1e-5);
  EXPECT_EQ(CountKind(Optimised(m.graph), OpKind::kGroupNorm), 0);
}

// Batch normalisation written with moving averages as constants ends in the convolution's weights and bias.
TEST(TensorFlowIdioms, BatchNormalisationInItsSpellings) {
  Random random(9);
  const ir::Tensor x = random.Tensor({1, 4, 5, 2}), w = random.Tensor({1, 1, 2, 3}), bias = random.Tensor({3});
  const ir::Tensor gamma = random.Tensor({3}), beta = random.Tensor({3}), mean = random.Tensor({3});
  const ir::Tensor variance = random.Tensor({3}, 0.2f, 2);
  const ir::Tensor want = Tabulate({1, 4, 5, 3}, [&](const Ints& i) {
    double v = At(bias, {i[3]});
    for (int64_t c = 0; c < 2; ++c) v += At(x, {0, i[1], i[2], c}) * At(w, {0, 0, c, i[3]});
    return (v - At(mean, {i[3]})) / std::sqrt(At(variance, {i[3]}) + kEpsilon) * At(gamma, {i[3]}) + At(beta, {i[3]});
  });
  for (int spelling = 0; spelling < 4; ++spelling) {
    SCOPED_TRACE(spelling);
    TfMaker m;
    const std::string conv =
        m.Op("Conv2D", {ImageInput(m, 2), m.Floats(w)}, {{"strides", Ints{1, 1, 1, 1}}, {"padding", Text("SAME")}});
    const std::string v = m.Op("BiasAdd", {conv, m.Floats(bias)});
    const std::string g = m.Floats(gamma), b = m.Floats(beta), average = m.Floats(mean);
    const std::string shifted = m.Op("Add", {m.Floats(variance), m.Number(static_cast<float>(kEpsilon))});
    std::string y;
    if (spelling == 0) {  // tf.nn.batch_normalization
      const std::string f = m.Op("Mul", {m.Op("Rsqrt", {shifted}), g});
      y = m.Op("Add", {m.Op("Mul", {v, f}), m.Op("Sub", {b, m.Op("Mul", {average, f})})});
    } else if (spelling == 1) {  // Keras 1
      const std::string normal = m.Op("RealDiv", {m.Op("Sub", {v, average}), m.Op("Sqrt", {shifted})});
      y = m.Op("Add", {m.Op("Mul", {g, normal}), b});
    } else if (spelling == 2) {  // parameters reshaped to four axes
      const auto four = [&](const std::string& p) { return m.Op("Reshape", {p, m.Integers({1, 1, 1, -1})}); };
      const std::string f = m.Op("Mul", {m.Op("Rsqrt", {four(shifted)}), four(g)});
      y = m.Op("AddV2", {m.Op("Mul", {f, v}), m.Op("Sub", {four(b), m.Op("Mul", {four(average), f})})});
    } else {
      y = m.Op("FusedBatchNormV3", {v, g, b, average, m.Floats(variance)},
               {{"epsilon", static_cast<float>(kEpsilon)}, {"is_training", false}});
    }
    m.Output(m.Op("Relu", {y}));
    ir::Tensor positive = want;
    for (float& e : positive.data) e = std::max(e, 0.0f);
    ExpectResult(m.graph, {x}, positive, 1e-5);
    ExpectOnly(m, OpKind::kConv, 1);
  }
}

TEST(TensorFlowIdioms, Activations) {
  Random random(10);
  const ir::Tensor x = random.Tensor({1, 3, 4, 2}, -3, 3);
  struct Row {
    const char* name;
    std::string (*spell)(TfMaker& m, const std::string& x);
    double (*f)(double);
    UnaryFn fn;
  };
  const Row rows[] = {
      {"max(x, 0.1 x)",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Maximum", {v, m.Op("Mul", {m.Number(0.1f), v})});
       },
       [](double v) { return std::max(v, 0.1 * v); }, UnaryFn::kLeakyRelu},
      {"max(0.1 x, x)",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Maximum", {m.Op("Mul", {v, m.Number(0.1f)}), v});
       },
       [](double v) { return std::max(v, 0.1 * v); }, UnaryFn::kLeakyRelu},
      {"relu(x) - 0.3 relu(-x)",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Sub", {m.Op("Relu", {v}), m.Op("Mul", {m.Number(0.3f), m.Op("Relu", {m.Op("Neg", {v})})})});
       },
       [](double v) { return v < 0 ? 0.3 * v : v; }, UnaryFn::kLeakyRelu},
      {"relu(x) + 0.25 (x - |x|) 0.5",
       [](TfMaker& m, const std::string& v) {
         const std::string d = m.Op("Sub", {v, m.Op("Abs", {v})});
         return m.Op("Add", {m.Op("Relu", {v}), m.Op("Mul", {m.Op("Mul", {m.Number(0.25f), d}), m.Number(0.5f)})});
       },
       [](double v) { return v < 0 ? 0.25 * v : v; }, UnaryFn::kLeakyRelu},
      {"max(x, 0)",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Maximum", {v, m.Number(0)});
       },
       [](double v) { return std::max(v, 0.0); }, UnaryFn::kRelu},
      {"min(max(x, -1), 2)",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Minimum", {m.Op("Maximum", {v, m.Number(-1)}), m.Number(2)});
       },
       [](double v) { return std::min(std::max(v, -1.0), 2.0); }, UnaryFn::kClip},
      {"log(1 + exp(x))",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Log", {m.Op("Add", {m.Op("Exp", {v}), m.Number(1)})});
       },
       [](double v) { return std::log1p(std::exp(v)); }, UnaryFn::kSoftplus},
      {"log1p(exp(x))", [](TfMaker& m, const std::string& v) { return m.Op("Log1p", {m.Op("Exp", {v})}); },
       [](double v) { return std::log1p(std::exp(v)); }, UnaryFn::kSoftplus},
      {"x sigmoid(x)",
       [](TfMaker& m, const std::string& v) {
         return m.Op("Mul", {v, m.Op("Sigmoid", {v})});
       },
       [](double v) { return v / (1 + std::exp(-v)); }, UnaryFn::kSilu},
      {"select(x > 0, x, 2 (exp(x) - 1))",
       [](TfMaker& m, const std::string& v) {
         const std::string negative = m.Op("Mul", {m.Number(2), m.Op("Sub", {m.Op("Exp", {v}), m.Number(1)})});
         return m.Op("Select", {m.Op("Greater", {v, m.Number(0)}), v, negative});
       },
       [](double v) { return v < 0 ? 2 * std::expm1(v) : v; }, UnaryFn::kElu}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TfMaker m;
    m.Output(row.spell(m, ImageInput(m, 2)));
    ExpectResult(m.graph, {x}, Tabulate(x.dims, [&](const Ints& i) { return row.f(At(x, i)); }), 2e-6);
    const ir::Graph graph = Optimised(m.graph);
    EXPECT_EQ(graph.nodes.size(), 1u) << graph.ToString();
    EXPECT_EQ(CountUnary(graph, row.fn), 1) << graph.ToString();
  }
}

// With a slope for each channel, as Keras PReLU writes it.
TEST(TensorFlowIdioms, PReluByChannels) {
  Random random(11);
  const ir::Tensor x = random.Tensor({1, 3, 4, 2}), slope = random.Tensor({1, 1, 2});
  TfMaker m;
  const std::string image = ImageInput(m, 2);
  const std::string negative = m.Op("Mul", {m.Op("Neg", {m.Floats(slope)}), m.Op("Relu", {m.Op("Neg", {image})})});
  m.Output(m.Op("AddV2", {m.Op("Relu", {image}), negative}));
  ExpectResult(m.graph, {x}, Tabulate(x.dims, [&](const Ints& i) {
                 return At(x, i) < 0 ? At(slope, {0, 0, i[3]}) * At(x, i) : At(x, i);
               }));
  ExpectOnly(m, OpKind::kBinary, 1);
}

// A factor above 1 is no LeakyRelu: max(x, 2 x) is 2 x above 0.
TEST(TensorFlowIdioms, OtherMaximaStay) {
  const ir::Tensor x{{1, 1, 2, 1}, {-1, 3}};
  TfMaker m;
  const std::string image = ImageInput(m, 1);
  ExpectResult(m, m.Op("Maximum", {image, m.Op("Mul", {image, m.Number(2)})}), {x}, {{1, 1, 2, 1}, {-1, 6}});
}

}  // namespace
}  // namespace fovea::testing
