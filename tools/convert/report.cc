#include "tools/convert/report.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "converter/emit/marks.h"
#include "tools/cli/describe.h"
#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

using Json = nlohmann::ordered_json;

Json UnsupportedToJson(const converter::Report& report) {
  Json list = Json::array();
  for (const auto& node : report.unsupported)
    list.push_back({{"name", node.name},
                    {"op", node.op},
                    {"attributes", node.attributes},
                    {"reason", node.reason},
                    {"alternative", node.alternative}});
  return list;
}

// "Identity 12, Assert 2 and 3 more kinds", the most frequent first.
std::string CountsText(const std::map<std::string, int>& counts) {
  constexpr size_t kMost = 8;
  std::vector<std::pair<int, std::string>> sorted;
  for (const auto& [name, count] : counts) sorted.emplace_back(-count, name);
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  for (size_t i = 0; i < std::min(kMost, sorted.size()); ++i) {
    text += (i > 0 ? ", " : "") + sorted[i].second + " " + std::to_string(-sorted[i].first);
  }
  if (sorted.size() > kMost) text += " and " + std::to_string(sorted.size() - kMost) + " more kinds";
  return text;
}

// The marks of converter/emit/marks.h, as the file carries them.
std::vector<std::string> Marks(const ModelInfo& info, const std::string& kind) {
  std::vector<std::string> marks;
  for (const auto& [key, value] : info.properties) {
    if (key != kind) continue;
    for (size_t at = 0; at < value.size();) {
      const size_t end = std::min(value.find("; ", at), value.size());
      marks.push_back(value.substr(at, end - at));
      at = end + 2;
    }
  }
  return marks;
}

bool HasImageAxes(const Model& model) {
  const auto inputs = model.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const TensorSpec& spec) { return spec.axes.find_first_of("zyx") != std::string::npos; });
}

void PrintTiling(const Model& model, const ModelInfo& info) {
  const std::vector<std::string> whole = Marks(info, converter::kWholeImageProperty);
  std::printf("tiling           %s\n", !HasImageAxes(model) ? "none, no input has image axes"
                                       : whole.empty()      ? "exact"
                                                            : "not possible, the network looks at the whole image:");
  for (const std::string& mark : whole) std::printf("                 %s\n", mark.c_str());
  for (const std::string& mark : Marks(info, converter::kFixedSizeProperty)) {
    std::printf("fixed size       %s\n", mark.c_str());
  }
}

void PrintOperators(const converter::Report& report) {
  if (report.passes.empty()) return;
  std::printf("operators        %d in the file, %d imported, %d after the passes\n", report.source_operators,
              report.passes.front().nodes_before, report.passes.back().nodes_after);
  for (const auto& pass : report.passes) {
    if (pass.nodes_before == pass.nodes_after) continue;
    std::printf("                 %-28s %d -> %d\n", pass.pass.c_str(), pass.nodes_before, pass.nodes_after);
  }
  std::printf("folded           %d operators on constants and sizes\n", report.history.folded);
  for (const auto& [name, count] : report.history.idioms) {
    std::printf("recognised       %s: %d\n", name.c_str(), count);
  }
  if (!report.history.dropped.empty()) std::printf("dropped          %s\n", CountsText(report.history.dropped).c_str());
}

// Of what was written: a model file, or a package (a folder with all its files), which is not as large as the model.
uint64_t BytesOf(const std::string& path, const ModelInfo& info) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const uintmax_t bytes = fs::file_size(path, error);
    return error ? info.file_bytes : bytes;
  }
  uint64_t bytes = 0;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error)) bytes += it->file_size(error);
  }
  return bytes;
}

std::string Dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

}  // namespace

void PrintReport(const Model& model, const converter::Report& report, const std::string& path, bool quiet) {
  for (const std::string& warning : report.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (quiet) return;
  const ModelInfo info = model.info();
  std::printf("source           %s\n", report.source_format.c_str());
  for (const TensorSpec& spec : model.inputs()) std::printf("input            %s\n", DescribeSpec(spec).c_str());
  for (const TensorSpec& spec : model.outputs()) std::printf("output           %s\n", DescribeSpec(spec).c_str());
  std::printf("parameters       %lld\n", static_cast<long long>(info.parameters));
  const auto fields = model.ReceptiveFields();
  if (fields.ok()) {
    for (const ReceptiveField& field : *fields) {
      if (field.sides.empty()) continue;
      std::printf("receptive field  %s px\n", DescribeField(model, field).c_str());
    }
  }
  PrintTiling(model, info);
  PrintOperators(report);
  std::printf("file             %s, %s, content hash %s\n", path.c_str(), HumanBytes(BytesOf(path, info)).c_str(),
              info.content_hash.c_str());
  std::printf("time             %.2f s\n", report.seconds);
}

std::string ReportToJson(const Model& model, const converter::Report& report, const std::string& path) {
  const ModelInfo info = model.info();
  Json json = {{"output", path},
               {"source", report.source_format},
               {"parameters", info.parameters},
               {"file_bytes", BytesOf(path, info)},
               {"content_hash", info.content_hash},
               {"seconds", report.seconds},
               {"warnings", report.warnings}};
  if (!report.signature.empty()) json["signature"] = report.signature;
  if (!report.tag.empty()) json["tag"] = report.tag;
  for (const TensorSpec& spec : model.inputs()) json["inputs"].push_back(SpecToJson(spec));
  for (const TensorSpec& spec : model.outputs()) json["outputs"].push_back(SpecToJson(spec));
  for (const auto& pass : report.passes) {
    json["passes"].push_back(
        {{"pass", pass.pass}, {"nodes_before", pass.nodes_before}, {"nodes_after", pass.nodes_after}});
  }
  const auto fields = model.ReceptiveFields();
  if (fields.ok()) {
    for (const ReceptiveField& field : *fields) json["receptive_fields"].push_back(FieldToJson(model, field));
  }
  const std::vector<std::string> whole = Marks(info, converter::kWholeImageProperty);
  json["tiling"] = {
      {"exact", whole.empty()}, {"whole_image", whole}, {"fixed_size", Marks(info, converter::kFixedSizeProperty)}};
  json["operators"] = {{"in_file", report.source_operators},
                       {"imported", report.passes.empty() ? 0 : report.passes.front().nodes_before},
                       {"emitted", report.passes.empty() ? 0 : report.passes.back().nodes_after},
                       {"folded", report.history.folded}};
  json["recognised"] = report.history.idioms;
  json["dropped"] = report.history.dropped;
  json["self_tests"] = model.self_tests().size();
  return Dump(json);
}

bool PrintDifferences(const std::vector<OutputDifference>& differences, bool json) {
  constexpr double kTolerance = 1e-5;  // of the range; rounding alone stays well below it
  bool passed = true;
  Json list = Json::array();
  for (const OutputDifference& d : differences) {
    const bool good = d.max_difference <= kTolerance * d.range;
    passed = passed && good;
    list.push_back({{"output", d.name},
                    {"other", d.other_name},
                    {"max_difference", d.max_difference},
                    {"range", d.range},
                    {"passed", good}});
    if (!json) {
      std::printf("'%s' and '%s': largest difference %.3g, %.3g of the range %.3g%s\n", d.name.c_str(),
                  d.other_name.c_str(), d.max_difference, d.range > 0 ? d.max_difference / d.range : 0.0, d.range,
                  good ? "" : ": NOT THE SAME");
    }
  }
  if (json) std::printf("%s\n", Dump({{"outputs", list}, {"passed", passed}}).c_str());
  return passed;
}

std::string FailureToJson(const Status& status, const converter::Report& report) {
  return Dump({{"error", status.message()}, {"unsupported", UnsupportedToJson(report)}});
}

}  // namespace fovea::cli
