// Model files: what is written is what is read, and graphs that do not hold together are refused by name.
#include "runtime/model/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "runtime/model/fields.h"
#include "runtime/model/model_writer.h"
#include "tests/runtime/model/file_testing.h"
#include "tests/runtime/model/random_network.h"

namespace fovea {
namespace {

using Bytes = std::vector<std::byte>;

void ExpectSamePorts(const std::vector<Port>& a, const std::vector<Port>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].value, b[i].value);
    EXPECT_EQ(a[i].dtype, b[i].dtype);
    EXPECT_EQ(a[i].source_axes, b[i].source_axes);
    EXPECT_EQ(a[i].axes, b[i].axes);
    EXPECT_EQ(a[i].rules, b[i].rules);
    EXPECT_EQ(a[i].is_shape, b[i].is_shape);
  }
}

void ExpectSameTensors(const std::vector<SelfTest::Tensor>& a, const std::vector<SelfTest::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].dims, b[i].dims);
    EXPECT_EQ(a[i].offset, b[i].offset);
    EXPECT_EQ(a[i].bytes, b[i].bytes);
  }
}

void ExpectSame(const Graph& a, const Graph& b) {
  ASSERT_EQ(a.values.size(), b.values.size());
  for (size_t i = 0; i < a.values.size(); ++i) {
    EXPECT_EQ(a.values[i].name, b.values[i].name);
    EXPECT_EQ(a.values[i].dims, b.values[i].dims);
    EXPECT_EQ(a.values[i].is_const, b.values[i].is_const);
    EXPECT_EQ(a.values[i].weight_type, b.values[i].weight_type);
    EXPECT_EQ(a.values[i].offset, b.values[i].offset);
    EXPECT_EQ(a.values[i].bytes, b.values[i].bytes);
  }
  ASSERT_EQ(a.nodes.size(), b.nodes.size());
  for (size_t i = 0; i < a.nodes.size(); ++i) {
    EXPECT_EQ(a.nodes[i].name, b.nodes[i].name);
    EXPECT_TRUE(SameParams(a.nodes[i].params, b.nodes[i].params)) << ParamsToString(b.nodes[i].params);
    EXPECT_EQ(a.nodes[i].inputs, b.nodes[i].inputs);
    EXPECT_EQ(a.nodes[i].output, b.nodes[i].output);
  }
  ExpectSamePorts(a.inputs, b.inputs);
  ExpectSamePorts(a.outputs, b.outputs);
  EXPECT_EQ(a.metadata.name, b.metadata.name);
  EXPECT_EQ(a.metadata.description, b.metadata.description);
  EXPECT_EQ(a.metadata.authors, b.metadata.authors);
  EXPECT_EQ(a.metadata.licence, b.metadata.licence);
  EXPECT_EQ(a.metadata.citation, b.metadata.citation);
  EXPECT_EQ(a.metadata.source_format, b.metadata.source_format);
  EXPECT_EQ(a.metadata.properties, b.metadata.properties);
  EXPECT_EQ(a.preprocessing, b.preprocessing);
  EXPECT_EQ(a.postprocessing, b.postprocessing);
  ASSERT_EQ(a.self_tests.size(), b.self_tests.size());
  for (size_t i = 0; i < a.self_tests.size(); ++i) {
    ExpectSameTensors(a.self_tests[i].inputs, b.self_tests[i].inputs);
    ExpectSameTensors(a.self_tests[i].expected, b.self_tests[i].expected);
    EXPECT_EQ(a.self_tests[i].rtol, b.self_tests[i].rtol);
    EXPECT_EQ(a.self_tests[i].atol, b.self_tests[i].atol);
    EXPECT_EQ(a.self_tests[i].mismatches_per_million, b.self_tests[i].mismatches_per_million);
    EXPECT_EQ(a.self_tests[i].with_steps, b.self_tests[i].with_steps);
  }
}

TEST(ModelFile, WhatIsWrittenIsRead) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const testing::RandomNetwork network = testing::MakeRandomNetwork(seed, 15);
    const Result<Bytes> bytes = SerializeModel(network.graph, network.weights);
    ASSERT_TRUE(bytes.ok()) << seed << ": " << bytes.status().message();
    EXPECT_EQ(*bytes, *SerializeModel(network.graph, network.weights));
    const auto file = ModelFile::FromBytes(*bytes, "random.fov");
    ASSERT_TRUE(file.ok()) << file.status().message();
    ExpectSame((*file)->graph(), network.graph);
    EXPECT_EQ(Bytes((*file)->weights().begin(), (*file)->weights().end()), network.weights);
    EXPECT_EQ((*file)->file_bytes(), bytes->size());
    FileHeader header;
    ASSERT_TRUE(ParseHeader(*bytes, &header));
    EXPECT_EQ(header.weight_offset % 64, 0u);
  }
}

// One 3x3 convolution, [1, h, w, 1] -> [1, h, w, 2], a self-test of 2 x 2 pixels.
testing::RandomNetwork SmallNetwork() {
  testing::RandomNetwork n;
  Graph& g = n.graph;
  const DimExpr h = DimExpr::InputDim(0, 1), w = DimExpr::InputDim(0, 2);
  g.values = {{"x", {1, h, w, 1}},
              {"w", {1, 3, 3, 1, 2}, true, WeightType::kFloat32, 0, 72},
              {"b", {2}, true, WeightType::kFloat16, 128, 4},
              {"y", {1, h, w, 2}}};
  ConvParams p;
  p.kernel = {1, 3, 3};
  p.pad_begin = p.pad_end = {0, 1, 1};
  g.nodes = {{"conv1", p, {0, 1, 2}, 3}};
  g.inputs = {{"x", 0, DType::kUInt8, {0, 3, 1, 2}, "byxc", {{1, 0}, {2, 2}, {2, 2}, {1, 0}}}};
  g.outputs = {{"y", 3, DType::kFloat32, {0, 3, 1, 2}, "byxc", {}}};
  g.metadata = {"small", "d", "a", "l", "c", "s", {{"k", "v"}}};
  g.self_tests = {{{{{1, 1, 2, 2}, 192, 16}}, {{{1, 2, 2, 2}, 256, 32}}, 1e-4, 0, 100, true}};
  g.preprocessing = {{"scale_range", {{"min_percentile", 1.0}, {"per_channel", false}}, ""},
                     {"clip", {{"method", std::string("it's")}, {"limits", std::vector<double>{-0.5, 1e300}}}, "x"}};
  g.postprocessing = {{"softmax", {{"axes", std::vector<std::string>{"channel", ""}}}, "y"}};
  n.weights.resize(288);
  for (size_t i = 0; i < n.weights.size(); ++i) n.weights[i] = static_cast<std::byte>(i * 7 & 0x3f);
  return n;
}

TEST(ModelFile, EveryPartOfAGraphIsKept) {
  const testing::RandomNetwork n = SmallNetwork();
  const Result<Bytes> bytes = SerializeModel(n.graph, n.weights);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const auto file = ModelFile::FromBytes(*bytes, "small.fov");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ExpectSame((*file)->graph(), n.graph);
  EXPECT_EQ((*file)->content_hash().size(), 32u);
}

void AddShapeInput(Graph* g) {
  g->values.push_back({"s", {2}});
  g->inputs.push_back({"s", 4, DType::kInt32, {0}, "i", {{2, 0}}, true});
}

// Every change makes the graph one that must be refused, and the message says where.
TEST(VerifyGraph, NamesWhatIsWrong) {
  struct Case {
    std::function<void(Graph*)> change;
    std::string message;
  };
  const std::vector<Case> cases = {
      {[](Graph* g) { g->nodes[0].inputs[0] = 9; }, "conv node 'conv1': there is no value 9"},
      {[](Graph* g) { g->nodes[0].inputs[0] = 3; }, "conv node 'conv1': reads value 'y' before it is produced"},
      {[](Graph* g) { g->nodes[0].inputs[1] = 0; }, "conv node 'conv1': weights of rank 4 instead of 5"},
      {[](Graph* g) {
         g->values[1].dims[4] = 0;
         g->values[1].bytes = 0;
       },
       "conv node 'conv1': weights of 1x3x3x1x0 have no elements"},
      {[](Graph* g) { AddShapeInput(g), g->nodes[0].inputs[2] = 4; },
       "conv node 'conv1': reads 's', an input that only decides sizes, as data"},
      {[](Graph* g) {
         AddShapeInput(g), g->outputs.push_back({"t", 4, DType::kInt32, {0}, "i", {}});
       },
       "output 't' is an input that only decides sizes"},
      {[](Graph* g) { g->nodes[0].inputs.resize(1); }, "conv node 'conv1': 1 inputs instead of 2 to 4"},
      {[](Graph* g) { g->nodes[0].output = 0; }, "conv node 'conv1': value 'x' is produced twice"},
      {[](Graph* g) { g->nodes.clear(); }, "value 'y': nothing produces it"},
      {[](Graph* g) { g->values[3].dims[1] = DimExpr::InputDim(0, 1) + 1; },
       "conv node 'conv1': its result 'y' has other sizes than it gives"},
      {[](Graph* g) { std::get<ConvParams>(g->nodes[0].params).pad_end[1] = DimExpr::InputDim(1, 0); },
       "conv node 'conv1': a parameter names no input's size"},
      {[](Graph* g) { g->values[3].dims[1] = DimExpr::InputDim(0, 4); },
       "value 'y': the size in0.4 names no input's size"},
      {[](Graph* g) { g->values[3].dims[1] = -1; }, "value 'y': a size of -1"},
      {[](Graph* g) { g->values[3].dims.resize(7); }, "value 'y': rank 7; the limit is 6"},
      {[](Graph* g) { g->values[1].offset = 288; },
       "value 'w': bytes 288 to 360 are not inside the weight section of 288 bytes"},
      {[](Graph* g) { g->values[1].offset = ~uint64_t{0}; },
       "value 'w': bytes 18446744073709551615 to 71 are not inside the weight section of 288 bytes"},
      {[](Graph* g) { g->values[1].bytes = 36; }, "value 'w': 36 bytes for 18 elements"},
      {[](Graph* g) { g->values[1].dims[1] = DimExpr::InputDim(0, 1); },
       "value 'w': a constant's sizes are not numbers"},
      {[](Graph* g) { g->inputs[0].value = 5; }, "port 'x': there is no value 5"},
      {[](Graph* g) { g->inputs[0].value = 1; }, "input 'x': its source axes are no permutation of 5 axes"},
      {[](Graph* g) {
         g->inputs[0].source_axes = {0, 1, 1, 2};
       },
       "input 'x': its source axes are no permutation of 4 axes"},
      {[](Graph* g) { g->inputs[0].axes = "bhwc"; },
       "input 'x': axes 'bhwc' for rank 4; one letter of b, c, z, y, x, t, i an axis is needed"},
      {[](Graph* g) { g->inputs[0].rules.pop_back(); }, "input 'x': 3 size rules for rank 4"},
      {[](Graph* g) { g->inputs[0].rules[1].step = -2; }, "input 'x': axis 1 may have 2 + k -2 elements"},
      {[](Graph* g) { g->inputs[0].rules[3].step = 1; },
       "input 'x': the size 1 of axis 3 is neither open nor the one that its rule allows"},
      {[](Graph* g) { g->inputs[0].is_shape = true; }, "input 'x': an input that decides sizes has rank 0 or 1"},
      {[](Graph* g) { g->outputs[0].axes = ""; },
       "output 'y': axes '' for rank 4; one letter of b, c, z, y, x, t, i an axis is needed"},
      {[](Graph* g) { g->self_tests[0].inputs.clear(); }, "self-test: 0 tensors for 1 ports"},
      {[](Graph* g) { g->self_tests[0].expected[0].dims[3] = 3; },
       "self-test: the tensor for 'y' has a wrong size or place"},
      {[](Graph* g) { g->self_tests[0].expected[0].offset = 260; },
       "self-test: the tensor for 'y' has a wrong size or place"},
      {[](Graph* g) { g->self_tests[0].rtol = std::nan(""); }, "self-test: its tolerances are no numbers from 0 up"},
      {[](Graph* g) { g->preprocessing[1].tensor = "y"; }, "step clip: there is no input 'y'"},
      {[](Graph* g) { g->postprocessing[0].tensor = "x"; }, "step softmax: there is no output 'x'"},
      {[](Graph* g) {
         g->outputs.push_back(g->outputs[0]);
         g->self_tests.clear();
         g->postprocessing[0].tensor = "";
       },
       "step softmax does not say of which output"},
      {[](Graph* g) { g->preprocessing[0].name = ""; }, "a step's name '' is no word"},
      {[](Graph* g) { g->preprocessing[0].arguments[1].key = "min_percentile"; },
       "step scale_range: the argument min_percentile is given twice"},
      {[](Graph* g) { g->preprocessing[0].arguments[0].value = std::nan(""); },
       "step scale_range: the argument min_percentile is not a number"},
      {[](Graph* g) { *g = Graph(); }, "the model has no inputs and no outputs"},
  };
  for (const Case& c : cases) {
    testing::RandomNetwork n = SmallNetwork();
    ASSERT_TRUE(VerifyGraph(n.graph, n.weights.size()).ok());
    c.change(&n.graph);
    const Status status = VerifyGraph(n.graph, n.weights.size());
    EXPECT_EQ(status.message(), c.message);
    EXPECT_EQ(status.code(), StatusCode::kCorruptFile) << c.message;
    EXPECT_FALSE(SerializeModel(n.graph, n.weights).ok()) << c.message;
  }
}

TEST(ModelFile, SizesWithoutAValueAreNotWritten) {
  testing::RandomNetwork n = SmallNetwork();
  n.graph.values[3].dims[1] = FloorDiv(DimExpr::InputDim(0, 1), 0);
  EXPECT_FALSE(SerializeModel(n.graph, n.weights).ok());
}

TEST(ModelFile, NarrowWeightsDecodeExactly) {
  // All 65536 numbers of each narrow type, against their definitions (IEEE 754 binary16; bfloat16: the upper half of a
  // binary32).
  testing::RandomNetwork n = SmallNetwork();
  n.graph.values[2].dims = {65536};
  n.graph.values[2].bytes = 131072;
  n.graph.nodes[0].inputs = {0, 1};
  n.graph.self_tests.clear();
  n.weights.resize(128 + 131072);
  for (size_t i = 0; i < 65536; ++i) {
    n.weights[128 + 2 * i] = static_cast<std::byte>(i & 0xff);
    n.weights[129 + 2 * i] = static_cast<std::byte>(i >> 8);
  }
  for (const WeightType type : {WeightType::kFloat16, WeightType::kBFloat16}) {
    n.graph.values[2].weight_type = type;
    const auto file = ModelFile::FromBytes(*SerializeModel(n.graph, n.weights), "m.fov");
    ASSERT_TRUE(file.ok()) << file.status().message();
    std::vector<float> storage;
    const std::span<const float> floats = (*file)->Floats((*file)->graph().values[2], &storage);
    ASSERT_EQ(floats.size(), 65536u);
    for (uint32_t i = 0; i < 65536; ++i) {
      double expected = 0;
      if (type == WeightType::kFloat16) {
        const int exponent = static_cast<int>(i >> 10 & 0x1f);
        const double fraction = i & 0x3ff;
        expected = exponent == 0    ? std::ldexp(fraction, -24)
                   : exponent == 31 ? (fraction == 0 ? HUGE_VAL : std::nan(""))
                                    : std::ldexp(1024 + fraction, exponent - 25);
        if ((i & 0x8000) != 0) expected = -expected;
      } else {
        expected = static_cast<double>(std::bit_cast<float>(i << 16));
      }
      const double got = static_cast<double>(floats[i]);
      ASSERT_TRUE(std::isnan(expected) ? std::isnan(got)
                                       : got == expected && std::signbit(got) == std::signbit(expected))
          << i;
    }
  }
}

class ModelOnDisk : public ::testing::Test {
 protected:
  ModelOnDisk() : folder_(std::filesystem::temp_directory_path() / ("fovea_model_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ModelOnDisk() override { std::filesystem::remove_all(folder_); }
  std::string Path(const char* name) const { return (folder_ / name).string(); }
  size_t Files() const {
    const auto entries = std::filesystem::directory_iterator(folder_);
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }
  std::filesystem::path folder_;
};

TEST_F(ModelOnDisk, WrittenByRenamingAndMapped) {
  const testing::RandomNetwork n = SmallNetwork();
  const std::string path = Path("small.fov");
  ASSERT_TRUE(WriteModel(path, n.graph, n.weights).ok());
  ASSERT_TRUE(WriteModel(path, n.graph, n.weights).ok());  // replaces
  EXPECT_EQ(Files(), 1u);
  const auto file = ModelFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ExpectSame((*file)->graph(), n.graph);
  // float32 weights are a view of the mapping.
  std::vector<float> storage;
  const std::span<const float> w = (*file)->Floats((*file)->graph().values[1], &storage);
  EXPECT_TRUE(storage.empty());
  EXPECT_EQ(static_cast<const void*>(w.data()), static_cast<const void*>((*file)->weights().data()));
  EXPECT_EQ(std::memcmp(w.data(), n.weights.data(), 72), 0);
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const Bytes bytes = *SerializeModel(n.graph, n.weights);
  ASSERT_EQ(text.size(), bytes.size());
  EXPECT_EQ(std::memcmp(text.data(), bytes.data(), bytes.size()), 0);
}

TEST_F(ModelOnDisk, FailureLeavesNothingBehind) {
  testing::RandomNetwork n = SmallNetwork();
  EXPECT_EQ(WriteModel(Path("no/such/folder.fov"), n.graph, n.weights).code(), StatusCode::kIo);
  std::filesystem::create_directory(Path("folder.fov"));
  std::ofstream(Path("folder.fov/file")) << "x";
  EXPECT_EQ(WriteModel(Path("folder.fov"), n.graph, n.weights).code(), StatusCode::kIo);  // the rename fails
  EXPECT_EQ(Files(), 1u);
  n.graph.nodes.clear();
  EXPECT_EQ(WriteModel(Path("bad.fov"), n.graph, n.weights).message(),
            Path("bad.fov") + ": value 'y': nothing produces it");
  EXPECT_EQ(Files(), 1u);
}

TEST_F(ModelOnDisk, WhatIsNoModelIsRefused) {
  const auto code = [this](const char* name) { return ModelFile::Open(Path(name)).status().code(); };
  EXPECT_EQ(code("none.fov"), StatusCode::kNotFound);
  std::filesystem::create_directory(Path("folder.fov"));
  EXPECT_EQ(code("folder.fov"), StatusCode::kIo);
  std::ofstream(Path("empty.fov"));
  EXPECT_EQ(code("empty.fov"), StatusCode::kCorruptFile);
  std::ofstream(Path("text.fov")) << std::string(4096, 'x');
  EXPECT_EQ(ModelFile::Open(Path("text.fov")).status().message(),
            Path("text.fov") + ": is not a fovea model: the first bytes are not FOVEA");
}

}  // namespace
}  // namespace fovea
