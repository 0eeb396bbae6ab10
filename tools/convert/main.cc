// fovea-convert: published networks into .fov files.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>

#include "converter/convert.h"
#include "runtime/include/fovea/model.h"
#include "tools/cli/args.h"
#include "tools/cli/program.h"
#include "tools/cli/self_test.h"
#include "tools/cli/temporary.h"
#include "tools/convert/bundle_source.h"
#include "tools/convert/compare.h"
#include "tools/convert/options.h"
#include "tools/convert/report.h"

namespace fovea::cli {
namespace {

constexpr const char* kProgram = "fovea-convert";

// A file that has not got its name yet: removed when it goes out of scope, and by Ctrl-C.
class Unfinished {
 public:
  explicit Unfinished(const std::string& path) : path_(path) {
    const std::lock_guard<std::mutex> lock(g_mutex);
    g_part = path;
  }
  ~Unfinished() {
    RemoveAll();
    const std::lock_guard<std::mutex> lock(g_mutex);
    g_part.clear();
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  static void RemoveAll() {
    const std::lock_guard<std::mutex> lock(g_mutex);
    if (g_part.empty()) return;
    unlink(converter::EmissionName(g_part).c_str());  // first, since it becomes the other one
    unlink(g_part.c_str());
  }
  const std::string& path() const { return path_; }
  Status RenameTo(const std::string& name) const {
    std::error_code error;
    std::filesystem::rename(path_, name, error);
    return error ? IoError(name + ": can't be written: " + error.message()) : OkStatus();
  }

 private:
  static inline std::mutex g_mutex;
  static inline std::string g_part;
  const std::string path_;
};

// The model as a file that has been written and read back before it gets its name.
Result<Model> WriteModelFile(const ir::Graph& graph, const ConvertLine& line) {
  const Unfinished part(line.out + ".part");
  const Status emitted = converter::EmitFile(graph, line.options, part.path());
  if (emitted.code() == StatusCode::kIo) {
    return IoError(line.out + ": can't be written; is there such a folder and room in it, and may you write to it?");
  }
  FOVEA_RETURN_IF_ERROR(emitted.Prefixed(line.in[0]));
  const Result<Model> read = Model::Load(part.path());
  FOVEA_RETURN_IF_ERROR(read.status());
  FOVEA_RETURN_IF_ERROR(part.RenameTo(line.out));
  return *read;
}

Result<Model> ModelInMemory(const ir::Graph& graph, const converter::Options& options, const std::string& name) {
  const auto bytes = converter::Emit(graph, options);
  FOVEA_RETURN_IF_ERROR(bytes.status().Prefixed(name));
  return Model::FromBytes(*bytes, name);
}

// --compare: exit code 1 when an output differs by more than 1e-5 of its range.
int CompareWith(const Model& model, const ConvertLine& line) {
  converter::Options options = line.options;  // what names things inside the first file does not in the other
  options.inputs.clear();
  options.outputs.clear();
  options.signature.clear();
  options.tag.clear();
  converter::Report report;
  const auto graph = converter::Convert(line.compare, options, &report);
  if (!graph.ok()) return Fail(kProgram, graph.status());
  const auto other = ModelInMemory(*graph, options, line.compare);
  if (!other.ok()) return Fail(kProgram, other.status());
  const auto differences = CompareModels(model, *other);
  if (!differences.ok()) return Fail(kProgram, differences.status().Prefixed(line.compare));
  return PrintDifferences(*differences, line.json) ? kDone : kCheckFailed;
}

int RunSelfTests(const Model& model) {
  for (const SelfTestCase& test : model.self_tests()) {
    const auto results = RunSelfTest(model, test, {}, nullptr);
    if (results.status().code() == StatusCode::kUnsupported) {
      std::fprintf(stderr, "warning: the self-test can't be run: %s\n", results.status().message().c_str());
      continue;
    }
    if (!results.ok()) return Fail(kProgram, results.status().Prefixed("self-test"));
    for (size_t i = 0; i < results->size(); ++i) {
      const SelfTestResult& r = (*results)[i];
      if (r.passed) continue;
      std::fprintf(stderr, "fovea-convert: self-test: output '%s' is off by up to %.3g\n",
                   model.outputs()[i].name.c_str(), r.max_error);
      return kCheckFailed;
    }
  }
  return kDone;
}

// What is being converted: the network, and the description that came with it or is being made.
struct Source {
  std::optional<BundleSource> bundle;
  formats::BundleDescription description;
  std::string path;    // of the network
  std::string format;  // of the network, what a package's weights are made from
};

// The network in line->in[0], and what the description of a bundle says of it; options of the user win.
Result<ir::Graph> ReadSource(ConvertLine* line, Source* source, converter::Report* report) {
  source->path = line->in[0];
  if (formats::LooksLikeBundle(source->path)) {
    FOVEA_ASSIGN_OR_RETURN(source->bundle, OpenBundleSource(source->path, line->ignore_sha256));
    FillReadingOptions(*source->bundle, &line->options);
    source->path = source->bundle->model_path;
    source->description = source->bundle->bundle.description();
  }
  FOVEA_ASSIGN_OR_RETURN(ir::Graph graph, converter::Convert(source->path, line->options, report));
  source->format = report->source_format;
  if (source->bundle) {
    FOVEA_RETURN_IF_ERROR(AddDescription(*source->bundle, &line->options, &graph));
    report->warnings.insert(report->warnings.end(), graph.warnings.begin(), graph.warnings.end());
    report->source_format += ", described by " + source->description.format;
  }
  source->description.preprocessing = graph.preprocessing;
  source->description.postprocessing = graph.postprocessing;
  FOVEA_RETURN_IF_ERROR(FillDescription(line->bundle, &source->description));
  graph.preprocessing = source->description.preprocessing;
  graph.postprocessing = source->description.postprocessing;
  return graph;
}

// Gives the file that is made from a network and an example what running the example shows.
Status AddExampleTo(ConvertLine* line, const ir::Graph& graph, formats::BundleDescription* description) {
  if (!line->out.empty()) return InvalidArgument("--bundle with a .fov file writes the model; leave -o out");
  FOVEA_ASSIGN_OR_RETURN(const Model model, ModelInMemory(graph, line->options, line->in[0]));
  FOVEA_RETURN_IF_ERROR(AddExample(line->bundle, model, &line->options, description));
  line->out = line->bundle.out;
  line->bundle.out.clear();
  return OkStatus();
}

int ConvertFile(ConvertLine line) {
  const double start = Seconds();
  converter::Report report;
  Source source;
  auto graph = ReadSource(&line, &source, &report);
  if (!graph.ok()) {
    if (line.json) std::printf("%s\n", FailureToJson(graph.status(), report).c_str());
    return Fail(kProgram, graph.status());
  }
  if (IsModelFile(line.bundle)) {
    const Status added = AddExampleTo(&line, *graph, &source.description);
    if (!added.ok()) return Fail(kProgram, added);
  }
  AddMetadata(source.description, &*graph);
  const auto model = line.out.empty() ? ModelInMemory(*graph, line.options, line.in[0]) : WriteModelFile(*graph, line);
  if (!model.ok()) return Fail(kProgram, model.status());
  *graph = {};
  report.seconds = Seconds() - start;
  if (!line.compare.empty()) return CompareWith(*model, line);
  if (!line.bundle.out.empty()) {
    const Status built = BuildBundle(line.bundle, source.path, source.format, *model, source.description);
    if (!built.ok()) return Fail(kProgram, built);
  }
  std::sort(report.warnings.begin(), report.warnings.end());
  report.warnings.erase(std::unique(report.warnings.begin(), report.warnings.end()), report.warnings.end());
  if (line.json) {
    std::printf("%s\n", ReportToJson(*model, report, line.out.empty() ? line.bundle.out : line.out).c_str());
  } else {
    PrintReport(*model, report, line.out.empty() ? line.bundle.out : line.out, line.quiet);
  }
  return RunSelfTests(*model);
}

}  // namespace

int ConvertMain(const std::vector<std::string>& words) {
  Args args(kProgram, "IN -o OUT.fov",
            "Turns a published network into one .fov file for fovea. IN: an ONNX file (weights beside it are found), a "
            "TensorFlow SavedModel (folder or zip), a frozen TensorFlow graph (.pb), a Keras .h5 file, a TF.js "
            "model.json, or a "
            "bundle of DeepImageJ, bioimage.io, CSBDeep or StarDist (folder, zip, or its description file). "
            "Prints what the network takes and gives, what was changed, and what is not supported.");
  ConvertLine line;
  DeclareOptions(&args, &line);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail(kProgram, parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  if (line.version) return std::printf("fovea-convert %s\n", FOVEA_VERSION), kDone;
  if (line.in.empty()) return Fail(kProgram, InvalidArgument("IN is missing. Usage: fovea-convert IN -o OUT.fov"));
  if (line.out.empty() && line.compare.empty() && line.bundle.out.empty()) {
    return Fail(kProgram, InvalidArgument("say where the model goes: -o OUT.fov, or --bundle OUT"));
  }
  const Status filled = FillOptions(&line);
  if (!filled.ok()) return Fail(kProgram, filled);
  std::error_code error;
  if (!line.out.empty() && std::filesystem::equivalent(line.in[0], line.out, error)) {
    return Fail(kProgram, InvalidArgument(line.out + ": is the input itself; choose another name"));
  }
  // Ctrl-C ends the program at once, wherever it is, and leaves nothing behind.
  CatchInterrupts();
  EndSoonAfterInterrupt(0, [] {
    RemoveTemporaryFolders();
    Unfinished::RemoveAll();  // last, since writing may only now begin
  });
  const int code = ConvertFile(line);
  return Interrupted() ? kInterrupted : code;
}

}  // namespace fovea::cli

int main(int argc, char** argv) { return fovea::cli::ConvertMain({argv + 1, argv + argc}); }
