// DimExpr against a naive tree that evaluates operation by operation, and the identities that planning relies on.
#include "runtime/model/dim_expr.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <optional>
#include <random>

namespace fovea {
namespace {

using Random = std::mt19937;
int Uniform(Random* random, int low, int high) { return std::uniform_int_distribution<int>(low, high)(*random); }

struct Bindings {
  std::vector<std::vector<int64_t>> dims;
  std::vector<std::vector<double>> values;
  DimBindings view() const { return {dims, values}; }
};
Bindings RandomBindings(Random* random) {
  Bindings b;
  b.dims = {{Uniform(random, 0, 3), Uniform(random, 0, 60)}, {Uniform(random, 0, 400)}};
  b.values = {{}, {Uniform(random, -8, 30) / 4.0, Uniform(random, 1, 5) * 1.0}};
  return b;
}

// What an operation means, on numbers; nothing where it has no value.
using Number = std::optional<int64_t>;
int64_t Floor(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }
Number NaiveBinary(int op, int64_t a, int64_t b) {
  switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return b == 0 ? Number() : Floor(a, b);
    case 4: return b == 0 ? Number() : -Floor(-a, b);
    case 5: return b == 0 ? Number() : a - b * Floor(a, b);
    case 6: return a < b ? a : b;
    case 7: return a > b ? a : b;
    default: return a == b ? 1 : 0;
  }
}
DimExpr Binary(int op, const DimExpr& a, const DimExpr& b) {
  switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return FloorDiv(a, b);
    case 4: return CeilDiv(a, b);
    case 5: return Mod(a, b);
    case 6: return Min(a, b);
    case 7: return Max(a, b);
    default: return IsEqual(a, b);
  }
}

constexpr int kBindings = 12;
// An expression and what the naive tree gives for each of the bindings.
struct Case {
  DimExpr expr;
  std::vector<Number> expected;
};

Case RandomCase(Random* random, const std::vector<Bindings>& bindings, int depth) {
  Case c;
  if (depth == 0 || Uniform(random, 0, 5) == 0) {
    const int kind = Uniform(random, 0, 5);
    const int constant = Uniform(random, -4, 9);
    c.expr = kind == 0   ? DimExpr::InputDim(0, 0)
             : kind == 1 ? DimExpr::InputDim(0, 1)
             : kind == 2 ? DimExpr::InputDim(1, 0)
             : kind == 3 ? DimExpr::InputValue(1, 0)
                         : DimExpr(constant);
    for (const Bindings& b : bindings) {
      c.expected.push_back(kind == 0   ? b.dims[0][0]
                           : kind == 1 ? b.dims[0][1]
                           : kind == 2 ? b.dims[1][0]
                           : kind == 3 ? static_cast<int64_t>(b.values[1][0])
                                       : constant);
    }
    return c;
  }
  const int op = Uniform(random, 0, 13);
  const Case a = RandomCase(random, bindings, depth - 1);
  if (op >= 12) {  // scales
    const double factors[] = {2, 0.5, 1.5, 1.0 / 3, 0.7, -0.25};
    const double factor = factors[Uniform(random, 0, 5)];
    c.expr = op == 12 ? ScaleFloor(a.expr, factor) : ScaleFloorByInput(a.expr, 1, 1);
    for (size_t i = 0; i < bindings.size(); ++i) {
      const double f = op == 12 ? factor : bindings[i].values[1][1];
      c.expected.push_back(a.expected[i] ? static_cast<int64_t>(std::floor(static_cast<double>(*a.expected[i]) * f))
                                         : Number());
    }
    return c;
  }
  // Divisors are mostly positive constants in practice; every kind must be right.
  Case b = RandomCase(random, bindings, depth - 1);
  if (op >= 9 || (op >= 3 && op <= 5 && Uniform(random, 0, 3) > 0)) {
    const int divisor = Uniform(random, -3, 9);
    b.expr = divisor;
    b.expected.assign(bindings.size(), divisor);
  }
  const int binary = op >= 9 ? 3 : op;
  c.expr = Binary(binary, a.expr, b.expr);
  for (size_t i = 0; i < bindings.size(); ++i) {
    c.expected.push_back(a.expected[i] && b.expected[i] ? NaiveBinary(binary, *a.expected[i], *b.expected[i])
                                                        : Number());
  }
  return c;
}

TEST(DimExpr, EvaluatesLikeANaiveTree) {
  Random random(1);
  int compared = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<Bindings> bindings;
    for (int i = 0; i < kBindings; ++i) bindings.push_back(RandomBindings(&random));
    const Case c = RandomCase(&random, bindings, Uniform(&random, 1, 4));
    for (size_t i = 0; i < bindings.size(); ++i) {
      if (!c.expected[i]) continue;
      const Result<int64_t> value = c.expr.Evaluate(bindings[i].view());
      if (!value.ok()) {
        ++refused;  // intermediate numbers beyond 64 bits, or longer than allowed
        continue;
      }
      ++compared;
      ASSERT_EQ(*value, *c.expected[i]) << "round " << round << ": " << c.expr.ToString();
    }
  }
  EXPECT_GT(compared, 100000);
  EXPECT_LT(refused, compared / 200);
}

TEST(DimExpr, EncodedFormReadsBackAsTheSameExpression) {
  Random random(2);
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    const Case c = RandomCase(&random, {RandomBindings(&random)}, Uniform(&random, 0, 4));
    if (!(c.expr == c.expr)) continue;  // has no value
    const std::vector<int64_t> tokens = c.expr.Encode();
    const Result<DimExpr> back = DimExpr::Decode(tokens);
    ASSERT_TRUE(back.ok()) << back.status().message() << ": " << c.expr.ToString();
    ASSERT_EQ(*back, c.expr) << c.expr.ToString() << " became " << back->ToString();
    ASSERT_EQ(back->Encode(), tokens) << c.expr.ToString();
    ++read;
  }
  EXPECT_GT(read, 15000);
}

TEST(DimExpr, HostileTokensAreRefusedOrEvaluate) {
  Random random(3);
  const Bindings bindings = RandomBindings(&random);
  int accepted = 0;
  for (int round = 0; round < 100000; ++round) {
    std::vector<int64_t> tokens;
    if (round % 2 == 0) {
      tokens = RandomCase(&random, {bindings}, 3).expr.Encode();
      if (tokens.empty()) continue;
      int64_t& token = tokens[static_cast<size_t>(Uniform(&random, 0, static_cast<int>(tokens.size()) - 1))];
      const int64_t values[] = {-1, 0, 3, 5, 9, 10, 11, INT64_MIN, INT64_MAX, INT64_MIN + 1, token + 1, token ^ 4};
      token = values[Uniform(&random, 0, 11)];
    } else {
      for (int i = Uniform(&random, 1, 30); i > 0; --i) tokens.push_back(Uniform(&random, -1, 11));
    }
    const Result<DimExpr> e = DimExpr::Decode(tokens);
    if (!e.ok()) continue;
    ++accepted;
    (void)e->Evaluate(bindings.view());
    EXPECT_FALSE(e->ToString().empty());
    ASSERT_EQ(*DimExpr::Decode(e->Encode()), *e) << e->ToString();
  }
  EXPECT_GT(accepted, 1000);
}

TEST(DimExpr, DecodeNamesWhatIsWrong) {
  const auto error = [](std::vector<int64_t> tokens) { return DimExpr::Decode(tokens).status().message(); };
  EXPECT_EQ(error({}), "a size expression is empty");
  EXPECT_EQ(error({0}), "a size expression is malformed");
  EXPECT_EQ(error({0, 1, 0, 2}), "a size expression is malformed");  // two results
  EXPECT_EQ(error({3}), "a size expression is malformed");           // no operands
  EXPECT_EQ(error({1, -1, 0}), "a size expression is malformed");    // input -1
  EXPECT_EQ(error({0, 5, 0, 0, 5}), "a size has no value: division by zero");
  EXPECT_EQ(error({0, INT64_MAX, 0, 2, 4}), "a size has no value: numbers beyond 64 bits");
  EXPECT_EQ(DimExpr::Decode(std::vector<int64_t>{99}).status().code(), StatusCode::kUnsupported);
  EXPECT_FALSE(DimExpr::Decode(std::vector<int64_t>(5000, 0)).ok());
  std::vector<int64_t> deep;  // min(min(min(... , in0.1 / 3), in0.0), ...), far deeper than any network
  for (int i = 0; i < 600; ++i) {
    deep.insert(deep.end(), {1, 0, i % 7});
    if (i > 0) deep.push_back(i % 2 == 0 ? 6 : 7);
  }
  EXPECT_FALSE(DimExpr::Decode(deep).ok());
}

TEST(DimExpr, LongProductsStayBounded) {
  DimExpr sum = 1;
  for (int i = 0; i < 12; ++i) sum = sum + DimExpr::InputDim(0, i);
  DimExpr product = sum;
  for (int i = 0; i < 40; ++i) product = product * (sum + i);
  EXPECT_LE(product.Encode().size(), 4096u);
}

const DimExpr kH = DimExpr::InputDim(0, 1), kW = DimExpr::InputDim(0, 2), kC = DimExpr::InputDim(0, 3);

TEST(DimExpr, ProvesTheIdentitiesOfPlanning) {
  EXPECT_EQ(kH * kW, kW * kH);
  EXPECT_EQ((kH * kW) * kC, kH * (kC * kW));
  EXPECT_EQ((kH + 1) * (kW - 2) + 2 * kH + 2, kH * kW + kW);
  EXPECT_EQ(FloorDiv(6 * kH + 5, 6), kH);
  EXPECT_EQ(FloorDiv(4 * kH + 6, 8), FloorDiv(2 * kH + 3, 4));
  EXPECT_EQ(FloorDiv(FloorDiv(kH - 1, 2), 3), FloorDiv(kH - 1, 6));
  EXPECT_EQ(FloorDiv(FloorDiv(kH, 2) + 1, 2), FloorDiv(kH + 2, 4));
  EXPECT_EQ(CeilDiv(CeilDiv(kH, 2), 2), CeilDiv(kH, 4));
  EXPECT_EQ(FloorDiv(8 * FloorDiv(kH, 8), 8), FloorDiv(kH, 8));
  EXPECT_EQ(Mod(6 * kH + 4, 3), DimExpr(1));
  EXPECT_EQ(Mod(kH, 1), DimExpr(0));
  EXPECT_EQ(kH - Mod(kH, 16), 16 * FloorDiv(kH, 16));
  // What is left for the -1 of a Reshape.
  EXPECT_EQ(FloorDiv(kH * kW * 12, kH * 4), 3 * kW);
  EXPECT_EQ(FloorDiv((kH - 2) * (kW + 1) * 8, (kH - 2) * (kW + 1)), DimExpr(8));
  EXPECT_EQ(FloorDiv(FloorDiv(kH, 2) * FloorDiv(kW, 2) * 5, FloorDiv(kW, 2)), 5 * FloorDiv(kH, 2));
  // Bounds.
  EXPECT_EQ(Max(kH, 0), kH);
  EXPECT_EQ(Min(kH, kH + 3), kH);
  EXPECT_EQ(Min(2 * FloorDiv(kH, 2), kH), 2 * FloorDiv(kH, 2));
  EXPECT_EQ(Max(2 * CeilDiv(kH, 2) - kH - 1, 0), DimExpr(0));
  EXPECT_EQ(FloorDiv(Mod(kH, 8), 8), DimExpr(0));
  EXPECT_EQ(IsEqual(kH, kH + 1), DimExpr(0));
  EXPECT_EQ(IsEqual(Mod(kH, 4), 4), DimExpr(0));
  EXPECT_EQ(Max(kH, kW), Max(kW, kH));
  EXPECT_EQ(ScaleFloor(kH, 2.0), 2 * kH);
  EXPECT_EQ(ScaleFloor(kH, 0.25), FloorDiv(kH, 4));
  EXPECT_EQ(ScaleFloor(2 * FloorDiv(kH, 2), 0.5), FloorDiv(kH, 2));
}

TEST(DimExpr, SamePaddingOfAnyDepthStaysShort) {
  for (const int64_t kernel : {1, 2, 3, 5, 7}) {
    DimExpr size = kH;
    for (int level = 1; level <= 6; ++level) {
      const DimExpr total = Max((CeilDiv(size, 2) - 1) * 2 + kernel - size, 0);
      const DimExpr before = FloorDiv(total, 2);
      size = FloorDiv(size + before + (total - before) - kernel, 2) + 1;
      EXPECT_EQ(size, CeilDiv(kH, 1 << level)) << "kernel " << kernel << " level " << level << ": " << size.ToString();
    }
  }
}

TEST(DimExpr, DoesNotClaimWhatIsNotSo) {
  EXPECT_FALSE(kH == kW);
  EXPECT_FALSE(2 * FloorDiv(kH, 2) == kH);
  EXPECT_FALSE(FloorDiv(kH, 2) == CeilDiv(kH, 2));
  EXPECT_FALSE(ScaleFloor(kH, 1.0 / 3) == FloorDiv(kH, 3));  // 1 / 3 is no double
  const DimExpr none = FloorDiv(kH, 0);
  EXPECT_FALSE(none == none);
  EXPECT_FALSE(none.IsConst());
  EXPECT_FALSE(none.Evaluate({}).ok());
}

TEST(DimExpr, EvaluateReportsWhatIsMissing) {
  const std::vector<std::vector<int64_t>> dims = {{1, 7}};
  const DimBindings bindings{dims, {}};
  EXPECT_EQ(*(kH * 3).Evaluate(bindings), 21);
  EXPECT_EQ(kW.Evaluate(bindings).status().message(), "the size of axis 2 of model input 0 is not given");
  EXPECT_EQ(DimExpr::InputValue(0, 1).Evaluate(bindings).status().message(),
            "element 1 of model input 0 decides a size and is not given");
  EXPECT_EQ(FloorDiv(8, kH - 7).Evaluate(bindings).status().message(), "a size is divided by zero");
  EXPECT_FALSE((kH * INT64_MAX).Evaluate(bindings).ok());
  const std::vector<std::vector<double>> values = {{std::nan(""), 1e30}};
  EXPECT_FALSE(DimExpr::InputValue(0, 0).Evaluate({dims, values}).ok());
  EXPECT_FALSE(ScaleFloorByInput(kH, 0, 1).Evaluate({dims, values}).ok());
}

TEST(DimExpr, Text) {
  const std::vector<std::string> names = {"image"};
  EXPECT_EQ((2 * FloorDiv(kH, 2)).ToString(), "2*floor(in0.1/2)");
  EXPECT_EQ((FloorDiv(kH + 1, 2) - 3).ToString(names), "floor((image.1+1)/2)-3");
  EXPECT_EQ((3 - kH).ToString(), "-in0.1+3");
  EXPECT_EQ(DimExpr(-4).ToString(), "-4");
  EXPECT_EQ(ScaleFloor(kH, 0.3).ToString(), "floor(in0.1*0.3)");
  EXPECT_EQ(Max(kH, kW).ToString(), "max(in0.1,in0.2)");
}

TEST(DimExpr, RefersOnlyTo) {
  const std::vector<int> ranks = {4, 1};
  const std::vector<int64_t> values = {0, 2};
  EXPECT_TRUE((kH + FloorDiv(kC, kW)).RefersOnlyTo(ranks, values));
  EXPECT_FALSE(FloorDiv(DimExpr::InputDim(0, 4), 2).RefersOnlyTo(ranks, values));
  EXPECT_FALSE(DimExpr::InputDim(2, 0).RefersOnlyTo(ranks, values));
  EXPECT_TRUE(ScaleFloorByInput(kH, 1, 1).RefersOnlyTo(ranks, values));
  EXPECT_FALSE(DimExpr::InputValue(1, 2).RefersOnlyTo(ranks, values));
  EXPECT_FALSE(DimExpr::InputValue(0, 0).RefersOnlyTo(ranks, values));
}

}  // namespace
}  // namespace fovea
