#include "tools/cli/describe.h"

namespace fovea::cli {

std::string Join(const std::vector<int64_t>& dims, const char* separator) {
  std::string text;
  for (const int64_t d : dims) text += (text.empty() ? "" : separator) + (d < 0 ? std::string("?") : std::to_string(d));
  return text;
}

std::string DescribeRule(const SizeRule& rule) {
  if (rule.step == 0) return "exactly " + std::to_string(rule.min);
  if (rule.step == 1) return rule.min <= 1 ? "any size" : "at least " + std::to_string(rule.min);
  if (rule.min == rule.step) return "any multiple of " + std::to_string(rule.step);
  if (rule.min % rule.step == 0) {
    return "any multiple of " + std::to_string(rule.step) + " from " + std::to_string(rule.min);
  }
  return std::to_string(rule.min) + " and then steps of " + std::to_string(rule.step);
}

std::string DescribeSpec(const TensorSpec& spec) {
  std::string text = "'" + spec.name + "'  " + DTypeName(spec.dtype) + "  " + spec.axes + " " + Join(spec.dims);
  for (size_t i = 0; i < spec.rules.size(); ++i) {
    if (spec.dims[i] >= 0) continue;
    text += "\n      " + std::string(1, i < spec.axes.size() ? spec.axes[i] : '?') + ": " + DescribeRule(spec.rules[i]);
  }
  if (spec.is_shape) text += "  (only decides sizes)";
  return text;
}

nlohmann::ordered_json SpecToJson(const TensorSpec& spec) {
  nlohmann::ordered_json json;
  json["name"] = spec.name;
  json["dtype"] = DTypeName(spec.dtype);
  json["axes"] = spec.axes;
  json["dims"] = spec.dims;
  json["source_axes"] = spec.source_axes;
  if (!spec.rules.empty()) {
    for (const SizeRule& rule : spec.rules) json["rules"].push_back({{"min", rule.min}, {"step", rule.step}});
  }
  if (spec.is_shape) json["is_shape"] = true;
  return json;
}

std::string DescribeField(const Model& model, const ReceptiveField& field) {
  std::string text;
  for (size_t i = 0; i < field.sides.size(); ++i) {
    const ReceptiveField::Axis& side = field.sides[i];
    text += (text.empty() ? "" : ", ") + std::string(1, field.axes[i]) + " ";
    text += side.unbounded ? "the whole axis"
                           : std::to_string(side.before) + " before, " + std::to_string(side.after) + " after";
    if (side.scale_numerator != side.scale_denominator) {
      text += " (scale " + std::to_string(side.scale_numerator) + "/" + std::to_string(side.scale_denominator) + ")";
    }
  }
  if (model.inputs().size() == 1 && model.outputs().size() == 1) return text;
  return "of '" + model.outputs()[static_cast<size_t>(field.output)].name + "' in '" +
         model.inputs()[static_cast<size_t>(field.input)].name + "': " + text;
}

nlohmann::ordered_json FieldToJson(const Model& model, const ReceptiveField& field) {
  nlohmann::ordered_json json = {{"input", model.inputs()[static_cast<size_t>(field.input)].name},
                                 {"output", model.outputs()[static_cast<size_t>(field.output)].name},
                                 {"axes", field.axes}};
  for (const ReceptiveField::Axis& side : field.sides) {
    json["sides"].push_back({{"before", side.before},
                             {"after", side.after},
                             {"unbounded", side.unbounded},
                             {"scale", {side.scale_numerator, side.scale_denominator}}});
  }
  return json;
}

}  // namespace fovea::cli
