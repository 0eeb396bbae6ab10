// fovea info: a model explained to the person who will run it.
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/cli/temporary.h"
#include "tools/fovea/bundle_page.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/model_source.h"

namespace fovea::cli {
namespace {

// "'image'  float32  y, x: any multiple of 8; channels: exactly 1"
std::string TensorText(const TensorSpec& spec) {
  return "'" + spec.name + "'  " + DTypeName(spec.dtype) + "  " +
         (spec.is_shape ? "numbers that only decide sizes" : ImageText(spec)) +
         (spec.is_probability ? ", probabilities" : "");
}

void Print(const Model& model, const ModelInfo& info, const std::vector<std::vector<int64_t>>& sizes,
           const std::vector<OperatorInfo>& operators, const std::vector<ReceptiveField>& fields, bool list_operators) {
  PageLine("name", info.name);
  PageLine("description", info.description);
  PageLine("authors", info.authors);
  PageLine("citation", info.citation);
  PageLine("licence", info.licence.empty() ? "not stated in the source file" : info.licence);
  PageLine("source", info.source_format);
  for (const auto& [key, value] : info.properties) PageLine(key, value);
  for (const TensorSpec& spec : model.inputs()) PageLine("input", TensorText(spec));
  for (const TensorSpec& spec : model.outputs()) PageLine("output", TensorText(spec));
  for (const Step& step : model.preprocessing()) PageLine("before", ToString(step));
  for (const Step& step : model.postprocessing()) PageLine("after", ToString(step));
  PageLine("parameters", std::to_string(info.parameters));
  int64_t multiply_adds = 0;
  for (const OperatorInfo& op : operators) multiply_adds += op.multiply_adds;
  char gflop[64];
  std::snprintf(gflop, sizeof(gflop), "%.3f GFLOP (2 x multiply-add) at ", 2e-9 * static_cast<double>(multiply_adds));
  std::string at;
  for (const auto& size : sizes) at += (at.empty() ? "" : ", ") + Join(size);
  PageLine("arithmetic", gflop + at);
  for (const ReceptiveField& field : fields) PageLine("receptive field", DescribeField(model, field) + " px");
  PageLine("self-test", model.self_tests().empty() ? "none" : "yes (fovea test)");
  PageLine("file", HumanBytes(info.file_bytes) + ", content hash " + info.content_hash);
  if (!list_operators) return;
  std::printf("\n");
  for (const TensorSpec& spec : model.inputs()) std::printf("input %s\n", DescribeSpec(spec).c_str());
  for (const TensorSpec& spec : model.outputs()) std::printf("output %s\n", DescribeSpec(spec).c_str());
  std::printf("\n%-5s %-16s %-22s %10s  %-34s %s\n", "#", "operator", "output", "MMAC", "parameters", "source node");
  for (size_t i = 0; i < operators.size(); ++i) {
    const OperatorInfo& op = operators[i];
    std::printf("%-5zu %-16s %-22s %10.2f  %-34s %s\n", i, op.kind.c_str(), Join(op.output_dims).c_str(),
                1e-6 * static_cast<double>(op.multiply_adds), op.parameters.c_str(), op.name.c_str());
  }
}

}  // namespace

int InfoCommand(const std::vector<std::string>& words) {
  Args args("fovea info", "MODEL [--size [D]xHxW] [--ops]",
            "Says what a model or a bundle takes and gives, which sizes suit it, what it costs, how far it looks, and "
            "where it "
            "comes from.");
  std::vector<std::string> free;
  std::string size_text;
  bool list_operators = false, json = false;
  args.Text("--size", &size_text, "[D]xHxW", "image size for the costs (default: a small one)");
  args.Flag("--ops", &list_operators, "also the table of operators");
  args.Flag("--json", &json, "one JSON object, operators included");
  args.Positional("MODEL", &free, 1, 1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea info", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;

  // What the operators are, only the network tells.
  if (formats::LooksLikeBundle(free[0]) && !list_operators && size_text.empty()) {
    const Result<formats::Bundle> bundle = formats::OpenBundle(free[0]);
    if (!bundle.ok()) return Fail("fovea info", bundle.status());
    if (json) {
      const auto text = BundleToJson(*bundle).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
      return std::printf("%s\n", text.c_str()), kDone;
    }
    return PrintBundlePage(*bundle), kDone;
  }
  CatchInterrupts();
  EndSoonAfterInterrupt(kPromptMs, RemoveTemporaryFolders);  // a bundle that is being converted
  const Result<Model> model = LoadModel(free[0]);
  if (!model.ok()) return Fail("fovea info", model.status());
  std::vector<std::vector<int64_t>> sizes = model->DefaultSizes();
  if (!size_text.empty()) {
    const auto size = ParseSize(size_text);
    if (!size.ok()) return Fail("fovea info", size.status());
    auto chosen = InputSizes(*model, *size);
    if (!chosen.ok()) return Fail("fovea info", chosen.status());
    sizes = *chosen;
  }
  const auto operators = model->Operators(sizes);
  if (!operators.ok()) return Fail("fovea info", operators.status());
  const auto fields = model->ReceptiveFields();
  if (!fields.ok()) return Fail("fovea info", fields.status());
  const ModelInfo info = model->info();
  if (!json) {
    Print(*model, info, sizes, *operators, *fields, list_operators);
    return kDone;
  }
  nlohmann::ordered_json out = {{"name", info.name},
                                {"description", info.description},
                                {"authors", info.authors},
                                {"licence", info.licence},
                                {"citation", info.citation},
                                {"source", info.source_format},
                                {"content_hash", info.content_hash},
                                {"file_bytes", info.file_bytes},
                                {"parameters", info.parameters},
                                {"preprocessing", ToString(model->preprocessing())},
                                {"postprocessing", ToString(model->postprocessing())},
                                {"self_tests", model->self_tests().size()},
                                {"sizes", sizes}};
  for (const auto& [key, value] : info.properties) out["properties"][key] = value;
  for (const TensorSpec& spec : model->inputs()) out["inputs"].push_back(SpecToJson(spec));
  for (const TensorSpec& spec : model->outputs()) out["outputs"].push_back(SpecToJson(spec));
  for (const ReceptiveField& field : *fields) out["receptive_fields"].push_back(FieldToJson(*model, field));
  int64_t multiply_adds = 0;
  for (const OperatorInfo& op : *operators) {
    multiply_adds += op.multiply_adds;
    out["operators"].push_back({{"name", op.name},
                                {"kind", op.kind},
                                {"parameters", op.parameters},
                                {"output_dims", op.output_dims},
                                {"multiply_adds", op.multiply_adds},
                                {"weight_bytes", op.weight_bytes}});
  }
  out["gflop"] = 2e-9 * static_cast<double>(multiply_adds);
  std::printf("%s\n", out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  return kDone;
}

}  // namespace fovea::cli
