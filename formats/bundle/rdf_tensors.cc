// Inputs and outputs of bioimage.io descriptions: axes as letters with a shape beside them (up to 0.4) or as objects
// (0.5).
#include <algorithm>
#include <cmath>

#include "formats/bundle/readers.h"

namespace fovea::formats {
namespace {

constexpr size_t kMaxTensors = 64, kMaxAxes = 16;
constexpr int64_t kMaxSize = int64_t{1} << 31;

bool IsSize(const std::optional<int64_t>& size) { return size && *size >= 1 && *size <= kMaxSize; }

// [1, 256, 256, 1] with -1 for what is open.
void ReadFixedShape(const Node& shape, const std::string& where, TensorDescription* tensor, BundleDescription* out) {
  if (shape.list.size() != tensor->axes.size()) return NotUnderstood(where, shape, out);
  for (size_t i = 0; i < shape.list.size(); ++i) {
    const std::optional<int64_t> size = shape.list[i].Integer();
    if (IsSize(size)) {
      tensor->axes[i].size = {.kind = SizeRuleDescription::Kind::kFixed, .min = *size};
    } else if (!size || *size != -1) {
      NotUnderstood(where, shape.list[i], out);
    }
  }
}

void ReadStepShape(const Node& shape, const std::string& where, TensorDescription* tensor, BundleDescription* out) {
  const Node &min = shape.At("min"), &step = shape.At("step");
  if (min.list.size() != tensor->axes.size() || step.list.size() != tensor->axes.size()) {
    return NotUnderstood(where, shape, out);
  }
  for (size_t i = 0; i < tensor->axes.size(); ++i) {
    const std::optional<int64_t> least = min.list[i].Integer(), by = step.list[i].Integer();
    if (!IsSize(least) || !by || *by < 0 || *by > kMaxSize) {
      NotUnderstood(where, shape, out);
      continue;
    }
    SizeRuleDescription& rule = tensor->axes[i].size;
    rule.kind = *by == 0 ? SizeRuleDescription::Kind::kFixed : SizeRuleDescription::Kind::kSteps;
    rule.min = *least;
    rule.step = *by;
  }
}

// size = size of the reference * scale + 2 * offset; scale null or 0: an axis of its own, 2 * offset long. Axes are
// matched by position, or by letter where the reference has others (the zoo has "byxc" made from "yxc").
void ReadReferenceShape(const Node& shape, const std::string& where, const std::string& reference,
                        TensorDescription* tensor, BundleDescription* out) {
  const Node &scales = shape.At("scale"), &offsets = shape.At("offset");
  const auto source = std::find_if(out->inputs.begin(), out->inputs.end(),
                                   [&](const TensorDescription& input) { return input.name == reference; });
  const size_t rank = tensor->axes.size();
  if (source == out->inputs.end() || scales.list.size() != rank || offsets.list.size() != rank) {
    return NotUnderstood(where, shape, out);
  }
  const std::string letters = source->Letters();
  for (size_t i = 0; i < rank; ++i) {
    AxisDescription& axis = tensor->axes[i];
    const std::optional<double> offset = offsets.list[i].Number();
    const std::optional<double> scale = scales.list[i].is_null() ? 0.0 : scales.list[i].Number();
    if (!offset || !scale || !std::isfinite(*offset) || !std::isfinite(*scale) || *scale < 0) {
      NotUnderstood(where, shape, out);
      continue;
    }
    if (*scale == 0) {
      const double size = 2 * *offset;
      if (size < 1 || size > static_cast<double>(kMaxSize) || size != std::floor(size)) {
        NotUnderstood(where, shape, out);
        continue;
      }
      axis.size = {.kind = SizeRuleDescription::Kind::kFixed, .min = static_cast<int64_t>(size)};
      continue;
    }
    size_t position = i;
    if (letters.size() != rank || letters[i] != axis.letter) position = letters.find(axis.letter);
    if (position == std::string::npos) {
      // DeepImageJ's "an offset of 1 on b": an axis that the reference does not have.
      if (axis.letter != 'b') NotUnderstood(where, shape, out);
      continue;
    }
    axis.size = {.kind = SizeRuleDescription::Kind::kReference,
                 .tensor = reference,
                 .axis = std::string(1, letters[position]),
                 .scale = *scale,
                 .offset = 2 * *offset};
  }
}

void ReadLetterAxes(const Node& node, const std::string& where, TensorDescription* tensor, BundleDescription* out) {
  const std::string& letters = node.At("axes").Text();
  if (letters.empty() || letters.size() > kMaxAxes || letters.find_first_not_of("btczyxi") != std::string::npos) {
    return NotUnderstood(where + ".axes", node.At("axes"), out);
  }
  for (const char letter : letters) tensor->axes.push_back({.letter = letter, .id = std::string(1, letter)});
  const Node& shape = node.At("shape");
  const std::string at = where + ".shape";
  std::string reference = shape.At("reference_tensor").Text();
  if (reference.empty()) reference = shape.At("reference_input").Text();
  if (!reference.empty()) {
    ReadReferenceShape(shape, at, reference, tensor, out);
  } else if (shape.is_map()) {
    ReadStepShape(shape, at, tensor, out);
  } else if (shape.is_list()) {
    ReadFixedShape(shape, at, tensor, out);
  } else if (!shape.is_null()) {
    NotUnderstood(at, shape, out);
  }
  const Node& halo = node.At("halo");
  if (halo.is_null()) return;
  if (halo.list.size() != tensor->axes.size()) return NotUnderstood(where + ".halo", halo, out);
  for (size_t i = 0; i < halo.list.size(); ++i) {
    const std::optional<int64_t> pixels = halo.list[i].Integer();
    if (!pixels || *pixels < 0 || *pixels > kMaxSize) return NotUnderstood(where + ".halo", halo, out);
    tensor->axes[i].halo_px = *pixels;
  }
}

char LetterOf(const std::string& type, const std::string& id) {
  if (type == "batch") return 'b';
  if (type == "channel") return 'c';
  if (type == "time") return 't';
  if (type == "space" && (id == "x" || id == "y" || id == "z")) return id[0];
  return 'i';
}

void ReadAxisSize(const Node& node, const std::string& where, AxisDescription* axis, BundleDescription* out) {
  const Node& size = node.At("size");
  if (size.is_null()) {
    const std::vector<const Node*> names = node.At("channel_names").Elements();
    if (axis->letter == 'c' && !names.empty()) {
      axis->size = {.kind = SizeRuleDescription::Kind::kFixed, .min = static_cast<int64_t>(names.size())};
    }
    return;
  }
  if (size.is_scalar()) {
    if (!IsSize(size.Integer())) return NotUnderstood(where + ".size", size, out);
    axis->size = {.kind = SizeRuleDescription::Kind::kFixed, .min = *size.Integer()};
    return;
  }
  if (!size.At("tensor_id").Text().empty()) {
    const double offset = size.At("offset").Number().value_or(0);
    axis->size = {.kind = SizeRuleDescription::Kind::kReference,
                  .tensor = size.At("tensor_id").Text(),
                  .axis = size.At("axis_id").Text(),
                  .offset = offset};
    return;
  }
  const std::optional<int64_t> min = size.At("min").Integer();
  if (!size.At("step").is_null()) {
    const std::optional<int64_t> step = size.At("step").Integer();
    if (!IsSize(min) || !IsSize(step)) return NotUnderstood(where + ".size", size, out);
    axis->size = {.kind = SizeRuleDescription::Kind::kSteps, .min = *min, .step = *step};
    return;
  }
  if (!IsSize(min)) return NotUnderstood(where + ".size", size, out);
  axis->size = {.kind = SizeRuleDescription::Kind::kDataDependent,
                .min = *min,
                .max = std::max<int64_t>(size.At("max").Integer().value_or(0), 0)};
}

void ReadObjectAxes(const Node& node, const std::string& where, TensorDescription* tensor, BundleDescription* out) {
  const std::vector<Node>& axes = node.At("axes").list;
  if (axes.empty() || axes.size() > kMaxAxes) return NotUnderstood(where + ".axes", node.At("axes"), out);
  for (size_t i = 0; i < axes.size(); ++i) {
    const Node& object = axes[i];
    const std::string at = where + ".axes[" + std::to_string(i) + "]";
    AxisDescription axis;
    const std::string& type = object.At("type").Text();
    axis.id = object.At("id").Text();
    if (axis.id.empty()) axis.id = type == "space" ? "x" : type;
    axis.letter = LetterOf(type, axis.id);
    if (axis.letter == 'i' && type != "index") NotUnderstood(at, object, out);
    ReadAxisSize(object, at, &axis, out);
    axis.halo_px = std::clamp<int64_t>(object.At("halo").Integer().value_or(0), 0, kMaxSize);
    const double scale = object.At("scale").Number().value_or(1);
    if (!(scale > 0) || !std::isfinite(scale)) NotUnderstood(at + ".scale", object.At("scale"), out);
    axis.pixel_scale = scale > 0 && std::isfinite(scale) ? scale : 1;
    axis.unit = object.At("unit").Text();
    for (const Node* name : object.At("channel_names").Elements()) axis.channel_names.push_back(name->Text());
    tensor->axes.push_back(std::move(axis));
  }
}

// 0.5: size = int(size of the reference * its scale / own scale + offset).
void ResolveReferenceScales(std::vector<TensorDescription>* tensors, const BundleDescription& all) {
  for (TensorDescription& tensor : *tensors) {
    for (AxisDescription& axis : tensor.axes) {
      if (axis.size.kind != SizeRuleDescription::Kind::kReference) continue;
      for (const auto* group : {&all.inputs, &all.outputs}) {
        for (const TensorDescription& other : *group) {
          if (other.name != axis.size.tensor) continue;
          for (const AxisDescription& reference : other.axes) {
            if (reference.id == axis.size.axis) axis.size.scale = reference.pixel_scale / axis.pixel_scale;
          }
        }
      }
    }
  }
}

void ReadData(const Node& node, TensorDescription* tensor) {
  const Node& data = node.At("data");  // 0.5: one object, or one a channel
  const std::vector<const Node*> all = data.Elements();
  const Node& first = all.empty() ? data : *all[0];
  tensor->data_type = !node.At("data_type").is_null() ? node.At("data_type").Text() : first.At("type").Text();
  if (tensor->data_type.empty()) tensor->data_type = "float32";
  const Node& range = !node.At("data_range").is_null() ? node.At("data_range") : first.At("range");
  if (range.list.size() != 2) return;
  tensor->data_min = range.list[0].Number();
  tensor->data_max = range.list[1].Number();
}

FileReference ReadTensorFile(const Node& node) { return {node.At("source").Text(), node.At("sha256").Text()}; }

// All sizes in pixels; scales of 0.5 without a unit say only how tensors relate.
void ReadPixelSize(BundleDescription* out) {
  if (out->inputs.empty()) return;
  for (const AxisDescription& axis : out->inputs[0].axes) {
    if (axis.unit.empty() || axis.pixel_scale <= 0) continue;
    const PhysicalSize size = {axis.pixel_scale, UnitSymbol(axis.unit)};
    if (axis.letter == 'y') out->pixel_y = size;
    if (axis.letter == 'x') out->pixel_x = size;
    if (axis.letter == 'z') out->pixel_z = size;
  }
}

}  // namespace

Status ReadTensors(const Node& list, bool outputs, RdfVersion version, BundleDescription* out) {
  const std::string key = outputs ? "outputs" : "inputs";
  std::vector<TensorDescription>& tensors = outputs ? out->outputs : out->inputs;
  const std::vector<const Node*> nodes = list.Elements();
  if (nodes.empty()) return CorruptFile("names no " + key);
  if (nodes.size() > kMaxTensors) return CorruptFile("names " + std::to_string(nodes.size()) + " " + key);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = *nodes[i];
    const std::string where = key + "[" + std::to_string(i) + "]";
    if (!node.is_map()) return CorruptFile(where + " has no fields");
    TensorDescription tensor;
    tensor.name = node.At(version == RdfVersion::k05 ? "id" : "name").Text();
    if (tensor.name.empty()) tensor.name = outputs ? "output" : "input";
    tensor.description = node.At("description").Text();
    tensor.optional = node.At("optional").Truth().value_or(false);
    ReadData(node, &tensor);
    tensor.test = ReadTensorFile(node.At("test_tensor"));
    tensor.sample = ReadTensorFile(node.At("sample_tensor"));
    if (node.At("axes").is_list()) {
      ReadObjectAxes(node, where, &tensor, out);
    } else {
      ReadLetterAxes(node, where, &tensor, out);
    }
    ReadSteps(node.At("preprocessing"), where + ".preprocessing", tensor, version, &out->preprocessing, out);
    ReadSteps(node.At("postprocessing"), where + ".postprocessing", tensor, version, &out->postprocessing, out);
    tensors.push_back(std::move(tensor));
  }
  if (version == RdfVersion::k05) {
    ResolveReferenceScales(&tensors, *out);
    if (!outputs) ReadPixelSize(out);
  }
  return OkStatus();
}

}  // namespace fovea::formats
