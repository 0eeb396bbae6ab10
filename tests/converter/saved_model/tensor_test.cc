// TensorProto and attributes.
#include "converter/saved_model/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/converter/saved_model/support.h"

namespace fovea {
namespace {

using converter::DecodeAttr;
using converter::DecodeTensor;
using converter::TfShape;
using converter::TfTensor;
using testing::SetShape;

constexpr uint64_t kBudget = 1 << 20;

Result<TfTensor> Decode(const tfproto::TensorProto& tensor, uint64_t budget = kBudget) {
  return DecodeTensor(tensor, &budget);
}

tfproto::TensorProto Empty(int dtype, const std::vector<int64_t>& dims) {
  tfproto::TensorProto tensor;
  tensor.set_dtype(dtype);
  SetShape(tensor.mutable_tensor_shape(), dims);
  return tensor;
}

std::vector<float> Floats(const Result<TfTensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status().message();
  return tensor.ok() ? *tensor->data : std::vector<float>();
}

TEST(Tensor, ContentAndTypedValuesAgree) {
  tfproto::TensorProto content = Empty(converter::kTfFloat, {3});
  content.set_tensor_content(testing::Bytes<float>({1.5f, -2, 3}));
  tfproto::TensorProto typed = Empty(converter::kTfFloat, {3});
  for (const float v : {1.5f, -2.0f, 3.0f}) typed.add_float_val(v);
  EXPECT_EQ(Floats(Decode(content)), (std::vector<float>{1.5f, -2, 3}));
  EXPECT_EQ(Floats(Decode(typed)), (std::vector<float>{1.5f, -2, 3}));
}

TEST(Tensor, TheLastValueIsRepeated) {
  tfproto::TensorProto tensor = Empty(converter::kTfInt32, {2, 3});
  tensor.add_int_val(7);
  EXPECT_EQ(Floats(Decode(tensor)), std::vector<float>(6, 7));
  EXPECT_EQ(Decode(tensor)->integers, std::vector<int64_t>(6, 7));
  tensor.add_int_val(-1);
  EXPECT_EQ(Floats(Decode(tensor)), (std::vector<float>{7, -1, -1, -1, -1, -1}));
  EXPECT_EQ(Floats(Decode(Empty(converter::kTfFloat, {2}))), (std::vector<float>{0, 0}));
  EXPECT_EQ(Floats(Decode(Empty(converter::kTfFloat, {0, 5}))), std::vector<float>());
}

TEST(Tensor, EveryTypedField) {
  tfproto::TensorProto half = Empty(converter::kTfHalf, {3});
  for (const int v : {0x3c00, 0xc000, 0xfc00}) half.add_half_val(v);
  EXPECT_EQ(Floats(Decode(half)), (std::vector<float>{1, -2, -INFINITY}));
  EXPECT_EQ(Decode(half)->dtype, DType::kFloat16);
  tfproto::TensorProto bfloat16 = Empty(converter::kTfBFloat16, {1});
  bfloat16.add_half_val(0x4049);
  EXPECT_EQ(Floats(Decode(bfloat16)), (std::vector<float>{3.140625f}));
  tfproto::TensorProto boolean = Empty(converter::kTfBool, {});
  boolean.add_bool_val(true);
  EXPECT_EQ(Decode(boolean)->integers, std::vector<int64_t>{1});
  tfproto::TensorProto int64 = Empty(converter::kTfInt64, {});
  int64.add_int64_val(-(int64_t{1} << 60));
  EXPECT_EQ(Decode(int64)->integers, std::vector<int64_t>{-(int64_t{1} << 60)});
  tfproto::TensorProto uint64 = Empty(converter::kTfUInt64, {});
  uint64.add_uint64_val(~uint64_t{0});
  EXPECT_EQ(Floats(Decode(uint64)), std::vector<float>{0x1p64f});
  tfproto::TensorProto uint32 = Empty(converter::kTfUInt32, {});
  uint32.add_uint32_val(3'000'000'000u);
  EXPECT_EQ(Decode(uint32)->integers, std::vector<int64_t>{3'000'000'000});
  tfproto::TensorProto real = Empty(converter::kTfDouble, {});
  real.add_double_val(0.1);
  EXPECT_EQ(Floats(Decode(real)), std::vector<float>{0.1f});
  tfproto::TensorProto text = Empty(converter::kTfString, {});
  text.add_string_val("x");
  EXPECT_TRUE(Decode(text)->is_string);
}

TEST(Tensor, IntegersAreExactUpTo4096Elements) {
  EXPECT_EQ(Decode(Empty(converter::kTfInt32, {4096}))->integers.size(), 4096u);
  EXPECT_TRUE(Decode(Empty(converter::kTfInt32, {4097}))->integers.empty());
}

TEST(Tensor, SizesThatLieAreRefused) {
  EXPECT_FALSE(Decode(Empty(converter::kTfFloat, {int64_t{1} << 40, int64_t{1} << 40})).ok());
  EXPECT_FALSE(Decode(Empty(converter::kTfFloat, {int64_t{1} << 30})).ok());  // beyond the budget
  EXPECT_FALSE(Decode(Empty(converter::kTfFloat, {-1})).ok());
  tfproto::TensorProto tensor = Empty(converter::kTfFloat, {2});
  tensor.set_tensor_content("1234567");
  EXPECT_FALSE(Decode(tensor).ok());
  tensor.clear_tensor_content();
  for (int i = 0; i < 3; ++i) tensor.add_float_val(0);
  EXPECT_FALSE(Decode(tensor).ok());
  tensor = Empty(converter::kTfFloat, {});
  tensor.mutable_tensor_shape()->set_unknown_rank(true);
  EXPECT_FALSE(Decode(tensor).ok());
  EXPECT_EQ(Decode(Empty(8, {})).status().code(), StatusCode::kUnsupported);  // complex64
  // The budget is one for all tensors of a graph.
  uint64_t budget = 10;
  EXPECT_TRUE(DecodeTensor(Empty(converter::kTfFloat, {6}), &budget).ok());
  EXPECT_FALSE(DecodeTensor(Empty(converter::kTfFloat, {6}), &budget).ok());
}

TEST(Attr, EveryKind) {
  const auto decode = [](const tfproto::AttrValue& value) {
    uint64_t budget = kBudget;
    auto attr = DecodeAttr(value, &budget);
    EXPECT_TRUE(attr.ok());
    return *attr;
  };
  tfproto::AttrValue v;
  EXPECT_TRUE(std::holds_alternative<std::monostate>(decode(v)));
  v.set_s("SAME");
  EXPECT_EQ(std::get<std::string>(decode(v)), "SAME");
  v.set_i(-3);
  EXPECT_EQ(std::get<int64_t>(decode(v)), -3);
  v.set_f(0.5f);
  EXPECT_EQ(std::get<float>(decode(v)), 0.5f);
  v.set_b(true);
  EXPECT_EQ(std::get<bool>(decode(v)), true);
  v.set_type(converter::kTfInt64);
  EXPECT_EQ(std::get<converter::TfType>(decode(v)), DType::kInt64);
  v.set_type(converter::kTfFloat + 100);
  EXPECT_EQ(std::get<converter::TfType>(decode(v)), DType::kFloat32);
  v.set_type(converter::kTfResource);
  EXPECT_EQ(std::get<converter::TfType>(decode(v)), std::nullopt);
  SetShape(v.mutable_shape(), {-1, 4});
  EXPECT_EQ(std::get<TfShape>(decode(v)).dims, (std::vector<int64_t>{-1, 4}));
  EXPECT_TRUE(std::get<TfShape>(decode(v)).known_rank);
  v.mutable_shape()->set_unknown_rank(true);
  EXPECT_FALSE(std::get<TfShape>(decode(v)).known_rank);
  v.mutable_func()->set_name("f");
  EXPECT_EQ(std::get<std::string>(decode(v)), "f");
  v.mutable_list();
  EXPECT_TRUE(std::get<std::vector<int64_t>>(decode(v)).empty());
  for (const int i : {1, 2, 2, 1}) v.mutable_list()->add_i(i);
  EXPECT_EQ(std::get<std::vector<int64_t>>(decode(v)), (std::vector<int64_t>{1, 2, 2, 1}));
  v.mutable_list()->clear_i();
  v.mutable_list()->add_s("loc:@x");
  EXPECT_EQ(std::get<std::vector<std::string>>(decode(v)), std::vector<std::string>{"loc:@x"});
  v.mutable_list()->clear_s();
  v.mutable_list()->add_f(2);
  EXPECT_EQ(std::get<std::vector<float>>(decode(v)), std::vector<float>{2});
  v.mutable_list()->clear_f();
  SetShape(v.mutable_list()->add_shape(), {5});
  EXPECT_EQ(std::get<std::vector<TfShape>>(decode(v)).at(0).dims, std::vector<int64_t>{5});
}

}  // namespace
}  // namespace fovea
