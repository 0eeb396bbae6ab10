#include "tools/convert/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/cli/describe.h"
#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

using Json = nlohmann::ordered_json;

Json UnsupportedToJson(const converter::Report& report) {
  Json list = Json::array();
  for (const auto& node : report.unsupported)
    list.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
  return list;
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
    bool exact = true;
    for (const ReceptiveField& field : *fields) {
      std::printf("receptive field  %s px\n", DescribeField(model, field).c_str());
      for (const auto& side : field.sides) exact = exact && !side.unbounded;
    }
    std::printf("tiling           %s\n", exact ? "exact" : "not possible: the network looks at the whole image");
  }
  if (!report.passes.empty()) {
    std::printf("operators        %d read, %d after the passes", report.passes.front().nodes_before,
                report.passes.back().nodes_after);
    for (const auto& pass : report.passes) {
      if (pass.nodes_before != pass.nodes_after) {
        std::printf("\n                 %-28s %d -> %d", pass.pass.c_str(), pass.nodes_before, pass.nodes_after);
      }
    }
    std::printf("\n");
  }
  std::printf("file             %s, %s, content hash %s\n", path.c_str(), HumanBytes(info.file_bytes).c_str(),
              info.content_hash.c_str());
  std::printf("time             %.2f s\n", report.seconds);
}

std::string ReportToJson(const Model& model, const converter::Report& report, const std::string& path) {
  const ModelInfo info = model.info();
  Json json = {{"output", path},
               {"source", report.source_format},
               {"parameters", info.parameters},
               {"file_bytes", info.file_bytes},
               {"content_hash", info.content_hash},
               {"seconds", report.seconds},
               {"warnings", report.warnings}};
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

void PrintUnsupported(const converter::Report& report) {
  if (report.unsupported.empty()) return;
  std::fprintf(stderr, "not supported:\n");
  for (const auto& node : report.unsupported) {
    std::fprintf(stderr, "  %-24s '%s': %s\n", node.op.c_str(), node.name.c_str(), node.reason.c_str());
  }
}

std::string FailureToJson(const Status& status, const converter::Report& report) {
  return Dump({{"error", status.message()}, {"unsupported", UnsupportedToJson(report)}});
}

}  // namespace fovea::cli
