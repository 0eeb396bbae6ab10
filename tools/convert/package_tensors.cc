#include "tools/convert/package_tensors.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <span>

namespace fovea::cli {
namespace {

using formats::AxisDescription;
using formats::BundleDescription;
using formats::SizeRuleDescription;
using formats::TensorDescription;

using Tensor = SelfTestCase::Tensor;

std::string SourceLetters(const TensorSpec& spec) {
  std::string letters;
  for (const int axis : spec.source_axes) letters += spec.axes[static_cast<size_t>(axis)];
  return letters;
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

// A pixel's size in units of bioimage.io, `finer` steps below its own; nothing where there is no such unit.
struct PixelScale {
  double scale = 0;
  std::string unit;
};
constexpr int kNoScale = 3;
PixelScale ScaleOf(const formats::PhysicalSize& pixel, int finer) {
  static constexpr struct {
    const char *symbol, *name;
    double per_coarser;
  } kUnits[] = {{"cm", "centimeter", 1},   {"mm", "millimeter", 10},  {"µm", "micrometer", 1000},
                {"nm", "nanometer", 1000}, {"pm", "picometer", 1000}, {"fm", "femtometer", 1000}};
  if (pixel.value <= 0 || finer >= kNoScale) return {};
  for (size_t i = 0; i < std::size(kUnits); ++i) {
    if (pixel.unit != kUnits[i].symbol) continue;
    double value = pixel.value;
    size_t unit = i;
    while (finer-- > 0 && unit + 1 < std::size(kUnits)) value *= kUnits[++unit].per_coarser;
    return {unit == i ? value : std::round(value * 1e6) / 1e6, kUnits[unit].name};
  }
  return {};
}

// bioimageio.spec works out sizes and halos in double and compares them exactly: 48 * 0.1 / 0.1 is not 48, and a
// package of that size would be refused. In finer units pixels are whole numbers, and the sizes come out right.
bool SizesComeOut(const BundleDescription& d, const std::vector<Tensor>& example, const std::vector<Tensor>& results) {
  const auto scale = [](const AxisDescription& axis) { return axis.pixel_scale > 0 ? axis.pixel_scale : 1; };
  for (size_t o = 0; o < d.outputs.size(); ++o) {
    for (size_t a = 0; a < d.outputs[o].axes.size(); ++a) {
      const AxisDescription& axis = d.outputs[o].axes[a];
      const size_t from = d.inputs[0].Letters().find(axis.letter);
      if (axis.size.kind != SizeRuleDescription::Kind::kReference || from == std::string::npos) continue;
      const AxisDescription& reference = d.inputs[0].axes[from];
      const double size =
          static_cast<double>(example[0].dims[from]) * scale(reference) / scale(axis) + axis.size.offset;
      const double halo = static_cast<double>(axis.halo_px) * scale(axis) / scale(reference);
      if (size != static_cast<double>(results[o].dims[a]) || halo != std::floor(halo)) return false;
    }
  }
  return true;
}

void AddInputs(const Model& model, const std::vector<Tensor>& example, int finer, BundleDescription* d) {
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
      if (spatial) {
        const PixelScale scale = ScaleOf(pixel, finer);
        axis.pixel_scale = scale.scale;
        axis.unit = scale.unit;
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
  const auto rename_reference = [&model, d](Step* step) {
    for (StepArgument& argument : step->arguments) {
      auto* const name = std::get_if<std::string>(&argument.value);
      if (argument.key != "reference_tensor" || name == nullptr) continue;
      for (size_t i = 0; i < model.inputs().size(); ++i) {
        if (model.inputs()[i].name != *name) continue;
        *name = d->inputs[i].name;
        break;
      }
    }
  };
  for (Step& step : d->preprocessing) rename_reference(&step);
  for (Step& step : d->postprocessing) rename_reference(&step);
  for (Step& step : d->preprocessing) rename(model.inputs(), d->inputs, &step);
  for (Step& step : d->postprocessing) rename(model.outputs(), d->outputs, &step);
}

}  // namespace

void DescribeTensors(const Model& model, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                     BundleDescription* d) {
  for (int finer = 0; finer <= kNoScale; ++finer) {
    AddInputs(model, inputs, finer, d);
    AddOutputs(model, inputs, outputs, d);
    if (SizesComeOut(*d, inputs, outputs)) break;
  }
  RenameSteps(model, d);
}

}  // namespace fovea::cli
