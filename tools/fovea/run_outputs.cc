#include "tools/fovea/run_outputs.h"

#include <algorithm>
#include <filesystem>

#include "formats/image/overlay.h"
#include "tools/fovea/run_paths.h"

namespace fovea::cli {
namespace {

// In ImageJ's text, and for all TIFF files where programs name themselves.
void TellApproximate(formats::ImageInfo* info) {
  info->properties.emplace_back("fovea_tiling", "approximate");
  info->software = "fovea (approximate tiling: norms and means over the image taken of each tile)";
}

}  // namespace

namespace {

// The largest number of an object that a file of this type holds; pixels are float on their way there.
int64_t MostLabels(DType type) {
  switch (type) {
    case DType::kUInt8: return 255;
    case DType::kInt16: return 32767;
    case DType::kUInt16: return 65535;
    default: return int64_t{1} << 24;
  }
}

}  // namespace

DType FileType(const RunOptions& options, PixelKind kind, DType label_type) {
  if (options.dtype_given) return options.write.dtype;
  switch (kind) {
    case PixelKind::kLabels:
    case PixelKind::kVolumeLabels: return label_type;
    case PixelKind::kMask: return DType::kUInt8;
    case PixelKind::kValues: break;
  }
  return options.write.dtype;
}

ResultKind KindOfResult(const RunOptions& options, const StepChain& chain, const TensorSpec& spec) {
  switch (chain.kind()) {
    case PixelKind::kLabels:
    case PixelKind::kVolumeLabels: return ResultKind::kLabels;
    case PixelKind::kMask: return ResultKind::kMask;
    case PixelKind::kValues: break;
  }
  const bool is_probability = spec.is_probability && chain.empty() && IsFloat(options.write.dtype);
  return is_probability ? ResultKind::kProbability : ResultKind::kValues;
}

Status RunOutputs::Open(const std::string& input, const std::string& output, const formats::ImageInfo& original,
                        DType label_type, const JournalEntry* journal) {
  if (journal != nullptr && journal->states.size() != layout_.outputs.size()) {
    return CorruptFile(JournalPath(output) + ": is of a run with other outputs; run without --resume to begin anew");
  }
  const std::string base = WithoutSuffix(output, model_.outputs()[static_cast<size_t>(layout_.outputs[0].port)].name);
  for (size_t i = 0; i < layout_.outputs.size(); ++i) {
    const OutputLayout& out = layout_.outputs[i];
    const std::string& name = model_.outputs()[static_cast<size_t>(out.port)].name;
    const std::string path = i == 0 ? output : SiblingPath(options_.says_output ? base : output, name);
    std::error_code error;
    if (std::filesystem::equivalent(path, input, error)) {
      return InvalidArgument(path + ": is the input itself; choose another name");
    }
    FOVEA_ASSIGN_OR_RETURN(File file, OpenFile(out, original, path, label_type,
                                               journal != nullptr ? journal->states[i] : std::vector<uint8_t>()));
    targets_.push_back(file.target.get());
    files_.push_back(std::move(file));
  }
  // A run that is gone on with may have drawn it.
  draws_ = !options_.overlay.empty() && (journal == nullptr || journal->sample == 0);
  if (draws_) FOVEA_RETURN_IF_ERROR(KeepPlaneOfOverlay());
  for (const File& file : files_) {
    if (journal == nullptr) HeldFile::Remove(file.path);
  }
  HoldInFiles();
  if (journal == nullptr) return OkStatus();
  const auto labels = std::find_if(files_.begin(), files_.end(), HasLabels);
  if (labels != files_.end()) labels->steps->AddObjects(journal->objects, journal->most_objects);
  return OkStatus();
}

void RunOutputs::HoldInFiles() {
  for (const File& file : files_) {
    SampleShape shape;
    if (file.steps != nullptr && !file.steps->streams()) {
      shape = file.steps->held_shape();
    } else if (!file.target->plane().empty()) {
      shape.rows = layout_.image[1];
      shape.cols = layout_.image[2];
    } else {
      continue;
    }
    file.target->HoldIn(std::make_unique<HeldFile>(file.path, shape.channels * shape.planes, shape.rows, shape.cols));
  }
}

Status RunOutputs::KeepPlaneOfOverlay() {
  const File& file = files_[0];
  const OutputLayout& out = layout_.outputs[0];
  SampleShape shape = ShapeOfOutput(layout_, out);
  bool moved = false;
  if (file.steps != nullptr) shape = file.steps->chain().shape(), moved = MovesPixels(file.steps->chain());
  if (moved || shape.rows != layout_.image[1] || shape.cols != layout_.image[2]) {
    return Unsupported("--overlay needs a result of the image's own size");
  }
  file.target->KeepPlane(shape.rows, shape.cols);
  return OkStatus();
}

Result<RunOutputs::File> RunOutputs::OpenFile(const OutputLayout& out, const formats::ImageInfo& original,
                                              const std::string& path, DType label_type,
                                              const std::vector<uint8_t>& state) const {
  FOVEA_ASSIGN_OR_RETURN(StepChain chain, image_.OutputChain(model_, options_, out));
  const SampleShape shape = ShapeOfOutput(layout_, out);
  const bool back = rescaling_.active && rescaling_.back;
  if (back && (MovesPixels(image_.chain()) || MovesPixels(chain))) {
    return InvalidArgument(
        "--pixel-size can't bring the result back to the image's pixels after steps that crop, resize or transpose; "
        "say --pixel-size match:model");
  }
  formats::WriteOptions write = options_.write;
  write.dtype = FileType(options_, chain.kind(), label_type);
  const ResultKind kind = KindOfResult(options_, chain, model_.outputs()[static_cast<size_t>(out.port)]);
  formats::ImageInfo info = InfoAfterSteps(OutputInfo(image_.info(), layout_, out, kind), shape, chain);
  if (options_.approximate) TellApproximate(&info);
  const bool numbers = kind == ResultKind::kMask || kind == ResultKind::kLabels;
  write.pyramid_nearest = numbers;  // classes have no mean
  write.resumable = true;
  write.resume_state = state;
  FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<formats::ImageWriter> writer,
                         back ? CreateImageBack(path, info, write, rescaling_, numbers, original)
                              : formats::CreateImage(path, info, write));
  File file;
  file.path = path;
  file.channels = chain.shape().channels;
  file.of_dataset = chain.takes_dataset_statistics();
  if (chain.empty()) {
    file.target = std::make_unique<ValueTarget>(std::move(writer));
    return file;
  }
  auto target = std::make_unique<StepTarget>(std::move(writer), std::move(chain), shape, MostLabels(write.dtype));
  file.steps = target.get();
  file.target = std::move(target);
  return file;
}

Status RunOutputs::Begin(const SampleIndex& sample) {
  for (size_t i = 0; i < files_.size(); ++i) {
    FOVEA_RETURN_IF_ERROR(files_[i].target->Begin({sample.t, sample.z, sample.c * files_[i].channels}));
  }
  return OkStatus();
}

Status RunOutputs::End(ImageSource* source) {
  for (const File& file : files_) {
    const Status ended = file.target->End();
    if (ended.ok()) continue;
    label_overflow_ = file.steps != nullptr && file.steps->overflowed();
    return ended.message().find(file.path) == std::string::npos ? ended.Prefixed(file.path) : ended;
  }
  if (!draws_) return OkStatus();
  draws_ = false;
  const Status drawn = WriteOverlay(source);
  files_[0].target->DropPlane();
  return drawn;
}

Result<std::vector<int32_t>> RunOutputs::ObjectsOfPlane(int64_t rows, int64_t cols) const {
  const File& file = files_[0];
  const std::vector<float>& plane = file.target->plane();
  std::vector<int32_t> labels(plane.size());
  if (HasLabels(file)) {
    std::transform(plane.begin(), plane.end(), labels.begin(), [](float v) { return static_cast<int32_t>(v); });
    return labels;
  }
  const bool is_mask = file.steps != nullptr && file.steps->chain().kind() == PixelKind::kMask;
  FOVEA_RETURN_IF_ERROR(formats::LabelMask(plane.data(), rows, cols,
                                           is_mask ? 0.0f : static_cast<float>(options_.threshold),
                                           formats::Connectivity::kFour, labels.data())
                            .status());
  return labels;
}

Status RunOutputs::WriteOverlay(ImageSource* source) const {
  const int64_t rows = layout_.image[1], cols = layout_.image[2];
  std::vector<float> grey;
  FOVEA_RETURN_IF_ERROR(source->ReadPlane(0, 0, &grey));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int32_t> labels, ObjectsOfPlane(rows, cols));
  return formats::WriteOverlayPng(options_.overlay, grey.data(), labels.data(), rows, cols);
}

bool RunOutputs::holds() const {
  return std::any_of(files_.begin(), files_.end(), [](const File& file) { return file.target->holds(); });
}

Status RunOutputs::Restore() {
  for (const File& file : files_) FOVEA_RETURN_IF_ERROR(file.target->Restore());
  return OkStatus();
}

Status RunOutputs::Checkpoint(JournalEntry* entry) {
  entry->states.clear();
  for (const File& file : files_) {
    FOVEA_ASSIGN_OR_RETURN(std::vector<uint8_t> state, file.target->Checkpoint(entry->tile > 0));
    entry->states.push_back(std::move(state));
  }
  entry->objects = objects();
  const auto labels = std::find_if(files_.begin(), files_.end(), HasLabels);
  entry->most_objects = labels != files_.end() ? labels->steps->most_objects() : 0;
  return OkStatus();
}

void RunOutputs::KeepUnfinished(bool keep) {
  for (const File& file : files_) {
    file.target->KeepUnfinished(keep);
    if (!keep) HeldFile::Remove(file.path);
  }
}

bool RunOutputs::HasLabels(const File& file) { return file.steps != nullptr && file.steps->has_labels(); }

int64_t RunOutputs::objects() const {
  int64_t objects = 0;
  for (const File& file : files_) objects += HasLabels(file) ? file.steps->objects() : 0;
  return objects;
}

std::string RunOutputs::DatasetNote() const {
  const bool wanted = std::any_of(files_.begin(), files_.end(), [](const File& file) { return file.of_dataset; });
  if (!wanted || (options_.files == 1 && image_.samples() == 1)) return {};
  return "steps after the network that are of the data set take their statistics of each result";
}

Status RunOutputs::Finish(nlohmann::ordered_json* report) {
  for (const File& file : files_) {
    FOVEA_RETURN_IF_ERROR(file.target->Finish());
    file.target->HoldIn(nullptr);
    HeldFile::Remove(file.path);
    (*report)["outputs"].push_back(file.path);
    if (file.steps == nullptr) continue;
    for (const std::string& line : file.steps->Decisions()) (*report)["steps"].push_back(line);
  }
  if (std::any_of(files_.begin(), files_.end(), HasLabels)) (*report)["objects"] = objects();
  if (const std::string note = DatasetNote(); !note.empty()) (*report)["notes"].push_back(note);
  if (!options_.overlay.empty()) (*report)["overlay"] = options_.overlay;
  return OkStatus();
}

}  // namespace fovea::cli
