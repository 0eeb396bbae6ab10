#include "tools/fovea/run_fit.h"

#include <algorithm>

#include "tools/cli/program.h"
#include "tools/fovea/image_tensors.h"
#include "tools/fovea/run_outputs.h"
#include "tools/fovea/run_tiles.h"

namespace fovea::cli {
namespace {

// What the process needs besides what is counted one by one: code of libraries, small allocations; of each thread.
constexpr uint64_t kSlackBytes = 512 << 10, kThreadBytes = 32 << 10;
// What one start may have resident more than another one. Kept free, so that an interrupted run fits again, with its
// tiles, and the budget that a refusal names does.
constexpr uint64_t kRestartBytes = 1 << 20;
constexpr uint64_t kMegabyte = 1000000;
// The reader's cache, where there is no budget; of the budget.
constexpr int64_t kMostCacheBytes = int64_t{256} << 20;
constexpr uint64_t kCacheShare = 8;
// Smaller images are not worth a look at what the machine has left; of that, what a run may use.
constexpr int64_t kLargeImage = int64_t{1} << 22;
constexpr double kUsableShare = 0.9;
constexpr int64_t kBandRows = 64;
constexpr int64_t kConversionBytes = 128 << 10;  // a block of pixels of the file's type
// Tiles that are predicted to take longer are cut, when that takes no more than this part of the time.
constexpr double kMostTileSeconds = 10, kMostTileCost = 0.05;

// So that bands do not decode the image's tiles again and again, but no more than serves.
void LimitCache(formats::ImageReader* reader, uint64_t budget) {
  const int64_t most = budget == 0 ? kMostCacheBytes : static_cast<int64_t>(budget / kCacheShare);
  reader->SetCacheBytes(std::min(reader->UsefulCacheBytes(), most));
}

// Bytes of reading the image and of its steps.
int64_t ReadingBytes(const formats::ImageReader& reader, const ProcessedImage& image) {
  int64_t bytes = reader.WorkingBytes(kBandRows) + BlockBytes(reader.info().x);
  if (reader.info().dtype != DType::kFloat32) bytes += kConversionBytes;
  return bytes + image.chain().WorkingBytes();
}

// Bytes of image buffers beside the session: reader, writers, what the steps hold, picture.
Result<uint64_t> BufferBytes(const Model& model, const Purpose& purpose, const Layout& layout) {
  const RunOptions& options = *purpose.options;
  int64_t bytes = ReadingBytes(*purpose.reader, *purpose.image);
  int64_t cols = 0;
  for (const OutputLayout& out : layout.outputs) {
    FOVEA_ASSIGN_OR_RETURN(StepChain chain, purpose.image->OutputChain(model, options, out));
    if (!chain.is_pointwise()) chain.HoldSource();
    // Blocks on their way through the steps to the file.
    if (!chain.empty()) bytes += (out.channels + chain.shape().channels) * BlockBytes(out.axes[2].size);
    bytes += chain.WorkingBytes();
    cols = std::max(cols, out.axes[2].size);
    formats::WriteOptions write = options.write;
    write.dtype = FileType(options, chain.kind(), purpose.label_type);
    if (write.dtype != DType::kFloat32) bytes += kConversionBytes;
    const formats::ImageInfo info = InfoAfterSteps(OutputInfo(purpose.image->info(), layout, out, ResultKind::kValues),
                                                   ShapeOfOutput(layout, out), chain);
    const auto writer = formats::WriterBytes(purpose.output, info, write);
    if (writer.ok()) bytes += *writer;  // what can't be written is refused when it is opened
    if (purpose.rescaling->active && purpose.rescaling->back) bytes += BackBytes(*purpose.rescaling);
  }
  bytes += BlockBytes(cols);
  if (!options.overlay.empty()) bytes += layout.image[1] * layout.image[2] * 24;
  return static_cast<uint64_t>(bytes);
}

// Floats of the longest row of a tile, with its channels.
int64_t RowFloats(const Layout& layout, const PlanReport& plan) {
  int64_t channels = layout.channels;
  for (const OutputLayout& out : layout.outputs) channels = std::max(channels, out.channels);
  return std::min(layout.image[2], plan.tile_size[2] + 2 * plan.halo[2]) * channels;
}

// Set aside for the results of constant tiles: what a session of so many bytes uses for them, as long as its rows fit a
// block.
uint64_t ReuseBytes(uint64_t bytes) { return static_cast<uint64_t>(TileFilter::WorkingBytes(bytes, 0)); }

// The refusal, with one number for the whole process: exactly it will do. rest: bytes beside the session.
Status TooLittle(const Model& model, const Status& refused, const SessionOptions& options, const Layout& layout,
                 uint64_t budget, uint64_t rest, bool named) {
  uint64_t session_bytes = refused.needed_bytes();
  std::string reason = refused.message();
  if (refused.ok()) {
    // The buffers alone are too much; what the smallest session takes is told by one that may have nothing.
    SessionOptions nothing = options;
    nothing.memory_bytes = 1;
    const auto plan = Session::Plan(model, layout.input_dims, nothing);
    if (!plan.ok()) {
      session_bytes = plan.status().needed_bytes();
      reason = plan.status().message();
    }
  }
  const uint64_t least = LeastBudget(rest, session_bytes);
  std::string message = "this image needs at least --memory " + std::to_string(least / kMegabyte) + "MB, " +
                        (named ? "the budget is " : "the machine has no more free than ") + HumanBytes(budget) +
                        "; beside the network, " + HumanBytes(rest) +
                        " are for the program, the model and the image's buffers";
  const size_t why = reason.find("; ");
  if (why != std::string::npos) message += reason.substr(why);
  return OverBudget(message, least);
}

// Within options->memory_bytes, which is set to what the session may use: less than that, when it will do.
Result<PlanReport> MakeWithin(const PlanMaker& make, SessionOptions* options) {
  const uint64_t most = options->memory_bytes;
  if (most > kRestartBytes) {
    options->memory_bytes = most - kRestartBytes;
    auto plan = make(*options);
    if (plan.status().code() != StatusCode::kOverBudget) return plan;
    // As much as can be kept free.
    options->memory_bytes = std::clamp<uint64_t>(plan.status().needed_bytes(), most - kRestartBytes, most);
    if (options->memory_bytes < most) {
      plan = make(*options);
      if (plan.status().code() != StatusCode::kOverBudget) return plan;
      options->memory_bytes = most;
    }
  }
  return make(*options);
}

// The budget where none was named: 0, as long as a session without one leaves the machine some of its memory.
uint64_t MachineBudget(const Model& model, const SessionOptions& options, const Layout& layout, uint64_t rest) {
  if (layout.image[0] * layout.image[1] * layout.image[2] * layout.channels < kLargeImage) return 0;
  const auto usable = static_cast<uint64_t>(kUsableShare * static_cast<double>(UsableMemoryBytes()));
  if (usable == 0) return 0;
  const Result<PlanReport> plan = Session::Plan(model, layout.input_dims, options);
  return plan.ok() && rest + plan->total_bytes() > usable ? usable : 0;
}

// Fills in what follows from the plan and the buffers. False: more than the budget.
bool PredictPeak(const Layout& layout, uint64_t budget, Fit* fit) {
  const uint64_t bytes = fit->process_bytes + fit->buffer_bytes + fit->plan.total_bytes();
  const auto reuse =
      static_cast<uint64_t>(TileFilter::WorkingBytes(fit->plan.total_bytes(), RowFloats(layout, fit->plan)));
  fit->reuse_tiles = fit->plan.tiles > 1 && (budget == 0 || bytes + reuse <= budget);
  fit->predicted_peak_bytes = fit->reuse_tiles ? bytes + reuse : bytes;
  return budget == 0 || bytes <= budget;
}

}  // namespace

// Of the code that was not needed so far, the kernels of one instruction set and one kind of file will be: measured,
// two fifths.
uint64_t ProcessBytes(int threads) {
  return ResidentBytes() + UntouchedProgramBytes() / 2 + kSlackBytes + static_cast<uint64_t>(threads) * kThreadBytes;
}

uint64_t LeastBudget(uint64_t rest, uint64_t session_bytes) {
  uint64_t least = rest + session_bytes + kRestartBytes;
  least = (least + ReuseBytes(least + least / 100) + kMegabyte - 1) / kMegabyte;
  return least * kMegabyte;
}

std::string ImageKind(const formats::ImageInfo& info) {
  std::string kind = DTypeName(info.dtype);
  for (const int64_t size : {info.t, info.z, info.c, info.y, info.x}) kind += " " + std::to_string(size);
  return kind;
}

Status FitReading(uint64_t budget, formats::ImageReader* reader, const ProcessedImage& image) {
  LimitCache(reader, budget);
  const uint64_t bytes = ResidentBytes() + kSlackBytes + static_cast<uint64_t>(ReadingBytes(*reader, image));
  if (budget == 0 || bytes <= budget) return OkStatus();
  return OverBudget(
      "the steps before the network need " + HumanBytes(bytes) + " for this image, the budget is " + HumanBytes(budget),
      bytes);
}

Result<Fit> FitPlan(const Model& model, const Purpose& purpose, const Layout& layout, uint64_t process_bytes,
                    const PlanMaker& make) {
  uint64_t budget = purpose.options->memory_bytes;
  LimitCache(purpose.reader, budget);
  Fit fit;
  fit.process_bytes = process_bytes;
  FOVEA_ASSIGN_OR_RETURN(fit.buffer_bytes, BufferBytes(model, purpose, layout));
  SessionOptions options = purpose.options->session;
  options.streaming = true;
  const uint64_t rest = fit.process_bytes + fit.buffer_bytes;
  fit.machine_budget = budget == 0 ? MachineBudget(model, options, layout, rest) : 0;
  const bool named = fit.machine_budget == 0;
  if (!named) budget = fit.machine_budget;
  if (budget != 0 && budget <= rest + ReuseBytes(budget)) {
    return TooLittle(model, OkStatus(), options, layout, budget, rest, named);
  }
  if (budget != 0) options.memory_bytes = budget - rest - ReuseBytes(budget);
  auto plan = MakeWithin(make, &options);
  if (plan.status().code() == StatusCode::kOverBudget) {
    return TooLittle(model, plan.status(), options, layout, budget, rest, named);
  }
  if (!plan.ok()) return plan.status();
  fit.plan = *std::move(plan);
  fit.session_budget = options.memory_bytes;
  PredictPeak(layout, budget, &fit);
  return fit;
}

Status FitSession(const Model& model, const Purpose& purpose, const Layout& layout,
                  std::optional<FittedSession>* kept) {
  const SessionOptions& options = purpose.options->session;
  const std::array<int64_t, 3> tile = {options.tile[0], options.tile[1], options.tile[2]};
  if (kept->has_value() && (*kept)->session.input_dims() == layout.input_dims && (*kept)->tile == tile) {
    const uint64_t budget = purpose.options->memory_bytes;
    LimitCache(purpose.reader, budget);
    FOVEA_ASSIGN_OR_RETURN((*kept)->fit.buffer_bytes, BufferBytes(model, purpose, layout));
    if (PredictPeak(layout, budget, &(*kept)->fit)) return OkStatus();
  }
  kept->reset();
  std::optional<Session> session;
  const auto make = [&](const SessionOptions& chosen) -> Result<PlanReport> {
    auto made = Session::Create(model, layout.input_dims, chosen);
    if (!made.ok()) return made.status();
    session.emplace(*std::move(made));
    return session->report();
  };
  FOVEA_ASSIGN_OR_RETURN(Fit fit, FitPlan(model, purpose, layout, ProcessBytes(options.threads), make));
  kept->emplace(FittedSession{*std::move(session), std::move(fit), ImageKind(purpose.reader->info()), tile});
  return OkStatus();
}

int64_t RowsWorthATile(const Model& model, const Fit& fit, const SessionOptions& options, const Layout& layout) {
  const PlanReport& now = fit.plan;
  const double each = now.seconds / static_cast<double>(now.tiles * now.passes);
  if (each <= kMostTileSeconds || options.tile[0] + options.tile[1] + options.tile[2] > 0) return 0;
  SessionOptions lower = options;
  lower.streaming = true;
  lower.memory_bytes = fit.session_budget;
  for (const size_t s : {size_t{0}, size_t{2}}) lower.tile[s] = now.tile_size[s];
  // Lower tiles compute more halo: the lowest that cost little.
  for (auto parts = static_cast<int64_t>(2 * each / kMostTileSeconds) + 1; parts > 1; parts /= 2) {
    lower.tile[1] = (now.tile_size[1] + parts - 1) / parts;
    const auto plan = Session::Plan(model, layout.input_dims, lower);
    if (plan.ok() && plan->passes == now.passes && plan->seconds <= (1 + kMostTileCost) * now.seconds) {
      return lower.tile[1];
    }
  }
  return 0;
}

}  // namespace fovea::cli
