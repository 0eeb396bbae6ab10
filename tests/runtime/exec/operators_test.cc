// Every operator by itself between two convolutions: the executors agree, tiles give the bits of the whole.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

using kernels::BinaryFn;
using test::NetBuilder;
using test::Tensors;

// x has 8 channels and 24 rows, 20 columns (and 6 planes).
struct Case {
  const char* name;
  bool tiles;
  std::function<int(NetBuilder&, int x)> build;
};

std::vector<DimExpr> Zeros(size_t n) { return std::vector<DimExpr>(n, 0); }

int Slice(NetBuilder& net, int x, size_t axis, int64_t start, int64_t size, int64_t step) {
  SliceParams p;
  p.start = Zeros(net.rank(x));
  p.size = net.dims(x);
  p.step.assign(net.rank(x), 1);
  p.start[axis] = start;
  p.size[axis] = size;
  p.step[axis] = step;
  return net.Add(p, {x});
}

// Swaps the last two spatial axes and back, with `middle` between.
int Transposed(NetBuilder& net, int x, const std::function<int(int)>& middle) {
  TransposeParams p;
  for (size_t a = 0; a < net.rank(x); ++a) p.perm.push_back(static_cast<int64_t>(a));
  std::swap(p.perm[net.rank(x) - 2], p.perm[net.rank(x) - 3]);
  return net.Add(p, {middle(net.Add(p, {x}))});
}

const Case kCases[] = {
    {"DepthToSpaceDcr", true,
     [](NetBuilder& net, int x) {
       return net.Add(DepthToSpaceParams{{1, 2, 2}, BlockOrder::kDcr}, {x});
     }},
    {"DepthToSpaceCrd", true,
     [](NetBuilder& net, int x) {
       return net.Add(DepthToSpaceParams{{1, 2, 4}, BlockOrder::kCrd}, {x});
     }},
    {"SpaceToDepthDcr", true,
     [](NetBuilder& net, int x) {
       return net.Add(SpaceToDepthParams{{1, 2, 4}, BlockOrder::kDcr}, {x});
     }},
    {"SpaceToDepthCrd", true,
     [](NetBuilder& net, int x) {
       return net.Add(SpaceToDepthParams{{1, 3, 2}, BlockOrder::kCrd}, {x});
     }},
    {"SliceForward", true, [](NetBuilder& net, int x) { return Slice(net, x, net.rank(x) - 2, 3, 5, 3); }},
    {"SliceBackward", true, [](NetBuilder& net, int x) { return Slice(net, x, net.rank(x) - 3, 22, 11, -2); }},
    {"SplitChannels", true,
     [](NetBuilder& net, int x) {
       const size_t c = net.rank(x) - 1;
       return net.Concat({Slice(net, x, c, 5, 3, 1), net.Unary(Slice(net, x, c, 0, 5, 1), {kernels::UnaryFn::kTanh})});
     }},
    {"ConcatRows", true,
     [](NetBuilder& net, int x) {
       return net.Add(ConcatParams{static_cast<int64_t>(net.rank(x)) - 3},
                      {Slice(net, x, net.rank(x) - 3, 3, 9, 1), x});
     }},
    {"Transpose", true,
     [](NetBuilder& net, int x) { return Transposed(net, x, [&](int t) { return net.Conv(t, 8, 3); }); }},
    {"Expand", true,
     [](NetBuilder& net, int x) {
       std::vector<DimExpr> like = net.dims(x);
       return net.Binary(BinaryFn::kAdd, x, net.Add(ExpandParams{like}, {net.RandomConst({net.channels(x)}, 1)}));
     }},
    {"TileChannels", true,
     [](NetBuilder& net, int x) {
       std::vector<DimExpr> repeats(net.rank(x), 1);
       repeats.back() = 3;
       return net.Add(TileParams{repeats}, {x});
     }},
    {"TileRows", false,
     [](NetBuilder& net, int x) {
       std::vector<DimExpr> repeats(net.rank(x), 2);
       return net.Add(TileParams{repeats}, {x});
     }},
    {"GatherChannels", true,
     [](NetBuilder& net, int x) {
       return net.Add(GatherParams{static_cast<int64_t>(net.rank(x)) - 1}, {x, net.Const({4}, {7, 0, -2, 3})});
     }},
    {"GatherRows", false,
     [](NetBuilder& net, int x) {
       return net.Add(GatherParams{static_cast<int64_t>(net.rank(x)) - 3}, {x, net.Const({3}, {7, 0, 3})});
     }},
    {"ReshapeDropsChannels", true,
     [](NetBuilder& net, int x) {
       const int index = net.Add(CastParams{DType::kUInt8}, {Slice(net, x, net.rank(x) - 1, 0, 1, 1)});
       std::vector<DimExpr> flat(net.dims(index).begin(), net.dims(index).end() - 1);
       return net.Binary(BinaryFn::kAdd, x,
                         net.Add(ReshapeParams{net.dims(index)}, {net.Add(ReshapeParams{flat}, {index})}));
     }},
    {"PRelu", true,
     [](NetBuilder& net, int x) { return net.Binary(BinaryFn::kPRelu, x, net.RandomConst({net.channels(x)}, 1)); }},
    {"Select", true,
     [](NetBuilder& net, int x) {
       const int mask = net.Binary(BinaryFn::kGreater, x, net.Const({1}, {0.1f}));
       return net.Add(SelectParams{}, {mask, x, net.RandomConst({net.channels(x)}, 1)});
     }},
    {"Cast", true,
     [](NetBuilder& net, int x) {
       const int scaled = net.Binary(BinaryFn::kMul, x, net.Const({}, {64.0f}));
       return net.Binary(BinaryFn::kMul, net.Add(CastParams{DType::kInt8}, {scaled}), net.Const({1}, {0.01f}));
     }},
    {"Lrn", true,
     [](NetBuilder& net, int x) {
       return net.Add(LrnParams{3, 1e-2f, 0.75f, 1}, {x});
     }},
    {"LogSoftmax", true,
     [](NetBuilder& net, int x) {
       return net.Add(SoftmaxParams{static_cast<int64_t>(net.rank(x)) - 1, true}, {x});
     }},
    {"LayerNormOfImage", false,
     [](NetBuilder& net, int x) {
       return net.Add(LayerNormParams{1, 1e-5f}, {x, kNoValue, kNoValue});
     }},
    {"ArgMaxChannels", true,
     [](NetBuilder& net, int x) {
       const int best = net.Add(ArgReduceParams{static_cast<int64_t>(net.rank(x)) - 1, true, false, false}, {x});
       std::vector<DimExpr> dims = net.dims(best);
       dims.emplace_back(1);
       return net.Binary(BinaryFn::kMul, net.Add(ReshapeParams{dims}, {best}), net.Const({1}, {0.1f}));
     }},
    {"ReduceChannels", true,
     [](NetBuilder& net, int x) {
       const int64_t c = static_cast<int64_t>(net.rank(x)) - 1;
       return net.Binary(BinaryFn::kSub, x, net.Add(ReduceParams{kernels::ReduceFn::kMax, {c}, true}, {x}));
     }},
    {"MatMulChannels", true,
     [](NetBuilder& net, int x) {
       return net.Add(MatMulParams{}, {x, net.RandomConst({net.channels(x), 5}, 0.3f)});
     }},
    {"PadByValueFromTheImage", false,
     [](NetBuilder& net, int x) {
       std::vector<int64_t> axes;
       for (size_t a = 0; a < net.rank(x); ++a) axes.push_back(static_cast<int64_t>(a));
       PadParams p;
       p.begin = p.end = std::vector<DimExpr>(net.rank(x), 0);
       p.begin[net.rank(x) - 2] = 2;
       p.end[net.rank(x) - 3] = -1;
       return net.Add(p, {x, net.Add(ReduceParams{kernels::ReduceFn::kMin, axes, false}, {x})});
     }},
    {"SizesAsNumbers", true,
     [](NetBuilder& net, int x) { return net.Binary(BinaryFn::kDiv, x, net.Add(DimsParams{{net.dims(x)[1]}}, {})); }},
    {"ResidualOfItself", true, [](NetBuilder& net, int x) { return net.Conv(x, 8, 3, 1, 1, 1, {}, x); }},
    {"PartOfAnOverwrittenConcat", true,
     [](NetBuilder& net, int x) {
       const int part = net.Conv(x, 8, 3);
       const int joined = net.Concat({net.Conv(x, 4, 1), part});
       return net.Binary(BinaryFn::kAdd, net.Conv(net.Unary(joined, {kernels::UnaryFn::kRelu}), 8, 1), part);
     }},
    {"ReshapeBesideAWiderReader", true,
     [](NetBuilder& net, int x) {
       const int wide = net.Conv(x, 8, 3);
       std::vector<DimExpr> split = net.dims(x);
       split.back() = 2;
       split.emplace_back(4);
       const int pairs = net.Add(ReshapeParams{split}, {x});
       const int soft = net.Add(SoftmaxParams{static_cast<int64_t>(split.size()) - 2, false}, {pairs});
       return net.Binary(BinaryFn::kAdd, wide, net.Add(ReshapeParams{net.dims(x)}, {soft}));
     }},
    {"ResidualOfConcat", true,
     [](NetBuilder& net, int x) {
       const int joined = net.Concat({net.Conv(x, 3, 3), net.Conv(x, 5, 1)});
       const int body = net.Conv(joined, 8, 3, 1, 1, 1, {kernels::UnaryFn::kRelu}, joined);
       return net.Concat({net.Unary(body, {kernels::UnaryFn::kTanh}), joined, body});
     }},
};

class EachOperator : public testing::TestWithParam<size_t> {};

TEST_P(EachOperator, ExecutorsAgreeAndTilesDoNotShow) {
  const Case& operation = kCases[GetParam()];
  SCOPED_TRACE(operation.name);
  for (const bool volume : {false, true}) {
    const std::vector<int64_t> sizes =
        volume ? std::vector<int64_t>{1, 6, 24, 20, 2} : std::vector<int64_t>{2, 24, 20, 2};
    NetBuilder net(static_cast<uint32_t>(GetParam()) + 1);
    int x = net.Input(volume ? "bzyxc" : "byxc", {sizes.begin(), sizes.end()});
    x = operation.build(net, net.Conv(x, 8, 3));
    ASSERT_NE(x, kNoValue) << net.error();
    net.Output(net.Conv(x, 3, 3));
    auto model = net.Build();
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Tensors inputs = test::RandomTensors({sizes}, 3);
    auto reference = Session::Create(*model, {sizes}, {.executor = Executor::kReference});
    ASSERT_TRUE(reference.ok()) << reference.status().message();
    const Tensors expected = test::RunSession(*reference, inputs);
    for (const std::string& isa : test::IsaNames()) {
      auto whole = Session::Create(*model, {sizes}, {.threads = 2, .isa = isa});
      ASSERT_TRUE(whole.ok()) << whole.status().message();
      const Tensors got = test::RunSession(*whole, inputs);
      // Chains of at most 3^3 9 products of values of about 1, three layers deep.
      const double tolerance = 3 * 243 * 16 * 0x1p-24;
      for (size_t i = 0; i < got[0].size(); ++i)
        ASSERT_NEAR(got[0][i], expected[0][i], tolerance) << isa << " at " << i;
      for (int64_t tile : {5, 8}) {
        auto tiled = Session::Create(*model, {sizes}, {.threads = 2, .isa = isa, .tile = {2, tile, 7}});
        if (!operation.tiles) {
          ASSERT_FALSE(tiled.ok());
          EXPECT_EQ(tiled.status().code(), StatusCode::kUnsupported);
          continue;
        }
        ASSERT_TRUE(tiled.ok()) << tiled.status().message();
        EXPECT_GT(tiled->report().tiles, 1);
        ASSERT_EQ(test::FirstDifference(test::RunSession(*tiled, inputs), got), "") << isa << " tile " << tile;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachOperator, testing::Range(size_t{0}, std::size(kCases)),
                         [](const auto& each) { return std::string(kCases[each.param].name); });

// Through a model file: sessions of every instruction set against the reference, and tiles against the whole.
void ExpectAgreement(const NetBuilder& net, const std::vector<std::vector<int64_t>>& sizes, bool tiles,
                     double tolerance) {
  const std::string path = testing::TempDir() + "computed_weights_" + std::to_string(getpid()) + ".fov";
  ASSERT_TRUE(net.Write(path).ok());
  auto model = Model::Load(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Tensors inputs = test::RandomTensors(sizes, 3);
  auto reference = Session::Create(*model, sizes, {.executor = Executor::kReference});
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  const Tensors expected = test::RunSession(*reference, inputs);
  for (const std::string& isa : test::IsaNames()) {
    auto whole = Session::Create(*model, sizes, {.threads = 2, .isa = isa});
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    const Tensors got = test::RunSession(*whole, inputs);
    for (size_t i = 0; i < got[0].size(); ++i) ASSERT_NEAR(got[0][i], expected[0][i], tolerance) << isa << " at " << i;
    ASSERT_EQ(test::FirstDifference(test::RunSession(*whole, inputs), got), "") << isa << ", the second run";
    if (!tiles) continue;
    auto tiled = Session::Create(*model, sizes, {.threads = 2, .isa = isa, .tile = {0, 10, 7}});
    ASSERT_TRUE(tiled.ok()) << tiled.status().message();
    EXPECT_GT(tiled->report().tiles, 1);
    ASSERT_EQ(test::FirstDifference(test::RunSession(*tiled, inputs), got), "") << isa;
  }
}

// Weights that the network computes are packed within the run.
TEST(Operators, WeightsFromTheImageArePackedInTheRun) {
  const std::vector<int64_t> sizes{1, 24, 20, 8};
  NetBuilder net(5);
  const int x = net.Input("byxc", {sizes.begin(), sizes.end()});
  const int mean = net.Add(ReduceParams{kernels::ReduceFn::kMean, {0, 1, 2}, false}, {x});
  const int table = net.Binary(BinaryFn::kMul, net.RandomConst({1, 1, 1, 8, 8}, 0.5f), mean);
  net.Output(net.Add(ConvParams{}, {x, table, mean, kNoValue}));
  // Chains of 8 products of values of about 1, the means of 480.
  ExpectAgreement(net, {sizes}, false, 8 * 480 * 0x1p-24);
}

// Weights and biases that are inputs of the model, as they are and computed from; constant weights with such a bias.
TEST(Operators, WeightsThatAreInputsArePackedInTheRun) {
  const std::vector<std::vector<int64_t>> sizes{{1, 24, 20, 8}, {1, 3, 3, 8, 16}, {16}, {1, 2, 2, 8, 8}};
  NetBuilder net(6);
  std::vector<int> in;
  for (const auto& s : sizes) {
    in.push_back(net.Input(s.size() == 4 ? "byxc" : std::string(s.size(), 'i'), {s.begin(), s.end()}));
  }
  ConvParams same;
  same.kernel = {1, 3, 3};
  same.pad_begin = same.pad_end = {0, 1, 1};
  same.act = {kernels::UnaryFn::kRelu};
  int x = net.Add(same, {in[0], net.Unary(in[1], {kernels::UnaryFn::kTanh}), in[2], kNoValue});
  ConvTransposeParams up;
  up.kernel = up.stride = {1, 2, 2};
  up.groups = 2;
  x = net.Add(up, {x, in[3], kNoValue});
  x = net.Add(ConvParams{}, {x, net.RandomConst({1, 1, 1, 8, 16}, 0.3f), in[2], kNoValue});
  net.Output(x);
  // Chains of 72, 8 and 8 products; what a layer is off by, the next multiplies by at most 8 times about 3.
  ExpectAgreement(net, sizes, true, 3 * 72 * 24 * 24 * 0x1p-24);
}

}  // namespace
}  // namespace fovea
