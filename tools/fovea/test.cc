// fovea test: the self-test that a model carries.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"

namespace fovea::cli {
namespace {

// Row-major position in the stored tensor of each element of the source-order tensor, in source order.
std::vector<int64_t> StoredPositions(const std::vector<int64_t>& source_dims, const std::vector<int>& source_axes) {
  const size_t rank = source_dims.size();
  std::vector<int64_t> stored_dims(rank), stored_strides(rank, 1);
  for (size_t i = 0; i < rank; ++i) stored_dims[static_cast<size_t>(source_axes[i])] = source_dims[i];
  for (size_t i = rank; i-- > 1;) stored_strides[i - 1] = stored_strides[i] * stored_dims[i];
  std::vector<int64_t> positions = {0};
  for (size_t i = 0; i < rank; ++i) {
    std::vector<int64_t> next;
    next.reserve(positions.size() * static_cast<size_t>(source_dims[i]));
    const int64_t stride = stored_strides[static_cast<size_t>(source_axes[i])];
    for (const int64_t p : positions) {
      for (int64_t k = 0; k < source_dims[i]; ++k) next.push_back(p + k * stride);
    }
    positions = std::move(next);
  }
  return positions;
}

struct Comparison {
  double max_error = 0, mean_error = 0, mismatches_per_million = 0;
  bool passed = true;
};

Result<std::vector<Comparison>> RunCase(const Model& model, const SelfTestCase& test, const SessionOptions& options) {
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<int64_t>> dims;
  std::vector<std::vector<double>> shape_values(test.inputs.size());
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    const auto& tensor = test.inputs[i];
    const std::vector<int64_t> positions = StoredPositions(tensor.dims, spec.source_axes);
    std::vector<float> stored(positions.size());
    for (size_t k = 0; k < positions.size(); ++k) stored[static_cast<size_t>(positions[k])] = tensor.values[k];
    std::vector<int64_t> stored_dims(tensor.dims.size());
    for (size_t a = 0; a < tensor.dims.size(); ++a)
      stored_dims[static_cast<size_t>(spec.source_axes[a])] = tensor.dims[a];
    if (spec.is_shape) shape_values[i].assign(stored.begin(), stored.end());
    inputs.push_back(std::move(stored));
    dims.push_back(std::move(stored_dims));
  }
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, dims, options, shape_values));
  session.SetCancel(Interrupted);
  std::vector<const float*> in;
  for (const auto& tensor : inputs) in.push_back(tensor.data());
  std::vector<std::vector<float>> outputs;
  std::vector<float*> out;
  for (const auto& d : session.output_dims()) {
    size_t n = 1;
    for (const int64_t size : d) n *= static_cast<size_t>(size);
    outputs.emplace_back(n);
  }
  for (auto& tensor : outputs) out.push_back(tensor.data());
  FOVEA_RETURN_IF_ERROR(session.Run(in, out));

  std::vector<Comparison> result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& expected = test.expected[i];
    const std::vector<int64_t> positions = StoredPositions(expected.dims, model.outputs()[i].source_axes);
    Comparison c;
    int64_t mismatches = 0;
    if (positions.size() != outputs[i].size()) {
      return InvalidArgument("output '" + model.outputs()[i].name + "' has " + std::to_string(outputs[i].size()) +
                             " elements, the self-test expects " + std::to_string(positions.size()));
    }
    for (size_t k = 0; k < positions.size(); ++k) {
      const double want = expected.values[k], got = outputs[i][static_cast<size_t>(positions[k])];
      const double error = std::abs(got - want);
      c.mean_error += error / static_cast<double>(positions.size());
      if (!(error <= c.max_error)) c.max_error = error;
      if (!(error <= test.atol + test.rtol * std::abs(want))) ++mismatches;
    }
    c.mismatches_per_million =
        1e6 * static_cast<double>(mismatches) / static_cast<double>(std::max<size_t>(positions.size(), 1));
    c.passed = mismatches == 0;
    result.push_back(c);
  }
  return result;
}

}  // namespace

int TestCommand(const std::vector<std::string>& words) {
  Args args("fovea test", "MODEL",
            "Runs the self-test that the model carries (fovea-convert --test-input/--test-output put it there) and "
            "compares. Exit code "
            "1 when a result is out of tolerance.");
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
  const Result<Model> model = Model::Load(free[0]);
  if (!model.ok()) return Fail("fovea test", model.status());
  const std::vector<SelfTestCase> tests = model->self_tests();
  if (tests.empty()) {
    return Fail("fovea test",
                InvalidArgument(free[0] + ": carries no self-test; convert it with --test-input and --test-output"));
  }
  nlohmann::ordered_json out;
  bool passed = true;
  for (const SelfTestCase& test : tests) {
    const auto result = RunCase(*model, test, *options);
    if (!result.ok()) return Fail("fovea test", result.status().Prefixed(free[0]));
    for (size_t i = 0; i < result->size(); ++i) {
      const Comparison& c = (*result)[i];
      const std::string& name = model->outputs()[i].name;
      passed = passed && c.passed;
      out["outputs"].push_back({{"name", name},
                                {"passed", c.passed},
                                {"max_error", c.max_error},
                                {"mean_error", c.mean_error},
                                {"mismatches_per_million", c.mismatches_per_million},
                                {"atol", test.atol},
                                {"rtol", test.rtol}});
      if (!json) {
        std::printf("%s '%s': largest error %.3g, mean %.3g, %.0f mismatches per million (atol %.3g, rtol %.3g)\n",
                    c.passed ? "passed" : "FAILED", name.c_str(), c.max_error, c.mean_error, c.mismatches_per_million,
                    test.atol, test.rtol);
      }
    }
  }
  out["passed"] = passed;
  if (json) std::printf("%s\n", out.dump(2).c_str());
  return passed ? kDone : kCheckFailed;
}

}  // namespace fovea::cli
