// Writes the seeds of the SavedModel, GraphDef, variables and zip fuzz targets: small files of our own that reach most
// of the readers' branches. usage: make_tensorflow_corpus CORPUS_DIR
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/converter/saved_model/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

void Save(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class GraphMaker {
 public:
  tfproto::GraphDef graph;

  tfproto::NodeDef& Op(const std::string& name, const std::string& op, const std::vector<std::string>& inputs) {
    return AddNode(&graph, name, op, inputs);
  }
  void Image(const std::string& name) {
    tfproto::NodeDef& node = Op(name, "Placeholder", {});
    Attr(node, "dtype").set_type(1);
    SetShape(Attr(node, "shape").mutable_shape(), {-1, -1, -1, 2});
  }
  void Floats(const std::string& name, const std::vector<int64_t>& dims) {
    size_t count = 1;
    for (const int64_t d : dims) count *= static_cast<size_t>(d);
    SetFloats(Op(name, "Const", {}), dims, std::vector<float>(count, 0.5f));
  }
  void Integers(const std::string& name, const std::vector<int32_t>& values, bool scalar = false) {
    tfproto::NodeDef& node = Op(name, "Const", {});
    Attr(node, "dtype").set_type(3);
    tfproto::TensorProto* tensor = Attr(node, "value").mutable_tensor();
    tensor->set_dtype(3);
    if (scalar) {
      tensor->mutable_tensor_shape();
    } else {
      SetShape(tensor->mutable_tensor_shape(), {static_cast<int64_t>(values.size())});
    }
    for (const int32_t v : values) tensor->add_int_val(v);
  }
  static void List(tfproto::NodeDef& node, const char* name, const std::vector<int64_t>& values) {
    for (const int64_t v : values) Attr(node, name).mutable_list()->add_i(v);
  }
  void Window(const std::string& name, const std::string& op, const std::vector<std::string>& inputs, int64_t stride,
              const char* padding) {
    tfproto::NodeDef& node = Op(name, op, inputs);
    List(node, "strides", {1, stride, stride, 1});
    if (op == "MaxPool") List(node, "ksize", {1, 2, 2, 1});
    Attr(node, "padding").set_s(padding);
  }
};

// A U-Net with a transposed convolution whose size is computed, batch norm, and a resize.
tfproto::GraphDef UNet() {
  GraphMaker m;
  m.Image("x");
  m.Floats("w", {3, 3, 2, 4});
  m.Floats("b", {4});
  m.Window("conv", "Conv2D", {"x", "w"}, 1, "SAME");
  m.Op("bias", "BiasAdd", {"conv", "b"});
  Attr(m.Op("norm", "FusedBatchNormV3", {"bias", "b", "b", "b", "b"}), "is_training").set_b(false);
  m.Op("relu", "Relu", {"norm"});
  m.Window("pool", "MaxPool", {"relu"}, 2, "SAME");
  m.Op("shape", "Shape", {"relu"});
  m.Integers("zero", {0});
  m.Integers("one", {1});
  m.Integers("three", {3});
  m.Integers("four", {4}, true);
  Attr(m.Op("n", "StridedSlice", {"shape", "zero", "one", "one"}), "shrink_axis_mask").set_i(1);
  m.Op("hw", "StridedSlice", {"shape", "one", "three", "one"});
  Attr(m.Op("h", "StridedSlice", {"hw", "zero", "one", "one"}), "shrink_axis_mask").set_i(1);
  m.Integers("two", {2});
  Attr(m.Op("v", "StridedSlice", {"hw", "one", "two", "one"}), "shrink_axis_mask").set_i(1);
  Attr(m.Op("size", "Pack", {"n", "h", "v", "four"}), "N").set_i(4);
  m.Floats("wt", {2, 2, 4, 4});
  m.Window("up", "Conv2DBackpropInput", {"size", "wt", "pool"}, 2, "SAME");
  m.Integers("axis", {3}, true);
  Attr(m.Op("joined", "ConcatV2", {"up", "relu", "axis"}), "N").set_i(2);
  m.Op("resized", "ResizeBilinear", {"joined", "hw"});
  m.Op("y", "Sigmoid", {"resized"});
  return m.graph;
}

// Idioms: instance norm from means, leaky relu as a maximum, upsampling by tiles, dilation by blocks, live dropout, and
// a branch on a flag.
tfproto::GraphDef Idioms() {
  GraphMaker m;
  m.Image("x");
  m.Integers("axes", {1, 2});
  for (const char* name : {"mean", "variance"}) {
    Attr(m.Op(name, "Mean", {name == std::string("mean") ? "x" : "squares", "axes"}), "keep_dims").set_b(true);
  }
  m.Op("squares", "SquaredDifference", {"x", "mean"});
  SetFloats(m.Op("small", "Const", {}), {}, {0.001f});
  m.Op("shifted", "AddV2", {"variance", "small"});
  m.Op("inverse", "Rsqrt", {"shifted"});
  m.Op("centred", "Sub", {"x", "mean"});
  m.Op("normal", "Mul", {"centred", "inverse"});
  m.Op("less", "Mul", {"normal", "small"});
  m.Op("leaky", "Maximum", {"normal", "less"});
  m.Integers("block", {2, 2});
  for (const bool pads : {true, false}) {  // [2,2] of one number
    m.Integers(pads ? "pads" : "crops", {pads ? 2 : 0});
    auto* value = Attr(*m.graph.mutable_node(m.graph.node_size() - 1), "value").mutable_tensor();
    SetShape(value->mutable_tensor_shape(), {2, 2});
  }
  m.Floats("w", {3, 3, 2, 2});
  m.Op("blocks", "SpaceToBatchND", {"leaky", "block", "pads"});
  m.Window("conv", "Conv2D", {"blocks", "w"}, 1, "VALID");
  m.Op("image", "BatchToSpaceND", {"conv", "block", "crops"});
  m.Op("shape", "Shape", {"image"});
  m.Op("uniform", "RandomUniform", {"shape"});
  SetFloats(m.Op("keep", "Const", {}), {}, {0.5f});
  m.Op("sum", "Add", {"keep", "uniform"});
  m.Op("floor", "Floor", {"sum"});
  m.Op("scaled", "RealDiv", {"image", "keep"});
  m.Op("dropped", "Mul", {"scaled", "floor"});
  SetBool(m.Op("no", "Const", {}), false);
  Attr(m.Op("keras_learning_phase", "PlaceholderWithDefault", {"no"}), "dtype").set_type(10);
  m.Op("switch", "Switch", {"dropped", "keras_learning_phase"});
  m.Op("tanh", "Tanh", {"switch:1"});
  Attr(m.Op("merge", "Merge", {"switch", "tanh"}), "N").set_i(2);
  m.Integers("split", {-1, 4, 1, 4, 1, 2});
  m.Integers("repeats", {1, 1, 2, 1, 2, 1});
  m.Integers("wide", {-1, 8, 8, 2});
  m.Op("narrow", "Reshape", {"merge", "split"});
  m.Op("tiled", "Tile", {"narrow", "repeats"});
  m.Op("y", "Reshape", {"tiled", "wide"});
  return m.graph;
}

tfproto::SavedModel Saved(const tfproto::GraphDef& graph) {
  tfproto::SavedModel model = SmallModel();
  tfproto::MetaGraphDef* meta = model.mutable_meta_graphs(0);
  *meta->mutable_graph_def() = graph;
  meta->mutable_signature_def(0)->mutable_value()->mutable_inputs(0)->mutable_value()->set_name("x:0");
  SetShape(meta->mutable_signature_def(0)->mutable_value()->mutable_inputs(0)->mutable_value()->mutable_tensor_shape(),
           {-1, 4, 4, 2});
  meta->mutable_signature_def(0)->mutable_value()->mutable_outputs(0)->mutable_value()->set_name("y:0");
  return model;
}

void WriteAll(const fs::path& corpus) {
  Save(corpus / "graph_def" / "unet.pb", UNet().SerializeAsString());
  Save(corpus / "graph_def" / "idioms.pb", Idioms().SerializeAsString());
  Save(corpus / "saved_model" / "functions.pb", SmallModel().SerializeAsString());
  Save(corpus / "saved_model" / "unet.pb", Saved(UNet()).SerializeAsString());
  Save(corpus / "saved_model" / "idioms.pb", Saved(Idioms()).SerializeAsString());

  CheckpointWriter checkpoint(1);
  checkpoint.AddFloats("weights", {2, 2}, {1, 2, 3, 4});
  checkpoint.AddString("text", "hello");
  auto& whole = checkpoint.AddSliced("sliced", {4, 2});
  (void)whole;
  for (const bool snappy : {false, true}) {
    const std::string index = checkpoint.Write("v", snappy).at("v.index");
    const std::string name = snappy ? "snappy" : "stored";
    Save(corpus / "variables" / name, std::string(1, '\0') + index);
    // Its first block alone, which the target wraps: up to the five bytes behind it.
    Save(corpus / "variables" / (name + "_block"), std::string(1, snappy ? '\3' : '\1') + index.substr(0, 160));
  }
  std::vector<ZipEntry> entries;
  for (const auto& [name, bytes] : SmallModelFiles("model/")) entries.push_back({name, bytes, entries.size() % 2 == 0});
  const std::string zip = WriteZip(entries);
  Save(corpus / "zip" / "model.zip", zip);
  Save(corpus / "zip" / "inner.zip", WriteZip({{"readme.txt", "inside"}, {"inner.zip", zip, false}}));
}

}  // namespace
}  // namespace fovea::testing

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s CORPUS_DIR\n", argv[0]), 2;
  fovea::testing::WriteAll(argv[1]);
  return 0;
}
