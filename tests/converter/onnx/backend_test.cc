// The ONNX project's own operator tests: every folder of ../shared/onnx-node-tests, onnx-pytorch-operator-tests and
// onnx-pytorch-converted-tests is converted, emitted, loaded and run by both executors.
//
// Tolerances are those of ONNX's backend runner: rtol 1e-3, atol 1e-7; where float64 is expected atol 1e-5, because
// fovea computes in float32. Inputs that decide a network's structure (axes, steps) are given as --set would. Cases
// that cannot pass are listed with the reason in known_failures.h; the test fails when another case fails, and when a
// listed one passes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tests/converter/onnx/known_failures.h"
#include "tests/converter/onnx/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

// Whether input `i` of a node decides more than sizes: the graph cannot be built without its value.
bool DecidesStructure(const onnx::NodeProto& node, int i) {
  const std::string& op = node.op_type();
  const bool has_axes =
      std::any_of(node.attribute().begin(), node.attribute().end(), [](const auto& a) { return a.name() == "axes"; });
  if (op == "Slice") return i >= 3;
  if (op == "Resize") return i == 1 || (i == 2 && has_axes);
  return i == 1 && (op == "Squeeze" || op == "Unsqueeze" || op.rfind("Reduce", 0) == 0);
}

struct Case {
  std::string path;
  std::vector<Tensor> inputs, expected;
  converter::Options options;
};

// The tests give the weights of convolutions as inputs; published networks have them as constants. Both are run.
bool IsWeights(const onnx::NodeProto& node, int i) {
  return i >= 1 &&
         (node.op_type() == "Conv" || node.op_type() == "ConvTranspose" || node.op_type() == "BatchNormalization");
}

Case ReadCase(const fs::path& folder, bool weights_are_constants) {
  Case c;
  c.path = folder / "model.onnx";
  onnx::ModelProto model;
  if (!model.ParseFromString(ReadBytes(c.path))) throw std::runtime_error("cannot parse");
  std::vector<std::string> set;
  for (const auto& node : model.graph().node()) {
    for (int i = 0; i < node.input_size(); ++i) {
      if (DecidesStructure(node, i) || (weights_are_constants && IsWeights(node, i))) set.push_back(node.input(i));
    }
  }
  std::vector<std::string> weights, names;
  for (const auto& tensor : model.graph().initializer()) weights.push_back(tensor.name());
  for (const auto& input : model.graph().input()) {
    if (std::find(weights.begin(), weights.end(), input.name()) == weights.end()) names.push_back(input.name());
  }
  const auto file = [&](const char* kind, size_t i) {
    char name[64];
    std::snprintf(name, sizeof(name), "%s_%zu.pb", kind, i);
    return folder / "test_data_set_0" / name;
  };
  for (size_t i = 0; fs::exists(file("input", i)); ++i) {
    Tensor tensor = ReadPb(file("input", i));
    if (i < names.size() && std::find(set.begin(), set.end(), names[i]) != set.end()) {
      converter::NamedTensor constant;
      constant.name = names[i];
      constant.dims = tensor.dims;
      constant.data.assign(tensor.values.begin(), tensor.values.end());
      c.options.set.push_back(std::move(constant));
    } else {
      c.inputs.push_back(std::move(tensor));
    }
  }
  for (size_t i = 0; fs::exists(file("output", i)); ++i) {
    c.expected.push_back(ReadPb(file("output", i)));
  }
  return c;
}

// Empty, or what went wrong.
std::string RunCase(const Case& c) {
  converter::Report report;
  Result<Model> model = ConvertAndLoad(c.path, c.options, &report);
  if (!model.ok()) return model.status().message();
  for (const Executor executor : {Executor::kReference, Executor::kFast}) {
    const std::string who = executor == Executor::kFast ? "fast: " : "reference: ";
    SessionOptions options;
    options.executor = executor;
    Result<std::vector<Tensor>> got = Run(*model, c.inputs, options);
    if (!got.ok()) return who + got.status().message();
    if (got->size() != c.expected.size()) return who + std::to_string(got->size()) + " outputs";
    for (size_t i = 0; i < got->size(); ++i) {
      const Tensor& want = c.expected[i];
      if ((*got)[i].type != want.type) return who + "type " + (*got)[i].type + " instead of " + want.type;
      const std::string difference = Compare((*got)[i], want, 1e-3, want.type == "float64" ? 1e-5 : 1e-7);
      if (!difference.empty()) return who + "output " + std::to_string(i) + ": " + difference;
    }
  }
  return "";
}

TEST(OnnxBackend, EveryFolder) {
  const fs::path shared = FOVEA_SHARED_DIR;
  if (!fs::exists(shared / "onnx-node-tests")) GTEST_SKIP() << "no ../shared";
  int passed = 0, known = 0, total = 0;
  for (const char* set : {"onnx-node-tests", "onnx-pytorch-operator-tests", "onnx-pytorch-converted-tests"}) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(shared / set)) {
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    for (const fs::path& folder : folders) {
      const std::string name = folder.filename();
      const auto* listed = std::find_if(std::begin(kKnownFailures), std::end(kKnownFailures),
                                        [&](const KnownFailure& failure) { return name == failure.name; });
      const bool expected_to_fail = listed != std::end(kKnownFailures);
      std::string problem;
      try {
        const Case given = ReadCase(folder, false), with_constants = ReadCase(folder, true);
        problem = RunCase(given);
        if (problem.empty() && with_constants.inputs.size() != given.inputs.size()) problem = RunCase(with_constants);
      } catch (const std::exception& e) {
        problem = e.what();
      }
      ++total;
      passed += problem.empty();
      known += !problem.empty() && expected_to_fail;
      if (expected_to_fail) {
        EXPECT_NE(problem, "") << name << " passes: take it out of known_failures.h";
      } else {
        EXPECT_EQ(problem, "") << name;
      }
    }
  }
  std::printf("ONNX backend tests: %d of %d pass, %d known failures\n", passed, total, known);
  EXPECT_GE(passed * 100, total * 95);
}

}  // namespace
}  // namespace fovea::testing
