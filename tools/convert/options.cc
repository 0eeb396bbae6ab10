#include "tools/convert/options.h"

#include <algorithm>
#include <charconv>

#include "converter/passes/pipeline.h"
#include "formats/image/npy.h"

namespace fovea::cli {
namespace {

using converter::NamedTensor;

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

}  // namespace

Status FillOptions(ConvertLine* line) {
  const ConvertLine& words = *line;
  converter::Options* options = &line->options;
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

void DeclareOptions(Args* args, ConvertLine* line) {
  args->Text("--output, -o", &line->out, "OUT.fov", "the file to write");
  args->TextList("--set", &line->set, "NAME=VALUE",
                 "make an input a constant: numbers (1 or 1,2,3), true, false or @file.npy");
  args->TextList("--axes", &line->axes, "NAME=LETTERS",
                 "name the axes of an input or output in the file's order, e.g. input=bcyx");
  args->TextList("--size", &line->size, "NAME=SIZE", "fix open sizes of an input, e.g. input=1x1x512x? (? stays open)");
  args->Text("--tag", &line->options.tag, "TAG", "SavedModel: the graph to take (default: serve, or the only one)");
  args->Text("--signature", &line->options.signature, "NAME",
             "SavedModel: the signature to take (default: serving_default, or the only one)");
  args->TextList("--inputs", &line->inputs, "A,B", "TensorFlow graphs without signature: the input tensors");
  args->TextList("--outputs", &line->outputs, "C,D", "TensorFlow graphs without signature: the output tensors");
  args->Text("--dropout", &line->dropout, "seed:N", "keep dropout that works in inference too, with this seed");
  args->Flag("--no-weights", &line->options.no_weights,
             "SavedModel, Keras: zeros for the weights, for planning without them");
  args->Text("--random-weights", &line->random_weights, "SEED",
             "SavedModel, Keras: random weights, for trying and timing");
  args->TextList("--test-input", &line->test_inputs, "NAME=F.npy", "a self-test's input, in the file's axis order");
  args->TextList("--test-output", &line->test_outputs, "NAME=F.npy", "what the network should give for it");
  args->Number("--test-rtol", &line->options.test_rtol, "X", "self-test: relative tolerance (default 1e-3)");
  args->Number("--test-atol", &line->options.test_atol, "X", "self-test: absolute tolerance (default 1e-3)");
  args->Text("--weights", &line->weights, "TYPE", "storage of the weights: f32 (default), f16 or bf16");
  args->Text("--dump-ir", &line->options.dump_ir, "PASS",
             "print the graph after this pass, after 'import', or after 'all'");
  args->Text(
      "--compare", &line->compare, "OTHER",
      "another file of the same network: run both on seeded numbers, print the largest difference of each output");
  args->Flag(
      "--ignore-sha256", &line->ignore_sha256,
      "bundles: go on with files that are not those whose sha256 the description names; for files that you trust");
  BundleLine* bundle = &line->bundle;
  args->Text(
      "--bundle", &bundle->out, "OUT",
      "write what others can run, with the example as its self-test: a folder, a .zip or a .fov, as the name ends; "
      "needs --example");
  args->Text("--bundle-format", &bundle->format, "FORMAT", "bioimage.io (0.5, default) or deepimagej1");
  args->Text("--example", &bundle->example, "IMAGE", "--bundle: the example image, a TIFF or .npy");
  args->Text(
      "--metadata", &bundle->metadata, "FILE.yaml",
      "--bundle: name, description, authors, cite, license, tags, pixel_size, preprocessing, postprocessing, ... as "
      "bioimage.io spells them (steps as --pre does); pixel_size: 0.325um (x and y), {x: 0.3um, y: 0.3um, z: 2um} or "
      "{x: 0.3, y: 0.3, unit: micrometer}, by default that of a calibrated example");
  args->Text("--name", &bundle->name, "TEXT", "--bundle: the model's name");
  args->Text("--description", &bundle->description, "TEXT", "--bundle: what it does");
  args->TextList("--author", &bundle->authors, "NAME;AFFILIATION", "--bundle: an author");
  args->TextList("--cite", &bundle->citations, "TEXT;DOI", "--bundle: an article to cite, with its doi or url");
  args->Text("--licence", &bundle->licence, "SPDX", "--bundle: MIT, CC-BY-4.0, ...");
  args->Text("--pre", &bundle->pre, "STEPS", "steps before the network, e.g. 'zero_mean_unit_variance(axes=[x, y])'");
  args->Text("--post", &bundle->post, "STEPS", "steps after the network (fovea run --steps lists all)");
  args->Flag("--ask", &bundle->ask,
             "--bundle: ask on the terminal for what is missing, and again for what would not be accepted");
  args->Flag("--json", &line->json, "print the report as one JSON object");
  args->Flag("--quiet, -q", &line->quiet, "no report; warnings and errors only");
  args->Flag("--version", &line->version, "print the version");
  args->Positional("IN", &line->in, 0, 1);
  args->Epilogue("exit codes: 0 done, 1 the self-test or the comparison failed, 2 bad input or usage");
}

}  // namespace fovea::cli
