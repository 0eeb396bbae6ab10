// StepChain, and the catalogue of all steps.
#include <algorithm>
#include <array>
#include <cctype>

#include "runtime/process/stage.h"

namespace fovea {

namespace process {

std::span<const StepRow> AllSteps() {
  static const std::vector<StepRow> kAll = [] {
    std::vector<StepRow> all;
    for (const auto rows :
         {PointwiseSteps(), StatisticSteps(), ThresholdSteps(), GeometrySteps(), FilterSteps(), ObjectSteps()}) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace process

namespace {

using process::Stage;

constexpr std::array<AxisMap, 3> kSameAxes = {{{0, 1, 0}, {1, 1, 0}, {2, 1, 0}}};

// Whether `word` stands in `text` between other characters than letters and '_'.
bool HasWord(const std::string& text, const std::string& word) {
  const auto is_letter = [&text](size_t i) {
    return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_');
  };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + word.size())) return true;
  }
  return false;
}

const process::StepRow* FindRow(const std::string& name) {
  for (const process::StepRow& row : process::AllSteps()) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

Status UnknownStep(const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const process::StepRow& row : process::AllSteps()) {
    names.emplace_back(row.name);
    list += (list.empty() ? "" : ", ") + std::string(row.name);
  }
  const std::string near = process::NearestName(name, names);
  return InvalidArgument("there is no step '" + name + "'" +
                         (near.empty() ? "; there are " + list : "; did you mean " + near + "?"));
}

Status UnknownArgument(const std::string& key, const process::StepRow& row) {
  const std::string signature = row.signature;
  std::vector<std::string> keys;
  const std::string letters = "abcdefghijklmnopqrstuvwxyz_";
  for (size_t at = 0; at < signature.size();) {
    const size_t end = std::min(signature.find_first_not_of(letters, at), signature.size());
    const std::string word = signature.substr(at, end - at);
    if (!word.empty() && word != "or" && word != row.name) keys.push_back(word);
    at = end + 1;
  }
  const std::string near = process::NearestName(key, keys);
  return InvalidArgument("step " + std::string(row.name) + " has no argument " + key + "; " +
                         (near.empty() ? "it is " : "did you mean " + near + "? It is ") + signature);
}

}  // namespace

process::StageResult process::MakeStage(const Step& step, const SampleShape& in, const StepOptions& options) {
  FOVEA_RETURN_IF_ERROR(CheckStepNames({&step, 1}));
  process::Arguments arguments(step);
  return FindRow(step.name)->make(arguments, {in, &options});
}

Status CheckStepNames(std::span<const Step> steps) {
  for (const Step& step : steps) {
    FOVEA_RETURN_IF_ERROR(CheckStepForm(step));
    const process::StepRow* const row = FindRow(step.name);
    if (row == nullptr) return UnknownStep(step.name);
    for (const StepArgument& argument : step.arguments) {
      if (!HasWord(row->signature, argument.key)) return UnknownArgument(argument.key, *row);
    }
  }
  return OkStatus();
}

struct StepChain::State {
  StepOptions options;
  SampleShape in;
  std::unique_ptr<process::HeldStage> held;
  std::vector<std::unique_ptr<Stage>> stages;
  SampleSource* source = nullptr;
  int64_t prepared = -1;

  Status UseDataset(std::span<const Step> steps) {
    const auto& constants = options.dataset->constants;
    for (size_t i = 0; i < stages.size() && i < constants.size(); ++i) {
      if (constants[i].empty() || stages[i]->UseDataset(constants[i])) continue;
      return InvalidArgument("step " + steps[i].name +
                             ": this image has other channels or planes than the data set that its statistics are of");
    }
    return OkStatus();
  }

  Status PrepareThrough(size_t count, int64_t sample) {
    for (size_t i = 0; i < count; ++i) {
      FOVEA_RETURN_IF_ERROR(stages[i]->Prepare(sample, [this, i](int64_t s) { return PrepareThrough(i, s); }));
    }
    return OkStatus();
  }
};

StepChain::StepChain() : state_(std::make_unique<State>()) {}
StepChain::StepChain(std::unique_ptr<State> state) : state_(std::move(state)) {}
StepChain::StepChain(StepChain&&) noexcept = default;
StepChain& StepChain::operator=(StepChain&&) noexcept = default;
StepChain::~StepChain() = default;

Result<StepChain> StepChain::Create(std::span<const Step> steps, const SampleShape& in, const StepOptions& options) {
  if (std::min({in.samples, in.channels, in.planes, in.rows, in.cols}) < 1) {
    return InvalidArgument("an image without pixels can't be processed");
  }
  auto state = std::make_unique<State>();
  state->options = options;
  state->in = in;
  for (const Step& step : steps) {
    FOVEA_ASSIGN_OR_RETURN(
        auto stage, process::MakeStage(step, state->stages.empty() ? in : state->stages.back()->out(), state->options));
    state->stages.push_back(std::move(stage));
  }
  if (options.dataset != nullptr && !options.dataset->empty()) FOVEA_RETURN_IF_ERROR(state->UseDataset(steps));
  return StepChain(std::move(state));
}

bool StepChain::empty() const { return state_->stages.empty(); }
const SampleShape& StepChain::shape() const { return empty() ? state_->in : state_->stages.back()->out(); }

std::array<AxisMap, 3> StepChain::axes() const {
  std::array<AxisMap, 3> all = kSameAxes;  // of the stages so far
  for (const auto& stage : state_->stages) {
    std::array<AxisMap, 3> next = stage->axes();
    for (AxisMap& axis : next) {
      const AxisMap& before = all[static_cast<size_t>(axis.source)];
      axis = {before.source, before.scale * axis.scale, before.scale * axis.offset + before.offset};
    }
    all = next;
  }
  return all;
}

bool StepChain::is_pointwise() const {
  return std::all_of(state_->stages.begin(), state_->stages.end(), [](const auto& s) { return s->is_pointwise(); });
}

PixelKind StepChain::kind() const {
  PixelKind kind = PixelKind::kValues;
  for (const auto& stage : state_->stages) kind = stage->Kind(kind);
  return kind;
}

bool StepChain::takes_dataset_statistics() const {
  return std::any_of(state_->stages.begin(), state_->stages.end(),
                     [](const auto& s) { return s->takes_dataset_statistics(); });
}

int64_t StepChain::WorkingBytes() const {
  // Buffers wander from stage to stage; those that a stage in between reads from stay.
  const auto sample_bytes = [](const SampleShape& s) { return s.channels * s.planes * s.rows * s.cols * int64_t{4}; };
  int64_t buffers = state_->held != nullptr ? sample_bytes(state_->in) : 0, scratch = 0;
  bool is_held = state_->held != nullptr;
  for (const auto& stage : state_->stages) {
    if (stage->needs_buffer() && !is_held) buffers += sample_bytes(stage->in());
    is_held = stage->passes_buffer() && (is_held || stage->needs_buffer());
    scratch = std::max(scratch, stage->ScratchBytes());
  }
  return buffers + scratch;
}

void StepChain::HoldSource() {
  state_->held = std::make_unique<process::HeldStage>(state_->in);
  Connect(state_->held.get());
}

float* StepChain::held_pixels() {
  state_->prepared = -1;
  return state_->held->pixels();
}

void StepChain::Connect(SampleSource* source) {
  state_->source = source;
  state_->prepared = -1;
  Stage* before = state_->held.get();
  for (const auto& stage : state_->stages) {
    stage->Connect(before, before != nullptr ? before : source, source);
    before = stage.get();
  }
}

Status StepChain::Prepare(int64_t sample) {
  if (state_->prepared == sample) return OkStatus();
  state_->prepared = -1;
  FOVEA_RETURN_IF_ERROR(state_->PrepareThrough(state_->stages.size(), sample));
  state_->prepared = sample;
  return OkStatus();
}

SampleSource* StepChain::result() { return empty() ? state_->source : state_->stages.back().get(); }

std::vector<std::string> StepChain::Decisions() const {
  std::vector<std::string> lines;
  for (const auto& stage : state_->stages) {
    std::string line = stage->Decision();
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

std::span<const StepDocumentation> StepCatalogue() {
  static const std::vector<StepDocumentation> kCatalogue = [] {
    std::vector<StepDocumentation> all;
    for (const process::StepRow& row : process::AllSteps()) all.push_back({row.name, row.signature, row.definition});
    return all;
  }();
  return kCatalogue;
}

Result<Compatibility> ParseCompatibility(const std::string& text) {
  static constexpr const char* kNames[] = {"exact", "core", "jdll", "csbdeep-fiji", "dij1"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (text == kNames[i]) return static_cast<Compatibility>(i);
  }
  return InvalidArgument("'" + text +
                         "' is not a program to agree with; choose exact, core, jdll, csbdeep-fiji or dij1");
}

}  // namespace fovea
