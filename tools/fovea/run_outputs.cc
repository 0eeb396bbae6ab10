#include "tools/fovea/run_outputs.h"

#include <algorithm>
#include <filesystem>

#include "formats/image/overlay.h"

namespace fovea::cli {
namespace {

// "out.tif" and "prob" -> "out_prob.tif"; ".ome.tif" counts as one extension.
std::string SiblingPath(const std::string& path, const std::string& name) {
  const size_t slash = path.find_last_of('/');
  size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) dot = path.size();
  if (dot >= 4 && path.compare(dot - 4, 4, ".ome") == 0) dot -= 4;
  std::string safe = name;
  for (char& c : safe) {
    if (c == '/' || c == ':' || c == '\\') c = '_';
  }
  return path.substr(0, dot) + "_" + safe + path.substr(dot);
}

}  // namespace

int64_t LabelPlanes(const Layout& layout, const OutputLayout& out) { return layout.network_3d ? out.axes[0].size : 1; }

DType FileType(const RunOptions& options, DType label_type) {
  return options.labels ? label_type : options.has_threshold ? DType::kUInt8 : options.write.dtype;
}

ResultKind KindOfResult(const RunOptions& options, const TensorSpec& spec) {
  if (options.labels) return ResultKind::kLabels;
  if (options.has_threshold) return ResultKind::kMask;
  return spec.is_probability && IsFloat(options.write.dtype) ? ResultKind::kProbability : ResultKind::kValues;
}

Status RunOutputs::Open(const std::string& input, const std::string& output, const formats::ImageInfo& in,
                        const formats::ImageInfo& original, DType label_type, const JournalEntry* journal) {
  if (journal != nullptr && journal->states.size() != layout_.outputs.size()) {
    return CorruptFile(JournalPath(output) + ": is of a run with other outputs; run without --resume to begin anew");
  }
  for (size_t i = 0; i < layout_.outputs.size(); ++i) {
    const OutputLayout& out = layout_.outputs[i];
    const std::string path =
        i == 0 ? output : SiblingPath(output, model_.outputs()[static_cast<size_t>(out.port)].name);
    std::error_code error;
    if (std::filesystem::equivalent(path, input, error)) {
      return InvalidArgument(path + ": is the input itself; choose another name");
    }
    FOVEA_ASSIGN_OR_RETURN(File file, OpenFile(out, in, original, path, label_type,
                                               journal != nullptr ? journal->states[i] : std::vector<uint8_t>()));
    targets_.push_back(file.target.get());
    files_.push_back(std::move(file));
  }
  if (!options_.overlay.empty()) {
    tee_ = std::make_unique<TeeTarget>(targets_[0], layout_.outputs[0].axes[1].size, layout_.outputs[0].axes[2].size);
    targets_[0] = tee_.get();
  }
  if (journal == nullptr) return OkStatus();
  if (tee_ != nullptr && journal->sample > 0) tee_->Stop();  // that run drew it
  if (auto* labels = dynamic_cast<LabelTarget*>(files_[0].target.get())) labels->AddObjects(journal->objects);
  return OkStatus();
}

Result<RunOutputs::File> RunOutputs::OpenFile(const OutputLayout& out, const formats::ImageInfo& in,
                                              const formats::ImageInfo& original, const std::string& path,
                                              DType label_type, const std::vector<uint8_t>& state) const {
  formats::WriteOptions write = options_.write;
  write.dtype = FileType(options_, label_type);
  const ResultKind kind = KindOfResult(options_, model_.outputs()[static_cast<size_t>(out.port)]);
  const formats::ImageInfo info = OutputInfo(in, layout_, out, kind);
  const bool numbers = kind == ResultKind::kMask || kind == ResultKind::kLabels;
  write.pyramid_nearest = numbers;  // classes have no mean
  write.resumable = true;
  write.resume_state = state;
  FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<formats::ImageWriter> writer,
                         rescaling_.active && rescaling_.back
                             ? CreateImageBack(path, info, write, rescaling_, numbers, original)
                             : formats::CreateImage(path, info, write));
  File file;
  file.path = path;
  const auto threshold = static_cast<float>(options_.threshold);
  if (options_.labels) {
    const int64_t max_label = label_type == DType::kUInt16 ? 65535 : int64_t{1} << 24;
    file.target = std::make_unique<LabelTarget>(std::move(writer), threshold, max_label, LabelPlanes(layout_, out),
                                                out.channels, out.axes[1].size, out.axes[2].size);
  } else if (options_.has_threshold) {
    file.target = std::make_unique<MaskTarget>(std::move(writer), threshold);
  } else {
    file.target = std::make_unique<ValueTarget>(std::move(writer));
  }
  return file;
}

Status RunOutputs::Begin(const SampleIndex& sample) {
  for (size_t i = 0; i < files_.size(); ++i) {
    FOVEA_RETURN_IF_ERROR(files_[i].target->Begin({sample.t, sample.z, sample.c * layout_.outputs[i].channels}));
  }
  return OkStatus();
}

Status RunOutputs::End(ImageSource* source) {
  for (const File& file : files_) {
    const Status ended = file.target->End();
    if (ended.ok()) continue;
    const auto* labels = dynamic_cast<LabelTarget*>(file.target.get());
    label_overflow_ = labels != nullptr && labels->overflowed();
    return ended.Prefixed(file.path);
  }
  if (tee_ == nullptr || tee_->stopped()) return OkStatus();
  tee_->Stop();
  return WriteOverlay(tee_->plane(), source);
}

Status RunOutputs::WriteOverlay(const std::vector<float>& values, ImageSource* source) const {
  const OutputLayout& out = layout_.outputs[0];
  const int64_t rows = out.axes[1].size, cols = out.axes[2].size;
  if (rows != layout_.image[1] || cols != layout_.image[2]) {
    return Unsupported("--overlay needs an output of the image's own size");
  }
  std::vector<float> grey;
  FOVEA_RETURN_IF_ERROR(source->ReadPlane(0, 0, &grey));
  std::vector<int32_t> labels(static_cast<size_t>(rows * cols));
  FOVEA_RETURN_IF_ERROR(formats::LabelMask(values.data(), rows, cols, static_cast<float>(options_.threshold),
                                           formats::Connectivity::kFour, labels.data())
                            .status());
  return formats::WriteOverlayPng(options_.overlay, grey.data(), labels.data(), rows, cols);
}

bool RunOutputs::streams() const {
  const auto holds = [](const File& file) { return !file.target->streams(); };
  return (tee_ == nullptr || tee_->stopped()) && std::none_of(files_.begin(), files_.end(), holds);
}

Status RunOutputs::Checkpoint(JournalEntry* entry) {
  entry->states.clear();
  for (const File& file : files_) {
    FOVEA_ASSIGN_OR_RETURN(std::vector<uint8_t> state, file.target->Checkpoint());
    entry->states.push_back(std::move(state));
  }
  entry->objects = objects();
  return OkStatus();
}

void RunOutputs::KeepUnfinished(bool keep) {
  for (const File& file : files_) file.target->KeepUnfinished(keep);
}

int64_t RunOutputs::objects() const {
  int64_t objects = 0;
  for (const File& file : files_) {
    if (const auto* labels = dynamic_cast<LabelTarget*>(file.target.get())) objects += labels->objects();
  }
  return objects;
}

Status RunOutputs::Finish(nlohmann::ordered_json* report) {
  for (const File& file : files_) {
    FOVEA_RETURN_IF_ERROR(file.target->Finish());
    (*report)["outputs"].push_back(file.path);
  }
  if (options_.labels) (*report)["objects"] = objects();
  if (!options_.overlay.empty()) (*report)["overlay"] = options_.overlay;
  return OkStatus();
}

}  // namespace fovea::cli
