#include "tools/fovea/run_fit.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "tools/cli/program.h"
#include "tools/fovea/run_outputs.h"

namespace fovea::cli {
namespace {

// What the process needs besides what is counted one by one: stacks, the C++ heap's own, small allocations.
constexpr uint64_t kSlackBytes = 4u << 20;

// A session for the layout's sizes; when the network turns out to return less than it takes, once more with a margin.
Result<Session> MakeSession(const Model& model, const SessionOptions& options, Layout* layout) {
  for (bool again = false;; again = true) {
    FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, layout->input_dims, options));
    bool changed = false;
    FOVEA_RETURN_IF_ERROR(MatchOutputs(model, session, layout, &changed));
    if (!changed || again) return session;
  }
}

bool IsPng(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png";
}

// Bytes that a writer holds of strips that are begun and not complete: those that a row of tiles touches, of every
// plane and channel that a tile spans.
int64_t WaitingBytes(const formats::ImageInfo& in, const Layout& layout, const OutputLayout& out,
                     const PlanReport& plan) {
  constexpr int64_t kMostStripRows = 256;
  const int64_t rows = out.axes[1].size, cols = out.axes[2].size;
  int64_t planes = out.channels, held = kMostStripRows;
  if (plan.tiles > 1) {
    if (layout.network_3d) planes *= std::min(out.axes[0].size, plan.tile_size[0]);
    held = (plan.tile_size[2] < cols ? plan.tile_size[1] : 0) + 2 * kMostStripRows;
  }
  // Pixels of colour pictures lie side by side in the file; their channels come one after another.
  if (layout.iterate_channels && !in.axes.empty() && in.axes.back() == 'S') {
    planes *= in.c;
    held = rows;
  }
  return std::min(rows, held) * cols * planes;
}

// Bytes of image buffers beside the session: readers, writers, statistics, labels, picture. plan: null when it is not
// known yet.
uint64_t BufferBytes(const Purpose& purpose, const Layout& layout, const PlanReport* plan) {
  constexpr int64_t kBandRows = 64;
  const RunOptions& options = *purpose.options;
  const formats::ImageInfo& in = purpose.reader->info();
  int64_t bytes = purpose.reader->WorkingBytes(kBandRows);
  const int64_t sample = layout.image[0] * layout.image[1] * layout.image[2] * layout.channels;
  bytes += NormalizationStatistics::WorkingBytes(options.normalization, sample);
  bytes += 2 * (int64_t{1} << 20);  // blocks of ImageSource and ImageSink
  const auto element = static_cast<int64_t>(DTypeBytes(FileType(options, purpose.label_type)));
  for (const OutputLayout& out : layout.outputs) {
    const int64_t plane = out.axes[1].size * out.axes[2].size;
    if (options.labels) bytes += LabelPlanes(layout, out) * out.channels * plane * 4 + plane * 12;
    if (IsPng(purpose.output)) {
      bytes += OutputInfo(in, layout, out, ResultKind::kValues).c * plane * element;
    } else if (options.write.compression != formats::WriteOptions::kNone && plan != nullptr) {
      bytes += WaitingBytes(in, layout, out, *plan) * element;
    }
    if (purpose.rescaling->active && purpose.rescaling->back) bytes += BackBytes(*purpose.rescaling);
    bytes += 1 << 20;
  }
  if (!options.overlay.empty()) bytes += layout.image[1] * layout.image[2] * 24;
  return static_cast<uint64_t>(bytes);
}

}  // namespace

// What the buffers take is known once the outputs and tiles are, so the first try may have to be repeated.
Result<FittedSession> FitSession(const Model& model, const Purpose& purpose, Layout* layout) {
  const uint64_t resident = ResidentBytes() + model.info().file_bytes + kSlackBytes;
  const uint64_t budget = purpose.options->memory_bytes;
  SessionOptions session_options = purpose.options->session;
  session_options.streaming = true;
  uint64_t reserved = resident + BufferBytes(purpose, *layout, nullptr);
  for (;;) {
    if (budget != 0) {
      if (budget <= reserved) {
        return OverBudget("the budget of " + HumanBytes(budget) +
                          " does not even hold the program, the model and the image's buffers (" +
                          HumanBytes(reserved) + ")");
      }
      session_options.memory_bytes = budget - reserved;
    }
    auto session = MakeSession(model, session_options, layout);
    if (!session.ok()) {
      if (session.status().code() != StatusCode::kOverBudget) return session.status();
      return OverBudget(session.status().message() +
                        "; beside it the program, the model and the image's buffers take " + HumanBytes(reserved));
    }
    const PlanReport& plan = session->report();
    const uint64_t other = resident + BufferBytes(purpose, *layout, &plan);
    const uint64_t total = other + plan.total_bytes();
    if (budget == 0 || total <= budget) return FittedSession{*std::move(session), total};
    // The session kept to what was left, so this is more than before.
    reserved = other;
  }
}

}  // namespace fovea::cli
