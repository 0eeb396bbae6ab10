// fovea-convert: published networks into .fov files.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "converter/convert.h"
#include "converter/passes/pipeline.h"
#include "formats/image/npy.h"
#include "runtime/include/fovea/model.h"
#include "tools/cli/args.h"
#include "tools/cli/program.h"
#include "tools/cli/self_test.h"
#include "tools/convert/compare.h"
#include "tools/convert/report.h"

namespace fovea::cli {
namespace {

using converter::NamedTensor;

struct Words {
  std::vector<std::string> set, axes, size, test_inputs, test_outputs, inputs, outputs;
  std::string weights = "f32", dropout, random_weights;
};

// "a,b" and "a", "b" alike.
std::vector<std::string> SplitCommas(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    for (size_t at = 0; at <= word.size();) {
      const size_t end = std::min(word.find(',', at), word.size());
      if (end > at) out.push_back(word.substr(at, end - at));
      at = end + 1;
    }
  }
  return out;
}

Result<uint64_t> ParseSeed(const std::string& word) {
  uint64_t seed = 0;
  const char* end = word.data() + word.size();
  const auto parsed = std::from_chars(word.data(), end, seed);
  if (parsed.ec == std::errc() && parsed.ptr == end) return seed;
  return InvalidArgument("--random-weights '" + word + "': write a number, for example --random-weights 1");
}

Result<uint64_t> ParseDropout(const std::string& word) {
  const std::string prefix = "seed:";
  uint64_t seed = 0;
  const char* end = word.data() + word.size();
  if (word.compare(0, prefix.size(), prefix) == 0) {
    const auto parsed = std::from_chars(word.data() + prefix.size(), end, seed);
    if (parsed.ec == std::errc() && parsed.ptr == end) return seed;
  }
  return InvalidArgument("--dropout '" + word + "': write seed:N, for example --dropout=seed:1");
}

// "NAME=rest" at the last '=' for files and at the first for the rest, since tensor names rarely hold one; no '=': all
// is rest.
std::pair<std::string, std::string> SplitName(const std::string& word) {
  const size_t equals = word.rfind('=');
  if (equals == std::string::npos) return {"", word};
  return {word.substr(0, equals), word.substr(equals + 1)};
}

Result<NamedTensor> ReadTensor(const std::string& name, const std::string& path) {
  FOVEA_ASSIGN_OR_RETURN(const formats::NpyArray array, formats::ReadNpy(path));
  return NamedTensor{name, array.dtype, array.shape, formats::ToFloatVector(array)};
}

Result<NamedTensor> ParseSet(const std::string& word) {
  const auto [name, value] = SplitName(word);
  if (name.empty()) return InvalidArgument("--set '" + word + "': write NAME=VALUE or NAME=@file.npy");
  if (!value.empty() && value[0] == '@') return ReadTensor(name, value.substr(1));
  NamedTensor tensor;
  tensor.name = name;
  std::string text = value;
  if (text == "true" || text == "false") {
    tensor.dtype = DType::kBool;
    tensor.data = {text == "true" ? 1.0f : 0.0f};
    return tensor;
  }
  // One number is a scalar, several are a vector: 1,2,3.
  const bool vector = text.find(',') != std::string::npos;
  bool integers = true;
  const char* at = text.data();
  const char* end = text.data() + text.size();
  while (at < end) {
    const char* stop = std::find(at, end, ',');
    double number = 0;
    const auto parsed = std::from_chars(at, stop, number);
    if (parsed.ec != std::errc() || parsed.ptr != stop) {
      return InvalidArgument("--set '" + word + "': '" + value + "' is neither numbers, true, false nor @file.npy");
    }
    integers =
        integers && std::string_view(at, static_cast<size_t>(stop - at)).find_first_of(".eE") == std::string_view::npos;
    tensor.data.push_back(static_cast<float>(number));
    at = stop < end ? stop + 1 : end;
  }
  if (tensor.data.empty()) return InvalidArgument("--set '" + word + "': no value");
  tensor.dtype = integers ? DType::kInt64 : DType::kFloat32;
  if (vector) tensor.dims = {static_cast<int64_t>(tensor.data.size())};
  return tensor;
}

Status FillOptions(const Words& words, converter::Options* options) {
  if (!options->dump_ir.empty() && !converter::IsDumpable(options->dump_ir)) {
    return InvalidArgument("--dump-ir '" + options->dump_ir + "': choose one of " + converter::DumpableNames());
  }
  options->inputs = SplitCommas(words.inputs);
  options->outputs = SplitCommas(words.outputs);
  if (!words.dropout.empty()) {
    FOVEA_ASSIGN_OR_RETURN(options->dropout_seed, ParseDropout(words.dropout));
  }
  if (!words.random_weights.empty()) {
    FOVEA_ASSIGN_OR_RETURN(options->random_weights, ParseSeed(words.random_weights));
  }
  const std::string& weights = words.weights;
  for (const std::string& word : words.set) {
    FOVEA_ASSIGN_OR_RETURN(NamedTensor tensor, ParseSet(word));
    options->set.push_back(std::move(tensor));
  }
  for (const std::string& word : words.axes) {
    const auto [name, letters] = SplitName(word);
    if (letters.empty() || letters.find_first_not_of("btzyxci") != std::string::npos) {
      return InvalidArgument("--axes '" + word +
                             "': write NAME=LETTERS with letters b t z y x c i, for example input=bcyx");
    }
    options->axes[name] = letters;
  }
  for (const std::string& word : words.size) {
    const auto [name, size] = SplitName(word);
    if (size.empty() || size.find_first_not_of("0123456789x?") != std::string::npos) {
      return InvalidArgument("--size '" + word + "': write NAME=1x1x512x512, with ? for an open axis");
    }
    options->size[name] = size;
  }
  for (const std::string& word : words.test_inputs) {
    const auto [name, path] = SplitName(word);
    FOVEA_ASSIGN_OR_RETURN(NamedTensor tensor, ReadTensor(name, path));
    options->test_inputs.push_back(std::move(tensor));
  }
  for (const std::string& word : words.test_outputs) {
    const auto [name, path] = SplitName(word);
    FOVEA_ASSIGN_OR_RETURN(NamedTensor tensor, ReadTensor(name, path));
    options->test_outputs.push_back(std::move(tensor));
  }
  if (options->test_inputs.empty() != options->test_outputs.empty()) {
    return InvalidArgument("a self-test needs both --test-input and --test-output");
  }
  if (weights == "f32") {
    options->weights = WeightType::kFloat32;
  } else if (weights == "f16") {
    options->weights = WeightType::kFloat16;
  } else if (weights == "bf16") {
    options->weights = WeightType::kBFloat16;
  } else {
    return InvalidArgument("--weights '" + weights + "' is not known; choose f32, f16 or bf16");
  }
  return OkStatus();
}

// Bytes to a temporary name beside `path`, then renamed; nothing stays behind on failure.
Status WriteFile(const std::string& path, const std::vector<std::byte>& bytes) {
  const std::string temporary = path + ".part";
  std::error_code ignored;
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) {
      std::filesystem::remove(temporary, ignored);
      return IoError(path + ": can't write here; is there room, and may you write to this folder?");
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::filesystem::remove(temporary, ignored);
    return IoError(path + ": can't be written: " + error.message());
  }
  return OkStatus();
}

// --compare: exit code 1 when an output differs by more than 1e-5 of its range.
int CompareWith(const Model& model, const std::string& path, const converter::Options& options, bool json) {
  converter::Options other_options =
      options;  // what names things inside the first file does not name them in the other
  other_options.inputs.clear();
  other_options.outputs.clear();
  other_options.signature.clear();
  other_options.tag.clear();
  converter::Report report;
  const auto graph = converter::Convert(path, other_options, &report);
  if (!graph.ok()) return Fail("fovea-convert", graph.status());
  const auto bytes = converter::Emit(*graph, other_options);
  if (!bytes.ok()) return Fail("fovea-convert", bytes.status().Prefixed(path));
  const auto other = Model::FromBytes(*bytes, path);
  if (!other.ok()) return Fail("fovea-convert", other.status());
  const auto differences = CompareModels(model, *other);
  if (!differences.ok()) return Fail("fovea-convert", differences.status().Prefixed(path));
  return PrintDifferences(*differences, json) ? kDone : kCheckFailed;
}

}  // namespace

int ConvertMain(const std::vector<std::string>& words) {
  Args args(
      "fovea-convert", "IN -o OUT.fov",
      "Turns a published network into one .fov file for fovea. IN: an ONNX file (weights beside it are found), a "
      "TensorFlow SavedModel (folder or zip), a frozen TensorFlow graph (.pb), a Keras .h5 file or a TF.js model.json. "
      "Prints what the network takes and gives, what was changed, and what is not supported.");
  Words lists;
  converter::Options options;
  std::vector<std::string> free;
  std::string out, compare;
  bool json = false, quiet = false, version = false;
  args.Text("--output, -o", &out, "OUT.fov", "the file to write");
  args.TextList("--set", &lists.set, "NAME=VALUE",
                "make an input a constant: numbers (1 or 1,2,3), true, false or @file.npy");
  args.TextList("--axes", &lists.axes, "NAME=LETTERS",
                "name the axes of an input or output in the file's order, e.g. input=bcyx");
  args.TextList("--size", &lists.size, "NAME=SIZE", "fix or open an input's sizes, e.g. input=1x1x512x? (? is open)");
  args.Text("--tag", &options.tag, "TAG", "SavedModel: the graph to take (default: serve, or the only one)");
  args.Text("--signature", &options.signature, "NAME",
            "SavedModel: the signature to take (default: serving_default, or the only one)");
  args.TextList("--inputs", &lists.inputs, "A,B", "TensorFlow graphs without signature: the input tensors");
  args.TextList("--outputs", &lists.outputs, "C,D", "TensorFlow graphs without signature: the output tensors");
  args.Text("--dropout", &lists.dropout, "seed:N", "keep dropout that works in inference too, with this seed");
  args.Flag("--no-weights", &options.no_weights, "SavedModel, Keras: zeros for the weights, for planning without them");
  args.Text("--random-weights", &lists.random_weights, "SEED",
            "SavedModel, Keras: random weights, for trying and timing");
  args.TextList("--test-input", &lists.test_inputs, "NAME=F.npy", "a self-test's input, in the file's axis order");
  args.TextList("--test-output", &lists.test_outputs, "NAME=F.npy", "what the network should give for it");
  args.Number("--test-rtol", &options.test_rtol, "X", "self-test: relative tolerance (default 1e-3)");
  args.Number("--test-atol", &options.test_atol, "X", "self-test: absolute tolerance (default 1e-3)");
  args.Text("--weights", &lists.weights, "TYPE", "storage of the weights: f32 (default), f16 or bf16");
  args.Text("--dump-ir", &options.dump_ir, "PASS", "print the graph after this pass, after 'import', or after 'all'");
  args.Text(
      "--compare", &compare, "OTHER",
      "another file of the same network: run both on seeded numbers, print the largest difference of each output");
  args.Flag("--json", &json, "print the report as one JSON object");
  args.Flag("--quiet, -q", &quiet, "no report; warnings and errors only");
  args.Flag("--version", &version, "print the version");
  args.Positional("IN", &free, 0, 1);
  args.Epilogue("exit codes: 0 done, 1 the self-test or the comparison failed, 2 bad input or usage");
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea-convert", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  if (version) return std::printf("fovea-convert %s\n", FOVEA_VERSION), kDone;
  if (free.empty()) return Fail("fovea-convert", InvalidArgument("IN is missing. Usage: fovea-convert IN -o OUT.fov"));
  if (out.empty() && compare.empty())
    return Fail("fovea-convert", InvalidArgument("say where the model goes: -o OUT.fov"));
  const Status filled = FillOptions(lists, &options);
  if (!filled.ok()) return Fail("fovea-convert", filled);
  std::error_code error;
  if (!out.empty() && std::filesystem::equivalent(free[0], out, error)) {
    return Fail("fovea-convert", InvalidArgument(out + ": is the input itself; choose another name"));
  }

  const double start = Seconds();
  converter::Report report;
  const auto graph = converter::Convert(free[0], options, &report);
  if (!graph.ok()) {
    if (json) std::printf("%s\n", FailureToJson(graph.status(), report).c_str());
    return Fail("fovea-convert", graph.status());
  }
  const auto bytes = converter::Emit(*graph, options);
  if (!bytes.ok()) return Fail("fovea-convert", bytes.status().Prefixed(free[0]));
  // What is written is what loads: read back from memory before the file gets its name.
  const auto model = Model::FromBytes(*bytes, out);
  if (!model.ok()) return Fail("fovea-convert", model.status());
  if (!compare.empty()) return CompareWith(*model, compare, options, json);
  const Status written = WriteFile(out, *bytes);
  if (!written.ok()) return Fail("fovea-convert", written);
  report.seconds = Seconds() - start;
  report.warnings.insert(report.warnings.end(), graph->warnings.begin(), graph->warnings.end());
  std::sort(report.warnings.begin(), report.warnings.end());
  report.warnings.erase(std::unique(report.warnings.begin(), report.warnings.end()), report.warnings.end());
  if (json) {
    std::printf("%s\n", ReportToJson(*model, report, out).c_str());
  } else {
    PrintReport(*model, report, out, quiet);
  }
  for (const SelfTestCase& test : model->self_tests()) {
    const auto results = RunSelfTest(*model, test, {}, nullptr);
    if (!results.ok()) return Fail("fovea-convert", results.status().Prefixed("self-test"));
    for (size_t i = 0; i < results->size(); ++i) {
      const SelfTestResult& r = (*results)[i];
      if (r.passed) continue;
      std::fprintf(stderr, "fovea-convert: self-test: output '%s' is off by up to %.3g\n",
                   model->outputs()[i].name.c_str(), r.max_error);
      return kCheckFailed;
    }
  }
  return kDone;
}

}  // namespace fovea::cli

int main(int argc, char** argv) { return fovea::cli::ConvertMain({argv + 1, argv + argc}); }
