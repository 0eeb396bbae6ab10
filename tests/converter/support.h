// What the tests of the IR, the passes and emission share: random tensors, comparison of two graphs' results, counting.
#ifndef FOVEA_TESTS_CONVERTER_SUPPORT_H_
#define FOVEA_TESTS_CONVERTER_SUPPORT_H_

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "converter/ir/builder.h"
#include "converter/ir/evaluate.h"
#include "converter/ir/graph.h"

namespace fovea::testing {

using ir::Builder;
using ir::ValueId;
using kernels::BinaryFn;
using kernels::UnaryFn;

// The value of a Result in a test; fails the test (and the process, for want of a value) with the message.
template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status().message();
    std::abort();
  }
  return std::move(*result);
}
inline void Must(const Status& status) { ASSERT_TRUE(status.ok()) << status.message(); }

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int Below(int n) { return static_cast<int>(engine_() % static_cast<uint32_t>(n)); }
  std::vector<float> Floats(size_t count, float low = -1, float high = 1) {
    std::uniform_real_distribution<float> distribution(low, high);
    std::vector<float> out(count);
    for (float& x : out) x = distribution(engine_);
    return out;
  }
  ir::Tensor Tensor(std::vector<int64_t> dims, float low = -1, float high = 1) {
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    return {std::move(dims), Floats(static_cast<size_t>(count), low, high)};
  }
  ValueId Constant(Builder* b, std::vector<int64_t> dims, float low = -1, float high = 1) {
    ir::Tensor t = Tensor(std::move(dims), low, high);
    return b->Constant("c", DType::kFloat32, t.dims, std::move(t.data));
  }

 private:
  std::mt19937 engine_;
};

inline int CountKind(const ir::Graph& graph, OpKind kind) {
  int count = 0;
  for (const ir::Node& node : graph.nodes) count += KindOf(node.params) == kind;
  return count;
}

// [N, C, H, W] with open batch, rows and columns.
inline ValueId OpenImage(Builder* b, int64_t channels, const std::string& name = "x") {
  const int index = static_cast<int>(b->graph()->inputs.size());
  return b->Input(name, DType::kFloat32,
                  {DimExpr::InputDim(index, 0), channels, DimExpr::InputDim(index, 2), DimExpr::InputDim(index, 3)});
}

// A channels-first convolution as frontends build it, same size.
inline ValueId Conv(Builder* b, Random* random, ValueId x, int64_t in, int64_t out, int64_t kernel = 3,
                    int64_t stride = 1) {
  ConvParams p;
  p.kernel = {1, kernel, kernel};
  p.stride = {1, stride, stride};
  p.pad_begin = p.pad_end = {0, kernel / 2, kernel / 2};
  const float bound = 1 / std::sqrt(static_cast<float>(kernel * kernel * in));
  const ValueId w = random->Constant(b, {1, kernel, kernel, in, out}, -bound, bound);
  const ValueId bias = random->Constant(b, {out});
  const ValueId y = Must(b->Add(p, {Must(b->Transpose(x, {0, 2, 3, 1})), w, bias}));
  return Must(b->Transpose(y, {0, 3, 1, 2}));
}

// Runs both graphs on the inputs; the results must agree within rtol of the largest element of each output.
inline void ExpectSameResults(const ir::Graph& before, const ir::Graph& after, const std::vector<ir::Tensor>& inputs,
                              double rtol) {
  const Result<std::vector<ir::Tensor>> want = ir::Evaluate(before, inputs);
  ASSERT_TRUE(want.ok()) << "before: " << want.status().message() << "\n" << before.ToString();
  const Result<std::vector<ir::Tensor>> got = ir::Evaluate(after, inputs);
  ASSERT_TRUE(got.ok()) << "after: " << got.status().message() << "\n" << after.ToString();
  ASSERT_EQ(want->size(), got->size());
  for (size_t o = 0; o < want->size(); ++o) {
    ASSERT_EQ((*want)[o].dims, (*got)[o].dims) << "output " << o << "\n" << after.ToString();
    double scale = 0;
    for (const float x : (*want)[o].data) scale = std::max(scale, std::fabs(static_cast<double>(x)));
    for (size_t i = 0; i < (*want)[o].data.size(); ++i) {
      ASSERT_NEAR((*want)[o].data[i], (*got)[o].data[i], rtol * scale) << "output " << o << " element " << i << "\n"
                                                                       << before.ToString() << "\n"
                                                                       << after.ToString();
    }
  }
}

// Applies a pass to a copy, verifies it, compares results, gives the new graph. Exact unless rtol says otherwise.
inline ir::Graph Applied(const ir::Graph& graph, Status (*pass)(ir::Graph*), const std::vector<ir::Tensor>& inputs,
                         double rtol = 0) {
  ir::Graph after = graph;
  after.Compact();
  const Status ran = pass(&after);
  EXPECT_TRUE(ran.ok()) << ran.message();
  const Status verified = ir::Verify(after);
  EXPECT_TRUE(verified.ok()) << verified.message() << "\n" << after.ToString();
  ExpectSameResults(graph, after, inputs, rtol);
  return after;
}

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_SUPPORT_H_
