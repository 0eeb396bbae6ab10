// Lambda layers: code objects as CPython marshals them, written here byte by byte from Python/marshal.c and
// Lib/opcode.py of each version.
#include "converter/keras/python_lambda.h"

#include <gtest/gtest.h>

#include "tests/converter/keras/support.h"

namespace fovea::testing {
namespace {

using converter::keras::LambdaStep;
using converter::keras::ReadLambda;

std::string Int32(uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// A function of one argument; `integers`: how many the version has in front of the bytecode.
std::string CodeObject(size_t integers, const std::string& bytecode, const std::string& constants) {
  std::string code = "\xe3" + Int32(1);
  for (size_t i = 1; i < integers; ++i) code += Int32(i == integers - 1 ? 67 : 2);
  return code + "s" + Int32(static_cast<uint32_t>(bytecode.size())) + bytecode + constants;
}

const std::string kNoneAnd255 = std::string(")\x02N", 3) + "i" + Int32(255);

std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

std::string Base64(const std::string& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
    if (i % 54 == 51) text += '\n';  // as Python's codecs breaks lines
  }
  return text;
}

// lambda x: x / 255
const std::string kDivide36 = CodeObject(5, Bytes({124, 0, 100, 1, 27, 0, 83, 0}), kNoneAnd255);

void ExpectDivision(const std::string& code) {
  const auto steps = ReadLambda(code);
  ASSERT_TRUE(steps.has_value());
  ASSERT_EQ(steps->size(), 3u);
  EXPECT_EQ((*steps)[0].kind, LambdaStep::kInput);
  EXPECT_EQ((*steps)[1].kind, LambdaStep::kNumber);
  EXPECT_EQ((*steps)[1].number, 255);
  EXPECT_EQ((*steps)[2].kind, LambdaStep::kDivide);
}

TEST(PythonLambda, DivisionInEveryVersion) {
  ExpectDivision(CodeObject(4, Bytes({124, 0, 0, 100, 1, 0, 21, 83}), "(" + Int32(2) + "Ni" + Int32(255)));  // 2.7
  ExpectDivision(CodeObject(5, Bytes({124, 0, 0, 100, 1, 0, 27, 83}), kNoneAnd255));                         // 3.5
  ExpectDivision(kDivide36);                                                                                 // 3.6
  ExpectDivision(CodeObject(6, Bytes({124, 0, 100, 1, 27, 0, 83, 0}), kNoneAnd255));                         // 3.8
  ExpectDivision(CodeObject(5, Bytes({151, 0, 124, 0, 100, 1, 122, 11, 0, 0, 83, 0}), kNoneAnd255));         // 3.11
}

TEST(PythonLambda, OtherArithmetic) {
  // lambda x: -(x - 0.5) * 2.0, and a constant that is there twice (a reference).
  const std::string half = Bytes({0, 0, 0, 0, 0, 0, 0xe0, 0x3f});
  const std::string constants = std::string(")\x03N\xe7") + half + "r" + Int32(1);
  const auto steps = ReadLambda(CodeObject(5, Bytes({124, 0, 100, 1, 24, 0, 11, 0, 100, 2, 20, 0, 83, 0}), constants));
  ASSERT_TRUE(steps.has_value());
  ASSERT_EQ(steps->size(), 6u);
  EXPECT_EQ((*steps)[3].kind, LambdaStep::kNegate);
  EXPECT_EQ((*steps)[4].number, 0.5);
}

TEST(PythonLambda, EverythingElseIsRefused) {
  EXPECT_FALSE(ReadLambda("").has_value());
  for (size_t length = 0; length < kDivide36.size(); ++length) {
    EXPECT_FALSE(ReadLambda(std::string_view(kDivide36).substr(0, length)).has_value()) << length;
  }
  const auto refused = [](std::initializer_list<int> bytecode) {
    return !ReadLambda(CodeObject(5, Bytes(bytecode), kNoneAnd255)).has_value();
  };
  EXPECT_TRUE(refused({116, 0, 124, 0, 131, 1, 83, 0}));  // calls a function
  EXPECT_TRUE(refused({124, 0, 100, 0, 27, 0, 83, 0}));   // None as a number
  EXPECT_TRUE(refused({124, 0, 100, 9, 27, 0, 83, 0}));   // a constant that is not there
  EXPECT_TRUE(refused({124, 1, 100, 1, 27, 0, 83, 0}));   // another variable
  EXPECT_TRUE(refused({27, 0, 83, 0}));                   // nothing to divide
  EXPECT_TRUE(refused({124, 0, 124, 0, 83, 0}));          // two results
  EXPECT_TRUE(refused({124, 0, 100, 1, 27, 0}));          // no result
  uint32_t state = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string code = kDivide36;
    for (int change = 0; change < 2; ++change) {
      state = state * 1664525u + 1013904223u;
      code[(state >> 8) % code.size()] = static_cast<char>(state >> 24);
    }
    ReadLambda(code);
  }
}

TEST(PythonLambda, InLayers) {
  const ir::Tensor x = MakeTensor({1, 4}, 1);
  const ir::Tensor want = Map(x, [](double v) { return v / 255; });
  const std::string text = Base64(kDivide36);
  ExpectNear(
      RunLayer(Layer("Lambda", "l", {{"function", {text, nullptr, nullptr}}, {"function_type", "lambda"}}), {}, {x}),
      want, 1);
  ExpectNear(
      RunLayer(Layer("Lambda", "l", {{"function", {{"class_name", "__lambda__"}, {"config", {{"code", text}}}}}}), {},
               {x}, 3),
      want, 1);
  KerasFile file;
  file.config =
      OneLayer(Layer("Lambda", "l", {{"function", "resize_like"}, {"function_type", "function"}}), {x.dims}, 2);
  const Result<ir::Graph> graph = ConvertKeras(file);
  EXPECT_EQ(graph.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(graph.status().message().find("Rescaling"), std::string::npos) << graph.status().message();
}

}  // namespace
}  // namespace fovea::testing
