// CSBDeep and StarDist: meta.json beside exported SavedModels, config.json and thresholds.json of their own folders,
// and the processing of 0.2.0-csbdeep descriptions (Noise2Void for Fiji).
#include <algorithm>
#include <cctype>

#include "formats/bundle/readers.h"

namespace fovea::formats {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 20;

// "YXC" -> b y x c: networks of CSBDeep have a batch axis that its files leave out.
Status ReadAxes(const Node& root, TensorDescription* tensor) {
  const std::string& axes = root.At("axes").Text();
  tensor->axes.push_back({.letter = 'b', .id = "b"});
  for (const char upper : axes) {
    const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(upper)));
    if (std::string_view("tzyxc").find(letter) == std::string_view::npos ||
        tensor->Letters().find(letter) != std::string::npos) {
      return CorruptFile("axes '" + axes.substr(0, 40) + "' are not an order of axes such as YXC");
    }
    tensor->axes.push_back({.letter = letter, .id = std::string(1, letter)});
  }
  if (tensor->axes.size() < 3) return CorruptFile("names no axes, so it is not a file of CSBDeep");
  return OkStatus();
}

// Values of a list that leaves the batch axis out, one an axis of the tensor after it.
std::vector<int64_t> AxisValues(const Node& root, const char* key, size_t axes, BundleDescription* out) {
  const Node& node = root.At(key);
  std::vector<int64_t> values(axes, 0);
  if (node.is_null()) return values;
  if (node.list.size() != axes) {
    NotUnderstood(key, node, out);
    return values;
  }
  for (size_t i = 0; i < axes; ++i) {
    const std::optional<int64_t> value = node.list[i].Integer();
    if (!value || *value < 0 || *value > kMaxPixels) {
      NotUnderstood(key, node, out);
      return std::vector<int64_t>(axes, 0);
    }
    values[i] = *value;
  }
  return values;
}

void AddStep(const char* name, std::vector<StepArgument> arguments, const std::string& tensor,
             std::vector<Step>* steps) {
  steps->push_back({name, std::move(arguments), tensor});
}

// What CSBDeep's programs do unless told otherwise; the files do not say it. epsilon as in csbdeep.utils.normalize.
void AddPercentiles(double low, double high, BundleDescription* out) {
  std::vector<std::string> axes;
  for (const AxisDescription& axis : out->inputs[0].axes) {
    if (axis.letter != 'b') axes.push_back(axis.letter == 'c' ? "channel" : std::string(1, axis.letter));
  }
  AddStep("scale_range", {{"axes", axes}, {"min_percentile", low}, {"max_percentile", high}, {"eps", 1e-20}},
          out->inputs[0].name, &out->preprocessing);
}

void SetMultiples(const std::vector<int64_t>& multiples, TensorDescription* input) {
  for (size_t i = 0; i < multiples.size(); ++i) {
    AxisDescription& axis = input->axes[i + 1];
    if (multiples[i] < 1 || axis.letter == 'c') continue;
    axis.size = {.kind = SizeRuleDescription::Kind::kSteps, .min = multiples[i], .step = multiples[i]};
  }
}

WeightsDescription Weights(WeightsFormat format, const std::string& name, const std::string& file) {
  WeightsDescription weights;
  weights.format = format;
  weights.format_name = name;
  weights.file.source = file;
  return weights;
}

}  // namespace

Status ReadCsbdeepMeta(const Node& root, BundleDescription* out) {
  out->format = "CSBDeep meta.json";
  out->name = root.At("type").Text();
  out->version = root.At("version").Text();
  out->probabilistic = root.At("probabilistic").Truth();
  TensorDescription input, output;
  input.name = "input";
  output.name = "output";
  input.data_type = output.data_type = "float32";
  FOVEA_RETURN_IF_ERROR(ReadAxes(root, &input));
  output.axes = input.axes;
  const size_t axes = input.axes.size() - 1;
  SetMultiples(AxisValues(root, "axes_div_by", axes, out), &input);
  const std::vector<int64_t> overlap = AxisValues(root, "tile_overlap", axes, out);
  for (size_t i = 0; i < axes; ++i) output.axes[i + 1].halo_px = overlap[i];
  out->inputs.push_back(std::move(input));
  out->outputs.push_back(std::move(output));
  if (out->name == "CARE") AddPercentiles(3, 99.8, out);
  out->weights.push_back(Weights(WeightsFormat::kSavedModel, "saved_model.pb", ""));
  return OkStatus();
}

Status ReadCsbdeepConfig(const Node& root, BundleDescription* out) {
  const bool stardist = !root.At("n_rays").is_null();
  if (root.At("axes").is_null() || (!stardist && root.At("unet_n_depth").is_null())) {
    return CorruptFile("is neither a config.json of StarDist nor of CSBDeep");
  }
  out->format = stardist ? "StarDist config.json" : "CSBDeep config.json";
  TensorDescription input, output;
  input.name = "input";
  input.data_type = output.data_type = "float32";
  output.name = stardist ? "prob and dist" : "output";
  FOVEA_RETURN_IF_ERROR(ReadAxes(root, &input));
  for (AxisDescription& axis : input.axes) {
    const std::optional<int64_t> channels = root.At("n_channel_in").Integer();
    if (axis.letter == 'c' && channels && *channels >= 1 && *channels <= kMaxPixels) {
      axis.size = {.kind = SizeRuleDescription::Kind::kFixed, .min = *channels};
    }
  }
  output.axes = input.axes;
  for (AxisDescription& axis : output.axes) axis.size = {};
  // A size is divisible by pool^depth, and by the grid that StarDist predicts on.
  const std::optional<int64_t> depth = root.At("unet_n_depth").Integer();
  std::vector<int64_t> multiples(input.axes.size() - 1, 1);
  for (size_t i = 0, spatial = 0; i < multiples.size(); ++i) {
    if (input.axes[i + 1].letter == 'c') continue;
    const auto at = [&](const char* key, int64_t otherwise) {
      const std::vector<Node>& list = root.At(key).list;
      const std::optional<int64_t> value = spatial < list.size() ? list[spatial].Integer() : std::nullopt;
      return value && *value >= 1 && *value <= 64 ? *value : otherwise;
    };
    const int64_t pool = at(stardist ? "unet_pool" : "unet_pool_size", 2);
    for (int64_t k = 0; k < std::clamp<int64_t>(depth.value_or(0), 0, 10) && multiples[i] <= kMaxPixels; ++k) {
      multiples[i] *= pool;
    }
    if (stardist) multiples[i] = multiples[i] * at("grid", 1);
    ++spatial;
  }
  SetMultiples(multiples, &input);
  out->inputs.push_back(std::move(input));
  out->outputs.push_back(std::move(output));
  AddPercentiles(stardist ? 1 : 3, 99.8, out);
  out->probabilistic = root.At("probabilistic").Truth();
  out->weights.push_back(Weights(WeightsFormat::kSavedModel, "TF_SavedModel.zip", "TF_SavedModel.zip"));
  return OkStatus();
}

void ReadStardistThresholds(const Node& thresholds, BundleDescription* out) {
  if (thresholds.is_null()) return;
  for (const auto& [key, value] : {std::pair("prob", &out->probability_threshold), {"nms", &out->nms_threshold}}) {
    const std::optional<double> number = thresholds.At(key).Number();
    if (number && *number >= 0 && *number <= 1) {
      *value = number;
    } else if (!thresholds.At(key).is_null()) {
      NotUnderstood(std::string("thresholds.") + key, thresholds.At(key), out);
    }
  }
}

// (x - mean) / stdDev before, y * stdDev + mean after; lists of one number, or numbers in quotes.
void ReadCsbdeepPrediction(const Node& prediction, BundleDescription* out) {
  if (!prediction.At("weights").At("source").is_null()) {
    // "./variables/variables": the checkpoint of the SavedModel that the bundle is.
    out->weights.push_back(Weights(WeightsFormat::kSavedModel, "saved_model.pb", ""));
  }
  const auto read = [out](const Node& entry, const char* where, auto apply) {
    const auto mean = Numbers(entry.At("kwargs").At("mean")), deviation = Numbers(entry.At("kwargs").At("stdDev"));
    if (!mean || !deviation || mean->empty() || mean->size() != deviation->size()) {
      return NotUnderstood(where, entry, out);
    }
    apply(*mean, *deviation);
  };
  const auto value = [](const std::vector<double>& numbers) {
    return numbers.size() == 1 ? StepValue(numbers[0]) : StepValue(numbers);
  };
  for (const Node* entry : prediction.At("preprocess").Elements()) {
    read(*entry, "prediction.preprocess", [&](const auto& mean, const auto& deviation) {
      std::vector<StepArgument> arguments = {{"mean", value(mean)}, {"std", value(deviation)}};
      if (mean.size() > 1) arguments.push_back({"axis", std::string("channel")});
      AddStep("fixed_zero_mean_unit_variance", std::move(arguments), out->inputs[0].name, &out->preprocessing);
    });
  }
  for (const Node* entry : prediction.At("postprocess").Elements()) {
    read(*entry, "prediction.postprocess", [&](const auto& mean, const auto& deviation) {
      std::vector<StepArgument> arguments = {{"gain", value(deviation)}, {"offset", value(mean)}};
      if (mean.size() > 1) arguments.push_back({"axis", std::string("channel")});
      AddStep("scale_linear", std::move(arguments), out->outputs[0].name, &out->postprocessing);
    });
  }
}

}  // namespace fovea::formats
