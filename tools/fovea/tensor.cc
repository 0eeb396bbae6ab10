// fovea tensor: raw tensors through a network, without axes matching, padding or processing.
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>

#include "formats/image/npy.h"
#include "tools/cli/program.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/model_source.h"

namespace fovea::cli {
namespace {

using formats::NpyArray;

// Copies a row-major tensor of dims[] to one whose axis i is axis order[i] of it.
std::vector<float> Permute(const std::vector<float>& src, const std::vector<int64_t>& dims,
                           const std::vector<int>& order) {
  const size_t rank = dims.size();
  std::vector<int64_t> strides(rank, 1), out_dims(rank), out_strides(rank);
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  for (size_t i = 0; i < rank; ++i) {
    out_dims[i] = dims[static_cast<size_t>(order[i])];
    out_strides[i] = strides[static_cast<size_t>(order[i])];
  }
  std::vector<float> dst(src.size());
  std::vector<int64_t> index(rank, 0);
  int64_t from = 0;
  for (float& value : dst) {
    value = src[static_cast<size_t>(from)];
    for (size_t axis = rank; axis-- > 0;) {
      from += out_strides[axis];
      if (++index[axis] < out_dims[axis]) break;
      from -= out_strides[axis] * out_dims[axis];
      index[axis] = 0;
    }
  }
  return dst;
}

std::vector<int> Inverse(const std::vector<int>& order) {
  std::vector<int> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  return inverse;
}

std::vector<int64_t> Reorder(const std::vector<int64_t>& dims, const std::vector<int>& order) {
  std::vector<int64_t> result;
  for (const int axis : order) result.push_back(dims[static_cast<size_t>(axis)]);
  return result;
}

std::string FileName(std::string name) {
  for (char& c : name) {
    if (c == '/' || c == ':') c = '_';
  }
  return name + ".npy";
}

int64_t Elements(const std::vector<int64_t>& dims) {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return n;
}

// Assigns "NAME=file" words to the model's inputs and reads the files.
Result<std::vector<NpyArray>> ReadInputs(const Model& model, const std::vector<std::string>& words) {
  const auto specs = model.inputs();
  std::vector<NpyArray> arrays(specs.size());
  std::vector<bool> given(specs.size(), false);
  std::string names;
  for (const TensorSpec& spec : specs) names += (names.empty() ? "'" : ", '") + spec.name + "'";
  for (const std::string& word : words) {
    size_t which = specs.size();
    std::string path;
    // A tensor's name may hold '=': the longest name that fits wins.
    size_t longest = 0;
    for (size_t i = 0; i < specs.size(); ++i) {
      const std::string prefix = specs[i].name + "=";
      if (word.rfind(prefix, 0) == 0 && prefix.size() > longest) {
        longest = prefix.size();
        which = i;
        path = word.substr(longest);
      }
    }
    if (which == specs.size()) {
      // With one input there is no doubt which is meant: a bare file, or a name that another tool gave it.
      const size_t equals = word.rfind('=');
      path = std::filesystem::exists(word) || equals == std::string::npos ? word : word.substr(equals + 1);
      if (specs.size() != 1 || (path != word && !std::filesystem::exists(path))) {
        return InvalidArgument("'" + word + "' does not name an input; the model's inputs are " + names);
      }
      if (path != word)
        std::fprintf(stderr, "fovea tensor: taking %s for the only input, %s\n", path.c_str(), names.c_str());
      which = 0;
    }
    if (given[which]) return InvalidArgument("input '" + specs[which].name + "' is given twice");
    given[which] = true;
    FOVEA_ASSIGN_OR_RETURN(arrays[which], formats::ReadNpy(path));
    const TensorSpec& spec = specs[which];
    if (arrays[which].shape.size() != spec.dims.size()) {
      return InvalidArgument(path + ": " + std::to_string(arrays[which].shape.size()) + " axes, but input '" +
                             spec.name + "' has " + std::to_string(spec.dims.size()));
    }
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!given[i])
      return InvalidArgument("input '" + specs[i].name + "' is missing: add '" + specs[i].name + "=FILE.npy'");
  }
  return arrays;
}

Status Execute(const std::string& model_path, const std::vector<std::string>& words, const ExecutionOptions& execution,
               const std::string& out_dir, nlohmann::ordered_json* report) {
  FOVEA_ASSIGN_OR_RETURN(SessionOptions options, execution.ToSession());
  FOVEA_ASSIGN_OR_RETURN(const Model model, LoadModel(model_path));
  FOVEA_ASSIGN_OR_RETURN(std::vector<NpyArray> arrays, ReadInputs(model, words));

  std::vector<std::vector<int64_t>> dims;
  std::vector<std::vector<double>> shape_values(arrays.size());
  std::vector<std::vector<float>> inputs;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    const std::vector<int> to_stored = Inverse(spec.source_axes);
    const std::vector<float> source = formats::ToFloatVector(arrays[i]);
    inputs.push_back(Permute(source, arrays[i].shape, to_stored));
    dims.push_back(Reorder(arrays[i].shape, to_stored));
    if (spec.is_shape) shape_values[i].assign(inputs.back().begin(), inputs.back().end());
    arrays[i].data.clear();
    arrays[i].data.shrink_to_fit();
  }
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, dims, options, shape_values));
  session.SetCancel(Interrupted);

  std::vector<const float*> in;
  for (const auto& tensor : inputs) in.push_back(tensor.data());
  std::vector<std::vector<float>> outputs;
  std::vector<float*> out;
  for (const auto& d : session.output_dims()) outputs.emplace_back(static_cast<size_t>(Elements(d)));
  for (auto& tensor : outputs) out.push_back(tensor.data());
  const double start = Seconds();
  FOVEA_RETURN_IF_ERROR(session.Run(in, out));
  const double seconds = Seconds() - start;

  std::error_code error;
  std::filesystem::create_directories(out_dir, error);
  if (error) return IoError(out_dir + ": can't make this folder: " + error.message());
  (*report)["outputs"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorSpec& spec = model.outputs()[i];
    const std::vector<int64_t>& stored = session.output_dims()[i];
    const std::vector<float> source = Permute(outputs[i], stored, spec.source_axes);
    const std::vector<int64_t> source_dims = Reorder(stored, spec.source_axes);
    const std::string path = out_dir + "/" + FileName(spec.name);
    FOVEA_ASSIGN_OR_RETURN(const NpyArray array, formats::FromFloatVector(source, source_dims, spec.dtype));
    FOVEA_RETURN_IF_ERROR(formats::WriteNpy(path, array));
    (*report)["outputs"].push_back(
        {{"name", spec.name}, {"file", path}, {"dims", source_dims}, {"dtype", DTypeName(spec.dtype)}});
  }
  (*report)["seconds"] = seconds;
  (*report)["threads"] = session.report().threads;
  (*report)["isa"] = session.report().isa;
  (*report)["measured_peak_bytes"] = PeakResidentBytes();
  return OkStatus();
}

}  // namespace

int TensorCommand(const std::vector<std::string>& words) {
  Args args("fovea tensor", "MODEL [NAME=]in.npy ... -o DIR",
            "Runs a network on raw tensors: names, axis order and types as in the file that was converted (N, C, H, W "
            "for ONNX; N, H, W, "
            "C for TensorFlow). No axes matching, padding or processing. Writes DIR/NAME.npy for every output; '/' and "
            "':' in a "
            "name become '_'. With one input NAME= may be left out.");
  std::vector<std::string> free;
  std::string out;
  bool json = false;
  ExecutionOptions execution;
  args.Text("--output, -o", &out, "DIR", "folder for the outputs; made if it is not there");
  execution.Declare(&args);
  args.Text("--executor", &execution.executor, "NAME", "fast (default) or reference");
  args.Flag("--json", &json, "print one JSON object about the run");
  args.Positional("MODEL", &free, 1, -1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea tensor", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  if (out.empty()) return Fail("fovea tensor", InvalidArgument("say where the outputs go: -o DIR"));
  CatchInterrupts();
  nlohmann::ordered_json report;
  const Status status = Execute(free[0], {free.begin() + 1, free.end()}, execution, out, &report);
  if (!status.ok()) return Fail("fovea tensor", status);
  if (json) std::printf("%s\n", report.dump(2).c_str());
  return kDone;
}

}  // namespace fovea::cli
