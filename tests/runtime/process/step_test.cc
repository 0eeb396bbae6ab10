// Steps as text: what is written reads back, and what is wrong is quoted.
#include "runtime/include/fovea/step.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fovea {
namespace {

std::vector<Step> Parsed(const std::string& text) {
  const auto steps = ParseSteps(text);
  EXPECT_TRUE(steps.ok()) << steps.status().message();
  return steps.ok() ? *steps : std::vector<Step>();
}

TEST(StepText, ValuesOfEveryKind) {
  EXPECT_TRUE(Parsed("none").empty());
  EXPECT_TRUE(Parsed(" none() ").empty());
  EXPECT_EQ(Parsed("sigmoid"), (std::vector<Step>{{"sigmoid", {}, ""}}));
  EXPECT_EQ(Parsed("scale_range(min_percentile=1,max_percentile=99.8)"),
            (std::vector<Step>{{"scale_range", {{"min_percentile", 1.0}, {"max_percentile", 99.8}}, ""}}));
  EXPECT_EQ(Parsed("a( k = true , l=false, m=+1e-3,n=-inf ) | b@in/put:0|c(x=1)@y"),
            (std::vector<Step>{{"a", {{"k", true}, {"l", false}, {"m", 1e-3}, {"n", -HUGE_VAL}}, ""},
                               {"b", {}, "in/put:0"},
                               {"c", {{"x", 1.0}}, "y"}}));
  EXPECT_EQ(Parsed("a(k=[1, 2.5],l=[y,x],m=[],n='it\\'s, (1)',o=\"true\",p='')"),
            (std::vector<Step>{{"a",
                                {{"k", std::vector<double>{1, 2.5}},
                                 {"l", std::vector<std::string>{"y", "x"}},
                                 {"m", std::vector<double>{}},
                                 {"n", std::string("it's, (1)")},
                                 {"o", std::string("true")},
                                 {"p", std::string()}},
                                ""}}));
}

TEST(StepText, ReadsBackWhatItWrites) {
  const std::vector<Step> steps = {
      {"a",
       {{"tenth", 0.1}, {"huge", 1e300}, {"infinite", -HUGE_VAL}, {"yes", true}, {"word", std::string("a-b_1")}},
       "tensor:0"},
      {"b",
       {{"number-like", std::string("12")},
        {"empty", std::string()},
        {"marks", std::string("|)'\\\"=,[ ]")},
        {"numbers", std::vector<double>{0.1, -3}},
        {"texts", std::vector<std::string>{"x", "false", "p q"}}},
       ""}};
  EXPECT_EQ(Parsed(ToString(steps)), steps) << ToString(steps);
  EXPECT_EQ(ToString(std::span<const Step>()), "none");
  EXPECT_EQ(ToString(Parsed("scale_range(min_percentile=1,max_percentile=99.8)")),
            "scale_range(min_percentile=1, max_percentile=99.8)");
}

TEST(StepText, WhatIsWrongIsQuoted) {
  const auto message = [](const std::string& text) {
    const auto steps = ParseSteps(text);
    EXPECT_EQ(steps.status().code(), StatusCode::kInvalidArgument) << text;
    return steps.status().message();
  };
  const std::string remedy = "; write name(key=value, ...) | name(...) or none";
  EXPECT_EQ(message(""), "'' is no list of steps: the name of a step is missing at the end" + remedy);
  EXPECT_EQ(message("clip(min=1"), "'clip(min=1' is no list of steps: ',' or ')' is missing at the end" + remedy);
  EXPECT_EQ(message("clip(1)"), "'clip(1)' is no list of steps: '=' is missing at ')'" + remedy);
  EXPECT_EQ(message("clip(min=)"), "'clip(min=)' is no list of steps: a value is missing at ')'" + remedy);
  EXPECT_EQ(message("a b"), "'a b' is no list of steps: '|' or the end is missing at 'b'" + remedy);
  EXPECT_EQ(message("a |"), "'a |' is no list of steps: the name of a step is missing at the end" + remedy);
  EXPECT_EQ(message("a(k='x"), "'a(k='x' is no list of steps: the closing ' is missing at the end" + remedy);
  EXPECT_EQ(message("a@ "), "'a@ ' is no list of steps: the name of a tensor is missing at the end" + remedy);
  EXPECT_EQ(message("a(k=[1,x])"),
            "'a(k=[1,x])' is no list of steps: a list holds numbers and texts; it must be one kind");
  EXPECT_EQ(message("a(k=1,k=2)"), "step a: the argument k is given twice");
}

}  // namespace
}  // namespace fovea
