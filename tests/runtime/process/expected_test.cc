// Steps against numpy and scipy: expected.json, which make_expected.py writes.
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/runtime/process/apply_steps.h"

namespace fovea {
namespace {

using nlohmann::json;

SampleShape ShapeOf(const json& tensor) {
  const auto sizes = tensor.at("shape").get<std::vector<int64_t>>();
  return {1, sizes.at(0), sizes.at(1), sizes.at(2), sizes.at(3)};
}

TEST(Steps, GiveWhatNumpyAndScipyGive) {
  std::ifstream file(std::string(FOVEA_SOURCE_DIR) + "/tests/runtime/process/expected.json");
  const json all = json::parse(file, nullptr, false);
  ASSERT_TRUE(all.is_object());
  ASSERT_GE(all.at("cases").size(), 60u);
  for (const json& wanted : all.at("cases")) {
    const auto steps = wanted.at("steps").get<std::string>(), compat = wanted.at("compat").get<std::string>();
    SCOPED_TRACE(steps + " --compat " + compat);
    const json& input = all.at("inputs").at(wanted.at("input").get<std::string>());
    std::optional<MemorySource> reference;
    StepOptions options;
    options.compatibility = *ParseCompatibility(compat);
    if (!wanted.at("reference").is_null()) {
      const json& raw = all.at("inputs").at(wanted.at("reference").get<std::string>());
      reference.emplace(ShapeOf(raw), raw.at("values").get<std::vector<float>>());
      options.reference = [&](const std::string& name, SampleShape* shape) -> SampleSource* {
        *shape = ShapeOf(raw);
        return name == "raw" ? &*reference : nullptr;
      };
    }
    SampleShape shape;
    const std::vector<float> result =
        Apply(steps, ShapeOf(input), input.at("values").get<std::vector<float>>(), options, &shape);
    EXPECT_EQ(shape, ShapeOf(wanted));
    const auto expected = wanted.at("values").get<std::vector<float>>();
    ASSERT_EQ(result.size(), expected.size());
    for (size_t i = 0; i < result.size(); ++i) {
      ASSERT_NEAR(result[i], expected[i], wanted.at("tolerance").get<double>()) << "pixel " << i;
    }
  }
}

}  // namespace
}  // namespace fovea
