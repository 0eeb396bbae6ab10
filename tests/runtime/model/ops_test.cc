// What is derived from the field lists of ops.h.
#include "runtime/model/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "runtime/model/fields.h"

namespace fovea {
namespace {

constexpr int kKinds = static_cast<int>(std::variant_size_v<OpParams>);
const DimExpr kH = DimExpr::InputDim(0, 1);

TEST(Ops, EveryKindHasItsParametersAndName) {
  std::set<std::string> names;
  for (int k = 1; k <= kKinds; ++k) {
    const OpKind kind = static_cast<OpKind>(k);
    const Result<OpParams> params = MakeParams(kind);
    ASSERT_TRUE(params.ok());
    EXPECT_EQ(KindOf(*params), kind);
    EXPECT_EQ(ParamsToString(*params), "") << OpKindName(kind);
    EXPECT_TRUE(ToAttributes(*params).empty()) << OpKindName(kind);
    names.insert(OpKindName(kind));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kKinds));
  EXPECT_EQ(names.count("unknown"), 0u);
  EXPECT_EQ(MakeParams(static_cast<OpKind>(0)).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(MakeParams(static_cast<OpKind>(kKinds + 1)).status().code(), StatusCode::kUnsupported);
}

TEST(Ops, TextLeavesOutNeutralValues) {
  ConvParams p;
  p.kernel = {1, 3, 3};
  p.pad_end = {0, 1, kH - 2};
  p.act = {kernels::UnaryFn::kRelu, 0, 0};
  EXPECT_EQ(ParamsToString(p), "kernel=1,3,3 pad_end=0,1,in0.1-2 act=relu");
  p.act = {kernels::UnaryFn::kLeakyRelu, 0.1f, 0};
  p.kernel = {1, 1, 1};
  p.pad_end = {0, 0, 0};
  EXPECT_EQ(ParamsToString(p), "act=leaky_relu(0.1,0)");
  ReduceParams r;
  r.fn = kernels::ReduceFn::kMax;
  r.axes = {1, 2};
  r.keep_dims = false;
  EXPECT_EQ(ParamsToString(r), "fn=max axes=1,2 keep_dims=0");
}

// A value of each field type that is not neutral; enumerations get their last value.
struct Scramble {
  int64_t next = 2;
  void operator()(const char*, int64_t& v) { v = ++next; }
  void operator()(const char*, bool& v) { v = !v; }
  void operator()(const char*, float& v) { v = 0.1f * static_cast<float>(++next); }
  void operator()(const char*, kernels::Activation& v) { v = {kernels::UnaryFn::kSquare, -0.0f, std::nanf("")}; }
  void operator()(const char*, DimExpr& v) { v = FloorDiv(kH + ++next, 7); }
  void operator()(const char*, double& v) { v = 0.1 * static_cast<double>(++next); }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char*, E& v) { v = static_cast<E>(EnumTraits<E>::kCount - 1); }
  template <class T>
  void operator()(const char* name, std::array<T, 3>& v) {
    for (T& item : v) (*this)(name, item);
  }
  template <class T>
  void operator()(const char* name, std::vector<T>& v) {
    v.resize(4);
    for (T& item : v) (*this)(name, item);
  }
};
OpParams Scrambled(int kind) {
  OpParams params = *MakeParams(static_cast<OpKind>(kind));
  Scramble scramble;
  std::visit([&scramble](auto& p) { std::remove_reference_t<decltype(p)>::Fields(scramble, p); }, params);
  return params;
}

TEST(Attributes, EveryFieldOfEveryOperatorReadsBack) {
  for (int k = 1; k <= kKinds; ++k) {
    const OpParams params = Scrambled(k);
    const std::vector<Attribute> attributes = ToAttributes(params);
    size_t fields = 0;
    const auto count = [&fields](const char*, const auto&) { ++fields; };
    std::visit([&count](auto p) { decltype(p)::Fields(count, p); }, params);
    EXPECT_EQ(attributes.size(), fields) << OpKindName(KindOf(params));
    for (const Attribute& a : attributes) {
      EXPECT_EQ(!a.ints.empty() + !a.floats.empty() + !a.sizes.empty(), 1) << a.name;
    }
    const Result<OpParams> back = FromAttributes(KindOf(params), attributes);
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_TRUE(SameParams(*back, params)) << ParamsToString(*back) << " for " << ParamsToString(params);
    EXPECT_EQ(SameParams(*back, *MakeParams(KindOf(params))), fields == 0);
  }
}

TEST(Attributes, WhatDoesNotFitIsRefused) {
  const auto read = [](OpKind kind, Attribute a) { return FromAttributes(kind, std::vector<Attribute>{a}).status(); };
  EXPECT_EQ(read(OpKind::kConv, {"winograd", {1}, {}, {}}).message(),
            "the attribute 'winograd' is unknown; the file was written by a newer fovea");
  EXPECT_EQ(read(OpKind::kConv, {"winograd", {1}, {}, {}}).code(), StatusCode::kUnsupported);
  EXPECT_EQ(read(OpKind::kPool, {"kind", {2}, {}, {}}).code(), StatusCode::kUnsupported);
  EXPECT_EQ(read(OpKind::kUnary, {"fn", {}, {1000, 0, 0}, {}}).code(), StatusCode::kUnsupported);
  for (const Attribute& a : std::vector<Attribute>{{"kind", {-1}, {}, {}},
                                                   {"kind", {}, {}, {}},
                                                   {"kind", {0, 0}, {}, {}},
                                                   {"kernel", {1, 1}, {}, {}},
                                                   {"kernel", {1, 1, 1}, {0.5}, {}},
                                                   {"ceil_mode", {2}, {}, {}},
                                                   {"pad_begin", {}, {}, {2, 0, 0, 2, 0, 0}},
                                                   {"pad_begin", {}, {}, {2, 0, 0, 2, 0, 0, 99, 0, 0}},
                                                   {"pad_begin", {}, {}, {2, 0, 0, 2, 0, 0, -1, 0, 0}}}) {
    EXPECT_EQ(read(OpKind::kPool, a).code(), StatusCode::kCorruptFile) << a.name;
  }
  EXPECT_EQ(read(OpKind::kUnary, {"fn", {}, {std::nan(""), 0, 0}, {}}).code(), StatusCode::kCorruptFile);
  EXPECT_EQ(read(OpKind::kPad, {"value", {}, {1e300}, {}}).code(), StatusCode::kCorruptFile);
  const std::vector<Attribute> twice = {{"axis", {1}, {}, {}}, {"axis", {2}, {}, {}}};
  EXPECT_EQ(FromAttributes(OpKind::kConcat, twice).status().message(), "the attribute 'axis' is there twice");
}

}  // namespace
}  // namespace fovea
