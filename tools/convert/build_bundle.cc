#include "tools/convert/build_bundle.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "archive/zip_writer.h"
#include "formats/bundle/writers.h"
#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "tools/cli/program.h"
#include "tools/cli/self_test.h"
#include "tools/cli/temporary.h"
#include "tools/convert/bundle_tests.h"
#include "tools/convert/package_files.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using formats::AxisDescription;
using formats::BundleDescription;
using formats::SizeRuleDescription;
using formats::TensorDescription;

using Tensor = SelfTestCase::Tensor;

bool EndsWith(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::string SourceLetters(const TensorSpec& spec) {
  std::string letters;
  for (const int axis : spec.source_axes) letters += spec.axes[static_cast<size_t>(axis)];
  return letters;
}

// The middle of the example, of the largest size that the network takes.
Tensor Cropped(const Tensor& from, const TensorSpec& spec) {
  Tensor to;
  std::vector<int64_t> begin;
  for (size_t a = 0; a < from.dims.size(); ++a) {
    const auto stored = static_cast<size_t>(spec.source_axes[a]);
    const SizeRule& rule = spec.rules[stored];
    int64_t size = from.dims[a];
    if (spec.dims[stored] < 0 && rule.step > 0 && size >= rule.min) size -= (size - rule.min) % rule.step;
    if (rule.step == 0) size = std::min(size, rule.min);
    to.dims.push_back(size);
    begin.push_back((from.dims[a] - size) / 2);
  }
  std::vector<int64_t> index(to.dims.size(), 0);
  size_t count = 1;
  for (const int64_t d : to.dims) count *= static_cast<size_t>(d);
  to.values.resize(count);
  for (float& value : to.values) {
    size_t at = 0;
    for (size_t a = 0; a < index.size(); ++a)
      at = at * static_cast<size_t>(from.dims[a]) + static_cast<size_t>(begin[a] + index[a]);
    value = from.values[at];
    for (size_t a = index.size(); a-- > 0 && ++index[a] == to.dims[a];) index[a] = 0;
  }
  return to;
}

// Peak resident memory is that of the run alone where the system lets its mark be set back.
struct Measured {
  std::vector<Tensor> outputs;
  double seconds = 0;
  uint64_t peak_bytes = 0;
};
Result<Measured> RunExample(const Model& model, const std::vector<Tensor>& inputs) {
  std::ofstream("/proc/self/clear_refs") << "5";
  Measured measured;
  const double start = Seconds();
  FOVEA_ASSIGN_OR_RETURN(measured.outputs, RunTensors(model, inputs, true, {}, nullptr));
  measured.seconds = Seconds() - start;
  measured.peak_bytes = PeakResidentBytes();
  return measured;
}

// "input.1" -> "input_1": names as packages write them; DeepImageJ 1 keeps those of the network.
std::string Identifier(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    out += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '_';
  }
  if (out.empty() || std::isdigit(static_cast<unsigned char>(out[0])) != 0) out = "t_" + out;
  return out.substr(0, 32);
}

AxisDescription DescribeAxis(char letter, int64_t size) {
  AxisDescription axis{.letter = letter};
  axis.id = letter == 'b'   ? "batch"
            : letter == 'c' ? "channel"
            : letter == 't' ? "time"
            : letter == 'i' ? "index"
                            : std::string(1, letter);
  if (letter == 'c') {
    axis.size = {.kind = SizeRuleDescription::Kind::kFixed, .min = size};
    for (int64_t i = 0; i < size; ++i) axis.channel_names.push_back("channel" + std::to_string(i));
  }
  return axis;
}

// Names of units in bioimage.io.
std::string UnitName(const std::string& symbol) {
  if (symbol == "µm") return "micrometer";
  if (symbol == "nm") return "nanometer";
  if (symbol == "mm") return "millimeter";
  if (symbol == "cm") return "centimeter";
  return "";
}

void AddInputs(const Model& model, const std::vector<Tensor>& example, BundleDescription* d) {
  d->inputs.clear();
  for (size_t i = 0; i < example.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    TensorDescription tensor;
    tensor.name = Identifier(spec.name);
    tensor.data_type = "float32";
    for (size_t a = 0; a < spec.source_axes.size(); ++a) {
      const auto stored = static_cast<size_t>(spec.source_axes[a]);
      const char letter = spec.axes[stored];
      AxisDescription axis = DescribeAxis(letter, example[i].dims[a]);
      if (letter != 'b' && letter != 'c') {
        const SizeRule rule = spec.dims[stored] >= 0 ? SizeRule{spec.dims[stored], 0} : spec.rules[stored];
        axis.size = {.kind = rule.step == 0 ? SizeRuleDescription::Kind::kFixed : SizeRuleDescription::Kind::kSteps,
                     .min = rule.min,
                     .step = rule.step};
      }
      const formats::PhysicalSize& pixel = letter == 'x' ? d->pixel_x : letter == 'y' ? d->pixel_y : d->pixel_z;
      const bool spatial = letter == 'x' || letter == 'y' || letter == 'z';
      if (spatial && pixel.value > 0 && !UnitName(pixel.unit).empty()) {
        axis.pixel_scale = pixel.value;
        axis.unit = UnitName(pixel.unit);
      }
      tensor.axes.push_back(std::move(axis));
    }
    d->inputs.push_back(std::move(tensor));
  }
}

// The side of a field of view beyond which an output pixel of the example is not reliable, in output pixels.
int64_t HaloOf(const Model& model, size_t output, char letter) {
  const auto fields = model.ReceptiveFields();
  if (!fields.ok()) return 0;
  int64_t halo = 0;
  for (const ReceptiveField& field : *fields) {
    const size_t at = field.axes.find(letter);
    if (field.output != static_cast<int>(output) || at == std::string::npos) continue;
    const ReceptiveField::Axis& side = field.sides[at];
    if (side.unbounded) return 0;
    const int64_t reach = std::max(side.before, side.after);
    halo = std::max(halo, (reach * side.scale_numerator + side.scale_denominator - 1) / side.scale_denominator);
  }
  return halo;
}

// Sizes of outputs follow from the input axis of the same letter, as the example shows.
void AddOutputs(const Model& model, const std::vector<Tensor>& example, const std::vector<Tensor>& results,
                BundleDescription* d) {
  d->outputs.clear();
  for (size_t o = 0; o < results.size(); ++o) {
    const TensorSpec& spec = model.outputs()[o];
    TensorDescription tensor;
    tensor.name = Identifier(spec.name);
    for (const TensorDescription& input : d->inputs) {
      if (input.name == tensor.name) tensor.name = ("out_" + tensor.name).substr(0, 32);
    }
    tensor.data_type = "float32";
    const std::string letters = SourceLetters(spec);
    for (size_t a = 0; a < letters.size(); ++a) {
      AxisDescription axis = DescribeAxis(letters[a], results[o].dims[a]);
      const TensorDescription& input = d->inputs[0];
      const size_t from = input.Letters().find(letters[a]);
      if (letters[a] != 'b' && letters[a] != 'c') {
        axis.size = {.kind = SizeRuleDescription::Kind::kFixed, .min = results[o].dims[a]};
      }
      const bool follows = letters[a] != 'b' && letters[a] != 'c' && from != std::string::npos &&
                           input.axes[from].size.kind == SizeRuleDescription::Kind::kSteps;
      if (follows) {
        const AxisDescription& reference = input.axes[from];
        const auto in = static_cast<double>(example[0].dims[from]), out = static_cast<double>(results[o].dims[a]);
        // A whole ratio, or 1 and what is cut off.
        const double ratio = out >= in ? std::floor(out / in) : 1 / std::ceil(in / out);
        const double scale = in * ratio == out ? ratio : 1;
        axis.size = {.kind = SizeRuleDescription::Kind::kReference,
                     .tensor = input.name,
                     .axis = reference.id,
                     .offset = out - in * scale};
        axis.unit = reference.unit;
        axis.pixel_scale = (reference.pixel_scale > 0 ? reference.pixel_scale : 1) / scale;
        const int64_t halo = HaloOf(model, o, letters[a]);
        const double least = static_cast<double>(reference.size.min) * scale + axis.size.offset;
        if (static_cast<double>(2 * halo) < least) axis.halo_px = halo;
      }
      tensor.axes.push_back(std::move(axis));
    }
    d->outputs.push_back(std::move(tensor));
  }
}

// Steps with the names of the package's tensors.
void RenameSteps(const Model& model, BundleDescription* d) {
  d->preprocessing.assign(model.preprocessing().begin(), model.preprocessing().end());
  d->postprocessing.assign(model.postprocessing().begin(), model.postprocessing().end());
  const auto rename = [](std::span<const TensorSpec> specs, const std::vector<TensorDescription>& tensors, Step* step) {
    if (step->tensor.empty()) step->tensor = tensors[0].name;
    for (size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].name == step->tensor) {
        step->tensor = tensors[i].name;
        return;
      }
    }
  };
  for (Step& step : d->preprocessing) rename(model.inputs(), d->inputs, &step);
  for (Step& step : d->postprocessing) rename(model.outputs(), d->outputs, &step);
}

Status WriteTensors(const std::string& folder, const char* kind, const std::vector<Tensor>& tensors,
                    std::vector<TensorDescription>* described) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string name = std::string(kind) + "_" + std::to_string(i) + ".npy";
    FOVEA_RETURN_IF_ERROR(
        formats::WriteNpy(folder + "/" + name, DType::kFloat32, tensors[i].dims, tensors[i].values.data()));
    (*described)[i].test.source = name;
    FOVEA_ASSIGN_OR_RETURN((*described)[i].test.sha256, HashOfFile(folder + "/" + name));
  }
  return OkStatus();
}

std::string Documentation(const BundleDescription& d) {
  std::string text = "# " + d.name + "\n\n" + d.description +
                     "\n\n## Validation\n\nThe test tensors were computed by fovea " +
                     "from the example image; `fovea test` and bioimageio.core compare with them.\n\n## Cite\n\n";
  for (const formats::Citation& cite : d.citations) {
    text += "- " + cite.text + (cite.doi.empty() ? ", " + cite.url : ", https://doi.org/" + cite.doi) + "\n";
  }
  return text;
}

Status Complain(const std::vector<std::string>& complaints) {
  if (complaints.empty()) return OkStatus();
  std::string text = "the package would not be accepted: " + complaints[0];
  for (size_t i = 1; i < complaints.size(); ++i) text += "; " + complaints[i];
  return InvalidArgument(text + ". Give what is missing by --metadata FILE.yaml, by options, or let --ask ask for it");
}

std::string Timestamp() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &parts);
  return text;
}

// A plane of the result as an image that ImageJ opens.
Status WriteImage(const std::string& path, const Tensor& tensor, const TensorSpec& spec) {
  const std::string letters = SourceLetters(spec);
  formats::ImageInfo info;
  info.y = tensor.dims[letters.find('y')];
  info.x = tensor.dims[letters.find('x')];
  const size_t c = letters.find('c');
  info.c = c == std::string::npos ? 1 : tensor.dims[c];
  FOVEA_ASSIGN_OR_RETURN(const auto writer, formats::CreateImage(path, info, {}));
  const bool channels_last = c != std::string::npos && c + 1 == letters.size();
  for (int64_t i = 0; i < info.c; ++i) {
    const float* first = tensor.values.data() + (channels_last ? i : i * info.y * info.x);
    FOVEA_RETURN_IF_ERROR(writer->WriteFloat({0, 0, i, 0, 0, info.y, info.x}, first, channels_last ? info.c : 1));
  }
  return writer->Finish();
}

Status WriteDeepImageJ(const std::string& folder, const Model& model, const std::vector<Tensor>& inputs,
                       const std::vector<Tensor>& outputs, BundleDescription* d) {
  for (size_t i = 0; i < d->inputs.size(); ++i) d->inputs[i].name = model.inputs()[i].name;
  for (size_t i = 0; i < d->outputs.size(); ++i) d->outputs[i].name = model.outputs()[i].name;
  FOVEA_RETURN_IF_ERROR(Complain(ConfigXmlComplaints(*d)));
  for (const formats::FileReference& macro : d->attachments) {
    const std::string name = fs::path(macro.source).filename().string();
    std::error_code error;
    fs::copy_file(macro.source, fs::path(folder) / name, error);
    if (error) return NotFound(macro.source + ": can't be read: " + error.message());
    (name.rfind("post", 0) == 0 ? d->postprocessing_files : d->preprocessing_files).push_back(name);
  }
  const auto size = [](const Tensor& tensor, const std::string& letters) {
    return std::to_string(tensor.dims[letters.find('x')]) + "x" + std::to_string(tensor.dims[letters.find('y')]);
  };
  d->test_input_size = size(inputs[0], SourceLetters(model.inputs()[0]));
  d->test_output_size = size(outputs[0], SourceLetters(model.outputs()[0]));
  FOVEA_RETURN_IF_ERROR(WriteImage(folder + "/exampleImage.tif", inputs[0], model.inputs()[0]));
  FOVEA_RETURN_IF_ERROR(WriteImage(folder + "/resultImage.tif", outputs[0], model.outputs()[0]));
  return WriteFile(fs::path(folder) / "config.xml", WriteConfigXml(*d));
}

Status WritePackage(const std::string& folder, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                    BundleDescription* d) {
  FOVEA_RETURN_IF_ERROR(WriteTensors(folder, "test_input", inputs, &d->inputs));
  FOVEA_RETURN_IF_ERROR(WriteTensors(folder, "test_output", outputs, &d->outputs));
  d->documentation = "README.md";
  FOVEA_RETURN_IF_ERROR(Complain(RdfComplaints(*d)));
  FOVEA_RETURN_IF_ERROR(WriteFile(fs::path(folder) / "README.md", Documentation(*d)));
  return WriteFile(fs::path(folder) / "rdf.yaml", WriteRdf(*d));
}

Status Publish(const TemporaryFolder& folder, const std::string& out) {
  std::error_code error;
  if (EndsWith(out, ".zip")) return archive::WriteZip(folder.path(), out);
  fs::permissions(folder.path(), fs::perms(0755), error);
  fs::rename(folder.path(), out, error);
  return error ? IoError(out + ": can't be written: " + error.message()) : OkStatus();
}

}  // namespace

Status BuildBundle(const BundleLine& line, const std::string& source, const std::string& source_format,
                   const Model& model, BundleDescription d) {
  std::error_code error;
  if (line.example.empty()) return InvalidArgument("--bundle needs an example image: --example IMAGE (TIFF or .npy)");
  if (model.inputs().size() != 1) return Unsupported("--bundle is for networks with one input");
  const bool deepimagej = line.format == "deepimagej1";
  if (!deepimagej && line.format != "bioimage.io") {
    return InvalidArgument("--bundle-format '" + line.format + "' is not known; choose bioimage.io or deepimagej1");
  }
  if (deepimagej && EndsWith(line.out, ".zip")) return InvalidArgument("a DeepImageJ 1 bundle is a folder, not a .zip");
  if (fs::exists(line.out, error)) return InvalidArgument(line.out + ": exists already; choose another name");

  const TensorSpec& spec = model.inputs()[0];
  FOVEA_ASSIGN_OR_RETURN(converter::NamedTensor read, ReadExample(line.example, SourceLetters(spec)));
  const std::vector<Tensor> inputs = {Cropped({read.dims, std::move(read.data)}, spec)};
  const Result<Measured> run = RunExample(model, inputs);
  FOVEA_RETURN_IF_ERROR(run.status().Prefixed(line.example));
  AddInputs(model, inputs, &d);
  AddOutputs(model, inputs, run->outputs, &d);
  RenameSteps(model, &d);
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f Mb", static_cast<double>(run->peak_bytes) / 1e6);
  d.test_memory = text;
  std::snprintf(text, sizeof(text), "%.2f s", run->seconds);
  d.test_runtime = text;
  if (d.date.empty()) d.date = Timestamp();

  const fs::path parent = fs::path(line.out).parent_path();
  FOVEA_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create(parent.empty() ? "." : parent.string()));
  FOVEA_ASSIGN_OR_RETURN(formats::WeightsDescription weights,
                         PackWeights(source, source_format, deepimagej, folder.path()));
  d.weights = {std::move(weights)};
  FOVEA_RETURN_IF_ERROR(deepimagej ? WriteDeepImageJ(folder.path(), model, inputs, run->outputs, &d)
                                   : WritePackage(folder.path(), inputs, run->outputs, &d));
  FOVEA_RETURN_IF_ERROR(Publish(folder, line.out));
  std::fprintf(stderr, "%s: written; the example took %s and %s\n", line.out.c_str(), d.test_runtime.c_str(),
               d.test_memory.c_str());
  return OkStatus();
}

}  // namespace fovea::cli
