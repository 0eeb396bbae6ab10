#include "tools/fovea/run_file.h"

#include <algorithm>
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/fovea/image_tensors.h"
#include "tools/fovea/layout.h"
#include "tools/fovea/run_fit.h"
#include "tools/fovea/run_outputs.h"

namespace fovea::cli {
namespace {

void ShowProgress(int64_t sample, int64_t samples, int64_t tile, int64_t tiles, double start) {
  std::fprintf(stderr, "\rsample %lld/%lld, tile %lld/%lld, %.1f s ", static_cast<long long>(sample + 1),
               static_cast<long long>(samples), static_cast<long long>(tile), static_cast<long long>(tiles),
               Seconds() - start);
}

// Every sample of the image, in the order of its planes: t, z, c.
std::vector<SampleIndex> Samples(const formats::ImageInfo& info, const Layout& layout) {
  const int64_t channels = layout.iterate_channels ? info.c : 1, planes = layout.network_3d ? 1 : info.z;
  std::vector<SampleIndex> samples;
  for (int64_t t = 0; t < info.t; ++t) {
    for (int64_t z = 0; z < planes; ++z) {
      for (int64_t c = 0; c < channels; ++c) samples.push_back({t, z, c});
    }
  }
  return samples;
}

Status RunSamples(const RunOptions& options, const std::vector<SampleIndex>& samples, double start, Session* session,
                  ImageSource* source, ImageSink* sink, RunOutputs* outputs) {
  int64_t done = 0;
  session->SetCancel(Interrupted);
  session->SetProgress([&](int64_t tile, int64_t tiles) {
    if (options.progress) ShowProgress(done, static_cast<int64_t>(samples.size()), tile, tiles, start);
  });
  for (const SampleIndex& sample : samples) {
    if (Interrupted()) return Cancelled("cancelled");
    FOVEA_RETURN_IF_ERROR(source->Select(sample, options.normalization));
    FOVEA_RETURN_IF_ERROR(outputs->Begin(sample));
    FOVEA_RETURN_IF_ERROR(session->Run(*source, *sink));
    FOVEA_RETURN_IF_ERROR(outputs->End(source));
    ++done;
  }
  if (options.progress) std::fprintf(stderr, "\n");
  return OkStatus();
}

void ReportPlan(const PlanReport& plan, const Layout& layout, nlohmann::ordered_json* report) {
  for (const std::string& note : layout.notes) (*report)["notes"].push_back(note);
  if (!plan.weight_cache.empty()) {
    (*report)["weight_cache"] = plan.weight_cache;
    if (plan.weight_cache != "read" && plan.weight_cache != "written") (*report)["notes"].push_back(plan.weight_cache);
  }
  (*report)["strategy"] = plan.strategy;
  (*report)["tiles"] = plan.tiles;
  (*report)["threads"] = plan.threads;
  (*report)["isa"] = plan.isa;
}

bool TakesVolumes(const Model& model) {
  return std::any_of(model.inputs().begin(), model.inputs().end(),
                     [](const TensorSpec& spec) { return spec.axes.find('z') != std::string::npos; });
}

Status RunOnce(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               DType label_type, bool* label_overflow, nlohmann::ordered_json* report) {
  const double start = Seconds();
  FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<formats::ImageReader> reader, formats::OpenImage(input));
  const formats::ImageInfo original = reader->info();
  FOVEA_ASSIGN_OR_RETURN(const Rescaling rescaling,
                         PlanRescaling(model, original, options.pixel_size, TakesVolumes(model)));
  if (rescaling.active) reader = RescaleImage(std::move(reader), rescaling);
  const formats::ImageInfo& info = reader->info();
  FOVEA_ASSIGN_OR_RETURN(Layout layout, MatchAxes(model, info, options.channel));
  FOVEA_ASSIGN_OR_RETURN(FittedSession fitted,
                         FitSession(model, {&options, reader.get(), output, label_type, &rescaling}, &layout));
  const PlanReport& plan = fitted.session.report();
  (*report)["input"] = input;
  (*report)["predicted_peak_bytes"] = fitted.predicted_peak_bytes;
  if (options.progress) {
    std::fprintf(stderr, "%s: %s, will use up to %s\n", input.c_str(), plan.strategy.c_str(),
                 HumanBytes(fitted.predicted_peak_bytes).c_str());
  }
  RunOutputs outputs(&model, &options, &layout, &rescaling);
  FOVEA_RETURN_IF_ERROR(outputs.Open(input, output, info, original, label_type));
  ImageSource source(reader.get(), &layout, &model.inputs()[static_cast<size_t>(layout.input)]);
  ImageSink sink(&model, &layout, outputs.targets());
  const std::vector<SampleIndex> samples = Samples(info, layout);
  const Status ran = RunSamples(options, samples, start, &fitted.session, &source, &sink, &outputs);
  *label_overflow = outputs.label_overflow();
  FOVEA_RETURN_IF_ERROR(ran);
  FOVEA_RETURN_IF_ERROR(outputs.Finish(report));
  ReportPlan(plan, layout, report);
  if (!rescaling.told.empty()) (*report)["notes"].push_back(rescaling.told);
  (*report)["samples"] = samples.size();
  (*report)["seconds"] = Seconds() - start;
  (*report)["measured_peak_bytes"] = PeakResidentBytes();
  return OkStatus();
}

}  // namespace

Status RunFile(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               nlohmann::ordered_json* report) {
  bool label_overflow = false;
  const Status status = RunOnce(model, options, input, output, DType::kUInt16, &label_overflow, report);
  if (!label_overflow) return status;
  // More than 65535 objects in a plane: once more into a 32-bit file, rather than numbers that wrap.
  report->clear();
  return RunOnce(model, options, input, output, DType::kFloat32, &label_overflow, report);
}

}  // namespace fovea::cli
