// YAML and JSON as trees: what they say, and what is refused before it grows.
#include "formats/bundle/document.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fovea::formats {
namespace {

Node Yaml(const std::string& text) {
  const Result<Node> node = ParseYaml(text);
  EXPECT_TRUE(node.ok()) << node.status().message();
  return node.ok() ? *node : Node();
}

void ExpectRefused(const Result<Node>& node, const std::string& part) {
  ASSERT_FALSE(node.ok());
  EXPECT_EQ(node.status().code(), StatusCode::kCorruptFile);
  EXPECT_NE(node.status().message().find(part), std::string::npos) << node.status().message();
}

TEST(Yaml, ReadsScalarsListsAndMaps) {
  const Node root = Yaml("%YAML 1.2\n---\na: 1\nb: [x, 'null', ~, null]\nc: {d: 0.5, 'y': yes}\n");
  EXPECT_EQ(root.At("a").Integer(), 1);
  ASSERT_EQ(root.At("b").list.size(), 4u);
  EXPECT_EQ(root.At("b").list[1].Text(), "null");  // in quotes it is a word
  EXPECT_TRUE(root.At("b").list[2].is_null());
  EXPECT_TRUE(root.At("b").list[3].is_null());
  EXPECT_EQ(root.At("c").At("d").Number(), 0.5);
  EXPECT_EQ(root.At("c").At("y").Truth(), true);
  EXPECT_TRUE(root.At("nothing").At("at").At("all").is_null());
  EXPECT_EQ(root.ToString(), "{a: 1, b: [x, null, null, null], c: {d: 0.5, y: yes}}");
}

TEST(Yaml, TakesTheLastOfAKeyThatComesTwice) { EXPECT_EQ(Yaml("a: 1\na: 2\n").At("a").Text(), "2"); }

TEST(Yaml, CopiesAliases) {
  const Node root = Yaml("a: &x [1, 2]\nb: *x\nc: &y 7\nd: *y\n");
  EXPECT_EQ(root.At("b").ToString(), "[1, 2]");
  EXPECT_EQ(root.At("d").Integer(), 7);
}

TEST(Yaml, KnowsNumbers) {
  for (const auto& [text, value] : {std::pair("1e3", 1000.0), {"-.5", -0.5}, {"+2", 2.0}, {"9.658E-4", 9.658e-4}}) {
    EXPECT_EQ(Yaml(text).Number(), value) << text;
  }
  EXPECT_TRUE(std::isinf(*Yaml(".inf").Number()));
  EXPECT_EQ(*Yaml("-inf").Number(), -INFINITY);
  for (const char* text : {"nan", ".nan", "1,5", "0x10", "1 2", "abc", "''", "1e999"}) {
    EXPECT_FALSE(Yaml(text).Number().has_value()) << text;
  }
  EXPECT_FALSE(Yaml("0.5").Integer().has_value());
  EXPECT_FALSE(Yaml("1e16").Integer().has_value());  // beyond 2^53
}

TEST(Yaml, RefusesBombs) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) laughs += (k > 0 ? ", " : "") + before;
    laughs += "]\n";
  }
  ExpectRefused(ParseYaml(laughs), "more than 200000 entries");
  ExpectRefused(ParseYaml("a: &a [*a]\n"), "named nowhere before");
  ExpectRefused(ParseYaml(std::string(100, '[') + std::string(100, ']')), "nested more than 64 deep");
  ExpectRefused(ParseYaml(std::string(200'000, '[')), "deep");
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) {
    chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  }
  ExpectRefused(ParseYaml(chain), "nested more than 64 deep");
  ExpectRefused(ParseYaml(std::string(kMaxDocumentBytes + 1, ' ')), "too large");
}

TEST(Yaml, RefusesWhatIsNotYamlWithItsLine) {
  ExpectRefused(ParseYaml("a: 1\nb: [1, 2\nc: 3\n"), "line ");
  ExpectRefused(ParseYaml("a: 1\n\tb: 2\n"), "line 2");
  ExpectRefused(ParseYaml("a: *nothing\n"), "line 1");
  ExpectRefused(ParseYaml("a: 1\n---\nb: 2\n"), "second document");
  ExpectRefused(ParseYaml("? [1, 2]\n: 3\n"), "a key that is a list or a map");
  ExpectRefused(ParseYaml("a: \x01\n"), "line");
  ExpectRefused(ParseYaml("a: \xff\xfe\n"), "line");
  EXPECT_TRUE(Yaml("").is_null());
}

TEST(Json, ReadsWhatPythonWrites) {
  const Result<Node> root =
      ParseJson(R"({"a": [1, -2.5e-3, NaN, -Infinity], "b": {"c": null, "d": "NaN \" Infinity"}})");
  ASSERT_TRUE(root.ok()) << root.status().message();
  EXPECT_EQ(root->At("a").list[0].Integer(), 1);
  EXPECT_EQ(root->At("a").list[1].Number(), -2.5e-3);
  EXPECT_FALSE(root->At("a").list[2].Number().has_value());
  EXPECT_EQ(root->At("a").list[3].Number(), -INFINITY);
  EXPECT_TRUE(root->At("b").At("c").is_null());
  EXPECT_EQ(root->At("b").At("d").Text(), "NaN \" Infinity");
}

TEST(Json, RefusesBombsAndWhatIsNotJson) {
  ExpectRefused(ParseJson(std::string(100, '[') + std::string(100, ']')), "nested more than 64 deep");
  ExpectRefused(ParseJson(std::string(1 << 20, '[')), "nested more than 64 deep");
  std::string many = "[0";
  for (int i = 0; i < 300'000; ++i) many += ",0";
  ExpectRefused(ParseJson(many + "]"), "more than 200000 entries");
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "{\"a\" 1}", "\"a", "[1] 2", "\xff"}) {
    ExpectRefused(ParseJson(text), "not JSON");
  }
}

TEST(LocaleNumber, TakesCommasAndLeavesTheUnit) {
  const std::tuple<const char*, double, const char*> cases[] = {
      {"62.9 Mb", 62.9, "Mb"},         {"172,9 Mb", 172.9, "Mb"}, {"1,60E-04 cm", 1.6e-4, "cm"},
      {"9.658E-4 µm", 9.658e-4, "µm"}, {"  0.1 s ", 0.1, "s"},    {"1224x1224", 1224, "x1224"},
  };
  for (const auto& [text, value, unit] : cases) {
    std::string rest;
    EXPECT_EQ(ParseLocaleNumber(text, &rest), value) << text;
    EXPECT_EQ(rest, unit);
  }
  EXPECT_FALSE(ParseLocaleNumber("pixel", nullptr).has_value());
  EXPECT_FALSE(ParseLocaleNumber("inf", nullptr).has_value());
}

}  // namespace
}  // namespace fovea::formats
