#include "tools/fovea/example_range.h"

#include <cmath>
#include <cstdio>

#include "tools/cli/apply_steps.h"
#include "tools/fovea/layout.h"

namespace fovea::cli {
namespace {

constexpr uint64_t kMostExampleBytes = 4u << 20;
constexpr double kFar = 4, kNarrow = 50;  // times the example's width; parts of it

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

}  // namespace

ValueRange ExampleRange(const Model& model) {
  const ModelInfo info = model.info();
  const uint64_t weights = static_cast<uint64_t>(info.parameters) * sizeof(float);
  const bool is_small = info.file_bytes >= weights && info.file_bytes - weights <= kMostExampleBytes;
  ValueRange range;
  if (!is_small || model.inputs().size() != 1 || !TakesVolumes(model).ok()) return range;
  const TensorSpec& spec = model.inputs()[0];
  for (const SelfTestCase& test : model.self_tests()) {
    if (test.inputs.size() != 1) continue;
    SelfTestCase::Tensor tensor = test.inputs[0];
    const std::vector<ReferenceTensor> references = {{&spec, &test.inputs[0]}};
    if (test.with_steps && !ApplySteps(model.preprocessing(), spec, references, &tensor).ok()) continue;
    for (const float value : tensor.values) {
      if (std::isfinite(value)) range.Include(value, value);
    }
  }
  return range;
}

std::string ToldAgainst(const ValueRange& example, const ValueRange& values) {
  const double width = example.most - example.least;
  if (example.empty() || values.empty() || width <= 0 || values.most <= values.least) return {};
  const bool is_far = values.most > example.most + kFar * width || values.least < example.least - kFar * width;
  const bool is_narrow = (values.most - values.least) * kNarrow < width;
  if (!is_far && !is_narrow) return {};
  return "the network was given values from " + Number(values.least) + " to " + Number(values.most) +
         ", its own example has " + Number(example.least) + " to " + Number(example.most) +
         ": the result may be poor; see --normalize and --pre";
}

}  // namespace fovea::cli
