// fovea-convert as its users meet it.
#include <filesystem>
#include <fstream>
#include <set>

#include "converter/onnx/onnx.pb.h"
#include "tests/converter/saved_model/support.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

class ConvertTest : public ProgramTest {
 protected:
  void WriteModel(const tfproto::SavedModel& model) {
    std::filesystem::create_directories(scratch_ / "model");
    std::ofstream(scratch_ / "model/saved_model.pb", std::ios::binary) << model.SerializeAsString();
  }
};

ProcessResult Convert(std::vector<std::string> words) {
  words.insert(words.begin(), kConvert);
  return RunProcess(words);
}

// relu(pool(batch_norm(dropout(x)))) minus its mean over the image, behind an Identity and an Assert.
tfproto::SavedModel ReportedModel() {
  tfproto::SavedModel model;
  model.set_saved_model_schema_version(1);
  tfproto::MetaGraphDef* meta = model.add_meta_graphs();
  meta->mutable_meta_info_def()->add_tags("serve");
  meta->mutable_meta_info_def()->set_tensorflow_version("2.9.1");
  tfproto::GraphDef* graph = meta->mutable_graph_def();
  const auto add = [&](const char* name, const char* op, const std::vector<std::string>& inputs) -> tfproto::NodeDef& {
    return AddNode(graph, name, op, inputs);
  };
  const auto floats = [&](const char* name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    SetFloats(add(name, "Const", {}), dims, values);
  };
  Attr(add("x", "Placeholder", {}), "dtype").set_type(1);
  SetBool(add("fine", "Const", {}), true);
  add("assert", "Assert", {"fine", "x"});
  add("same", "Identity", {"x", "^assert"});
  add("uniform", "RandomUniform", {"shape"});
  add("shape", "Shape", {"same"});
  floats("keep", {}, {0.5f});
  add("sum", "Add", {"keep", "uniform"});
  add("floor", "Floor", {"sum"});
  add("scaled", "RealDiv", {"same", "keep"});
  add("dropout", "Mul", {"scaled", "floor"});
  floats("gamma", {3}, {1, 2, 3});
  floats("beta", {3}, {0.5f, 1, 2});
  floats("average", {3}, {0, 1, 0});
  floats("variance", {3}, {1, 2, 1});
  tfproto::NodeDef& norm = add("norm", "FusedBatchNorm", {"dropout", "gamma", "beta", "average", "variance"});
  Attr(norm, "is_training").set_b(false);
  Attr(norm, "epsilon").set_f(0.001f);
  tfproto::NodeDef& axes = add("axes", "Const", {});
  Attr(axes, "dtype").set_type(3);
  tfproto::TensorProto* numbers = Attr(axes, "value").mutable_tensor();
  numbers->set_dtype(3);
  SetShape(numbers->mutable_tensor_shape(), {2});
  for (const int32_t v : {1, 2}) numbers->add_int_val(v);
  tfproto::NodeDef& pool = add("pool", "MaxPool", {"norm"});
  for (const char* list : {"ksize", "strides"}) {
    for (const int64_t v : {1, 2, 2, 1}) Attr(pool, list).mutable_list()->add_i(v);
  }
  Attr(pool, "padding").set_s("VALID");
  tfproto::NodeDef& mean = add("mean", "Mean", {"relu", "axes"});
  Attr(mean, "keep_dims").set_b(true);
  add("y", "Sub", {"relu", "mean"});
  add("relu", "Relu", {"pool"});
  tfproto::SignatureEntry* entry = meta->add_signature_def();
  entry->set_key("serving_default");
  for (const bool input : {true, false}) {
    tfproto::SignatureDef* signature = entry->mutable_value();
    tfproto::TensorInfoEntry* port = input ? signature->add_inputs() : signature->add_outputs();
    port->set_key(input ? "x" : "y");
    port->mutable_value()->set_name(input ? "x:0" : "y:0");
    port->mutable_value()->set_dtype(1);
    SetShape(port->mutable_value()->mutable_tensor_shape(), {1, -1, -1, 3});
  }
  return model;
}

TEST_F(ConvertTest, ReportsWhatItDid) {
  const ProcessResult r = Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  for (const char* part : {"ONNX", "'image'", "'probability'", "multiple of 8", "content hash", "receptive field"}) {
    EXPECT_NE(r.out.find(part), std::string::npos) << part << "\n" << r.out;
  }
  const ProcessResult json = Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov", "--json"});
  const auto report = nlohmann::json::parse(json.out);
  EXPECT_GT(report["passes"].size(), 3u);
  EXPECT_EQ(report["inputs"][0]["name"], "image");
}

// Everything that the report promises, for a network with a hidden dropout, a batch norm and a mean over the image.
TEST_F(ConvertTest, TheReportIsComplete) {
  WriteModel(ReportedModel());
  const ProcessResult r = Convert({scratch_ / "model", "-o", scratch_ / "m.fov", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto report = nlohmann::json::parse(r.out);
  EXPECT_EQ(report["source"], "SavedModel, TensorFlow 2.9.1, signature serving_default");
  EXPECT_EQ(report["signature"], "serving_default");
  EXPECT_EQ(report["tag"], "serve");
  EXPECT_EQ(report["inputs"][0]["name"], "x");
  EXPECT_EQ(report["inputs"][0]["axes"], "byxc");
  EXPECT_EQ(report["inputs"][0]["rules"][1], (nlohmann::json{{"min", 2}, {"step", 1}}));
  EXPECT_EQ(report["outputs"][0]["name"], "y");
  EXPECT_EQ(report["parameters"], 3 + 3);  // scale and offset of the batch norm
  EXPECT_EQ(report["recognised"]["batch normalisation"], 1);
  EXPECT_EQ(report["recognised"]["live dropout"], 1);
  EXPECT_EQ(report["dropped"]["Identity"], 1);
  EXPECT_EQ(report["dropped"]["Assert"], 1);
  EXPECT_GE(report["operators"]["folded"], 1);
  EXPECT_GE(report["operators"]["in_file"], 10);
  EXPECT_GE(report["operators"]["imported"], report["operators"]["emitted"]);
  std::set<std::string> passes;
  for (const auto& pass : report["passes"]) passes.insert(pass["pass"].get<std::string>());
  EXPECT_TRUE(passes.count("layout") == 1 && passes.count("fuse_normalization") == 1);
  EXPECT_EQ(report["tiling"]["exact"], false);
  ASSERT_EQ(report["tiling"]["whole_image"].size(), 1u);
  EXPECT_NE(report["tiling"]["whole_image"][0].get<std::string>().find("'mean' (reduce): over y, x"),
            std::string::npos);
  EXPECT_EQ(report["receptive_fields"][0]["sides"][0]["unbounded"], true);
  EXPECT_EQ(report["warnings"].size(), 1u);
  EXPECT_EQ(report["file_bytes"], std::filesystem::file_size(scratch_ / "m.fov"));
  EXPECT_EQ(report["content_hash"].get<std::string>().size(), 32u);
  EXPECT_GT(report["seconds"], 0);
  // The file says of itself what tiling depends on.
  const auto info = nlohmann::json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
  EXPECT_EQ(info["properties"]["whole_image"], report["tiling"]["whole_image"][0]);
  // In words, too.
  const ProcessResult text = Convert({scratch_ / "model", "-o", scratch_ / "m.fov"});
  for (const char* part : {"live dropout: 1", "batch normalisation: 1", "Assert 1", "not possible", "folded", "hash"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
  EXPECT_NE(text.err.find("--dropout=seed:N"), std::string::npos) << text.err;
}

TEST_F(ConvertTest, EveryUnsupportedNodeWithItsAttributesAndAWayOut) {
  tfproto::SavedModel model = ReportedModel();
  tfproto::GraphDef* graph = model.mutable_meta_graphs(0)->mutable_graph_def();
  tfproto::NodeDef& sorted = AddNode(graph, "sorted", "TopKV2", {"x"});
  Attr(sorted, "sorted").set_b(true);
  AddNode(graph, "misspelt", "Conv2DD", {"sorted"});
  AddNode(graph, "total", "AddV2", {"misspelt", "y"});
  model.mutable_meta_graphs(0)
      ->mutable_signature_def(0)
      ->mutable_value()
      ->mutable_outputs(0)
      ->mutable_value()
      ->set_name("total:0");
  WriteModel(model);
  const ProcessResult r = Convert({scratch_ / "model", "-o", scratch_ / "m.fov", "--json"});
  EXPECT_EQ(r.exit_code, 2);
  const auto report = nlohmann::json::parse(r.out);
  ASSERT_EQ(report["unsupported"].size(), 2u) << r.err;
  const auto& first = report["unsupported"][0];
  EXPECT_EQ(first["name"], "sorted");
  EXPECT_EQ(first["op"], "TopKV2");
  EXPECT_EQ(first["attributes"], "sorted=true");
  EXPECT_EQ(first["alternative"], "ArgMax and ReduceMax are supported");
  EXPECT_EQ(report["unsupported"][1]["alternative"], "the nearest that it has is Conv2D");
  for (const char* part : {"sorted=true", "Conv2D", "'misspelt'"}) EXPECT_NE(r.err.find(part), std::string::npos);
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"model"});
}

TEST_F(ConvertTest, GraphsAfterAnyPass) {
  for (const char* pass : {"import", "layout", "fuse_activation", "fold_constants"}) {
    const ProcessResult r = Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov", "-q", "--dump-ir", pass});
    EXPECT_EQ(r.exit_code, 0);
    EXPECT_NE(r.err.find(std::string("# after ") + pass + "\n"), std::string::npos) << pass;
  }
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "o.fov", "--dump-ir", "nothing"}), 2,
              {"nothing", "layout"});
}

TEST_F(ConvertTest, WeightsThatAFileLacks) {
  WriteModel(ReportedModel());
  const std::string model = scratch_ / "model";
  EXPECT_EQ(Convert({model, "-o", scratch_ / "a.fov", "--random-weights", "1", "-q"}).exit_code, 0);
  EXPECT_EQ(Convert({model, "-o", scratch_ / "b.fov", "--no-weights", "-q"}).exit_code, 0);
  const ProcessResult plan = Run({"plan", scratch_ / "b.fov", "--size", "512x512"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  ExpectError(Convert({model, "-o", scratch_ / "c.fov", "--random-weights", "one"}), 2, {"'one'"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "c.fov", "--no-weights"}), 2, {"ONNX"});
}

TEST_F(ConvertTest, SameFileGivesSameBytes) {
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "a.fov", "-q"}).exit_code, 0);
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "b.fov", "-q"}).exit_code, 0);
  auto bytes = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  };
  EXPECT_EQ(bytes(scratch_ / "a.fov"), bytes(scratch_ / "b.fov"));
}

TEST_F(ConvertTest, ComparesTwoFilesOfANetwork) {
  const ProcessResult same = Convert({kSample + "/nuclei.onnx", "--compare", kSample + "/nuclei.onnx", "--json"});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(nlohmann::json::parse(same.out)["outputs"][0]["max_difference"], 0.0);
  // Signs of a hundred weights in the middle of the file flipped: another network.
  std::ifstream in(kSample + "/nuclei.onnx", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (size_t i = 0; i < 400; ++i) bytes[bytes.size() / 2 + i] = static_cast<char>(bytes[bytes.size() / 2 + i] ^ 0x80);
  std::ofstream(scratch_ / "changed.onnx", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const ProcessResult changed = Convert({kSample + "/nuclei.onnx", "--compare", scratch_ / "changed.onnx"});
  EXPECT_EQ(changed.exit_code, 1) << changed.out << changed.err;
  ExpectError(Convert({kSample + "/nuclei.onnx", "--compare", scratch_ / "none.onnx"}), 2, {"none.onnx"});
}

// p = maxpool(x), q = sqrt(x), which is NaN where x is negative: as ONNX, channels first and of open size ...
void WritePooledOnnx(const std::string& path) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  onnx::GraphProto* graph = model.mutable_graph();
  onnx::ValueInfoProto* x = graph->add_input();
  x->set_name("x");
  x->mutable_type()->mutable_tensor_type()->set_elem_type(1);
  for (const int64_t size : {1, 2, 0, 0}) {
    auto* dim = x->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim();
    if (size > 0) dim->set_dim_value(size);
  }
  onnx::NodeProto* pool = graph->add_node();
  pool->set_op_type("MaxPool");
  for (const char* name : {"kernel_shape", "strides"}) {
    onnx::AttributeProto* attribute = pool->add_attribute();
    attribute->set_name(name);
    for (const int64_t size : {2, 2}) attribute->add_ints(size);
  }
  pool->add_input("x");
  pool->add_output("p");
  onnx::NodeProto* root = graph->add_node();
  root->set_op_type("Sqrt");
  root->add_input("x");
  root->add_output("q");
  for (const char* name : {"q", "p"}) graph->add_output()->set_name(name);
  std::ofstream(path, std::ios::binary) << model.SerializeAsString();
}

// ... and as TensorFlow has it, channels last, of fixed size, with the outputs in another order. With `rectified`, q is
// 0 where it should be NaN.
tfproto::SavedModel PooledSavedModel(bool rectified) {
  tfproto::SavedModel model = ReportedModel();
  tfproto::MetaGraphDef* meta = model.mutable_meta_graphs(0);
  tfproto::GraphDef* graph = meta->mutable_graph_def();
  graph->clear_node();
  Attr(AddNode(graph, "x", "Placeholder", {}), "dtype").set_type(1);
  tfproto::NodeDef& pool = AddNode(graph, "p", "MaxPool", {"x"});
  for (const char* list : {"ksize", "strides"}) {
    for (const int64_t v : {1, 2, 2, 1}) Attr(pool, list).mutable_list()->add_i(v);
  }
  Attr(pool, "padding").set_s("VALID");
  AddNode(graph, "relu", "Relu", {"x"});
  AddNode(graph, "q", "Sqrt", {rectified ? "relu" : "x"});
  tfproto::SignatureDef* signature = meta->mutable_signature_def(0)->mutable_value();
  SetShape(signature->mutable_inputs(0)->mutable_value()->mutable_tensor_shape(), {1, 12, 6, 2});
  signature->clear_outputs();
  for (const char* name : {"p", "q"}) {
    tfproto::TensorInfoEntry* port = signature->add_outputs();
    port->set_key(name);
    port->mutable_value()->set_name(std::string(name) + ":0");
    port->mutable_value()->set_dtype(1);
  }
  return model;
}

// Matched by name, at the sizes that one of them fixes; values that are no numbers are compared, too.
TEST_F(ConvertTest, ComparesAcrossFormatsSizesAndOrders) {
  WritePooledOnnx(scratch_ / "m.onnx");
  for (const bool rectified : {false, true}) {
    WriteModel(PooledSavedModel(rectified));
    for (const bool swapped : {false, true}) {
      const std::string a = scratch_ / "m.onnx", b = scratch_ / "model";
      const ProcessResult r = Convert({swapped ? b : a, "--compare", swapped ? a : b, "--json"});
      ASSERT_EQ(r.exit_code, rectified ? 1 : 0) << r.out << r.err;
      const auto outputs = nlohmann::json::parse(r.out)["outputs"];
      ASSERT_EQ(outputs.size(), 2u);
      for (const auto& output : outputs) {
        EXPECT_EQ(output["output"], output["other"]);
        EXPECT_GT(output["range"].get<double>(), 0.5);
        EXPECT_EQ(output["passed"], !rectified || output["output"] == "p");
      }
    }
  }
}

// Networks that were published in two files: by two exporters, as a folder and as a zip.
TEST_F(ConvertTest, ComparesPublishedPairs) {
  const std::string models = std::string(FOVEA_SHARED_DIR) + "/models/";
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "no ../shared";
  const std::pair<std::string, std::string> pairs[] = {
      {"onnx-superres-espcn-op10/model.onnx", "onnx-superres-espcn-op10/alt_opset11_depthtospace.onnx"},
      {"onnx-superres-espcn-op10/model.onnx", "onnx-superres-espcn-op10/legacy_ir1_no_opset.onnx"},
      {"sm1-n2v2d-fiji/saved_model", "sm1-n2v2d-fiji/bundle.zip"},
      {"sm1-care2d-residual/saved_model", "sm1-care2d-residual/TF_SavedModel.zip"}};
  for (const auto& [one, other] : pairs) {
    const ProcessResult r = Convert({models + one, "--compare", models + other, "--json"});
    ASSERT_EQ(r.exit_code, 0) << r.out << r.err;
    const auto output = nlohmann::json::parse(r.out)["outputs"][0];
    EXPECT_LT(output["max_difference"].get<double>(), 1e-5 * output["range"].get<double>()) << other;
    EXPECT_GT(output["range"].get<double>(), 0) << other;
  }
}

TEST_F(ConvertTest, HalfWeightsAreHalfTheSize) {
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "f32.fov", "-q"}).exit_code, 0);
  for (const char* type : {"f16", "bf16"}) {
    ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "half.fov", "--weights", type, "-q"}).exit_code, 0);
    EXPECT_LT(static_cast<double>(std::filesystem::file_size(scratch_ / "half.fov")),
              0.6 * static_cast<double>(std::filesystem::file_size(scratch_ / "f32.fov")));
    EXPECT_EQ(Run({"info", scratch_ / "half.fov"}).exit_code, 0);
  }
}

TEST_F(ConvertTest, FixedSizesAreKept) {
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov", "--size", "image=1x1x64x?", "-q"}).exit_code,
            0);
  const auto info = nlohmann::json::parse(Run({"info", scratch_ / "n.fov", "--json"}).out);
  EXPECT_EQ(info["inputs"][0]["dims"][1], 64);
  EXPECT_EQ(info["inputs"][0]["dims"][2], -1);
}

TEST_F(ConvertTest, WrongFilesAndWords) {
  const std::string out = scratch_ / "o.fov";
  ExpectError(Convert({scratch_ / "none.onnx", "-o", out}), 2, {"none.onnx"});
  ExpectError(Convert({kSample + "/nuclei.tif", "-o", out}), 2, {"nuclei.tif"});
  ExpectError(Convert({kSample + "/nuclei.onnx"}), 2, {"-o OUT.fov"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--weights", "f8"}), 2, {"f8", "bf16"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--size", "image=big"}), 2, {"image=big"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--size", "picture=1x1x8x8"}), 2, {"picture"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--size", "image=1x?x64x64"}), 2,
              {"the model fixes axis 1 at 1", "can't be opened"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--axes", "picture=bcyx"}), 2, {"picture"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--set", "picture=1"}), 2, {"picture"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--test-input", kSample + "/input.npy"}), 2,
              {"--test-output"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "no/folder/o.fov"}), 2, {"o.fov"});
  std::ofstream(scratch_ / "empty.onnx").close();
  ExpectError(Convert({scratch_ / "empty.onnx", "-o", out}), 2, {"empty.onnx"});
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"empty.onnx"});
}

TEST_F(ConvertTest, TruncatedFilesLeaveNothing) {
  std::ifstream in(kSample + "/nuclei.onnx", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (const size_t size : {size_t{1}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(scratch_ / "cut.onnx", std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(size));
    ExpectError(Convert({scratch_ / "cut.onnx", "-o", scratch_ / "o.fov"}), 2, {"cut.onnx"});
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"cut.onnx"});
  }
}

}  // namespace
}  // namespace fovea::testing
