#include "tools/fovea/data_set.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/fovea/processed_image.h"
#include "tools/fovea/run_fit.h"

namespace fovea::cli {
namespace {

// One input after another, as RunFile will see it.
class Inputs {
 public:
  Inputs(const Model& model, const RunOptions& options, std::vector<std::string> paths)
      : model_(model), options_(options), paths_(std::move(paths)) {}
  ~Inputs() {
    if (told_) std::fputs("\r\033[K", stderr);
  }
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  Status Open(int64_t i, DatasetImage* opened) {
    current_ = static_cast<size_t>(i);
    if (options_.progress == ProgressKind::kLine) {
      std::fprintf(stderr, "\r\033[Kstatistics of all images: %zu of %zu", current_ + 1, paths_.size());
      told_ = true;
    }
    image_.reset();
    FOVEA_ASSIGN_OR_RETURN(reader_, formats::OpenImage(paths_[current_]));
    FOVEA_ASSIGN_OR_RETURN(const bool takes_volumes, TakesVolumes(model_));
    FOVEA_ASSIGN_OR_RETURN(const Rescaling rescaling,
                           PlanRescaling(model_, reader_->info(), options_.pixel_size, takes_volumes));
    if (rescaling.active) reader_ = RescaleImage(std::move(reader_), rescaling);
    FOVEA_ASSIGN_OR_RETURN(image_, ProcessedImage::Make(reader_.get(), model_, options_));
    FOVEA_RETURN_IF_ERROR(FitReading(options_.memory_bytes, reader_.get(), *image_));
    *opened = {image_->original(), image_->original()->shape()};
    return OkStatus();
  }

  SampleSource* Reference(const std::string& name, SampleShape* shape) {
    if (name != model_.inputs()[static_cast<size_t>(image_->layout().input)].name) return nullptr;
    *shape = image_->original()->shape();
    return image_->original();
  }

  bool TakesStatistics() const { return image_->chain().takes_dataset_statistics(); }
  int64_t count() const { return static_cast<int64_t>(paths_.size()); }
  std::string LeaveOutCurrent() {
    std::string path = paths_[current_];
    paths_.erase(paths_.begin() + static_cast<std::ptrdiff_t>(current_));
    return path;
  }

 private:
  const Model& model_;
  const RunOptions& options_;
  std::vector<std::string> paths_;
  size_t current_ = 0;
  bool told_ = false;
  std::unique_ptr<formats::ImageReader> reader_;
  std::unique_ptr<ProcessedImage> image_;
};

std::string NumberText(double number) {
  char text[40];  // the shortest that reads back as the same number
  return {text, std::to_chars(text, text + sizeof(text), number).ptr};
}

}  // namespace

Result<DatasetStatistics> MeasureInputs(const Model& model, const RunOptions& options,
                                        const std::vector<std::string>& paths, std::vector<std::string>* left_out) {
  if (paths.size() < 2 || options.processing.pre.empty()) return DatasetStatistics();
  Inputs inputs(model, options, paths);
  StepOptions step_options;
  step_options.compatibility = options.processing.compatibility;
  step_options.cancelled = Interrupted;
  step_options.reference = [&inputs](const std::string& name, SampleShape* shape) {
    return inputs.Reference(name, shape);
  };
  // An input that fails does so again when its turn comes; the others are measured without it.
  while (inputs.count() > 0) {
    DatasetImage first;
    Status status = inputs.Open(0, &first);
    if (status.ok()) {
      if (!inputs.TakesStatistics()) return DatasetStatistics();
      auto measured = MeasureDataset(
          options.processing.pre, inputs.count(),
          [&inputs](int64_t i, DatasetImage* image) { return inputs.Open(i, image); }, step_options);
      if (measured.ok()) return measured;
      status = measured.status();
    }
    if (status.code() == StatusCode::kCancelled) return status;
    const std::string path = inputs.LeaveOutCurrent();
    const bool named = status.message().find(path) != std::string::npos;
    left_out->push_back((named ? status : status.Prefixed(path)).message());
  }
  return DatasetStatistics();
}

std::string TextOf(const DatasetStatistics& statistics) {
  std::string text = "of " + std::to_string(statistics.images) + " images:";
  for (const auto& constants : statistics.constants) {
    for (const double number : constants) text += " " + NumberText(number);
    text += constants.empty() ? "" : ";";
  }
  return text;
}

nlohmann::ordered_json ToJson(const DatasetStatistics& statistics, const std::vector<Step>& steps) {
  nlohmann::ordered_json json = {{"images", statistics.images}, {"steps", ToString(steps)}};
  json["constants"] = nlohmann::ordered_json::array();
  for (const auto& constants : statistics.constants) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const double number : constants) list.push_back(NumberText(number));  // JSON has no infinity
    json["constants"].push_back(list);
  }
  return json;
}

Result<DatasetStatistics> DatasetFromJson(const nlohmann::json& json, const std::vector<Step>& steps) {
  const Status damaged = CorruptFile("the record's statistics of the data set are damaged");
  if (!json.is_object() || !json.contains("images") || !json["images"].is_number_integer() || !json.contains("steps") ||
      !json["steps"].is_string() || !json.contains("constants") || !json["constants"].is_array() ||
      json["constants"].size() != steps.size()) {
    return damaged;
  }
  DatasetStatistics statistics;
  statistics.images = json["images"].get<int64_t>();
  if (statistics.images < 1) return damaged;
  if (json["steps"].get<std::string>() != ToString(steps)) {
    return InvalidArgument("the recorded run took statistics of " + std::to_string(statistics.images) +
                           " images by its steps before the network; they can't be replaced when it is repeated");
  }
  for (const auto& list : json["constants"]) {
    if (!list.is_array()) return damaged;
    std::vector<double>& constants = statistics.constants.emplace_back();
    for (const auto& number : list) {
      if (!number.is_string()) return damaged;
      const std::string text = number.get<std::string>();
      const char* const end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data(), end, constants.emplace_back());
      if (parsed.ec != std::errc() || parsed.ptr != end || std::isnan(constants.back())) return damaged;
    }
  }
  return statistics;
}

}  // namespace fovea::cli
