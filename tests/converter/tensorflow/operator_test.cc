// Operators without windows, each against its formula: elementwise functions, broadcasting, reductions, slicing,
// joining, padding, products, sizes.
#include <array>
#include <cmath>
#include <limits>

#include "tests/converter/tensorflow/maker.h"

namespace fovea::testing {
namespace {

ir::Tensor Map(const ir::Tensor& x, double (*f)(double)) {
  ir::Tensor y = x;
  for (float& v : y.data) v = static_cast<float>(f(static_cast<double>(v)));
  return y;
}

TEST(TensorFlowOperators, FunctionsOfOneTensor) {
  struct Row {
    const char* op;
    double (*f)(double);
    float low, high;
  };
  const Row rows[] = {
      {"Relu", [](double x) { return std::max(x, 0.0); }, -2, 2},
      {"Relu6", [](double x) { return std::min(std::max(x, 0.0), 6.0); }, -9, 9},
      {"Elu", [](double x) { return x < 0 ? std::expm1(x) : x; }, -2, 2},
      {"Selu", [](double x) { return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * std::expm1(x) : x); }, -2, 2},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, -3, 3},
      {"Tanh", [](double x) { return std::tanh(x); }, -3, 3},
      {"Softplus", [](double x) { return std::log1p(std::exp(x)); }, -3, 3},
      {"Softsign", [](double x) { return x / (1 + std::fabs(x)); }, -3, 3},
      {"Exp", [](double x) { return std::exp(x); }, -2, 2},
      {"Expm1", [](double x) { return std::expm1(x); }, -2, 2},
      {"Log", [](double x) { return std::log(x); }, 0.1f, 4},
      {"Log1p", [](double x) { return std::log1p(x); }, -0.5f, 4},
      {"Sqrt", [](double x) { return std::sqrt(x); }, 0, 4},
      {"Rsqrt", [](double x) { return 1 / std::sqrt(x); }, 0.2f, 4},
      {"Square", [](double x) { return x * x; }, -2, 2},
      {"Abs", [](double x) { return std::fabs(x); }, -2, 2},
      {"Neg", [](double x) { return -x; }, -2, 2},
      {"Floor", [](double x) { return std::floor(x); }, -4, 4},
      {"Ceil", [](double x) { return std::ceil(x); }, -4, 4},
      {"Rint", [](double x) { return std::nearbyint(x); }, -4, 4},
      {"Round", [](double x) { return std::nearbyint(x); }, -4, 4},
      {"Sign", [](double x) { return x < 0 ? -1.0 : x > 0; }, -2, 2},
      {"Reciprocal", [](double x) { return 1 / x; }, 0.2f, 2},
      {"Inv", [](double x) { return 1 / x; }, 0.2f, 2},
      {"Erf", [](double x) { return std::erf(x); }, -2, 2},
      {"Erfc", [](double x) { return std::erfc(x); }, -2, 2},
      {"Sin", [](double x) { return std::sin(x); }, -3, 3},
      {"Cos", [](double x) { return std::cos(x); }, -3, 3},
      {"LeakyRelu", [](double x) { return x < 0 ? 0.2 * x : x; }, -2, 2},
      {"Identity", [](double x) { return x; }, -2, 2},
      {"StopGradient", [](double x) { return x; }, -2, 2},
      {"CheckNumerics", [](double x) { return x; }, -2, 2}};
  Random random(1);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.op);
    const ir::Tensor x = random.Tensor({2, 5, 7}, row.low, row.high);
    TfMaker m;
    // Results up to 8, a few ulp of float32.
    ExpectResult(m, m.Op(row.op, {m.Input("x", {-1, 5, -1})}), {x}, Map(x, row.f), 4e-6);
  }
}

TEST(TensorFlowOperators, FunctionsOfTwoTensors) {
  struct Row {
    const char* op;
    double (*f)(double, double);
  };
  const Row rows[] = {{"Add", [](double a, double b) { return a + b; }},
                      {"AddV2", [](double a, double b) { return a + b; }},
                      {"Sub", [](double a, double b) { return a - b; }},
                      {"Mul", [](double a, double b) { return a * b; }},
                      {"RealDiv", [](double a, double b) { return a / b; }},
                      {"Div", [](double a, double b) { return a / b; }},
                      {"FloorDiv", [](double a, double b) { return std::floor(a / b); }},
                      {"FloorMod", [](double a, double b) { return a - b * std::floor(a / b); }},
                      {"Mod", [](double a, double b) { return std::fmod(a, b); }},
                      {"Pow", [](double a, double b) { return std::pow(a, b); }},
                      {"Maximum", [](double a, double b) { return std::max(a, b); }},
                      {"Minimum", [](double a, double b) { return std::min(a, b); }},
                      {"SquaredDifference", [](double a, double b) { return (a - b) * (a - b); }}};
  Random random(2);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.op);
    const ir::Tensor a = random.Tensor({2, 3, 4}, 0.5f, 3), b = random.Tensor({3, 1}, 0.5f, 3);
    TfMaker m;
    const std::string x = m.Input("a", {-1, 3, 4}), y = m.Input("b", {3, 1});
    ExpectResult(m, m.Op(row.op, {x, y}), {a, b},
                 Tabulate({2, 3, 4},
                          [&](const Ints& i) {
                            return row.f(At(a, i), At(b, {i[1], 0}));
                          }),
                 1e-5);
  }
}

TEST(TensorFlowOperators, ComparisonAndSelection) {
  const ir::Tensor a{{2, 3}, {1, 2, 3, 4, 5, 6}}, b{{2, 3}, {3, 2, 1, 6, 5, 4}};
  const auto compare = [&](const char* op, std::vector<float> want) {
    SCOPED_TRACE(op);
    TfMaker m;
    const std::string x = m.Input("a", {2, 3}), y = m.Input("b", {2, 3});
    const std::string one = m.Floats({1, 1}, {1}), zero = m.Number(0);
    ExpectResult(m, m.Op("SelectV2", {m.Op(op, {x, y}), one, zero}), {a, b}, {{2, 3}, std::move(want)});
  };
  compare("Less", {1, 0, 0, 1, 0, 0});
  compare("LessEqual", {1, 1, 0, 1, 1, 0});
  compare("Greater", {0, 0, 1, 0, 0, 1});
  compare("GreaterEqual", {0, 1, 1, 0, 1, 1});
  compare("Equal", {0, 1, 0, 0, 1, 0});
  compare("NotEqual", {1, 0, 1, 1, 0, 1});
  TfMaker m;  // a vector condition chooses rows
  const std::string x = m.Input("a", {2, 3}), y = m.Input("b", {2, 3});
  const std::string rows = m.Op("Greater", {m.Floats({2}, {1, -1}), m.Number(0)});
  ExpectResult(m, m.Op("Select", {rows, x, y}), {a, b}, {{2, 3}, {1, 2, 3, 6, 5, 4}});
  TfMaker logic;
  const std::string p = logic.Input("a", {2, 3}), q = logic.Input("b", {2, 3});
  const std::string both =
      logic.Op("LogicalAnd", {logic.Op("Less", {p, q}), logic.Op("Greater", {p, logic.Number(2)})});
  const std::string none = logic.Op("LogicalNot", {both});
  ExpectResult(logic, logic.Op("Cast", {none}, {{"DstT", TfType(DType::kFloat32)}}), {a, b},
               {{2, 3}, {1, 1, 1, 0, 1, 1}});
}

TEST(TensorFlowOperators, Reductions) {
  Random random(3);
  const ir::Tensor x = random.Tensor({2, 3, 4, 5});
  struct Row {
    const char* op;
    double start;
    double (*f)(double, double);
  };
  const Row rows[] = {{"Sum", 0, [](double a, double b) { return a + b; }},
                      {"Mean", 0, [](double a, double b) { return a + b / 12; }},
                      {"Max", -9, [](double a, double b) { return std::max(a, b); }},
                      {"Min", 9, [](double a, double b) { return std::min(a, b); }},
                      {"Prod", 1, [](double a, double b) { return a * b; }}};
  for (const Row& row : rows) {
    for (const bool keep : {true, false}) {
      SCOPED_TRACE(row.op);
      TfMaker m;
      const std::string y = m.Op(row.op, {m.Input("x", {-1, -1, -1, 5}), m.Integers({1, -2})}, {{"keep_dims", keep}});
      const auto value = [&](int64_t n, int64_t c) {
        double all = row.start;
        for (int64_t i = 0; i < 12; ++i) all = row.f(all, At(x, {n, i / 4, i % 4, c}));
        return all;
      };
      const ir::Tensor want = keep ? Tabulate({2, 1, 1, 5}, [&](const Ints& i) { return value(i[0], i[3]); })
                                   : Tabulate({2, 5}, [&](const Ints& i) { return value(i[0], i[1]); });
      ExpectResult(m, y, {x}, want, 4e-6);
    }
  }
  TfMaker m;
  const ir::Tensor small{{2, 3}, {3, 1, 2, 0, 7, 7}};
  ExpectResult(m, m.Op("ArgMax", {m.Input("x", {2, 3}), m.Integer(1)}), {small}, {{2}, {0, 1}});
  TfMaker min;
  ExpectResult(min, min.Op("ArgMin", {min.Input("x", {2, 3}), min.Integer(0)}), {small}, {{3}, {1, 0, 0}});
}

// numpy's indexing: every mask, negative indices and steps.
TEST(TensorFlowOperators, StridedSlice) {
  Random random(4);
  const ir::Tensor x = random.Tensor({4, 5, 6});
  struct Row {
    Ints begin, end, strides;
    int64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask;
    Ints dims;
    std::function<Ints(const Ints&)> source;
  };
  const std::vector<Row> rows = {// x[1:3, ::2]
                                 {{1, 0},
                                  {3, 0},
                                  {1, 2},
                                  2,
                                  2,
                                  0,
                                  0,
                                  0,
                                  {2, 3, 6},
                                  [](const Ints& i) {
                                    return Ints{i[0] + 1, i[1] * 2, i[2]};
                                  }},
                                 // x[-1]
                                 {{-1},
                                  {0},
                                  {1},
                                  0,
                                  0,
                                  0,
                                  0,
                                  1,
                                  {5, 6},
                                  [](const Ints& i) {
                                    return Ints{3, i[0], i[1]};
                                  }},
                                 // x[..., 2]
                                 {{0, 2},
                                  {0, 3},
                                  {1, 1},
                                  0,
                                  0,
                                  1,
                                  0,
                                  2,
                                  {4, 5},
                                  [](const Ints& i) {
                                    return Ints{i[0], i[1], 2};
                                  }},
                                 // x[:, newaxis, 1:-1]
                                 {{0, 0, 1},
                                  {0, 0, -1},
                                  {1, 1, 1},
                                  1,
                                  1,
                                  0,
                                  2,
                                  0,
                                  {4, 1, 3, 6},
                                  [](const Ints& i) {
                                    return Ints{i[0], i[2] + 1, i[3]};
                                  }},
                                 // x[::-1, 4:1:-2]
                                 {{0, 4},
                                  {0, 1},
                                  {-1, -2},
                                  1,
                                  1,
                                  0,
                                  0,
                                  0,
                                  {4, 2, 6},
                                  [](const Ints& i) {
                                    return Ints{3 - i[0], 4 - 2 * i[1], i[2]};
                                  }},
                                 // x[1:2, ..., -2:100]
                                 {{1, 0, -2}, {2, 0, 100}, {1, 1, 1}, 0, 0, 2, 0, 0, {1, 5, 2}, [](const Ints& i) {
                                    return Ints{1, i[1], i[2] + 4};
                                  }}};
  for (const bool open : {false, true}) {
    for (const Row& row : rows) {
      TfMaker m;
      const std::string image = m.Input("x", open ? Ints{-1, -1, -1} : Ints{4, 5, 6});
      const std::string y =
          m.Op("StridedSlice", {image, m.Integers(row.begin), m.Integers(row.end), m.Integers(row.strides)},
               {{"begin_mask", row.begin_mask},
                {"end_mask", row.end_mask},
                {"ellipsis_mask", row.ellipsis_mask},
                {"new_axis_mask", row.new_axis_mask},
                {"shrink_axis_mask", row.shrink_axis_mask}});
      ExpectResult(m, y, {x}, Tabulate(row.dims, [&](const Ints& i) { return At(x, row.source(i)); }));
    }
  }
}

TEST(TensorFlowOperators, SlicingAndJoining) {
  Random random(5);
  const ir::Tensor x = random.Tensor({2, 4, 6});
  TfMaker slice;
  ExpectResult(
      slice, slice.Op("Slice", {slice.Input("x", {-1, 4, 6}), slice.Integers({0, 1, 2}), slice.Integers({-1, 2, -1})}),
      {x}, Tabulate({2, 2, 4}, [&](const Ints& i) {
        return At(x, {i[0], i[1] + 1, i[2] + 2});
      }));
  // The parts change places.
  TfMaker split;
  const std::string parts =
      split.Op("Split", {split.Integer(2), split.Input("x", {-1, -1, 6})}, {{"num_split", int64_t{3}}});
  ExpectResult(split, split.Op("ConcatV2", {parts + ":2", parts + ":1", parts, split.Integer(-1)}), {x},
               Tabulate({2, 4, 6}, [&](const Ints& i) {
                 return At(x, {i[0], i[1], 4 - i[2] / 2 * 2 + i[2] % 2});
               }));
  TfMaker split_v;
  const std::string two =
      split_v.Op("SplitV", {split_v.Input("x", {-1, -1, 6}), split_v.Integers({1, -1}), split_v.Integer(2)});
  ExpectResult(split_v, split_v.Op("Concat", {split_v.Integer(2), two + ":1", two}), {x},
               Tabulate({2, 4, 6}, [&](const Ints& i) {
                 return At(x, {i[0], i[1], (i[2] + 1) % 6});
               }));
  TfMaker stack;
  const std::string rows =
      stack.Op("Unpack", {stack.Input("x", {-1, 4, -1})}, {{"num", int64_t{4}}, {"axis", int64_t{1}}});
  ExpectResult(stack, stack.Op("Pack", {rows + ":3", rows + ":0"}, {{"axis", int64_t{2}}}), {x},
               Tabulate({2, 6, 2}, [&](const Ints& i) {
                 return At(x, {i[0], i[2] == 0 ? 3 : 0, i[1]});
               }));
  TfMaker gather;
  ExpectResult(gather,
               gather.Op("GatherV2", {gather.Input("x", {-1, 4, 6}), gather.Integers({2, 0, 2}), gather.Integer(1)}),
               {x}, Tabulate({2, 3, 6}, [&](const Ints& i) {
                 return At(x, {i[0], i[1] == 1 ? 0 : 2, i[2]});
               }));
  TfMaker tile;
  ExpectResult(tile, tile.Op("Tile", {tile.Input("x", {-1, 4, 6}), tile.Integers({1, 2, 3})}), {x},
               Tabulate({2, 8, 18}, [&](const Ints& i) {
                 return At(x, {i[0], i[1] % 4, i[2] % 6});
               }));
}

TEST(TensorFlowOperators, Padding) {
  Random random(6);
  const ir::Tensor x = random.Tensor({1, 4, 5, 2});
  const auto pads = [](TfMaker& m) { return m.Integers({4, 2}, {0, 0, 1, 2, 3, 0, 0, 0}); };
  const auto mirror = [](int64_t i, int64_t size, bool symmetric) {
    if (i < 0) return -i - (symmetric ? 1 : 0);
    return i < size ? i : 2 * size - i - (symmetric ? 1 : 2);
  };
  TfMaker zeros;
  ExpectResult(zeros, zeros.Op("Pad", {zeros.Input("x", {1, -1, -1, 2}), pads(zeros)}), {x},
               Tabulate({1, 7, 8, 2}, [&](const Ints& i) {
                 return At(x, {0, i[1] - 1, i[2] - 3, i[3]});
               }));
  TfMaker sevens;
  ExpectResult(sevens, sevens.Op("PadV2", {sevens.Input("x", {1, -1, -1, 2}), pads(sevens), sevens.Number(7)}), {x},
               Tabulate({1, 7, 8, 2}, [&](const Ints& i) {
                 const int64_t r = i[1] - 1, c = i[2] - 3;
                 return r < 0 || r > 3 || c < 0 ? 7 : At(x, {0, r, c, i[3]});
               }));
  for (const bool symmetric : {false, true}) {
    TfMaker m;
    const std::string y = m.Op("MirrorPad", {m.Input("x", {1, -1, -1, 2}), pads(m)},
                               {{"mode", Text(symmetric ? "SYMMETRIC" : "REFLECT")}});
    ExpectResult(m, y, {x}, Tabulate({1, 7, 8, 2}, [&](const Ints& i) {
                   return At(x, {0, mirror(i[1] - 1, 4, symmetric), mirror(i[2] - 3, 5, symmetric), i[3]});
                 }));
  }
}

TEST(TensorFlowOperators, Products) {
  Random random(7);
  const ir::Tensor x = random.Tensor({3, 5}), w = random.Tensor({4, 5});
  TfMaker m;
  ExpectResult(m, m.Op("MatMul", {m.Input("x", {-1, 5}), m.Floats(w)}, {{"transpose_b", true}}), {x},
               Tabulate({3, 4},
                        [&](const Ints& i) {
                          double sum = 0;
                          for (int64_t k = 0; k < 5; ++k) sum += At(x, {i[0], k}) * At(w, {i[1], k});
                          return sum;
                        }),
               1e-6);
  const ir::Tensor a = random.Tensor({2, 3, 5}), b = random.Tensor({2, 3, 4});
  TfMaker batch;
  const std::string p = batch.Input("a", {2, 3, 5}), q = batch.Input("b", {2, 3, 4});
  ExpectResult(batch, batch.Op("BatchMatMulV2", {p, q}, {{"adj_x", true}}), {a, b},
               Tabulate({2, 5, 4},
                        [&](const Ints& i) {
                          double sum = 0;
                          for (int64_t k = 0; k < 3; ++k) sum += At(a, {i[0], k, i[1]}) * At(b, {i[0], k, i[2]});
                          return sum;
                        }),
               1e-6);
}

TEST(TensorFlowOperators, Normalisation) {
  Random random(8);
  const ir::Tensor x = random.Tensor({1, 3, 4, 5});
  const ir::Tensor scale = random.Tensor({5}), offset = random.Tensor({5}), mean = random.Tensor({5});
  const ir::Tensor variance = random.Tensor({5}, 0.1f, 2);
  const ir::Tensor want = Tabulate({1, 3, 4, 5}, [&](const Ints& i) {
    const Ints c{i[3]};
    return (At(x, i) - At(mean, c)) / std::sqrt(At(variance, c) + 0.01) * At(scale, c) + At(offset, c);
  });
  TfMaker m;
  const std::string image = m.Input("x", {1, -1, -1, 5});
  ExpectResult(m,
               m.Op("FusedBatchNormV3", {image, m.Floats(scale), m.Floats(offset), m.Floats(mean), m.Floats(variance)},
                    {{"epsilon", 0.01f}, {"is_training", false}}),
               {x}, want, 2e-6);
  TfMaker old;
  const std::string same = old.Input("x", {1, -1, -1, 5});
  ExpectResult(old,
               old.Op("BatchNormWithGlobalNormalization",
                      {same, old.Floats(mean), old.Floats(variance), old.Floats(offset), old.Floats(scale)},
                      {{"variance_epsilon", 0.01f}, {"scale_after_normalization", true}}),
               {x}, want, 2e-6);
  // In training mode by the image's own statistics, over the batch, too.
  const ir::Tensor two = random.Tensor({2, 3, 4, 5});
  TfMaker training;
  const std::string batch = training.Input("x", {-1, -1, -1, 5});
  ExpectResult(training,
               training.Op("FusedBatchNorm",
                           {batch, training.Floats(scale), training.Floats(offset), training.Floats({0}, {}),
                            training.Floats({0}, {})},
                           {{"epsilon", 0.01f}, {"is_training", true}}),
               {two},
               Tabulate({2, 3, 4, 5},
                        [&](const Ints& i) {
                          double sum = 0, squares = 0;
                          for (int64_t k = 0; k < 24; ++k) sum += At(two, {k / 12, k / 4 % 3, k % 4, i[3]});
                          for (int64_t k = 0; k < 24; ++k) {
                            const double d = At(two, {k / 12, k / 4 % 3, k % 4, i[3]}) - sum / 24;
                            squares += d * d;
                          }
                          return (At(two, i) - sum / 24) / std::sqrt(squares / 24 + 0.01) * At(scale, {i[3]}) +
                                 At(offset, {i[3]});
                        }),
               5e-6);
  TfMaker lrn;
  const std::string y = lrn.Op("LRN", {lrn.Input("x", {1, -1, -1, 5})},
                               {{"depth_radius", int64_t{1}}, {"alpha", 0.3f}, {"beta", 0.75f}, {"bias", 1.5f}});
  ExpectResult(lrn, y, {x},
               Tabulate({1, 3, 4, 5},
                        [&](const Ints& i) {
                          double sum = 0;
                          for (int64_t c = i[3] - 1; c <= i[3] + 1; ++c) {
                            const double v = c < 0 || c > 4 ? 0 : At(x, {0, i[1], i[2], c});
                            sum += v * v;
                          }
                          return At(x, i) / std::pow(1.5 + 0.3 * sum, 0.75);
                        }),
               2e-6);
}

TEST(TensorFlowOperators, SoftmaxOverChannels) {
  Random random(9);
  const ir::Tensor x = random.Tensor({1, 2, 3, 4});
  const auto probability = [&](const Ints& i) {
    double sum = 0;
    for (int64_t c = 0; c < 4; ++c) sum += std::exp(At(x, {0, i[1], i[2], c}));
    return std::exp(At(x, i)) / sum;
  };
  TfMaker m, log;
  ExpectResult(m, m.Op("Softmax", {m.Input("x", {1, -1, -1, 4})}), {x}, Tabulate({1, 2, 3, 4}, probability), 1e-6);
  ExpectResult(log, log.Op("LogSoftmax", {log.Input("x", {1, -1, -1, 4})}), {x},
               Tabulate({1, 2, 3, 4}, [&](const Ints& i) { return std::log(probability(i)); }), 2e-6);
}

// Flatten and unflatten with sizes taken from the image, the rest as -1.
TEST(TensorFlowOperators, ReshapeBySizes) {
  Random random(10);
  const ir::Tensor x = random.Tensor({2, 3, 4, 6});
  TfMaker m;
  const std::string image = m.Input("x", {-1, -1, -1, 6});
  const std::string flat = m.Op("Reshape", {image, m.Integers({-1, 6})});
  const std::string back = m.Op("Reshape", {flat, m.Op("Shape", {image})});
  const std::string split = m.Op(
      "Reshape", {back, m.Op("Pack", {m.Integer(-1),
                                      m.Op("StridedSlice",
                                           {m.Op("Shape", {image}), m.Integers({2}), m.Integers({3}), m.Integers({1})},
                                           {{"shrink_axis_mask", int64_t{1}}}),
                                      m.Integer(3), m.Integer(2)})});
  ir::Tensor want{{6, 4, 3, 2}, x.data};
  ExpectResult(m, split, {x}, want);
}

TEST(TensorFlowOperators, FillRangeAndLike) {
  const ir::Tensor x{{2, 3}, {1, 2, 3, 4, 5, 6}};
  TfMaker m;
  const std::string image = m.Input("x", {-1, 3});
  const std::string sevens = m.Op("Fill", {m.Op("Shape", {image}), m.Number(7)});
  const std::string range =
      m.Op("Cast", {m.Op("Range", {m.Integer(0), m.Integer(3), m.Integer(1)})}, {{"DstT", TfType(DType::kFloat32)}});
  const std::string sum =
      m.Op("AddN", {m.Op("Mul", {image, sevens}), m.Op("OnesLike", {image}), m.Op("ZerosLike", {image})});
  ExpectResult(m, m.Op("Add", {sum, range}), {x}, {{2, 3}, {8, 16, 24, 29, 37, 45}});
}

// A range counts by numbers of the file: 64 bits hold neither their difference nor the number behind the last.
TEST(TensorFlowOperators, RangesAtTheEndsOf64Bits) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  const auto range = [](int64_t begin, int64_t end, int64_t step) {
    TfMaker m;
    m.Input("x", {2});
    m.Output(m.Op("Range", {m.Integer(begin), m.Integer(end), m.Integer(step)}), "y");
    return m.graph;
  };
  const auto count = [&](int64_t begin, int64_t end, int64_t step) {
    const ir::Graph graph = Import(range(begin, end, step));
    return graph.values[static_cast<size_t>(graph.outputs[0].value)].dims[0].Const();
  };
  EXPECT_EQ(count(kMost - 1, kMost, 3), 1);
  EXPECT_EQ(count(kLeast + 1, kLeast, kLeast), 1);
  EXPECT_EQ(count(kLeast, kMost, kMost), 3);
  EXPECT_EQ(count(kMost, kLeast, 1), 0);
  for (const auto& [begin, end, step] :
       {std::array{kLeast, kMost, int64_t{1}}, {kMost, kLeast, int64_t{-1}}, {int64_t{0}, int64_t{1}, int64_t{0}}}) {
    EXPECT_EQ(ImportFails(range(begin, end, step)).code(), StatusCode::kCorruptFile);
  }
}

// Arithmetic on sizes: half of the rows, computed through Cast to float, Mul, Floor and Cast back.
TEST(TensorFlowOperators, SizesThroughFloats) {
  Random random(11);
  const ir::Tensor x = random.Tensor({1, 9, 4, 1});
  TfMaker m;
  const std::string image = m.Input("x", {1, -1, -1, 1});
  const std::string rows =
      m.Op("StridedSlice", {m.Op("Shape", {image}), m.Integers({1}), m.Integers({2}), m.Integers({1})},
           {{"shrink_axis_mask", int64_t{1}}});
  const std::string scaled =
      m.Op("Floor", {m.Op("Mul", {m.Op("Cast", {rows}, {{"DstT", TfType(DType::kFloat32)}}), m.Number(0.5f)})});
  const std::string half = m.Op("Cast", {scaled}, {{"DstT", TfType(DType::kInt32)}});
  const std::string size = m.Op("Pack", {m.Integer(1), half, m.Integer(-1), m.Integer(1)});
  ExpectResult(m, m.Op("Slice", {image, m.Integers({0, 0, 0, 0}), size}), {x},
               Tabulate({1, 4, 4, 1}, [&](const Ints& i) { return At(x, i); }));
}

TEST(TensorFlowOperators, AllUnsupportedNodesAreListed) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string a = m.Op("Cholesky", {x}), b = m.Op("Relu", {a}), c = m.Op("NonMaxSuppressionV3", {b});
  m.Output(m.Op("Add", {c, m.Op("CropAndResize", {x})}));
  converter::Report report;
  const Status status = ImportFails(m.graph, {}, &report);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  ASSERT_EQ(report.unsupported.size(), 3u);
  std::vector<std::string> ops;
  for (const auto& node : report.unsupported) ops.push_back(node.op);
  std::sort(ops.begin(), ops.end());
  EXPECT_EQ(ops, (std::vector<std::string>{"Cholesky", "CropAndResize", "NonMaxSuppressionV3"}));
}

TEST(TensorFlowOperators, BadGraphsAreRefused) {
  TfMaker missing;
  missing.Input("x", {1, -1, -1, 1});
  missing.Output(missing.Op("Relu", {"nowhere"}));
  EXPECT_EQ(ImportFails(missing.graph).code(), StatusCode::kCorruptFile);
  TfMaker twice;
  const std::string x = twice.Input("x", {1, -1, -1, 1});
  twice.graph.nodes.push_back(twice.graph.nodes[0]);
  twice.Output(twice.Op("Relu", {x}));
  EXPECT_EQ(ImportFails(twice.graph).code(), StatusCode::kCorruptFile);
  TfMaker no_output;
  no_output.Input("x", {1, -1, -1, 1});
  no_output.Output("elsewhere:0");
  EXPECT_EQ(ImportFails(no_output.graph).code(), StatusCode::kNotFound);
  TfMaker port;
  const std::string y = port.Input("x", {1, -1, -1, 1});
  port.Output(port.Op("Relu", {y}) + ":3");
  EXPECT_EQ(ImportFails(port.graph).code(), StatusCode::kCorruptFile);
  TfMaker loop;
  const std::string z = loop.Input("x", {1, -1, -1, 1});
  loop.graph.nodes.push_back({"a", "Add", {z, "b"}, {}});
  loop.graph.nodes.push_back({"b", "Relu", {"a"}, {}});
  loop.Output("b");
  EXPECT_EQ(ImportFails(loop.graph).code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace fovea::testing
