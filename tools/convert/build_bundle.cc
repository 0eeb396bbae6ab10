#include "tools/convert/build_bundle.h"

#include <algorithm>
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
#include "tools/convert/package_tensors.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using formats::BundleDescription;
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

std::string SizeText(const Tensor& tensor, const TensorSpec& spec) {
  const std::string letters = SourceLetters(spec);
  const size_t x = letters.find('x'), y = letters.find('y');
  if (x == std::string::npos || y == std::string::npos) return "";
  return std::to_string(tensor.dims[x]) + "x" + std::to_string(tensor.dims[y]);
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
  d->test_input_size = SizeText(inputs[0], model.inputs()[0]);
  d->test_output_size = SizeText(outputs[0], model.outputs()[0]);
  FOVEA_RETURN_IF_ERROR(WriteImage(folder + "/exampleImage.tif", inputs[0], model.inputs()[0]));
  FOVEA_RETURN_IF_ERROR(WriteImage(folder + "/resultImage.tif", outputs[0], model.outputs()[0]));
  return WriteFile(fs::path(folder) / "config.xml", WriteConfigXml(*d));
}

Status WritePackage(const std::string& folder, const Model& model, const std::vector<Tensor>& inputs,
                    const std::vector<Tensor>& outputs, BundleDescription* d) {
  FOVEA_RETURN_IF_ERROR(WriteTensors(folder, "test_input", inputs, &d->inputs));
  FOVEA_RETURN_IF_ERROR(WriteTensors(folder, "test_output", outputs, &d->outputs));
  d->documentation = "README.md";
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto [low, high] = std::minmax_element(outputs[i].values.begin(), outputs[i].values.end());
    if (low == outputs[i].values.end() || (*low > -1e-4f && *high < 1e-4f)) {
      return InvalidArgument("output '" + model.outputs()[i].name +
                             "' of the example is 0 all over, which tests nothing; choose another example");
    }
    // bioimageio.spec takes at most a hundredth of the largest result.
    d->test_atol = std::min(d->test_atol.value_or(1e-3), std::max(0.0, 0.009 * static_cast<double>(*high)));
  }
  FOVEA_RETURN_IF_ERROR(Complain(RdfComplaints(*d)));
  for (const std::string& doubt : formats::RdfDoubts(*d)) std::fprintf(stderr, "warning: %s\n", doubt.c_str());
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

// A calibrated example says the pixel size where nobody else does. "" when it was not taken, else a clause for the
// user.
std::string TakePixelSize(const std::string& example, BundleDescription* d) {
  if (d->pixel_x.value > 0 || d->pixel_y.value > 0 || EndsWith(example, ".npy")) return {};
  const auto reader = formats::OpenImage(example);
  if (!reader.ok()) return {};
  const formats::PixelSize& size = (*reader)->info().pixel_size;
  const bool known = size.unit == "nm" || size.unit == "µm" || size.unit == "mm" || size.unit == "cm";
  if (!known || !(size.x > 0) || !(size.y > 0)) return {};
  d->pixel_x = {size.x, size.unit};
  d->pixel_y = {size.y, size.unit};
  if ((*reader)->info().z > 1 && size.z > 0) d->pixel_z = {size.z, size.unit};
  char text[128];
  std::snprintf(text, sizeof(text), "pixel size %g x %g %s as the example has it", size.x, size.y, size.unit.c_str());
  return text;
}

// The example as the network takes it, through the network; what it took goes to the description.
struct Example {
  std::vector<Tensor> inputs, outputs;
  std::string pixel_size;  // a clause, where it was taken from the image
};
Result<Example> MeasureExample(const BundleLine& line, const Model& model, BundleDescription* d) {
  std::error_code error;
  if (line.example.empty()) return InvalidArgument("--bundle needs an example image: --example IMAGE (TIFF or .npy)");
  if (model.inputs().size() != 1) return Unsupported("--bundle is for networks with one input");
  if (fs::exists(line.out, error)) return InvalidArgument(line.out + ": exists already; choose another name");
  const TensorSpec& spec = model.inputs()[0];
  FOVEA_ASSIGN_OR_RETURN(converter::NamedTensor read, ReadExample(line.example, SourceLetters(spec)));
  Example example;
  example.inputs = {Cropped({read.dims, std::move(read.data)}, spec)};
  Result<Measured> run = RunExample(model, example.inputs);
  FOVEA_RETURN_IF_ERROR(run.status().Prefixed(line.example));
  example.outputs = std::move(run->outputs);
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(run->peak_bytes) / 1e6);
  d->test_memory = text;
  std::snprintf(text, sizeof(text), "%.2f s", run->seconds);
  d->test_runtime = text;
  if (d->date.empty()) d->date = Timestamp();
  example.pixel_size = TakePixelSize(line.example, d);
  return example;
}

}  // namespace

bool IsModelFile(const BundleLine& line) { return EndsWith(line.out, ".fov"); }

Status AddExample(const BundleLine& line, const Model& model, converter::Options* options, BundleDescription* d) {
  FOVEA_ASSIGN_OR_RETURN(Example example, MeasureExample(line, model, d));
  d->test_input_size = SizeText(example.inputs[0], model.inputs()[0]);
  const auto named = [](std::vector<Tensor>* tensors, std::span<const TensorSpec> specs) {
    std::vector<converter::NamedTensor> out;
    for (size_t i = 0; i < tensors->size(); ++i) {
      Tensor& tensor = (*tensors)[i];
      out.push_back({specs[i].name, DType::kFloat32, std::move(tensor.dims), std::move(tensor.values)});
    }
    return out;
  };
  options->test_inputs = named(&example.inputs, model.inputs());
  options->test_outputs = named(&example.outputs, model.outputs());
  options->test_with_steps = true;
  return OkStatus();
}

Status BuildBundle(const BundleLine& line, const std::string& source, const std::string& source_format,
                   const Model& model, BundleDescription d) {
  const bool deepimagej = line.format == "deepimagej1";
  if (!deepimagej && line.format != "bioimage.io") {
    return InvalidArgument("--bundle-format '" + line.format + "' is not known; choose bioimage.io or deepimagej1");
  }
  if (deepimagej && EndsWith(line.out, ".zip")) return InvalidArgument("a DeepImageJ 1 bundle is a folder, not a .zip");
  FOVEA_ASSIGN_OR_RETURN(const Example example, MeasureExample(line, model, &d));
  DescribeTensors(model, example.inputs, example.outputs, &d);

  const fs::path parent = fs::path(line.out).parent_path();
  FOVEA_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create(parent.empty() ? "." : parent.string()));
  FOVEA_ASSIGN_OR_RETURN(formats::WeightsDescription weights,
                         PackWeights(source, source_format, deepimagej, folder.path()));
  for (const formats::WeightsDescription& said : d.weights) {
    const bool same = said.format == weights.format || said.format == formats::WeightsFormat::kOther;
    const bool tensorflow = weights.format != formats::WeightsFormat::kOnnx;
    if (same && tensorflow && weights.tensorflow_version.empty()) weights.tensorflow_version = said.tensorflow_version;
  }
  d.weights = {std::move(weights)};
  FOVEA_RETURN_IF_ERROR(deepimagej ? WriteDeepImageJ(folder.path(), model, example.inputs, example.outputs, &d)
                                   : WritePackage(folder.path(), model, example.inputs, example.outputs, &d));
  FOVEA_RETURN_IF_ERROR(Publish(folder, line.out));
  std::fprintf(stderr, "%s: written; the example took %s and %s%s%s\n", line.out.c_str(), d.test_runtime.c_str(),
               d.test_memory.c_str(), example.pixel_size.empty() ? "" : "; ", example.pixel_size.c_str());
  return OkStatus();
}

}  // namespace fovea::cli
