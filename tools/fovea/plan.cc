// fovea plan: what a run would use, without running it.
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"

namespace fovea::cli {

int PlanCommand(const std::vector<std::string>& words) {
  Args args("fovea plan", "MODEL --size [D]xHxW [--memory BYTES] [--threads N]",
            "Lays a network out for an image size and prints what it would use. Exit code 3 when the budget is too "
            "small; the message names "
            "the smallest that would do.");
  std::vector<std::string> free;
  std::string size_text;
  uint64_t memory = 0;
  bool json = false;
  ExecutionOptions execution;
  args.Text("--size", &size_text, "[D]xHxW", "image size (default: a small one)");
  args.Bytes("--memory", &memory, "BYTES", "budget for weights, intermediate tensors and tile buffers");
  execution.Declare(&args);
  args.Flag("--json", &json, "print one JSON object");
  args.Positional("MODEL", &free, 1, 1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea plan", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  auto options = execution.ToSession();
  if (!options.ok()) return Fail("fovea plan", options.status());
  options->memory_bytes = memory;
  const Result<Model> model = Model::Load(free[0]);
  if (!model.ok()) return Fail("fovea plan", model.status());
  std::vector<std::vector<int64_t>> sizes = model->DefaultSizes();
  if (!size_text.empty()) {
    const auto size = ParseSize(size_text);
    if (!size.ok()) return Fail("fovea plan", size.status());
    auto chosen = InputSizes(*model, *size);
    if (!chosen.ok()) return Fail("fovea plan", chosen.status());
    sizes = *chosen;
  }
  const auto session = Session::Create(*model, sizes, *options);
  if (!session.ok()) return Fail("fovea plan", session.status());
  const PlanReport& r = session->report();
  if (json) {
    const nlohmann::ordered_json out = {{"strategy", r.strategy},
                                        {"tiles", r.tiles},
                                        {"tile_size", {r.tile_size[0], r.tile_size[1], r.tile_size[2]}},
                                        {"weight_bytes", r.weight_bytes},
                                        {"packed_weight_bytes", r.packed_weight_bytes},
                                        {"arena_bytes", r.arena_bytes},
                                        {"tile_buffer_bytes", r.tile_buffer_bytes},
                                        {"provider_bytes", r.provider_bytes},
                                        {"total_bytes", r.total_bytes()},
                                        {"gflop", 2e-9 * static_cast<double>(r.multiply_adds)},
                                        {"threads", r.threads},
                                        {"isa", r.isa},
                                        {"input_dims", session->input_dims()},
                                        {"output_dims", session->output_dims()}};
    std::printf("%s\n", out.dump(2).c_str());
    return kDone;
  }
  std::printf("strategy         %s", r.strategy.c_str());
  if (r.tiles > 1) {
    std::printf(", %lld of up to %lldx%lldx%lld", static_cast<long long>(r.tiles),
                static_cast<long long>(r.tile_size[0]), static_cast<long long>(r.tile_size[1]),
                static_cast<long long>(r.tile_size[2]));
  }
  std::printf("\nweights          %s\npacked weights   %s\narena            %s\ntile buffers     %s\n",
              HumanBytes(r.weight_bytes).c_str(), HumanBytes(r.packed_weight_bytes).c_str(),
              HumanBytes(r.arena_bytes).c_str(), HumanBytes(r.tile_buffer_bytes).c_str());
  if (r.provider_bytes > 0) std::printf("inside XNNPACK   %s\n", HumanBytes(r.provider_bytes).c_str());
  std::printf("total            %s\n", HumanBytes(r.total_bytes()).c_str());
  std::printf("arithmetic       %.3f GFLOP, %s, %d threads\n", 2e-9 * static_cast<double>(r.multiply_adds),
              r.isa.c_str(), r.threads);
  return kDone;
}

}  // namespace fovea::cli
