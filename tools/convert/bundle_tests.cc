#include "tools/convert/bundle_tests.h"

#include <algorithm>
#include <span>

#include "archive/file_tree.h"
#include "formats/image/image.h"
#include "formats/image/npy.h"

namespace fovea::cli {
namespace {

using converter::NamedTensor;
using formats::FileReference;
using formats::TensorDescription;

constexpr uint64_t kMaxTestBytes = uint64_t{1} << 30;

bool EndsWith(const std::string& text, std::string_view ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// An array whose axes are known by letters; a letter comes once.
struct Lettered {
  std::string letters;
  std::vector<int64_t> dims;
  std::vector<float> values;  // row-major
};

// The array with its axes in the order of `letters`; those that it lacks are 1 long, those left over must be.
Result<Lettered> Rearranged(const Lettered& from, const std::string& letters) {
  Lettered to{letters, {}, {}};
  std::vector<size_t> strides(from.dims.size(), 1), steps;
  for (size_t i = from.dims.size(); i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(from.dims[i]);
  size_t count = 1;
  for (const char letter : letters) {
    const size_t at = from.letters.find(letter);
    to.dims.push_back(at == std::string::npos ? 1 : from.dims[at]);
    steps.push_back(at == std::string::npos ? 0 : strides[at]);
    count *= static_cast<size_t>(to.dims.back());
  }
  if (count != from.values.size()) return InvalidArgument("has axes " + from.letters + ", not " + letters);
  to.values.resize(count);
  std::vector<int64_t> index(letters.size(), 0);
  size_t place = 0;
  for (float& value : to.values) {
    value = from.values[place];
    for (size_t a = letters.size(); a-- > 0;) {
      place += steps[a];
      if (++index[a] < to.dims[a]) break;
      place -= steps[a] * static_cast<size_t>(to.dims[a]);
      index[a] = 0;
    }
  }
  return to;
}

// DeepImageJ writes arrays with axes x, y, c, z and a last axis of length 0 although data are there.
bool IsDeepImageJArray(const std::string& bytes) {
  const std::string head = bytes.substr(0, 256);
  const size_t shape = head.find("'shape':");
  const size_t end = shape == std::string::npos ? shape : head.find(')', shape);
  if (end == std::string::npos) return false;
  std::string inside = head.substr(shape, end - shape);
  std::erase(inside, ' ');
  return EndsWith(inside, ",0") || EndsWith(inside, ",0,");
}

Result<NamedTensor> FromArray(const std::string& bytes, const std::string& name, const std::string& letters,
                              size_t rank) {
  const auto raw = std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  FOVEA_ASSIGN_OR_RETURN(const formats::NpyArray array, formats::ReadNpyFromMemory(raw, name));
  NamedTensor tensor{"", array.dtype, array.shape, formats::ToFloatVector(array)};
  if (IsDeepImageJArray(bytes) && tensor.dims.size() >= 4 && letters.size() == rank) {
    Lettered from{"xyczb", tensor.dims, std::move(tensor.data)};
    from.letters.resize(std::min(from.letters.size(), tensor.dims.size()));
    FOVEA_ASSIGN_OR_RETURN(Lettered to, Rearranged(from, letters));
    tensor.dims = std::move(to.dims);
    tensor.data = std::move(to.values);
  }
  // A missing or additional batch of one.
  if (tensor.dims.size() + 1 == rank) tensor.dims.insert(tensor.dims.begin(), 1);
  if (tensor.dims.size() == rank + 1 && tensor.dims[0] == 1) tensor.dims.erase(tensor.dims.begin());
  if (tensor.dims.size() != rank) {
    return InvalidArgument(name + ": has " + std::to_string(tensor.dims.size()) + " axes, the network's tensor has " +
                           std::to_string(rank));
  }
  return tensor;
}

Result<NamedTensor> FromImage(const std::string& bytes, const std::string& name, std::string letters) {
  const auto raw = std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<formats::ImageReader> reader, formats::OpenImageFromMemory(raw, name));
  const formats::ImageInfo& info = reader->info();
  Lettered from{"tzcyx", {info.t, info.z, info.c, info.y, info.x}, {}};
  const size_t plane = static_cast<size_t>(info.y * info.x);
  if (plane * static_cast<size_t>(info.plane_count()) * sizeof(float) > kMaxTestBytes) {
    return Unsupported(name + ": too large for a test");
  }
  from.values.resize(plane * static_cast<size_t>(info.plane_count()));
  float* to = from.values.data();
  for (int64_t t = 0; t < info.t; ++t) {
    for (int64_t z = 0; z < info.z; ++z) {
      for (int64_t c = 0; c < info.c; ++c, to += plane) {
        FOVEA_RETURN_IF_ERROR(ReadAsFloat(*reader, {t, z, c, 0, 0, info.y, info.x}, to, 1));
      }
    }
  }
  FOVEA_ASSIGN_OR_RETURN(Lettered arranged, Rearranged(from, letters));
  return NamedTensor{"", info.dtype, std::move(arranged.dims), std::move(arranged.values)};
}

// Noise2Void for Fiji gives the network its images with x and y exchanged, and already normalised.
std::string Exchanged(std::string letters) {
  for (char& letter : letters) letter = letter == 'x' ? 'y' : letter == 'y' ? 'x' : letter;
  return letters;
}

bool IsCsbdeepRdf(const BundleSource& source) {
  return source.bundle.description().format == "bioimage.io 0.2.0-csbdeep";
}

// The array among a tensor's test and sample files (the zoo has them exchanged), or else its image.
const FileReference* Choose(const BundleSource& source, const TensorDescription& tensor, bool* is_array) {
  *is_array = true;
  for (const FileReference* file : {&tensor.test, &tensor.sample}) {
    if (EndsWith(source.bundle.Locate(*file), ".npy")) return file;
  }
  *is_array = false;
  for (const FileReference* file : {&tensor.sample, &tensor.test}) {
    const std::string name = source.bundle.Locate(*file);
    if (EndsWith(name, ".tif") || EndsWith(name, ".tiff")) return file;
  }
  return nullptr;
}

struct Tests {
  std::vector<NamedTensor> tensors;
  int arrays = 0, images = 0;
  std::string absent;             // the first tensor without a file
  std::vector<std::string> told;  // files that are not those of the description
};

Result<Tests> ReadSide(const BundleSource& source, const std::vector<TensorDescription>& tensors,
                       const std::vector<converter::DescribedTensor>& described, const std::vector<ir::Port>& ports) {
  Tests tests;
  const std::vector<int> match = converter::MatchPorts(ports, described);
  for (size_t i = 0; i < ports.size(); ++i) {
    const TensorDescription* tensor = match[i] < 0 ? nullptr : &tensors[static_cast<size_t>(match[i])];
    bool is_array = false;
    const FileReference* file = tensor == nullptr ? nullptr : Choose(source, *tensor, &is_array);
    if (file == nullptr) {
      if (tests.absent.empty()) tests.absent = ports[i].name;
      continue;
    }
    const std::string name = source.bundle.Locate(*file);
    FOVEA_RETURN_IF_ERROR(source.Verify(name, file->sha256, &tests.told));
    FOVEA_ASSIGN_OR_RETURN(const std::string bytes, source.bundle.Read(name, kMaxTestBytes));
    const std::string letters = ports[i].axes;
    Result<NamedTensor> read = is_array ? FromArray(bytes, name, letters, ports[i].source_axes.size())
                                        : FromImage(bytes, name, IsCsbdeepRdf(source) ? Exchanged(letters) : letters);
    FOVEA_RETURN_IF_ERROR(read.status());
    read->name = ports[i].name;
    ++(is_array ? tests.arrays : tests.images);
    tests.tensors.push_back(std::move(*read));
  }
  return tests;
}

// Sizes that a description allows but its own test does not keep to are not believed.
void DropContradictedSizes(const NamedTensor& test, ir::Graph* graph, ir::Port* port) {
  for (size_t a = 0; a < port->described.size() && a < test.dims.size(); ++a) {
    std::optional<AxisRule>& rule = port->described[a];
    if (!rule || rule->step == 0) continue;
    if (test.dims[a] >= rule->min && (test.dims[a] - rule->min) % rule->step == 0) continue;
    graph->warnings.push_back("input '" + port->name + "': the description allows " + std::to_string(rule->min) +
                              " + n " + std::to_string(rule->step) + " along axis " + std::to_string(a) +
                              ", but its own test has " + std::to_string(test.dims[a]) +
                              "; the network's own rule is taken");
    rule.reset();
  }
}

}  // namespace

Result<NamedTensor> ReadExample(const std::string& path, const std::string& letters) {
  FOVEA_ASSIGN_OR_RETURN(const auto source, archive::OpenFile(path));
  const Result<std::string> bytes = archive::ReadAll(source.get(), kMaxTestBytes);
  FOVEA_RETURN_IF_ERROR(bytes.status().Prefixed(path));
  if (EndsWith(path, ".npy")) return FromArray(*bytes, path, letters, letters.size());
  return FromImage(*bytes, path, letters);
}

Status AddTests(const BundleSource& source, const converter::Description& description, converter::Options* options,
                ir::Graph* graph) {
  const formats::BundleDescription& said = source.bundle.description();
  const auto inputs = ReadSide(source, said.inputs, description.inputs, graph->inputs);
  const auto outputs = ReadSide(source, said.outputs, description.outputs, graph->outputs);
  for (const auto* side : {&inputs, &outputs}) {
    if (side->ok()) {
      graph->warnings.insert(graph->warnings.end(), (*side)->told.begin(), (*side)->told.end());
      continue;
    }
    if (side->status().code() == StatusCode::kCorruptFile) return side->status();
    graph->warnings.push_back("no self-test: " + side->status().message());
    return OkStatus();
  }
  if (!inputs->absent.empty() || !outputs->absent.empty()) {
    const std::string& name = inputs->absent.empty() ? outputs->absent : inputs->absent;
    graph->warnings.push_back("no self-test: the bundle has no test tensor for '" + name + "'");
    return OkStatus();
  }
  const bool has_macros = !said.preprocessing_files.empty() || !said.postprocessing_files.empty();
  if (outputs->images > 0 && has_macros) {
    graph->warnings.push_back("no self-test: the example images were made with macros, which are not run");
    return OkStatus();
  }
  for (size_t i = 0; i < graph->inputs.size(); ++i) DropContradictedSizes(inputs->tensors[i], graph, &graph->inputs[i]);
  options->test_inputs = inputs->tensors;
  options->test_outputs = outputs->tensors;
  options->test_rtol = said.test_rtol.value_or(options->test_rtol);
  options->test_atol = said.test_atol.value_or(options->test_atol);
  options->test_mismatches_per_million = said.test_mismatches_per_million.value_or(100);  // bioimageio.core's default
  options->test_with_steps = !IsCsbdeepRdf(source);
  return OkStatus();
}

}  // namespace fovea::cli
