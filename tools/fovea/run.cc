// fovea run: networks on images.
#include <algorithm>
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/run_file.h"
#include "tools/fovea/run_paths.h"

namespace fovea::cli {
namespace {

Status ParseWriteOptions(const std::string& dtype, const std::string& compression, formats::WriteOptions* write) {
  if (dtype == "float32") {
    write->dtype = DType::kFloat32;
  } else if (dtype == "uint16") {
    write->dtype = DType::kUInt16;
  } else if (dtype == "uint8") {
    write->dtype = DType::kUInt8;
  } else {
    return InvalidArgument("--dtype '" + dtype + "' is not known; choose float32, uint16 or uint8");
  }
  if (compression == "none") {
    write->compression = formats::WriteOptions::kNone;
  } else if (compression == "deflate") {
    write->compression = formats::WriteOptions::kDeflate;
  } else {
    return InvalidArgument("--compression '" + compression + "' is not known; choose none or deflate");
  }
  return OkStatus();
}

}  // namespace

int RunCommand(const std::vector<std::string>& words) {
  Args args("fovea run", "MODEL INPUT... -o OUT",
            "Runs a network on images. INPUT: files, folders or patterns; OUT: a file for one input, a folder for "
            "several. Axes are matched by "
            "name; planes, time points and (for one-channel networks) channels are processed one after another; sizes "
            "are brought to "
            "what the network takes by mirroring and cropped back; calibration and names are kept.");
  std::vector<std::string> free;
  std::string out, normalize = "none", dtype = "float32", compression = "none", tile, pixel_size;
  int64_t channel = 0;
  double threshold = -1e300;
  bool json = false, quiet = false;
  RunOptions options;
  ExecutionOptions execution;
  args.Text("--output, -o", &out, "OUT", "file (.tif, .ome.tif, .png, .npy) or folder");
  args.Bytes("--memory, -m", &options.memory_bytes, "BYTES",
             "most that the process may use: 256MB, 1.5GB (default: no limit)");
  execution.Declare(&args);
  args.Text("--tile", &tile, "[D]xHxW", "size of the output tiles (default: chosen to fit the budget)");
  args.Text("--normalize, -n", &normalize, "STEP",
            "before the network: none, zero-mean, range, percentile or percentile:LOW,HIGH (default none)");
  args.Integer("--channel", &channel, 1, 1 << 20, "N", "use only channel N of the image, from 1");
  args.Text("--pixel-size", &pixel_size, "SIZE",
            "bring the image to the pixel size that the network was trained at: match (the model's own) or a length "
            "(0.65um); the result comes back to the image's pixels, or with :model behind it stays at the model's");
  args.Number("--threshold", &threshold, "T", "write a mask of what is above T (255, else 0)");
  args.Flag("--labels", &options.labels, "write connected objects above the threshold (default 0.5), numbered from 1");
  args.Text("--overlay", &options.overlay, "FILE.png",
            "also a picture: the first plane in grey, objects outlined in colour");
  args.Text("--dtype", &dtype, "TYPE", "of the output: float32 (default), uint16 or uint8, rounded and saturated");
  args.Text("--compression", &compression, "KIND", "of TIFF outputs: none (default) or deflate");
  args.Flag("--json", &json, "print one JSON object about the run");
  args.Flag("--quiet, -q", &quiet, "no progress, no summary");
  args.Positional("MODEL and INPUT", &free, 2, -1);
  args.Epilogue(
      "example: fovea run nuclei.fov cells.tif -o labels.tif --normalize zero-mean --labels --overlay look.png\n\n"
      "exit codes: 0 done, 1 some of several files failed, 2 bad input or usage, 3 over the memory budget, 130 "
      "cancelled");
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea run", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  if (out.empty()) return Fail("fovea run", InvalidArgument("say where the result goes: -o OUT"));
  CatchInterrupts();

  auto session = execution.ToSession();
  if (!session.ok()) return Fail("fovea run", session.status());
  options.session = *session;
  const auto step = ParseNormalization(normalize);
  if (!step.ok()) return Fail("fovea run", step.status().Prefixed("--normalize"));
  options.normalization = *step;
  const auto size = ParsePixelSize(pixel_size);
  if (!size.ok()) return Fail("fovea run", size.status().Prefixed("--pixel-size"));
  options.pixel_size = *size;
  const Status write = ParseWriteOptions(dtype, compression, &options.write);
  if (!write.ok()) return Fail("fovea run", write);
  if (!tile.empty()) {
    const auto sides = ParseSize(tile);
    if (!sides.ok()) return Fail("fovea run", sides.status().Prefixed("--tile"));
    std::copy(sides->begin(), sides->end(), options.session.tile);
    if (std::count(tile.begin(), tile.end(), 'x') == 1) options.session.tile[0] = 0;
  }
  options.channel = channel - 1;
  options.has_threshold = threshold > -1e300;
  if (options.has_threshold) options.threshold = threshold;
  options.progress = !quiet && StderrIsTerminal();

  const Result<Model> model = Model::Load(free[0]);
  if (!model.ok()) return Fail("fovea run", model.status());
  const auto paths = MatchPaths({free.begin() + 1, free.end()}, out);
  if (!paths.ok()) return Fail("fovea run", paths.status());
  if (!options.overlay.empty() && paths->inputs.size() > 1) {
    return Fail("fovea run", InvalidArgument("--overlay names one picture, but there are several inputs"));
  }

  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  std::vector<std::string> failed;
  int last_failure = kDone;
  for (size_t i = 0; i < paths->inputs.size(); ++i) {
    nlohmann::ordered_json report;
    const Status status = RunFile(*model, options, paths->inputs[i], paths->outputs[i], &report);
    if (!status.ok()) {
      if (options.progress) std::fprintf(stderr, "\n");
      const bool named = status.message().find(paths->inputs[i]) != std::string::npos;
      last_failure = Fail("fovea run", named ? status : status.Prefixed(paths->inputs[i]));
      if (status.code() == StatusCode::kCancelled) return kInterrupted;
      failed.push_back(paths->inputs[i]);
      report = {{"input", paths->inputs[i]}, {"error", status.message()}};
    } else if (!json && !quiet) {
      std::printf("%s -> %s  %.2f s, %s", paths->inputs[i].c_str(), paths->outputs[i].c_str(),
                  report["seconds"].get<double>(), report["strategy"].get<std::string>().c_str());
      if (report.contains("objects"))
        std::printf(", %lld objects", static_cast<long long>(report["objects"].get<int64_t>()));
      std::printf("; peak %s (predicted %s)\n", HumanBytes(report["measured_peak_bytes"].get<uint64_t>()).c_str(),
                  HumanBytes(report["predicted_peak_bytes"].get<uint64_t>()).c_str());
      for (const auto& note : report.value("notes", nlohmann::ordered_json::array())) {
        std::printf("  note: %s\n", note.get<std::string>().c_str());
      }
    }
    files.push_back(report);
  }
  if (json) {
    // One file: its report; several: their list and the totals that the contract names.
    nlohmann::ordered_json all = files.size() == 1 ? files[0] : nlohmann::ordered_json{{"files", files}};
    if (files.size() > 1) all["measured_peak_bytes"] = PeakResidentBytes();
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  }
  if (failed.empty()) return kDone;
  if (paths->inputs.size() == 1) return last_failure;
  std::fprintf(stderr, "fovea run: %zu of %zu files failed\n", failed.size(), paths->inputs.size());
  return kCheckFailed;
}

}  // namespace fovea::cli
