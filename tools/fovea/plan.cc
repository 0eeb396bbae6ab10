// fovea plan: what a run would use and how long it would take, without running it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tools/cli/program.h"
#include "tools/cli/temporary.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/model_source.h"
#include "tools/fovea/speed.h"

namespace fovea::cli {
namespace {

using Json = nlohmann::ordered_json;

// Stacks, the C++ heap's own, small allocations, as for fovea run.
constexpr uint64_t kSlackBytes = 4u << 20;
// Rows of the image that a reader and a writer hold, and their blocks.
constexpr int64_t kStripRows = 64;
constexpr uint64_t kBlockBytes = 3u << 20;

struct Planner {
  const Model& model;
  std::vector<std::vector<int64_t>> sizes;
  SessionOptions options;
  MachineSpeed speed;
  uint64_t process = 0, images = 0;  // beside the session

  // budget: of the whole process, 0: none.
  Result<PlanReport> Plan(uint64_t budget, Session::Goal goal = Session::Goal::kFastest) {
    options.memory_bytes = budget == 0 ? 0 : std::max<uint64_t>(1, budget - std::min(budget, process + images));
    return Session::Plan(model, sizes, options, speed, goal);
  }
  uint64_t Peak(const PlanReport& report) const { return process + images + report.total_bytes(); }
};

// A reader's and a writer's buffers for one plane of float samples in strips.
uint64_t ImageBytes(const Model& model, const std::vector<std::vector<int64_t>>& sizes) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    int64_t columns = 1;
    for (size_t a = 0; a < sizes[i].size() && a < spec.axes.size(); ++a) {
      if (spec.axes[a] == 'x' || spec.axes[a] == 'c') columns *= sizes[i][a];
    }
    bytes += static_cast<uint64_t>(columns * kStripRows) * sizeof(float) + kBlockBytes;
  }
  return bytes;
}

struct Knee {
  uint64_t smallest = 0, bytes = 0;  // of the process
  double seconds = 0;                // with the smallest
};

// The smallest budget at which the predicted time is within 5 % of the best.
Result<Knee> FindKnee(Planner* planner) {
  Knee knee;
  FOVEA_ASSIGN_OR_RETURN(const PlanReport smallest, planner->Plan(0, Session::Goal::kSmallest));
  FOVEA_ASSIGN_OR_RETURN(const PlanReport free, planner->Plan(0));
  knee.smallest = planner->Peak(smallest);
  knee.seconds = smallest.seconds;
  uint64_t bad = knee.smallest, good = planner->Peak(free);
  double best = free.seconds;
  while (good > bad + bad / 20) {
    const uint64_t middle = bad + (good - bad) / 2;
    const Result<PlanReport> report = planner->Plan(middle);
    if (report.ok()) best = std::min(best, report->seconds);
    (report.ok() && report->seconds <= 1.05 * best ? good : bad) = middle;
  }
  knee.bytes = good;
  return knee;
}

std::string Percent(double percent) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %%", percent);
  return text;
}

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), seconds < 1 ? "%.3f s" : seconds < 100 ? "%.2f s" : "%.0f s", seconds);
  return text;
}

std::string Why(const PlanAlternative& other, const PlanReport& chosen, const Planner& planner) {
  const uint64_t bytes = other.total_bytes + planner.process + planner.images;
  if (!other.fits) return "needs at least " + HumanBytes(bytes);
  if (other.seconds > chosen.seconds) return Percent(100 * (other.seconds / chosen.seconds - 1)) + " slower";
  return "no faster";
}

Json ToJson(const PlanReport& r, const Planner& planner, const Knee& knee) {
  Json out = {{"strategy", r.strategy},
              {"approximate", r.approximate},
              {"passes", r.passes},
              {"statistics_bytes", r.statistics_bytes},
              {"tiles", r.tiles},
              {"tile_size", {r.tile_size[0], r.tile_size[1], r.tile_size[2]}},
              {"halo", {r.halo[0], r.halo[1], r.halo[2]}},
              {"bands", r.bands},
              {"band_rows", r.band_rows},
              {"redundant_percent", r.redundant_percent},
              {"recomputed_skips", r.recomputed_skips},
              {"packing_percent", r.packing_percent},
              {"weight_bytes", r.weight_bytes},
              {"packed_weight_bytes", r.packed_weight_bytes},
              {"mapped_bytes", r.mapped_bytes},
              {"arena_bytes", r.arena_bytes},
              {"rolling_bytes", r.rolling_bytes},
              {"tile_buffer_bytes", r.tile_buffer_bytes},
              {"image_buffer_bytes", planner.images},
              {"process_bytes", planner.process},
              {"total_bytes", r.total_bytes()},
              {"predicted_peak_bytes", planner.Peak(r)},
              {"predicted_seconds", r.seconds},
              {"smallest_budget_bytes", knee.smallest},
              {"smallest_budget_seconds", knee.seconds},
              {"knee_bytes", knee.bytes},
              {"gflop", 2e-9 * static_cast<double>(r.multiply_adds)},
              {"threads", r.threads},
              {"isa", r.isa},
              {"alternatives", Json::array()}};
  for (const PlanAlternative& a : r.alternatives) {
    out["alternatives"].push_back({{"strategy", a.strategy},
                                   {"predicted_peak_bytes", a.total_bytes + planner.process + planner.images},
                                   {"predicted_seconds", a.seconds},
                                   {"why_not", Why(a, r, planner)}});
  }
  return out;
}

void Print(const PlanReport& r, const Planner& planner, const Knee& knee) {
  const auto line = [](const char* what, const std::string& value) { std::printf("%-18s %s\n", what, value.c_str()); };
  const auto size = [](const int64_t(&s)[3]) {
    return (s[0] > 1 ? std::to_string(s[0]) + "x" : "") + std::to_string(s[1]) + "x" + std::to_string(s[2]);
  };
  std::string strategy = r.strategy;
  if (r.tiles > 1) strategy += ", " + std::to_string(r.tiles) + " of up to " + size(r.tile_size);
  if (r.bands > 1) strategy += ", " + std::to_string(r.bands) + " bands of " + std::to_string(r.band_rows) + " rows";
  if (r.recomputed_skips > 0) strategy += ", skip connections computed twice";
  line("strategy", strategy);
  if (r.approximate) line("result", "approximate: norms and means over the image are taken of each tile (--tiling)");
  if (r.tiles > 1) line("halo", std::to_string(std::max({r.halo[0], r.halo[1], r.halo[2]})) + " px");
  if (r.passes == 1 && (r.tiles > 1 || r.recomputed_skips > 0)) {
    line("computed twice", Percent(r.redundant_percent) + " of the time");
  }
  if (r.packing_percent > 0) line("packing when used", Percent(r.packing_percent) + " of the time");
  if (r.passes > 1) {
    line("passes", std::to_string(r.passes) + " over the image, the last makes the result; computed more than once: " +
                       Percent(r.redundant_percent) + " of the time");
    line("statistics", HumanBytes(r.statistics_bytes));
  }
  line("weights", HumanBytes(r.weight_bytes + r.mapped_bytes) + " decoded or mapped");
  line("packed weights", HumanBytes(r.packed_weight_bytes));
  line("arena", HumanBytes(r.arena_bytes) +
                    (r.rolling_bytes > 0 ? ", of which rolling rows " + HumanBytes(r.rolling_bytes) : ""));
  line("tile buffers", HumanBytes(r.tile_buffer_bytes) + " input and output");
  line("image buffers", HumanBytes(planner.images) + " reader and writer (float, in strips)");
  line("process", HumanBytes(planner.process));
  line("predicted peak", HumanBytes(planner.Peak(r)));
  line("predicted time", Seconds(r.seconds));
  line("arithmetic", std::to_string(static_cast<int64_t>(2e-9 * static_cast<double>(r.multiply_adds))) + " GFLOP, " +
                         r.isa + ", " + std::to_string(r.threads) + (r.threads == 1 ? " thread" : " threads"));
  line("smallest budget", HumanBytes(knee.smallest) + ", " + Seconds(knee.seconds));
  line("knee", HumanBytes(knee.bytes) + ": more buys less than 5 %");
  line("not counted", "steps after the network (--labels, --post) that hold a whole plane: about 8 bytes a pixel more");
  for (const PlanAlternative& a : r.alternatives) {
    line("not taken", a.strategy + ": " + HumanBytes(a.total_bytes + planner.process + planner.images) + ", " +
                          Seconds(a.seconds) + "; " + Why(a, r, planner));
  }
}

}  // namespace

int PlanCommand(const std::vector<std::string>& words) {
  Args args(
      "fovea plan", "MODEL --size [D]xHxW [--memory BYTES] [--threads N]",
      "Says what running a network on an image of that size would use and how long it would take, what was not "
      "taken and why, the smallest budget, and the one beyond which more memory buys nothing. Runs nothing. Plans "
      "the network alone: steps after it that hold a whole plane (--labels) need more, which fovea run tells. Exit "
      "code 3 when the budget is too small; the message names the smallest that would do.");
  std::vector<std::string> free;
  std::string size_text;
  uint64_t memory = 0;
  bool json = false, calibrate = false;
  ExecutionOptions execution;
  args.Text("--size", &size_text, "[D]xHxW", "image size (default: a small one)");
  args.Bytes("--memory", &memory, "BYTES", "budget for the whole process, as for fovea run");
  execution.Declare(&args);
  args.Flag("--calibrate", &calibrate, "measure the machine's speed again (it is kept in the cache folder)");
  args.Flag("--json", &json, "print one JSON object");
  args.Positional("MODEL", &free, 1, 1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea plan", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  auto options = execution.ToSession();
  if (!options.ok()) return Fail("fovea plan", options.status());
  options->streaming = true;
  CatchInterrupts();
  EndSoonAfterInterrupt(kPromptMs, RemoveTemporaryFolders);  // a bundle that is being converted
  const Result<Model> model = LoadModel(free[0]);
  if (!model.ok()) return Fail("fovea plan", model.status());
  std::vector<std::vector<int64_t>> sizes = model->DefaultSizes();
  if (!size_text.empty()) {
    const auto size = ParseSize(size_text);
    if (!size.ok()) return Fail("fovea plan", size.status());
    auto chosen = InputSizes(*model, *size);
    if (!chosen.ok()) return Fail("fovea plan", chosen.status());
    sizes = *chosen;
  }
  Planner planner{*model, sizes, *options, {}, ResidentBytes() + kSlackBytes, ImageBytes(*model, sizes)};
  const auto speed = SpeedOfMachine(options->isa, options->threads, calibrate);
  if (!speed.ok()) return Fail("fovea plan", speed.status());
  planner.speed = *speed;
  const auto knee = FindKnee(&planner);
  if (!knee.ok()) return Fail("fovea plan", knee.status().Prefixed(free[0]));
  if (memory > 0 && memory < knee->smallest) {
    return Fail("fovea plan", OverBudget(free[0] + ": a run needs at least --memory " + std::to_string(knee->smallest) +
                                         " (" + HumanBytes(knee->smallest) + "), the budget is " + HumanBytes(memory)));
  }
  const auto report = planner.Plan(memory);
  if (!report.ok()) return Fail("fovea plan", report.status().Prefixed(free[0]));
  if (json) {
    Json out = ToJson(*report, planner, *knee);
    out["input_dims"] = sizes;
    out["output_dims"] = report->output_dims;
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    Print(*report, planner, *knee);
  }
  return kDone;
}

}  // namespace fovea::cli
