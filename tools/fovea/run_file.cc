#include "tools/fovea/run_file.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>

#include "formats/image/overlay.h"
#include "tools/cli/program.h"
#include "tools/fovea/image_tensors.h"
#include "tools/fovea/layout.h"
#include "tools/fovea/targets.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;

// What the process needs besides what is counted one by one: stacks, the C++ heap's own, small allocations.
constexpr uint64_t kSlackBytes = 4u << 20;

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

// A session for the layout's sizes; when the network turns out to return less than it takes, once more with a margin.
Result<Session> MakeSession(const Model& model, const SessionOptions& options, Layout* layout) {
  for (bool again = false;; again = true) {
    FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, layout->input_dims, options));
    bool changed = false;
    FOVEA_RETURN_IF_ERROR(MatchOutputs(model, session, layout, &changed));
    if (!changed || again) return session;
  }
}

int64_t LabelPlanes(const Layout& layout, const OutputLayout& out) { return layout.network_3d ? out.axes[0].size : 1; }

DType FileType(const RunOptions& options, DType label_type) {
  return options.labels ? label_type : options.has_threshold ? DType::kUInt8 : options.write.dtype;
}

bool IsPng(const std::string& path) {
  std::string extension = fs::path(path).extension();
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

struct Purpose {
  const RunOptions* options;
  const formats::ImageReader* reader;
  std::string output;
  DType label_type;
};

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
      bytes += OutputInfo(in, layout, out).c * plane * element;
    } else if (options.write.compression != formats::WriteOptions::kNone && plan != nullptr) {
      bytes += WaitingBytes(in, layout, out, *plan) * element;
    }
    bytes += 1 << 20;
  }
  if (!options.overlay.empty()) bytes += layout.image[1] * layout.image[2] * 24;
  return static_cast<uint64_t>(bytes);
}

// A session that, with the image buffers and what is resident already, keeps to the budget. What the buffers take is
// known once the outputs and tiles are, so the first try may have to be repeated. other: bytes beside the session.
Result<Session> FitSession(const Model& model, const Purpose& purpose, uint64_t resident, Layout* layout,
                           uint64_t* other) {
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
    *other = resident + BufferBytes(purpose, *layout, &plan);
    if (budget == 0 || *other + plan.total_bytes() <= budget) return session;
    // The session kept to what was left, so this is more than before.
    reserved = *other;
  }
}

struct File {
  std::string path;
  std::unique_ptr<FileTarget> target;
};

Result<File> OpenOutput(const RunOptions& options, const Layout& layout, const OutputLayout& out,
                        const formats::ImageInfo& in, const std::string& path, DType label_type) {
  formats::ImageInfo info = OutputInfo(in, layout, out);
  formats::WriteOptions write = options.write;
  write.dtype = FileType(options, label_type);
  FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<formats::ImageWriter> writer, formats::CreateImage(path, info, write));
  File file;
  file.path = path;
  const auto threshold = static_cast<float>(options.threshold);
  if (options.labels) {
    const int64_t max_label = label_type == DType::kUInt16 ? 65535 : int64_t{1} << 24;
    file.target = std::make_unique<LabelTarget>(std::move(writer), threshold, max_label, LabelPlanes(layout, out),
                                                out.channels, out.axes[1].size, out.axes[2].size);
  } else if (options.has_threshold) {
    file.target = std::make_unique<MaskTarget>(std::move(writer), threshold);
  } else {
    file.target = std::make_unique<ValueTarget>(std::move(writer));
  }
  return file;
}

Status WriteOverlay(const RunOptions& options, const Layout& layout, const std::vector<float>& values,
                    ImageSource* source) {
  const OutputLayout& out = layout.outputs[0];
  const int64_t rows = out.axes[1].size, cols = out.axes[2].size;
  if (rows != layout.image[1] || cols != layout.image[2]) {
    return Unsupported("--overlay needs an output of the image's own size");
  }
  std::vector<float> grey;
  FOVEA_RETURN_IF_ERROR(source->ReadPlane(0, 0, &grey));
  std::vector<int32_t> labels(static_cast<size_t>(rows * cols));
  FOVEA_RETURN_IF_ERROR(formats::LabelMask(values.data(), rows, cols, static_cast<float>(options.threshold),
                                           formats::Connectivity::kFour, labels.data())
                            .status());
  return formats::WriteOverlayPng(options.overlay, grey.data(), labels.data(), rows, cols);
}

void ShowProgress(int64_t sample, int64_t samples, int64_t tile, int64_t tiles, double start) {
  std::fprintf(stderr, "\rsample %lld/%lld, tile %lld/%lld, %.1f s ", static_cast<long long>(sample + 1),
               static_cast<long long>(samples), static_cast<long long>(tile), static_cast<long long>(tiles),
               Seconds() - start);
}

Status RunOnce(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               DType label_type, bool* label_overflow, nlohmann::ordered_json* report) {
  const double start = Seconds();
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<formats::ImageReader> reader, formats::OpenImage(input));
  const formats::ImageInfo& info = reader->info();
  FOVEA_ASSIGN_OR_RETURN(Layout layout, MatchAxes(model, info, options.channel));

  // The session gets what the budget leaves beside the process as it stands and the image buffers.
  const uint64_t resident = ResidentBytes() + model.info().file_bytes + kSlackBytes;
  uint64_t other = 0;
  FOVEA_ASSIGN_OR_RETURN(Session session,
                         FitSession(model, {&options, reader.get(), output, label_type}, resident, &layout, &other));
  const PlanReport& plan = session.report();
  (*report)["input"] = input;
  (*report)["predicted_peak_bytes"] = other + plan.total_bytes();
  if (options.progress)
    std::fprintf(stderr, "%s: %s, will use up to %s\n", input.c_str(), plan.strategy.c_str(),
                 HumanBytes(other + plan.total_bytes()).c_str());

  std::vector<File> files;
  for (size_t i = 0; i < layout.outputs.size(); ++i) {
    const OutputLayout& out = layout.outputs[i];
    const std::string path = i == 0 ? output : SiblingPath(output, model.outputs()[static_cast<size_t>(out.port)].name);
    std::error_code error;
    if (fs::equivalent(path, input, error)) {
      return InvalidArgument(path + ": is the input itself; choose another name");
    }
    FOVEA_ASSIGN_OR_RETURN(File file, OpenOutput(options, layout, out, info, path, label_type));
    files.push_back(std::move(file));
  }
  std::vector<OutputTarget*> targets;
  for (const File& file : files) targets.push_back(file.target.get());
  std::unique_ptr<TeeTarget> tee;
  if (!options.overlay.empty()) {
    tee = std::make_unique<TeeTarget>(targets[0], layout.outputs[0].axes[1].size, layout.outputs[0].axes[2].size);
    targets[0] = tee.get();
  }

  ImageSource source(reader.get(), &layout, &model.inputs()[static_cast<size_t>(layout.input)]);
  ImageSink sink(&model, &layout, targets);
  session.SetCancel(Interrupted);
  const int64_t samples = layout.samples(info);
  const int64_t channels = layout.iterate_channels ? info.c : 1, planes = layout.network_3d ? 1 : info.z;
  int64_t done = 0;
  session.SetProgress([&](int64_t tile, int64_t tiles) {
    if (options.progress) ShowProgress(done, samples, tile, tiles, start);
  });
  for (int64_t t = 0; t < info.t; ++t) {
    for (int64_t z = 0; z < planes; ++z) {
      for (int64_t c = 0; c < channels; ++c, ++done) {
        if (Interrupted()) return Cancelled("cancelled");
        FOVEA_RETURN_IF_ERROR(source.Select({t, z, c}, options.normalization));
        for (size_t i = 0; i < files.size(); ++i) {
          FOVEA_RETURN_IF_ERROR(files[i].target->Begin({t, z, c * layout.outputs[i].channels}));
        }
        FOVEA_RETURN_IF_ERROR(session.Run(source, sink));
        for (const File& file : files) {
          const Status ended = file.target->End();
          if (!ended.ok()) {
            const auto* labels = dynamic_cast<LabelTarget*>(file.target.get());
            *label_overflow = labels != nullptr && labels->overflowed();
            return ended.Prefixed(file.path);
          }
        }
        if (tee != nullptr && done == 0) {
          tee->Stop();
          FOVEA_RETURN_IF_ERROR(WriteOverlay(options, layout, tee->plane(), &source));
        }
      }
    }
  }
  if (options.progress) std::fprintf(stderr, "\n");
  int64_t objects = 0;
  for (const File& file : files) {
    FOVEA_RETURN_IF_ERROR(file.target->Finish());
    (*report)["outputs"].push_back(file.path);
    if (const auto* labels = dynamic_cast<LabelTarget*>(file.target.get())) objects += labels->objects();
  }
  if (options.labels) (*report)["objects"] = objects;
  if (!options.overlay.empty()) (*report)["overlay"] = options.overlay;
  for (const std::string& note : layout.notes) (*report)["notes"].push_back(note);
  if (!plan.weight_cache.empty()) {
    (*report)["weight_cache"] = plan.weight_cache;
    if (plan.weight_cache != "read" && plan.weight_cache != "written") (*report)["notes"].push_back(plan.weight_cache);
  }
  (*report)["strategy"] = plan.strategy;
  (*report)["tiles"] = plan.tiles;
  (*report)["samples"] = samples;
  (*report)["threads"] = plan.threads;
  (*report)["isa"] = plan.isa;
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
