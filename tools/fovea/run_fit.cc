#include "tools/fovea/run_fit.h"

#include <algorithm>

#include "tools/cli/program.h"
#include "tools/fovea/run_outputs.h"
#include "tools/fovea/run_tiles.h"

namespace fovea::cli {
namespace {

// What the process needs besides what is counted one by one: stacks, the C++ heap's own, small allocations.
constexpr uint64_t kSlackBytes = 4u << 20;

// Bytes of image buffers beside the session: reader, writers, what the steps hold, picture.
Result<uint64_t> BufferBytes(const Model& model, const Purpose& purpose, const Layout& layout) {
  constexpr int64_t kBandRows = 64;
  const RunOptions& options = *purpose.options;
  int64_t bytes = purpose.reader->WorkingBytes(kBandRows);
  bytes += purpose.image->chain().WorkingBytes();
  bytes += 2 * (int64_t{1} << 20);  // blocks of ImageSource and ImageSink
  for (const OutputLayout& out : layout.outputs) {
    FOVEA_ASSIGN_OR_RETURN(StepChain chain, purpose.image->OutputChain(model, options, out));
    if (!chain.is_pointwise()) chain.HoldSource();
    if (!chain.empty()) bytes += int64_t{1} << 20;  // a block on its way to the file
    bytes += chain.WorkingBytes();
    formats::WriteOptions write = options.write;
    write.dtype = FileType(options, chain.kind(), purpose.label_type);
    const formats::ImageInfo info = InfoAfterSteps(OutputInfo(purpose.image->info(), layout, out, ResultKind::kValues),
                                                   ShapeOfOutput(layout, out), chain);
    const auto writer = formats::WriterBytes(purpose.output, info, write);
    if (writer.ok()) bytes += *writer;  // what can't be written is refused when it is opened
    if (purpose.rescaling->active && purpose.rescaling->back) bytes += BackBytes(*purpose.rescaling);
  }
  if (!options.overlay.empty()) bytes += layout.image[1] * layout.image[2] * 24;
  return static_cast<uint64_t>(bytes);
}

// For the results of constant tiles.
uint64_t ReuseBytes(const Session& session, const Layout& layout) {
  int64_t channels = 0;
  for (const OutputLayout& out : layout.outputs) channels += out.channels;
  return static_cast<uint64_t>(TileFilter::WorkingBytes(session.report(), channels));
}

// The refusal, with one number for the whole process: exactly it will do. rest: bytes beside the session.
Status TooLittle(const Model& model, const Status& refused, const SessionOptions& options, const Layout& layout,
                 uint64_t budget, uint64_t rest) {
  uint64_t session_bytes = refused.needed_bytes();
  std::string reason = refused.message();
  if (refused.ok()) {
    // The buffers alone are too much; what the smallest session takes is told by one that may have nothing.
    SessionOptions nothing = options;
    nothing.memory_bytes = 1;
    const auto session = Session::Create(model, layout.input_dims, nothing);
    if (!session.ok()) {
      session_bytes = session.status().needed_bytes();
      reason = session.status().message();
    }
  }
  // Rounded up, and with room for what the process has resident from one start to the next.
  constexpr uint64_t kUnit = 1000000;
  const uint64_t least = (rest + session_bytes + kUnit / 2 + kUnit - 1) / kUnit;
  std::string message = "this image needs at least --memory " + std::to_string(least) + "MB, the budget is " +
                        HumanBytes(budget) + "; beside the network, " + HumanBytes(rest) +
                        " are for the program, the model and the image's buffers";
  const size_t why = reason.find("; ");
  if (why != std::string::npos) message += reason.substr(why);
  return OverBudget(message, least * kUnit);
}

}  // namespace

Status FitSession(const Model& model, const Purpose& purpose, const Layout& layout,
                  std::optional<FittedSession>* kept) {
  const uint64_t budget = purpose.options->memory_bytes;
  FOVEA_ASSIGN_OR_RETURN(const uint64_t buffers, BufferBytes(model, purpose, layout));
  SessionOptions options = purpose.options->session;
  options.streaming = true;
  const std::array<int64_t, 3> tile = {options.tile[0], options.tile[1], options.tile[2]};
  const auto fits = [&](FittedSession* fitted) {
    const uint64_t bytes = fitted->process_bytes + buffers + fitted->session.report().total_bytes();
    const uint64_t with_reuse = bytes + ReuseBytes(fitted->session, layout);
    fitted->reuse_tiles = budget == 0 || with_reuse <= budget;
    fitted->predicted_peak_bytes = fitted->reuse_tiles ? with_reuse : bytes;
    return budget == 0 || bytes <= budget;
  };
  if (kept->has_value() && (*kept)->session.input_dims() == layout.input_dims && (*kept)->tile == tile &&
      fits(&**kept)) {
    return OkStatus();
  }
  kept->reset();
  const uint64_t process = ResidentBytes() + kSlackBytes, rest = process + buffers;
  if (budget != 0 && budget <= rest) return TooLittle(model, OkStatus(), options, layout, budget, rest);
  // The planner uses all that it may, so the kept result of a tile is set aside in a second try; should no tiles be
  // small enough for that, none is kept.
  uint64_t aside = 0;
  for (bool last = false;; last = true) {
    if (budget != 0) options.memory_bytes = budget - rest - aside;
    auto session = Session::Create(model, layout.input_dims, options);
    if (session.ok()) {
      kept->emplace(FittedSession{*std::move(session), tile, process, 0, false});
      if (fits(&**kept) && ((*kept)->reuse_tiles || last)) return OkStatus();
      aside = last ? 0 : ReuseBytes((*kept)->session, layout);
      kept->reset();
    } else if (session.status().code() != StatusCode::kOverBudget) {
      return session.status();
    } else if (aside == 0) {
      return TooLittle(model, session.status(), options, layout, budget, rest);
    } else {
      aside = 0;
    }
    if (aside >= budget - rest) aside = 0;
  }
}

}  // namespace fovea::cli
