#include "tools/fovea/bundle_page.h"

#include <cstdio>
#include <filesystem>

#include "tools/cli/describe.h"

namespace fovea::cli {
namespace {

using formats::AxisDescription;
using formats::BundleDescription;
using formats::SizeRuleDescription;
using formats::TensorDescription;

std::string Joined(const std::vector<std::string>& words, const char* separator = ", ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string SizeText(const SizeRuleDescription& size) {
  switch (size.kind) {
    case SizeRuleDescription::Kind::kFixed: return DescribeRule({size.min, 0});
    case SizeRuleDescription::Kind::kSteps: return DescribeRule({size.min, size.step});
    case SizeRuleDescription::Kind::kReference: {
      std::string text = "as '" + size.tensor + "'";
      if (size.scale != 1) text += " times " + Number(size.scale);
      if (size.offset != 0) text += (size.offset > 0 ? " plus " : " minus ") + Number(std::abs(size.offset));
      return text;
    }
    case SizeRuleDescription::Kind::kDataDependent: return "depends on the image";
    case SizeRuleDescription::Kind::kUnknown: break;
  }
  return "not stated";
}

// "x, y: any multiple of 16; c: exactly 1": axes of one size together, the batch left out.
std::string AxesText(const std::vector<std::pair<char, std::string>>& sizes) {
  std::vector<std::pair<std::string, std::string>> groups;  // letters, size
  for (const auto& [letter, size] : sizes) {
    if (letter == 'b') continue;
    bool found = false;
    for (auto& [letters, text] : groups) {
      if (text != size || letter == 'c') continue;
      letters += std::string(", ") + letter;
      found = true;
      break;
    }
    if (!found) groups.emplace_back(std::string(1, letter), size);
  }
  std::string text;
  for (const auto& [letters, size] : groups) {
    text += (text.empty() ? "" : "; ") + (letters == "c" ? "channels" : letters) + ": " + size;
  }
  return text;
}

std::string PeopleText(const BundleDescription& d) {
  std::vector<std::string> names;
  for (const formats::Author& author : d.authors) {
    names.push_back(author.name + (author.affiliation.empty() ? "" : " (" + author.affiliation + ")"));
  }
  return Joined(names, "; ");
}

std::string CitationText(const formats::Citation& cite) {
  std::string text = cite.text;
  if (!cite.doi.empty()) text += ", doi:" + cite.doi;
  if (cite.doi.empty() && !cite.url.empty()) text += ", " + cite.url;
  return text;
}

std::string PixelText(const BundleDescription& d) {
  std::string text;
  for (const auto& [axis, size] : {std::pair("x", d.pixel_x), {"y", d.pixel_y}, {"z", d.pixel_z}}) {
    if (size.value <= 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(axis) + " " + Number(size.value) + " " +
            (size.unit.empty() ? "(unit not stated)" : size.unit);
  }
  return text;
}

std::string HaloText(const TensorDescription& tensor) {
  std::string text;
  for (const AxisDescription& axis : tensor.axes) {
    if (axis.halo_px > 0) {
      text += (text.empty() ? "" : ", ") + std::string(1, axis.letter) + " " + std::to_string(axis.halo_px);
    }
  }
  return text.empty() ? text : text + " px on each side are not reliable in a tile";
}

std::string WeightsText(const formats::Bundle& bundle) {
  std::string text;
  for (const formats::WeightsDescription& weights : bundle.description().weights) {
    text += (text.empty() ? "" : ", ") + std::string(WeightsFormatName(weights.format));
    if (!weights.opset_version.empty()) text += " (opset " + weights.opset_version + ")";
    if (!weights.tensorflow_version.empty()) text += " (TensorFlow " + weights.tensorflow_version + ")";
    if (weights.format == formats::WeightsFormat::kOther) text += " (" + weights.format_name + ")";
  }
  return text;
}

}  // namespace

void PageLine(const std::string& label, const std::string& text) {
  constexpr size_t kIndent = 21, kWidth = 114;
  if (text.empty()) return;
  std::printf("%-20s ", label.c_str());
  for (size_t at = 0; at < text.size();) {
    size_t end = text.size();
    if (end - at > kWidth - kIndent) {
      end = text.rfind(' ', at + kWidth - kIndent);
      if (end == std::string::npos || end <= at) end = std::min(text.find(' ', at), text.size());
    }
    std::printf("%*s%s\n", at == 0 ? 0 : static_cast<int>(kIndent), "", text.substr(at, end - at).c_str());
    at = end == text.size() ? end : end + 1;
  }
}

std::string ImageText(const TensorDescription& tensor) {
  std::vector<std::pair<char, std::string>> sizes;
  for (const AxisDescription& axis : tensor.axes) sizes.emplace_back(axis.letter, SizeText(axis.size));
  return AxesText(sizes);
}

std::string ImageText(const TensorSpec& spec) {
  std::vector<std::pair<char, std::string>> sizes;
  for (size_t i = 0; i < spec.axes.size(); ++i) {
    const bool open = spec.dims[i] < 0;
    sizes.emplace_back(spec.axes[i], !open                   ? DescribeRule({spec.dims[i], 0})
                                     : i < spec.rules.size() ? DescribeRule(spec.rules[i])
                                                             : "follows from the input");
  }
  return AxesText(sizes);
}

std::string RemedyText(const formats::Bundle& bundle) {
  const auto weights = bundle.ChooseWeights();
  if (!weights.ok()) {
    std::string why = weights.status().message();
    const std::string prefix = bundle.path() + ": ";
    if (why.rfind(prefix, 0) == 0) why.erase(0, prefix.size());
    return "can't be converted: " + why;
  }
  const std::filesystem::path path = bundle.path();
  std::string stem = (path.has_filename() ? path : path.parent_path()).stem().string();
  if (stem.empty() || stem == ".") stem = "model";
  return "fovea-convert " + bundle.path() + " -o " + stem + ".fov";
}

void PrintBundlePage(const formats::Bundle& bundle) {
  const BundleDescription& d = bundle.description();
  PageLine("name", d.name);
  PageLine("description", d.description);
  PageLine("tags", Joined(d.tags));
  PageLine("authors", PeopleText(d));
  for (const formats::Citation& cite : d.citations) PageLine("citation", CitationText(cite));
  PageLine("doi", d.doi);
  PageLine("licence", d.licence.empty() ? "not stated" : d.licence);
  PageLine("version", d.version);
  PageLine("date", d.date);
  PageLine("repository", d.repository);
  PageLine("documentation", d.documentation);
  for (const TensorDescription& t : d.inputs)
    PageLine("input", "'" + t.name + "'  " + t.data_type + "  " + ImageText(t));
  for (const TensorDescription& t : d.outputs) {
    PageLine("output", "'" + t.name + "'  " + t.data_type + "  " + ImageText(t));
    PageLine("halo", HaloText(t));
  }
  PageLine("pixel size", PixelText(d));
  for (const Step& step : d.preprocessing) PageLine("before", ToString(step));
  for (const Step& step : d.postprocessing) PageLine("after", ToString(step));
  PageLine("macros before", Joined(d.preprocessing_files));
  PageLine("macros after", Joined(d.postprocessing_files));
  if (d.probability_threshold) PageLine("threshold", "probability " + Number(*d.probability_threshold));
  if (d.nms_threshold) PageLine("", "overlap " + Number(*d.nms_threshold));
  std::vector<std::string> measured;
  for (const std::string* text : {&d.test_input_size, &d.test_memory, &d.test_runtime}) {
    if (text->find_first_not_of(' ') != std::string::npos) measured.push_back(*text);
  }
  PageLine("tested by authors", Joined(measured));
  PageLine("weights", WeightsText(bundle));
  PageLine("described by", d.format + " (" + bundle.description_file() + ")");
  for (const auto& [where, text] : d.not_understood) PageLine("not understood", where + ": " + text);
  const bool has_weights = bundle.ChooseWeights().ok();
  PageLine("to run it", has_weights ? "fovea run " + bundle.path() + " IMAGE" : RemedyText(bundle));
  if (has_weights) PageLine("to begin sooner", RemedyText(bundle));
}

nlohmann::ordered_json BundleToJson(const formats::Bundle& bundle) {
  const BundleDescription& d = bundle.description();
  nlohmann::ordered_json json = {
      {"path", bundle.path()},        {"converted", false},   {"format", d.format}, {"name", d.name},
      {"description", d.description}, {"licence", d.licence}, {"doi", d.doi},       {"tags", d.tags}};
  for (const formats::Author& a : d.authors) {
    json["authors"].push_back({{"name", a.name}, {"affiliation", a.affiliation}});
  }
  for (const formats::Citation& c : d.citations) {
    json["citations"].push_back({{"text", c.text}, {"doi", c.doi}, {"url", c.url}});
  }
  for (const auto& [key, tensors] : {std::pair("inputs", &d.inputs), {"outputs", &d.outputs}}) {
    for (const TensorDescription& t : *tensors) {
      nlohmann::ordered_json tensor = {{"name", t.name}, {"axes", t.Letters()}, {"dtype", t.data_type}};
      for (const AxisDescription& axis : t.axes) {
        tensor["sizes"].push_back(SizeText(axis.size));
        tensor["halo"].push_back(axis.halo_px);
      }
      json[key].push_back(std::move(tensor));
    }
  }
  json["pixel_size"] = PixelText(d);
  json["preprocessing"] = ToString(d.preprocessing);
  json["postprocessing"] = ToString(d.postprocessing);
  json["preprocessing_files"] = d.preprocessing_files;
  json["postprocessing_files"] = d.postprocessing_files;
  for (const formats::WeightsDescription& w : d.weights) {
    json["weights"].push_back({{"format", w.format_name}, {"source", w.file.source}, {"sha256", w.file.sha256}});
  }
  for (const auto& [where, text] : d.not_understood) {
    json["not_understood"].push_back({{"where", where}, {"text", text}});
  }
  json["remedy"] = RemedyText(bundle);
  return json;
}

}  // namespace fovea::cli
