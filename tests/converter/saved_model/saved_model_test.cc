// SavedModels written by the test: tags, signatures, where they lie, which value belongs to which variable, and what
// hostile ones give.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "archive/zip.h"
#include "converter/saved_model/import.h"
#include "converter/saved_model/tensor.h"
#include "tests/converter/saved_model/support.h"

namespace fovea {
namespace {

using converter::Options;
using converter::ReadSavedModel;
using converter::TfGraph;
using converter::TfTensor;
using testing::AddNode;
using testing::Attr;
using testing::CheckpointWriter;
using testing::Evaluate;
using testing::FindNode;
using testing::MemoryTree;
using testing::SmallModel;
using testing::SmallModelFiles;

Result<TfGraph> Read(MemoryTree tree, const Options& options = {}) {
  std::vector<std::string> warnings;
  return ReadSavedModel(&tree, options, &warnings);
}

Result<TfGraph> ReadModel(const tfproto::SavedModel& model, const Options& options = {}) {
  auto files = SmallModelFiles();
  files["saved_model.pb"] = model.SerializeAsString();
  return Read(MemoryTree(files), options);
}

void ExpectSmallModel(const Result<TfGraph>& graph) {
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->inputs.size(), 1u);
  EXPECT_EQ(graph->inputs[0].name, "x");
  EXPECT_EQ(graph->inputs[0].tensor, "serving_default_x:0");
  ASSERT_EQ(graph->outputs.size(), 1u);
  EXPECT_EQ(graph->outputs[0].name, "y");
  EXPECT_EQ(Evaluate(*graph, graph->outputs[0].tensor, 2), 6.5);  // 3 x + 0.5
}

std::string MessageOf(const Result<TfGraph>& graph) { return graph.status().message(); }

TEST(SavedModel, VariablesBehindNestedCalls) {
  const auto graph = Read(MemoryTree(SmallModelFiles()));
  ExpectSmallModel(graph);
  EXPECT_EQ(graph->source_format, "SavedModel, TensorFlow 2.9.1, signature serving_default");
}

TEST(SavedModel, FoldersFilesAndZips) {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / ("fovea_saved_model_" + std::to_string(getpid()));
  const auto put = [&](const fs::path& path, const std::string& bytes) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << bytes;
  };
  std::vector<testing::ZipEntry> flat, below;
  for (const auto& [name, bytes] : SmallModelFiles()) {
    put("folder/" + name, bytes);
    put("outer/inside/" + name, bytes);
    flat.push_back({name, bytes, true, false});
    below.push_back({"model/" + name, bytes, false, false});
  }
  const std::string zip = testing::WriteZip(flat);
  put("flat.zip", zip);
  put("below.zip", testing::WriteZip(below));
  put("nested.zip",
      testing::WriteZip(
          {{"rdf.yaml", "name: x"}, {"weights.zip", zip}, {"other.zip", testing::WriteZip({{"a", "b"}})}}));
  for (const char* name : {"folder", "folder/saved_model.pb", "outer", "flat.zip", "below.zip", "nested.zip"}) {
    SCOPED_TRACE(name);
    std::vector<std::string> warnings;
    ExpectSmallModel(ReadSavedModel((root / name).string(), {}, &warnings));
    EXPECT_TRUE(warnings.empty());
  }
  put("outer/second/saved_model.pb", "x");
  std::vector<std::string> warnings;
  EXPECT_NE(MessageOf(ReadSavedModel((root / "outer").string(), {}, &warnings)).find("inside/, second/"),
            std::string::npos);
  fs::remove_all(root);
  EXPECT_EQ(Read(MemoryTree(std::map<std::string, std::string>{{"readme.txt", ""}})).status().code(),
            StatusCode::kNotFound);
}

TEST(SavedModel, Tags) {
  tfproto::SavedModel model = SmallModel();
  model.mutable_meta_graphs(0)->mutable_meta_info_def()->set_tags(0, "odd");
  ExpectSmallModel(ReadModel(model));  // the only one
  Options options;
  options.tag = "train";
  EXPECT_NE(MessageOf(ReadModel(model, options)).find("it has odd"), std::string::npos);
  *model.add_meta_graphs() = model.meta_graphs(0);
  model.mutable_meta_graphs(1)->mutable_meta_info_def()->set_tags(0, "train");
  EXPECT_NE(MessageOf(ReadModel(model)).find("odd, train"), std::string::npos) << MessageOf(ReadModel(model));
  ExpectSmallModel(ReadModel(model, options));
  *model.add_meta_graphs() = model.meta_graphs(0);
  model.mutable_meta_graphs(2)->mutable_meta_info_def()->set_tags(0, "serve");
  model.mutable_meta_graphs(0)->mutable_meta_info_def()->add_tags("serve");
  ExpectSmallModel(ReadModel(model));  // exactly "serve" rather than one that also has it
  model.clear_meta_graphs();
  EXPECT_EQ(ReadModel(model).status().code(), StatusCode::kCorruptFile);
}

TEST(SavedModel, Signatures) {
  tfproto::SavedModel model = SmallModel();
  tfproto::MetaGraphDef* meta = model.mutable_meta_graphs(0);
  // Serialised examples, which are strings, are nobody's choice.
  *meta->add_signature_def() = meta->signature_def(0);
  meta->mutable_signature_def(1)->set_key("classify");
  meta->mutable_signature_def(1)->mutable_value()->mutable_inputs(0)->mutable_value()->set_dtype(converter::kTfString);
  meta->mutable_signature_def(0)->set_key("predict");
  ExpectSmallModel(ReadModel(model));
  Options options;
  options.signature = "classify";
  EXPECT_EQ(ReadModel(model, options).status().code(), StatusCode::kUnsupported);
  options.signature = "nothing";
  EXPECT_NE(MessageOf(ReadModel(model, options)).find("classify, predict"), std::string::npos);
  *meta->add_signature_def() = meta->signature_def(0);
  meta->mutable_signature_def(2)->set_key("another");
  EXPECT_NE(MessageOf(ReadModel(model)).find("another, classify, predict"), std::string::npos);
  options.signature = "another";
  ExpectSmallModel(ReadModel(model, options));
  meta->mutable_signature_def(2)->set_key("serving_default");
  ExpectSmallModel(ReadModel(model));
}

TEST(SavedModel, WithoutSignatureTheGraphOrTheUserDecides) {
  tfproto::SavedModel model = SmallModel();
  tfproto::MetaGraphDef* meta = model.mutable_meta_graphs(0);
  meta->clear_signature_def();
  Options options;
  options.outputs = {"StatefulPartitionedCall"};
  const auto named = ReadModel(model, options);
  ASSERT_TRUE(named.ok()) << named.status().message();
  EXPECT_EQ(named->inputs[0].name, "serving_default_x");
  EXPECT_EQ(Evaluate(*named, named->outputs[0].tensor, 2), 6.5);
  // Two ends, the network's and the restore operation's: the user must say which.
  EXPECT_NE(MessageOf(ReadModel(model)).find("StatefulPartitionedCall, StatefulPartitionedCall_1"), std::string::npos)
      << MessageOf(ReadModel(model));
  options.outputs = {"nowhere"};
  EXPECT_FALSE(ReadModel(model, options).ok());
}

// Two layers that share a name: only the graph's restore operations know which value is whose.
TEST(SavedModel, RestoreOperationsBeatNames) {
  tfproto::SavedModel model = SmallModel();
  CheckpointWriter checkpoint;
  checkpoint.AddFloats("scale/.ATTRIBUTES/VARIABLE_VALUE", {}, {3});
  checkpoint.AddFloats("scale", {}, {100});
  checkpoint.AddFloats("shift", {}, {0.5f});
  auto files = checkpoint.Write("variables/variables");
  files["saved_model.pb"] = model.SerializeAsString();
  ExpectSmallModel(Read(MemoryTree(files)));
}

TEST(SavedModel, FullNamesOfTheObjectGraph) {
  tfproto::SavedModel model = SmallModel();
  model.mutable_meta_graphs(0)->clear_saver_def();
  tfproto::TrackableObjectGraph objects;
  auto* scale = objects.add_nodes()->add_attributes();
  scale->set_full_name("scale");
  scale->set_checkpoint_key("layer/scale/.ATTRIBUTES/VARIABLE_VALUE");
  CheckpointWriter checkpoint;
  checkpoint.AddFloats("layer/scale/.ATTRIBUTES/VARIABLE_VALUE", {}, {3});
  checkpoint.AddFloats("shift", {}, {0.5f});
  checkpoint.AddString("_CHECKPOINTABLE_OBJECT_GRAPH", objects.SerializeAsString());
  auto files = checkpoint.Write("variables/variables");
  files["saved_model.pb"] = model.SerializeAsString();
  ExpectSmallModel(Read(MemoryTree(files)));
}

// TensorFlow 1: VariableV2, save/Assign, and a partitioned variable whose halves are variables of their own.
TEST(SavedModel, VariablesOfTensorFlow1) {
  tfproto::SavedModel model;
  tfproto::MetaGraphDef* meta = model.add_meta_graphs();
  meta->mutable_saver_def()->set_restore_op_name("save/restore_all");
  tfproto::GraphDef* graph = meta->mutable_graph_def();
  Attr(AddNode(graph, "x", "Placeholder", {}), "dtype").set_type(converter::kTfFloat);
  for (const char* name : {"w/part_0", "w/part_1", "bias"}) {
    tfproto::NodeDef& node = AddNode(graph, name, "VariableV2", {});
    Attr(node, "dtype").set_type(converter::kTfFloat);
    testing::SetShape(Attr(node, "shape").mutable_shape(), {1});
  }
  AddNode(graph, "bias/read", "Identity", {"bias"});
  AddNode(graph, "mul", "Mul", {"x", "w/part_0"});
  AddNode(graph, "mul2", "Mul", {"mul", "w/part_1"});
  AddNode(graph, "y", "AddV2", {"mul2", "bias/read"});
  testing::SetStrings(AddNode(graph, "save/names", "Const", {}), {"w", "w"});
  testing::SetStrings(AddNode(graph, "save/slices", "Const", {}), {"2 0,1", "2 1,1"});
  AddNode(graph, "save/RestoreV2", "RestoreV2", {"save/Const", "save/names", "save/slices"});
  AddNode(graph, "save/Assign", "Assign", {"w/part_0", "save/RestoreV2"});
  AddNode(graph, "save/Assign_1", "Assign", {"w/part_1", "save/RestoreV2:1"});
  AddNode(graph, "save/restore_all", "NoOp", {"^save/Assign", "^save/Assign_1"});
  CheckpointWriter checkpoint;
  checkpoint.AddFloats("w", {2}, {5, 7});
  checkpoint.AddFloats("bias", {1}, {0.25f});
  auto files = checkpoint.Write("variables/variables");
  files["saved_model.pb"] = model.SerializeAsString();
  const auto graph_read = Read(MemoryTree(files));
  ASSERT_TRUE(graph_read.ok()) << graph_read.status().message();
  EXPECT_EQ(Evaluate(*graph_read, graph_read->outputs[0].tensor, 2), 70.25);
}

TEST(SavedModel, WithoutWeights) {
  auto files = SmallModelFiles();
  MemoryTree tree(std::map<std::string, std::string>{{"saved_model.pb", files["saved_model.pb"]}});
  const auto refused = Read(tree);
  EXPECT_EQ(refused.status().code(), StatusCode::kNotFound);
  EXPECT_NE(MessageOf(refused).find("--no-weights"), std::string::npos);
  EXPECT_NE(MessageOf(refused).find("'scale'"), std::string::npos) << MessageOf(refused);
  Options options;
  options.no_weights = true;
  std::vector<std::string> warnings;
  const auto graph = ReadSavedModel(&tree, options, &warnings);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(Evaluate(*graph, graph->outputs[0].tensor, 2), 0);
  EXPECT_EQ(warnings.size(), 1u);
  // Sizes that the graph leaves open or blows up can't be stood in for.
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{-1}, std::vector<int64_t>{int64_t{1} << 35}}) {
    tfproto::SavedModel model = SmallModel();
    testing::SetShape(
        Attr(*model.mutable_meta_graphs(0)->mutable_graph_def()->mutable_node(1), "shape").mutable_shape(), dims);
    EXPECT_FALSE(ReadModel(model, options).ok());
  }
}

TEST(SavedModel, ValuesThatAreMissingOrOfAnotherShapeAreNamed) {
  MemoryTree tree(SmallModelFiles());
  CheckpointWriter checkpoint;
  checkpoint.AddFloats("shift", {}, {0.5f});
  for (const auto& [name, bytes] : checkpoint.Write("variables/variables")) tree.Set(name, bytes);
  EXPECT_NE(MessageOf(Read(tree)).find("1 of 2 variables: 'scale'"), std::string::npos) << MessageOf(Read(tree));
  checkpoint.AddFloats("scale", {2}, {1, 2});
  for (const auto& [name, bytes] : checkpoint.Write("variables/variables")) tree.Set(name, bytes);
  EXPECT_NE(MessageOf(Read(tree)).find("another shape"), std::string::npos) << MessageOf(Read(tree));
}

TEST(SavedModel, EveryTruncationGivesASentence) {
  const auto files = SmallModelFiles();
  for (const auto& [name, bytes] : files) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      MemoryTree tree(files);
      tree.at(name).resize(size);
      const auto graph = Read(tree);
      // Protobuf messages may end after any field; then what is left must still make sense or be refused.
      if (name != "saved_model.pb") {
        EXPECT_FALSE(graph.ok()) << name << " " << size;
      }
      if (!graph.ok()) {
        EXPECT_EQ(MessageOf(graph).find('\n'), std::string::npos);
      }
    }
  }
}

TEST(FrozenGraph, PortsGuessedNamedOrListed) {
  const auto read = [](const tfproto::GraphDef& graph, const Options& options = {}) -> Result<TfGraph> {
    MemoryTree tree(std::map<std::string, std::string>{{"g.pb", graph.SerializeAsString()}});
    FOVEA_ASSIGN_OR_RETURN(const auto source, tree.Open("g.pb"));
    return converter::ReadFrozenGraph(source.get(), options);
  };
  tfproto::GraphDef graph;
  tfproto::NodeDef& x = AddNode(&graph, "x", "Placeholder", {});
  Attr(x, "dtype").set_type(converter::kTfFloat);
  testing::SetShape(Attr(x, "shape").mutable_shape(), {-1, 4});
  Attr(AddNode(&graph, "unused", "Placeholder", {}), "dtype").set_type(converter::kTfFloat);
  AddNode(&graph, "y", "Neg", {"x"});
  const auto guessed = read(graph);
  ASSERT_TRUE(guessed.ok()) << guessed.status().message();
  ASSERT_EQ(guessed->inputs.size(), 1u);
  EXPECT_EQ(guessed->inputs[0].name, "x");
  EXPECT_EQ(guessed->inputs[0].shape.dims, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(guessed->outputs[0].name, "y");
  AddNode(&graph, "z", "Identity", {"y"});
  AddNode(&graph, "accuracy", "Mul", {"y", "unused"});
  EXPECT_NE(MessageOf(read(graph)).find("placeholders: x, unused; ends of the graph: z, accuracy"), std::string::npos)
      << MessageOf(read(graph));
  Options options;
  options.outputs = {"y:0"};
  const auto named = read(graph, options);
  ASSERT_TRUE(named.ok()) << named.status().message();
  EXPECT_EQ(named->outputs[0].name, "y");
  EXPECT_EQ(named->inputs.size(), 1u);
  options.inputs = {"y"};
  options.outputs = {"z"};
  const auto cut = read(graph, options);
  ASSERT_TRUE(cut.ok()) << cut.status().message();
  EXPECT_EQ(cut->nodes.size(), 2u);
  EXPECT_EQ(FindNode(*cut, "y")->op, "Placeholder");
  options.inputs = {"nowhere"};
  EXPECT_EQ(read(graph, options).status().code(), StatusCode::kNotFound);
  AddNode(&graph, "w", "VariableV2", {});
  AddNode(&graph, "p", "Mul", {"x", "w"});
  options.inputs = {"x"};
  options.outputs = {"p"};
  EXPECT_NE(MessageOf(read(graph, options)).find("not frozen"), std::string::npos);
  EXPECT_FALSE(read(tfproto::GraphDef()).ok());
}

TEST(Sniffing, ByContent) {
  const auto head = [](const std::string& s) {
    return std::vector<unsigned char>(s.begin(), s.begin() + static_cast<int64_t>(std::min<size_t>(s.size(), 64)));
  };
  const std::string model = SmallModel().SerializeAsString();
  tfproto::GraphDef graph;
  AddNode(&graph, "x", "Placeholder", {});
  const std::string frozen = graph.SerializeAsString();
  const std::string zip = testing::WriteZip({{"a", "b"}});
  const std::string onnx = "\x08\x01\x12\x07pytorch";
  for (const std::string& s : {model, frozen, zip, onnx, std::string(), std::string("\x08\x01\x12", 3)}) {
    EXPECT_EQ(converter::LooksLikeSavedModel(head(s)), s == model);
    EXPECT_EQ(converter::LooksLikeGraphDef(head(s)), s == frozen);
    EXPECT_EQ(converter::LooksLikeZip(head(s)), s == zip);
  }
}

}  // namespace
}  // namespace fovea
