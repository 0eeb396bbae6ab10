// fovea test: the self-test that a model carries.
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/cli/self_test.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/model_source.h"

namespace fovea::cli {
int TestCommand(const std::vector<std::string>& words) {
  Args args(
      "fovea test", "MODEL|BUNDLE",
      "Runs the self-test that the model carries (a bundle's test tensors, or what fovea-convert --test-input and "
      "--test-output gave it) and compares. Exit code 1 when a result is out of tolerance.");
  std::vector<std::string> free;
  bool json = false;
  ExecutionOptions execution;
  execution.Declare(&args);
  args.Text("--executor", &execution.executor, "NAME", "fast (default) or reference");
  args.Flag("--json", &json, "print one JSON object");
  args.Positional("MODEL", &free, 1, 1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea test", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  CatchInterrupts();
  const auto options = execution.ToSession();
  if (!options.ok()) return Fail("fovea test", options.status());
  const Result<Model> model = LoadModel(free[0], true);
  if (!model.ok()) return Fail("fovea test", model.status());
  const std::vector<SelfTestCase> tests = model->self_tests();
  if (tests.empty()) {
    return Fail("fovea test",
                InvalidArgument(free[0] + ": carries no self-test; convert it with --test-input and --test-output"));
  }
  nlohmann::ordered_json out;
  bool passed = true;
  for (const SelfTestCase& test : tests) {
    const auto result = RunSelfTest(*model, test, *options, Interrupted);
    if (!result.ok()) return Fail("fovea test", result.status().Prefixed(free[0]));
    for (size_t i = 0; i < result->size(); ++i) {
      const SelfTestResult& c = (*result)[i];
      const std::string& name = model->outputs()[i].name;
      passed = passed && c.passed;
      out["outputs"].push_back({{"name", name},
                                {"passed", c.passed},
                                {"max_error", c.max_error},
                                {"mean_error", c.mean_error},
                                {"mismatches_per_million", c.mismatches_per_million},
                                {"correlation", c.correlation},
                                {"mismatches_allowed", test.mismatches_per_million},
                                {"atol", test.atol},
                                {"rtol", test.rtol}});
      if (!json) {
        std::printf(
            "%s '%s': largest error %.3g, mean %.3g, %.0f mismatches per million (%.0f allowed; atol %.3g, "
            "rtol %.3g), correlation %.6f%s\n",
            c.passed ? "passed" : "FAILED", name.c_str(), c.max_error, c.mean_error, c.mismatches_per_million,
            test.mismatches_per_million, test.atol, test.rtol, c.correlation,
            test.with_steps ? ", with processing" : "");
      }
    }
  }
  out["passed"] = passed;
  if (json) std::printf("%s\n", out.dump(2).c_str());
  return passed ? kDone : kCheckFailed;
}

}  // namespace fovea::cli
