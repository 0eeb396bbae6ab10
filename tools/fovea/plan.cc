// fovea plan: what a run would use and how long it would take, without running it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tools/cli/program.h"
#include "tools/cli/temporary.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/model_source.h"
#include "tools/fovea/result_options.h"
#include "tools/fovea/run_file.h"
#include "tools/fovea/sized_image.h"
#include "tools/fovea/speed.h"

namespace fovea::cli {
namespace {

using Json = nlohmann::ordered_json;

// Of networks that take no image: stacks, the C++ heap's own, small allocations.
constexpr uint64_t kSlackBytes = 4u << 20;

// Plans one run under different budgets.
class Planner {
 public:
  Planner(const Model& model, RunOptions options) : model_(model), options_(std::move(options)) {}

  // The image of the run.
  Status TakeImage(std::unique_ptr<formats::ImageReader> image, const std::string& output);
  // Networks whose inputs are no image: what fovea tensor and programs run.
  void TakeTensors(std::vector<std::vector<int64_t>> sizes);
  Status MeasureSpeed(bool again);

  // budget: of the whole process, 0: none.
  Result<Fit> Plan(uint64_t budget);
  // The smallest budget that does, and the seconds with it.
  Result<std::pair<uint64_t, double>> Smallest();

  bool has_image() const { return image_.image != nullptr; }
  const PreparedImage& image() const { return image_; }
  int64_t samples() const { return has_image() ? image_.image->samples() : 1; }
  // Runs of the session for the whole image.
  int64_t runs() const { return samples() * (image_.patches ? image_.patches->count() : 1); }
  const std::vector<std::vector<int64_t>>& sizes() const { return sizes_; }

 private:
  const Model& model_;
  RunOptions options_;
  PreparedImage image_;
  std::string output_;
  std::vector<std::vector<int64_t>> sizes_;
  MachineSpeed speed_;
  uint64_t process_bytes_ = 0;
};

Status Planner::TakeImage(std::unique_ptr<formats::ImageReader> image, const std::string& output) {
  output_ = output;
  FOVEA_RETURN_IF_ERROR(image_.Prepare(model_, options_, std::move(image)));
  sizes_ = image_.image->layout().input_dims;
  process_bytes_ = ProcessBytes(options_.session.threads);
  return OkStatus();
}

void Planner::TakeTensors(std::vector<std::vector<int64_t>> sizes) {
  sizes_ = std::move(sizes);
  process_bytes_ = ResidentBytes() + kSlackBytes;
}

Status Planner::MeasureSpeed(bool again) {
  FOVEA_ASSIGN_OR_RETURN(speed_, SpeedOfMachine(options_.session.isa, options_.session.threads, again));
  return OkStatus();
}

Result<Fit> Planner::Plan(uint64_t budget) {
  options_.memory_bytes = budget;
  if (has_image()) return PlanFile(model_, options_, &image_, output_, process_bytes_, speed_);
  SessionOptions options = options_.session;
  options.streaming = true;
  options.memory_bytes = budget == 0 ? 0 : std::max<uint64_t>(1, budget - std::min(budget, process_bytes_));
  Fit fit;
  FOVEA_ASSIGN_OR_RETURN(fit.plan, Session::Plan(model_, sizes_, options, speed_));
  fit.process_bytes = process_bytes_;
  fit.predicted_peak_bytes = process_bytes_ + fit.plan.total_bytes();
  return fit;
}

Result<std::pair<uint64_t, double>> Planner::Smallest() {
  SessionOptions options = options_.session;
  options.streaming = true;
  FOVEA_ASSIGN_OR_RETURN(const PlanReport least,
                         Session::Plan(model_, sizes_, options, speed_, Session::Goal::kSmallest));
  uint64_t bytes = process_bytes_ + least.total_bytes();
  if (has_image()) {
    FOVEA_ASSIGN_OR_RETURN(const Fit free, Plan(0));  // for its buffers
    bytes = LeastBudget(process_bytes_ + free.buffer_bytes, least.total_bytes());
  }
  return std::make_pair(bytes, least.seconds);
}

struct Knee {
  uint64_t smallest = 0, bytes = 0;  // of the process
  double seconds = 0;                // with the smallest
};

// The smallest budget at which the predicted time is within 5 % of the best.
Result<Knee> FindKnee(Planner* planner) {
  Knee knee;
  FOVEA_ASSIGN_OR_RETURN(const auto smallest, planner->Smallest());
  FOVEA_ASSIGN_OR_RETURN(const Fit free, planner->Plan(0));
  knee.smallest = smallest.first;
  knee.seconds = smallest.second;
  uint64_t bad = knee.smallest, good = free.predicted_peak_bytes;
  double best = free.plan.seconds;
  while (good > bad + bad / 20) {
    const uint64_t middle = bad + (good - bad) / 2;
    const Result<Fit> fit = planner->Plan(middle);
    if (fit.ok()) best = std::min(best, fit->plan.seconds);
    (fit.ok() && fit->plan.seconds <= 1.05 * best ? good : bad) = middle;
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

// Of the whole process, with a plan that takes so many bytes instead.
uint64_t PeakWith(const Fit& fit, uint64_t total_bytes) {
  return fit.predicted_peak_bytes - fit.plan.total_bytes() + total_bytes;
}

// budget: of the process; 0: none was named.
std::string Why(const PlanAlternative& other, const Fit& fit, uint64_t budget) {
  if (!other.fits) {
    const bool too_close = budget > 0 && PeakWith(fit, other.total_bytes) <= budget;
    return too_close ? "too close to the budget" : "more than the budget";
  }
  if (other.seconds > fit.plan.seconds) return Percent(100 * (other.seconds / fit.plan.seconds - 1)) + " slower";
  if (other.passes > fit.plan.passes) {
    return "gains too little for reading the image " + std::to_string(other.passes) + " times";
  }
  return "no faster";
}

Json ToJson(const Fit& fit, const Planner& planner, const Knee& knee, uint64_t budget) {
  const PlanReport& r = fit.plan;
  const auto runs = static_cast<double>(planner.runs());
  Json out = {{"strategy", r.strategy},
              {"approximate", r.approximate},
              {"passes", r.passes},
              {"statistics_bytes", r.statistics_bytes},
              {"kept_bytes", r.kept_bytes},
              {"samples", planner.samples()},
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
              {"image_buffer_bytes", fit.buffer_bytes},
              {"process_bytes", fit.process_bytes},
              {"total_bytes", r.total_bytes()},
              {"predicted_peak_bytes", fit.predicted_peak_bytes},
              {"predicted_seconds", runs * r.seconds},
              {"smallest_budget_bytes", knee.smallest},
              {"smallest_budget_seconds", runs * knee.seconds},
              {"knee_bytes", knee.bytes},
              {"gflop", 2e-9 * static_cast<double>(r.multiply_adds)},
              {"threads", r.threads},
              {"isa", r.isa},
              {"alternatives", Json::array()}};
  for (const PlanAlternative& a : r.alternatives) {
    out["alternatives"].push_back({{"strategy", a.strategy},
                                   {"predicted_peak_bytes", PeakWith(fit, a.total_bytes)},
                                   {"predicted_seconds", runs * a.seconds},
                                   {"why_not", Why(a, fit, budget)}});
  }
  return out;
}

std::string SizeText(const int64_t (&s)[3]) {
  return (s[0] > 1 ? std::to_string(s[0]) + "x" : "") + std::to_string(s[1]) + "x" + std::to_string(s[2]);
}

// What the strategy means, for readers who do not know our words.
std::string HowText(const PlanReport& r) {
  std::string how;
  if (r.passes > 1) {
    how = std::to_string(r.passes) + " passes over the image (it is normalised as a whole; all but the last " +
          "gather statistics), each ";
  }
  const std::string rows = r.tile_size[0] > 1 ? " planes" : " rows";
  if (r.tiles > 1) {
    how += "in " + std::to_string(r.tiles) + " tiles of up to " + SizeText(r.tile_size);
    if (r.bands > 1) how += ", " + std::to_string(r.band_rows) + rows + " at a time";
  } else if (r.bands > 1) {
    how += "in bands: " + std::to_string(r.band_rows) + rows + " at a time, " + std::to_string(r.bands) + " times";
  } else {
    how += "the whole image at once";
  }
  return how;
}

void PrintMemory(const Fit& fit) {
  const PlanReport& r = fit.plan;
  const auto part = [](uint64_t bytes, const char* what) {
    if (bytes > 0) std::printf("  %9s  %s\n", HumanBytes(bytes).c_str(), what);
  };
  part(r.weight_bytes + r.mapped_bytes + r.packed_weight_bytes, "the network's weights");
  part(r.arena_bytes, "images between its layers");
  part(r.statistics_bytes, "statistics of the image");
  part(r.kept_bytes, "images between its layers that are kept from pass to pass");
  part(r.tile_buffer_bytes, "its input and output");
  part(fit.buffer_bytes, "reading, steps before and after, writing");
  part(fit.predicted_peak_bytes - r.total_bytes() - fit.buffer_bytes, "the program itself");
}

void Print(const Fit& fit, const Planner& planner, const Knee& knee, uint64_t budget) {
  const PlanReport& r = fit.plan;
  const auto line = [](const char* what, const std::string& value) { std::printf("%-15s%s\n", what, value.c_str()); };
  const auto runs = static_cast<double>(planner.runs());
  if (planner.has_image()) {
    const Layout& layout = planner.image().image->layout();
    std::string image = SizeText(layout.image) + " pixels";
    if (planner.samples() > 1) image += ", " + std::to_string(planner.samples()) + " of them one after another";
    if (planner.image().patches) image += ", in " + std::to_string(planner.image().patches->count()) + " patches each";
    line("image", image);
  }
  line("how", HowText(r));
  if (r.approximate) line("", "approximate: norms and means over the image are taken of each tile (--tiling)");
  std::string time = Seconds(runs * r.seconds) + " (" + r.isa + ", " + std::to_string(r.threads) +
                     (r.threads == 1 ? " thread" : " threads") + ", " +
                     std::to_string(static_cast<int64_t>(2e-9 * runs * static_cast<double>(r.multiply_adds))) +
                     " GFLOP)";
  line("time", time);
  if (r.redundant_percent >= 0.05) {
    std::string why = r.passes > 1 ? "because of the passes"
                      : r.recomputed_skips > 0
                          ? "instead of keeping it (skip connections)"
                          : "because tiles overlap (by " + std::to_string(std::max({r.halo[0], r.halo[1], r.halo[2]})) +
                                " px a side)";
    line("", Percent(r.redundant_percent) + " of it to compute something again, " + why);
  }
  if (r.packing_percent >= 0.05) {
    line("", Percent(r.packing_percent) + " of it to rearrange weights again and again, for which there is no memory");
  }
  line("memory", HumanBytes(fit.predicted_peak_bytes) + " at most" +
                     (budget > 0                ? ", of the budget of " + HumanBytes(budget)
                      : fit.machine_budget != 0 ? ", of " + HumanBytes(fit.machine_budget) + " that are free here"
                                                : ""));
  PrintMemory(fit);
  const auto megabytes = [](uint64_t bytes) { return std::to_string((bytes + 999'999) / 1'000'000) + "MB"; };
  line("with less",
       "--memory " + megabytes(knee.smallest) + " is the least that does, in " + Seconds(runs * knee.seconds));
  line("with more", "--memory " + megabytes(knee.bytes) + " is enough: beyond it, less than 5 % of the time is gained");
  if (r.alternatives.empty()) return;
  std::printf("other ways that were looked at\n");
  for (const PlanAlternative& a : r.alternatives) {
    std::printf("  %9s %9s  %s: %s\n", HumanBytes(PeakWith(fit, a.total_bytes)).c_str(),
                Seconds(runs * a.seconds).c_str(), a.strategy.c_str(), Why(a, fit, budget).c_str());
  }
}

// The image that is planned for: a file, or one of this size.
Result<std::unique_ptr<formats::ImageReader>> ImageOf(const Model& model, const std::vector<std::string>& free,
                                                      const std::string& size) {
  if (free.size() > 1) return formats::OpenImage(free[1]);
  std::vector<int64_t> sides;
  if (!size.empty()) {
    FOVEA_ASSIGN_OR_RETURN(sides, ParseSize(size));
  }
  return MakeSizedImage(model, sides);
}

}  // namespace

int PlanCommand(const std::vector<std::string>& words) {
  Args args(
      "fovea plan", "MODEL [IMAGE | --size [D]xHxW] [--memory BYTES] [options of fovea run]",
      "Says how fovea run would go about an image, with the same options: the memory that it would use and how "
      "long it would take, what was not taken and why, the smallest budget, and the one beyond which more memory "
      "buys nothing. Runs nothing and writes nothing. Exit code 3 when the budget is too small; the message names "
      "the smallest that would do.");
  std::vector<std::string> free;
  std::string size, out = "out.tif";
  bool json = false, calibrate = false;
  ResultWords results;
  RunOptions options;
  args.Text("--size", &size, "[D]xHxW", "image size instead of an image, of floats (default: a small one)");
  args.Text("--output, -o", &out, "OUT",
            "name of the result, which is not written: .tif (default), .ome.tif, .png, .npy");
  results.Declare(&args);
  args.Flag("--calibrate", &calibrate, "measure the machine's speed again (it is kept in the cache folder)");
  args.Flag("--json", &json, "print one JSON object");
  args.Positional("MODEL and IMAGE", &free, 1, 2);
  args.Epilogue("example: fovea plan nuclei.fov slide.ome.tif --labels --memory 512MB");
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea plan", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  if (free.size() > 1 && !size.empty()) {
    return Fail("fovea plan", InvalidArgument("--size and IMAGE can't be combined: the image has its size"));
  }
  const Status decided = results.Decide(args, &options);
  if (!decided.ok()) return Fail("fovea plan", decided);
  CatchInterrupts();
  EndSoonAfterInterrupt(kPromptMs, RemoveTemporaryFolders);  // a bundle that is being converted
  const Result<Model> model = LoadModel(free[0]);
  if (!model.ok()) return Fail("fovea plan", model.status());
  const Status steps = results.DecideSteps(*model, &options);
  if (!steps.ok()) return Fail("fovea plan", steps);
  const std::string name = free.size() > 1 ? free[1] : free[0];
  const auto fail = [&name](const Status& status) {
    return Fail("fovea plan", status.message().find(name) == std::string::npos ? status.Prefixed(name) : status);
  };
  const uint64_t budget = options.memory_bytes;
  Planner planner(*model, options);
  if (TakesVolumes(*model).ok() || free.size() > 1) {
    auto image = ImageOf(*model, free, size);
    if (!image.ok()) return fail(image.status());
    const Status taken = planner.TakeImage(*std::move(image), out);
    if (!taken.ok()) return fail(taken);
  } else {
    std::vector<std::vector<int64_t>> sizes = model->DefaultSizes();
    if (!size.empty()) {
      const auto sides = ParseSize(size);
      if (!sides.ok()) return Fail("fovea plan", sides.status());
      auto chosen = InputSizes(*model, *sides);
      if (!chosen.ok()) return fail(chosen.status());
      sizes = *chosen;
    }
    planner.TakeTensors(sizes);
  }
  const Status measured = planner.MeasureSpeed(calibrate);
  if (!measured.ok()) return Fail("fovea plan", measured);
  const auto fit = planner.Plan(budget);  // first: a refusal names the budget that was asked for
  if (!fit.ok()) return fail(fit.status());
  const auto knee = FindKnee(&planner);
  if (!knee.ok()) return fail(knee.status());
  if (json) {
    Json report = ToJson(*fit, planner, *knee, budget);
    report["input_dims"] = planner.sizes();
    report["output_dims"] = fit->plan.output_dims;
    std::printf("%s\n", report.dump(2).c_str());
  } else {
    Print(*fit, planner, *knee, budget);
  }
  return kDone;
}

}  // namespace fovea::cli
