#include "tools/fovea/run_file.h"

#include <algorithm>

#include "formats/image/output_file.h"
#include "tools/cli/program.h"
#include "tools/fovea/example_range.h"
#include "tools/fovea/image_tensors.h"
#include "tools/fovea/processed_image.h"
#include "tools/fovea/run_checkpoints.h"
#include "tools/fovea/run_outputs.h"
#include "tools/fovea/run_tiles.h"

namespace fovea::cli {
namespace {

// One image on its way through the network.
class FileRun {
 public:
  FileRun(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
          DType label_type)
      : model_(model),
        options_(options),
        input_(input),
        output_(output),
        label_type_(label_type),
        progress_(options.progress, input, options.memory_bytes) {}

  Status Run(std::optional<FittedSession>* kept, nlohmann::ordered_json* report);
  bool label_overflow() const { return outputs_ != nullptr && outputs_->label_overflow(); }

 private:
  Status ReadInterrupted();
  Status MakeSession(std::optional<FittedSession>* kept);
  Status RunSamples(Session* session, ImageSource* source, TileFilter* filter);
  // With --border: patch by patch instead.
  Status RunPatches(Session* session, ImageSource* source, ImageSink* sink);
  Status RunPatch(Session* session, int64_t patch, ImageSource* source, ImageSink* sink) const;
  int64_t pieces(const PlanReport& plan) const { return patches_ ? patches_->count() : plan.tiles; }
  void Report(const FittedSession& fitted, const TileFilter& filter, nlohmann::ordered_json* report) const;

  const Model& model_;
  RunOptions options_;
  const std::string input_, output_;
  DType label_type_;
  Progress progress_;
  PreparedImage prepared_;
  const std::unique_ptr<ProcessedImage>& image_ = prepared_.image;
  std::unique_ptr<RunOutputs> outputs_;
  std::optional<JournalEntry> interrupted_;
  const std::optional<PatchGrid>& patches_ = prepared_.patches;
  std::unique_ptr<Checkpoints> checkpoints_;
  double start_ = Seconds();
};

// Something of the interrupted run is missing or damaged.
Status CannotGoOn(const Status& status) {
  if (status.ok()) return status;
  return Status(status.code(), status.message() + "; run without --resume to begin anew");
}

// The journal of the run that is to be gone on with; refuses when the halves would not belong together.
Status FileRun::ReadInterrupted() {
  FOVEA_ASSIGN_OR_RETURN(const nlohmann::json identity, RunIdentity(model_, input_, options_.words));
  checkpoints_ = std::make_unique<Checkpoints>(output_, identity, options_.resume);
  if (!options_.resume) return OkStatus();
  FOVEA_ASSIGN_OR_RETURN(interrupted_, ReadJournal(output_));
  if (!interrupted_) return OkStatus();
  const std::string difference = DifferenceOf(interrupted_->identity, identity);
  if (!difference.empty()) {
    return InvalidArgument(output_ + ": the interrupted run can't be gone on with: " + difference +
                           "; run without --resume to begin anew");
  }
  label_type_ = interrupted_->label_type;
  std::copy_n(interrupted_->tile_size, 3, options_.session.tile);
  return OkStatus();
}

// Calls fit_once, and again with lower tiles where those are worth it. fitted: what the last call found.
Status FitTiles(const Model& model, const Layout& layout, bool in_patches, SessionOptions* options,
                const std::function<Status()>& fit_once, const std::function<const Fit*()>& fitted) {
  FOVEA_RETURN_IF_ERROR(fit_once());
  const Fit* const fit = fitted();
  const int64_t rows = in_patches ? 0 : RowsWorthATile(model, *fit, *options, layout);
  if (rows == 0) return OkStatus();
  for (const size_t s : {size_t{0}, size_t{2}}) options->tile[s] = fit->plan.tile_size[s];
  options->tile[1] = rows;
  if (fit_once().ok()) return OkStatus();
  std::fill_n(options->tile, 3, 0);  // as it was
  return fit_once();
}

Status FileRun::MakeSession(std::optional<FittedSession>* kept) {
  const Purpose purpose = {&options_, prepared_.reader.get(), image_.get(), output_, label_type_, &prepared_.rescaling};
  const Layout& layout = image_->layout();
  return FitTiles(
      model_, layout, patches_.has_value(), &options_.session,
      [&] { return FitSession(model_, purpose, layout, kept); }, [kept] { return &(*kept)->fit; });
}

Status FileRun::RunSamples(Session* session, ImageSource* source, TileFilter* filter) {
  const int64_t first = interrupted_ ? interrupted_->sample : 0;
  session->SetCancel(Interrupted);
  for (int64_t s = first; s < image_->samples(); ++s) {
    const int64_t first_tile = interrupted_ && s == first ? interrupted_->tile : 0;
    session->SetProgress([&](int64_t tile, int64_t tiles) { progress_.Tile(s, tile, tiles); });
    session->SetWork([&](double done) { progress_.Work(done); });
    session->SetPassDone([&](std::span<const uint8_t> statistics) -> Status {
      if (Interrupted()) return Cancelled("cancelled");
      return checkpoints_->EndPass(s, statistics, outputs_.get());
    });
    progress_.Sample(s);
    if (Interrupted()) return Cancelled("cancelled");
    FOVEA_RETURN_IF_ERROR(source->Select(s));
    FOVEA_RETURN_IF_ERROR(outputs_->Begin(image_->index(s)));
    if (interrupted_ && s == first && interrupted_->tile > 0) FOVEA_RETURN_IF_ERROR(CannotGoOn(outputs_->Restore()));
    if (interrupted_ && s == first && !interrupted_->statistics.empty()) {
      const Status known = session->SkipPasses(interrupted_->statistics);
      if (!known.ok()) return CannotGoOn(known.Prefixed(JournalPath(output_)));
    }
    filter->BeginSample(first_tile, [&](const TileInfo& tile) -> Status {
      if (Interrupted()) return Cancelled("cancelled");
      return checkpoints_->Reach(s, tile.index, outputs_.get());
    });
    FOVEA_RETURN_IF_ERROR(session->Run(*filter, *filter));
    FOVEA_RETURN_IF_ERROR(outputs_->End(source));
    FOVEA_RETURN_IF_ERROR(checkpoints_->Reach(s + 1, 0, outputs_.get()));
  }
  return OkStatus();
}

Status FileRun::RunPatch(Session* session, int64_t patch, ImageSource* source, ImageSink* sink) const {
  const std::array<PatchSpan, 3> spans = patches_->patch(patch);
  source->SetOrigin({spans[0].read, spans[1].read, spans[2].read}, patches_->mirror);
  const Layout& layout = image_->layout();
  for (size_t o = 0; o < layout.outputs.size(); ++o) {
    std::array<ImageSink::Window, 3> window;
    for (size_t a = 0; a < 3; ++a) {
      const OutputAxis& axis = layout.outputs[o].axes[a];
      const auto scaled = [&axis](int64_t pixels) { return pixels * axis.scale_num / axis.scale_den; };
      const int64_t to = scaled(spans[a].give), from = scaled(spans[a].from);
      window[a] = {from, from + std::max<int64_t>(1, scaled(spans[a].give_end)) - to, to};
    }
    sink->SetWindow(o, window);
  }
  return session->Run(*source, *sink);
}

Status FileRun::RunPatches(Session* session, ImageSource* source, ImageSink* sink) {
  const int64_t first = interrupted_ ? interrupted_->sample : 0, count = patches_->count();
  session->SetCancel(Interrupted);
  for (int64_t s = first; s < image_->samples(); ++s) {
    progress_.Sample(s);
    FOVEA_RETURN_IF_ERROR(source->Select(s));
    FOVEA_RETURN_IF_ERROR(outputs_->Begin(image_->index(s)));
    if (interrupted_ && s == first && interrupted_->tile > 0) FOVEA_RETURN_IF_ERROR(CannotGoOn(outputs_->Restore()));
    for (int64_t p = interrupted_ && s == first ? interrupted_->tile : 0; p < count; ++p) {
      if (Interrupted()) return Cancelled("cancelled");
      FOVEA_RETURN_IF_ERROR(checkpoints_->Reach(s, p, outputs_.get()));
      progress_.Work(static_cast<double>(p) / static_cast<double>(count));
      FOVEA_RETURN_IF_ERROR(RunPatch(session, p, source, sink));
      progress_.Tile(s, p + 1, count);
    }
    FOVEA_RETURN_IF_ERROR(outputs_->End(source));
    FOVEA_RETURN_IF_ERROR(checkpoints_->Reach(s + 1, 0, outputs_.get()));
  }
  return OkStatus();
}

void FileRun::Report(const FittedSession& fitted, const TileFilter& filter, nlohmann::ordered_json* report) const {
  const PlanReport& plan = fitted.session.report();
  const Layout& layout = image_->layout();
  for (const std::string& note : layout.notes) (*report)["notes"].push_back(note);
  if (!plan.weight_cache.empty()) {
    (*report)["weight_cache"] = plan.weight_cache;
    if (plan.weight_cache != "read" && plan.weight_cache != "written") (*report)["notes"].push_back(plan.weight_cache);
  }
  if (fitted.fit.machine_budget != 0) {
    (*report)["notes"].push_back("kept to " + HumanBytes(fitted.fit.machine_budget) +
                                 ", nine tenths of the memory that is free here; --memory names another budget");
  }
  (*report)["strategy"] = plan.strategy;
  (*report)["passes"] = plan.passes;
  (*report)["approximate"] = plan.approximate;
  if (plan.approximate) {
    (*report)["notes"].push_back(
        "approximate: norms and means over the image were taken of each tile (--tiling approximate)");
  }
  (*report)["tiles"] = plan.tiles;
  if (patches_) {
    (*report)["border"] = BorderName(options_.border.border);
    (*report)["patches"] = patches_->count();
    (*report)["patch_size"] = {patches_->axes[0].size, patches_->axes[1].size, patches_->axes[2].size};
  }
  (*report)["tiles_reused"] = filter.reused();
  (*report)["samples"] = image_->samples();
  if (interrupted_) {
    (*report)["resumed_from"] = {
        {"sample", interrupted_->sample}, {"tile", interrupted_->tile}, {"passes", interrupted_->passes_done}};
  }
  (*report)["threads"] = plan.threads;
  (*report)["isa"] = plan.isa;
  (*report)["pixels"] = layout.image[0] * layout.image[1] * layout.image[2] * image_->samples();
  if (!options_.processing.pre.empty()) (*report)["pre"] = ToString(options_.processing.pre);
  if (!options_.processing.post.empty()) (*report)["post"] = ToString(options_.processing.post);
  for (const std::string& line : image_->chain().Decisions()) (*report)["steps"].push_back(line);
  (*report)["seconds"] = Seconds() - start_;
  (*report)["measured_peak_bytes"] = PeakResidentBytes();
}

Status FileRun::Run(std::optional<FittedSession>* kept, nlohmann::ordered_json* report) {
  FOVEA_ASSIGN_OR_RETURN(auto reader, formats::OpenImage(input_));
  const formats::ImageInfo original = reader->info();
  const std::string kind = ImageKind(original);
  if (kept->has_value() && (*kept)->image_kind != kind) {
    kept->reset();
    ForgetPeakResidentBytes();  // of the file before
  }
  FOVEA_RETURN_IF_ERROR(prepared_.Prepare(model_, options_, std::move(reader)));
  const Layout& layout = image_->layout();
  FOVEA_RETURN_IF_ERROR(ReadInterrupted());
  FOVEA_RETURN_IF_ERROR(MakeSession(kept));
  FittedSession& fitted = **kept;
  fitted.image_kind = kind;
  const Fit& fit = fitted.fit;
  (*report)["input"] = input_;
  (*report)["predicted_peak_bytes"] = fit.predicted_peak_bytes;
  const OutputLayout& out = layout.outputs[0];
  const int64_t sample_pixels = out.axes[0].size * out.axes[1].size * out.axes[2].size * out.channels;
  progress_.Begin(fitted.session.report().strategy, fit.predicted_peak_bytes, image_->samples(), sample_pixels);
  options_.approximate = fitted.session.report().approximate;
  checkpoints_->SetPlan(fitted.session.report(), label_type_, pieces(fitted.session.report()), image_->samples());
  if (interrupted_ && interrupted_->identity.value("isa", "") != fitted.session.report().isa) {
    return InvalidArgument(output_ + ": the interrupted run can't be gone on with: its arithmetic was " +
                           interrupted_->identity.value("isa", "?") + ", here it is " + fitted.session.report().isa +
                           "; run without --resume to begin anew");
  }
  if (interrupted_) FOVEA_RETURN_IF_ERROR(checkpoints_->Check(*interrupted_));
  outputs_ = std::make_unique<RunOutputs>(&model_, &options_, image_.get(), &prepared_.rescaling);
  const Status opened = outputs_->Open(input_, output_, original, label_type_, interrupted_ ? &*interrupted_ : nullptr);
  if (opened.code() == StatusCode::kNotFound && interrupted_) return CannotGoOn(opened);
  FOVEA_RETURN_IF_ERROR(opened);
  if (interrupted_) {
    checkpoints_->Continue(*interrupted_, outputs_.get());
    const double tiles = static_cast<double>(interrupted_->tile) / static_cast<double>(pieces(fitted.session.report()));
    progress_.GoesOn((static_cast<double>(interrupted_->sample) + tiles) / static_cast<double>(image_->samples()));
  } else {
    RemoveJournal(output_);  // of another run, whose file was just overwritten
  }
  const TensorSpec& spec = model_.inputs()[static_cast<size_t>(layout.input)];
  ImageSource source(image_.get(), &layout, &spec);
  ImageSink sink(&model_, &layout, outputs_->targets());
  TileFilter filter(&source, &sink, model_, fitted.session.report(), fit.reuse_tiles);
  Status ran = patches_ ? RunPatches(&fitted.session, &source, &sink) : RunSamples(&fitted.session, &source, &filter);
  fitted.session.SetCancel(nullptr);
  fitted.session.SetProgress(nullptr);
  fitted.session.SetWork(nullptr);
  fitted.session.SetPassDone(nullptr);
  progress_.End();
  if (ran.ok()) ran = outputs_->Finish(report);
  if (!ran.ok()) ran = checkpoints_->Failed(ran, outputs_.get());
  if (ran.code() == StatusCode::kCancelled) formats::RemoveTemporaryFiles();
  FOVEA_RETURN_IF_ERROR(ran);
  RemoveJournal(output_);
  checkpoints_->Complete();
  Report(fitted, filter, report);
  for (const std::string& warning : original.warnings) (*report)["notes"].push_back(warning);
  if (const std::string told = ToldAgainst(options_.example_range, source.values()); !told.empty()) {
    (*report)["notes"].push_back(told);
  }
  if (!prepared_.rescaling.told.empty()) (*report)["notes"].push_back(prepared_.rescaling.told);
  return OkStatus();
}

}  // namespace

Status PreparedImage::Prepare(const Model& model, const RunOptions& options,
                              std::unique_ptr<formats::ImageReader> file) {
  FOVEA_ASSIGN_OR_RETURN(const bool takes_volumes, TakesVolumes(model));
  FOVEA_ASSIGN_OR_RETURN(rescaling, PlanRescaling(model, file->info(), options.pixel_size, takes_volumes));
  reader = std::move(file);
  if (rescaling.active) reader = RescaleImage(std::move(reader), rescaling);
  FOVEA_ASSIGN_OR_RETURN(image, ProcessedImage::Make(reader.get(), model, options));
  FOVEA_RETURN_IF_ERROR(MatchOutputs(model, &image->layout()));
  if (options.border.border == Border::kExact) return OkStatus();
  FOVEA_ASSIGN_OR_RETURN(patches, CutImage(model, options.border, &image->layout()));
  return OkStatus();
}

Result<Fit> PlanFile(const Model& model, const RunOptions& given, PreparedImage* prepared, const std::string& output,
                     uint64_t process_bytes, const MachineSpeed& speed) {
  RunOptions options = given;
  const Purpose purpose = {&options, prepared->reader.get(), prepared->image.get(),
                           output,   DType::kUInt16,         &prepared->rescaling};
  const Layout& layout = prepared->image->layout();
  Fit fit;
  const auto make = [&](const SessionOptions& chosen) {
    return Session::Plan(model, layout.input_dims, chosen, speed);
  };
  const auto once = [&]() -> Status {
    FOVEA_ASSIGN_OR_RETURN(fit, FitPlan(model, purpose, layout, process_bytes, make));
    return OkStatus();
  };
  FOVEA_RETURN_IF_ERROR(
      FitTiles(model, layout, prepared->patches.has_value(), &options.session, once, [&fit] { return &fit; }));
  return fit;
}

Status RunFile(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               std::optional<FittedSession>* kept, nlohmann::ordered_json* report) {
  bool overflow = false;
  {
    FileRun run(model, options, input, output, DType::kUInt16);
    const Status status = run.Run(kept, report);
    overflow = run.label_overflow();
    if (!overflow || options.dtype_given) return status;
  }
  // More than 65535 objects in a plane: once more into a 32-bit file, rather than numbers that wrap.
  report->clear();
  RunOptions anew = options;
  anew.resume = false;
  FileRun run(model, anew, input, output, DType::kUInt32);
  return run.Run(kept, report);
}

}  // namespace fovea::cli
