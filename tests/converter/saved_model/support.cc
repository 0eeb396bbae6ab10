#include "tests/converter/saved_model/support.h"

#include <leveldb/env.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>
#include <zip.h>

#include <cstring>
#include <stdexcept>

#include "converter/saved_model/tensor.h"

namespace fovea::testing {

namespace {

class MemoryFile : public archive::ByteSource {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  Status Read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return Internal("read beyond the end");
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return OkStatus();
  }

 private:
  std::string bytes_;
};

class StringFile : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& data) override {
    text.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
  std::string text;
};

void Check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

}  // namespace

MemoryTree::MemoryTree(std::map<std::string, std::string> contents) : contents_(std::move(contents)) {
  for (const auto& [name, bytes] : contents_) names_.push_back(name);
}

Result<std::unique_ptr<archive::ByteSource>> MemoryTree::Open(const std::string& name) {
  const auto file = contents_.find(name);
  if (file == contents_.end()) return NotFound(name + ": no such file");
  return std::unique_ptr<archive::ByteSource>(new MemoryFile(file->second));
}

void MemoryTree::Set(const std::string& name, std::string bytes) {
  std::map<std::string, std::string> contents = contents_;
  contents[name] = std::move(bytes);
  *this = MemoryTree(std::move(contents));
}

void MemoryTree::Remove(const std::string& name) {
  std::map<std::string, std::string> contents = contents_;
  contents.erase(name);
  *this = MemoryTree(std::move(contents));
}

uint32_t PlainCrc32c(const std::string& bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
  }
  return ~crc;
}

uint32_t PlainMask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

std::string WriteTable(const std::map<std::string, std::string>& entries, bool snappy, size_t block_bytes) {
  leveldb::Options options;
  options.compression = snappy ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  options.block_size = block_bytes;
  StringFile file;
  leveldb::TableBuilder builder(options, &file);
  for (const auto& [key, value] : entries) builder.Add(key, value);
  Check(builder.Finish().ok(), "leveldb's table builder");
  return file.text;
}

CheckpointWriter::CheckpointWriter(int shard_count, bool big_endian)
    : shards(static_cast<size_t>(shard_count)), big_endian_(big_endian) {}

tfproto::BundleEntryProto& CheckpointWriter::Add(const std::string& key, int dtype, const std::vector<int64_t>& dims,
                                                 const std::string& bytes, int shard) {
  tfproto::BundleEntryProto& entry = entries[key];
  std::string& data = shards[static_cast<size_t>(shard)];
  entry.set_dtype(dtype);
  SetShape(entry.mutable_shape(), dims);
  entry.set_shard_id(shard);
  entry.set_offset(static_cast<int64_t>(data.size()));
  entry.set_size(static_cast<int64_t>(bytes.size()));
  entry.set_crc32c(PlainMask(PlainCrc32c(bytes)));
  data += bytes;
  return entry;
}

void CheckpointWriter::AddFloats(const std::string& key, const std::vector<int64_t>& dims,
                                 const std::vector<float>& values, int shard) {
  Add(key, converter::kTfFloat, dims, Bytes(values, big_endian_), shard);
}

tfproto::BundleEntryProto& CheckpointWriter::AddSliced(const std::string& key, const std::vector<int64_t>& dims) {
  tfproto::BundleEntryProto& entry = entries[key];
  entry.set_dtype(converter::kTfFloat);
  SetShape(entry.mutable_shape(), dims);
  return entry;
}

void CheckpointWriter::AddString(const std::string& key, const std::string& text) {
  Check(text.size() < 128, "one byte of length");
  const std::string length = Bytes<uint32_t>({static_cast<uint32_t>(text.size())}, big_endian_);
  const std::string length_crc = Bytes<uint32_t>({PlainMask(PlainCrc32c(length))}, big_endian_);
  tfproto::BundleEntryProto& entry =
      Add(key, converter::kTfString, {}, std::string(1, static_cast<char>(text.size())) + length_crc + text);
  entry.set_crc32c(PlainMask(PlainCrc32c(length + length_crc + text)));
}

std::map<std::string, std::string> CheckpointWriter::Write(const std::string& prefix, bool snappy) const {
  tfproto::BundleHeaderProto header;
  header.set_num_shards(static_cast<int>(shards.size()));
  header.set_endianness(big_endian_ ? 1 : 0);
  std::map<std::string, std::string> table = {{"", header.SerializeAsString()}};
  for (const auto& [key, entry] : entries) table[key] = entry.SerializeAsString();
  std::map<std::string, std::string> files = {{prefix + ".index", WriteTable(table, snappy, 64)}};
  for (size_t i = 0; i < shards.size(); ++i) {
    char suffix[64];
    std::snprintf(suffix, sizeof(suffix), ".data-%05zu-of-%05zu", i, shards.size());
    files[prefix + suffix] = shards[i];
  }
  return files;
}

std::string WriteZip(const std::vector<ZipEntry>& entries) {
  zip_source_t* target = zip_source_buffer_create(nullptr, 0, 0, nullptr);
  Check(target != nullptr, "a zip in memory");
  zip_source_keep(target);
  zip_t* zip = zip_open_from_source(target, ZIP_TRUNCATE, nullptr);
  Check(zip != nullptr, "a zip in memory");
  for (const ZipEntry& entry : entries) {
    zip_source_t* source = zip_source_buffer(zip, entry.bytes.data(), entry.bytes.size(), 0);
    const zip_int64_t index = zip_file_add(zip, entry.name.c_str(), source, 0);
    Check(index >= 0, "an entry of a zip");
    const auto at = static_cast<zip_uint64_t>(index);
    Check(zip_set_file_compression(zip, at, entry.deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0, "compression");
    zip_file_set_external_attributes(zip, at, 0, ZIP_OPSYS_UNIX, (entry.link ? 0120777u : 0100644u) << 16);
  }
  Check(zip_close(zip) == 0, "closing a zip");
  Check(zip_source_open(target) == 0, "reading a zip back");
  zip_source_seek(target, 0, SEEK_END);
  std::string bytes(static_cast<size_t>(zip_source_tell(target)), '\0');
  zip_source_seek(target, 0, SEEK_SET);
  Check(zip_source_read(target, bytes.data(), bytes.size()) == static_cast<zip_int64_t>(bytes.size()), "a zip's bytes");
  zip_source_close(target);
  zip_source_free(target);
  return bytes;
}

namespace {

tfproto::NodeDef& Fill(tfproto::NodeDef* node, const std::string& name, const std::string& op,
                       const std::vector<std::string>& inputs) {
  node->set_name(name);
  node->set_op(op);
  for (const std::string& input : inputs) node->add_input(input);
  return *node;
}

}  // namespace

tfproto::NodeDef& AddNode(tfproto::GraphDef* graph, const std::string& name, const std::string& op,
                          const std::vector<std::string>& inputs) {
  return Fill(graph->add_node(), name, op, inputs);
}

tfproto::NodeDef& AddNode(tfproto::FunctionDef* function, const std::string& name, const std::string& op,
                          const std::vector<std::string>& inputs) {
  return Fill(function->add_node_def(), name, op, inputs);
}

tfproto::AttrValue& Attr(tfproto::NodeDef& node, const std::string& name) {
  for (tfproto::AttrEntry& entry : *node.mutable_attr()) {
    if (entry.key() == name) return *entry.mutable_value();
  }
  tfproto::AttrEntry* entry = node.add_attr();
  entry->set_key(name);
  return *entry->mutable_value();
}

void SetShape(tfproto::TensorShapeProto* shape, const std::vector<int64_t>& dims) {
  shape->clear_dim();
  for (const int64_t dim : dims) shape->add_dim()->set_size(dim);
}

void SetFloats(tfproto::NodeDef& node, const std::vector<int64_t>& dims, const std::vector<float>& values) {
  Attr(node, "dtype").set_type(converter::kTfFloat);
  tfproto::TensorProto* tensor = Attr(node, "value").mutable_tensor();
  tensor->set_dtype(converter::kTfFloat);
  SetShape(tensor->mutable_tensor_shape(), dims);
  for (const float v : values) tensor->add_float_val(v);
}

void SetBool(tfproto::NodeDef& node, bool value) {
  Attr(node, "dtype").set_type(converter::kTfBool);
  tfproto::TensorProto* tensor = Attr(node, "value").mutable_tensor();
  tensor->set_dtype(converter::kTfBool);
  tensor->mutable_tensor_shape();
  tensor->add_bool_val(value);
}

void SetStrings(tfproto::NodeDef& node, const std::vector<std::string>& values) {
  Attr(node, "dtype").set_type(converter::kTfString);
  tfproto::TensorProto* tensor = Attr(node, "value").mutable_tensor();
  tensor->set_dtype(converter::kTfString);
  SetShape(tensor->mutable_tensor_shape(), {static_cast<int64_t>(values.size())});
  for (const std::string& v : values) tensor->add_string_val(v);
}

tfproto::FunctionDef& AddFunction(tfproto::GraphDef* graph, const std::string& name,
                                  const std::vector<std::string>& args,
                                  const std::vector<std::pair<std::string, std::string>>& results) {
  tfproto::FunctionDef* function = graph->mutable_library()->add_function();
  function->mutable_signature()->set_name(name);
  for (const std::string& arg : args) function->mutable_signature()->add_input_arg()->set_name(arg);
  for (const auto& [result, tensor] : results) {
    function->mutable_signature()->add_output_arg()->set_name(result);
    tfproto::StringEntry* ret = function->add_ret();
    ret->set_key(result);
    ret->set_value(tensor);
  }
  return *function;
}

void SetFunction(tfproto::NodeDef& node, const std::string& attr, const std::string& function) {
  Attr(node, attr).mutable_func()->set_name(function);
}

tfproto::SavedModel SmallModel() {
  tfproto::SavedModel model;
  model.set_saved_model_schema_version(1);
  tfproto::MetaGraphDef* meta = model.add_meta_graphs();
  meta->mutable_meta_info_def()->add_tags("serve");
  meta->mutable_meta_info_def()->set_tensorflow_version("2.9.1");
  meta->mutable_saver_def()->set_restore_op_name("StatefulPartitionedCall_1");
  tfproto::GraphDef* graph = meta->mutable_graph_def();
  tfproto::NodeDef& x = AddNode(graph, "serving_default_x", "Placeholder", {});
  Attr(x, "dtype").set_type(converter::kTfFloat);
  for (const char* name : {"scale", "shift"}) {
    tfproto::NodeDef& variable = AddNode(graph, name, "VarHandleOp", {});
    Attr(variable, "dtype").set_type(converter::kTfFloat);
    Attr(variable, "shape").mutable_shape();
    Attr(variable, "shared_name").set_s(name);
  }
  SetFunction(AddNode(graph, "StatefulPartitionedCall", "StatefulPartitionedCall",
                      {"serving_default_x", "scale", "shift", "^init"}),
              "f", "outer");
  tfproto::NodeDef& file = AddNode(graph, "saver_filename", "Placeholder", {});
  Attr(file, "dtype").set_type(converter::kTfString);
  SetFunction(AddNode(graph, "StatefulPartitionedCall_1", "StatefulPartitionedCall", {"saver_filename", "scale"}), "f",
              "restore");

  tfproto::FunctionDef& outer =
      AddFunction(graph, "outer", {"x", "scale", "shift"}, {{"identity", "Identity:output:0"}});
  SetFunction(AddNode(&outer, "call", "StatefulPartitionedCall", {"x", "scale", "shift"}), "f", "inner");
  AddNode(&outer, "Identity", "Identity", {"call:output:0", "^call"});
  tfproto::FunctionDef& inner = AddFunction(graph, "inner", {"x", "a", "b"}, {{"out", "add:z:0"}});
  AddNode(&inner, "read_a", "ReadVariableOp", {"a"});
  AddNode(&inner, "read_b", "ReadVariableOp", {"b"});
  AddNode(&inner, "mul", "Mul", {"x", "read_a:value:0"});
  AddNode(&inner, "add", "AddV2", {"mul:z:0", "read_b:value:0"});

  tfproto::FunctionDef& restore = AddFunction(graph, "restore", {"file", "scale"}, {});
  SetStrings(AddNode(&restore, "names", "Const", {}), {"scale/.ATTRIBUTES/VARIABLE_VALUE"});
  SetStrings(AddNode(&restore, "slices", "Const", {}), {""});
  AddNode(&restore, "RestoreV2", "RestoreV2", {"file", "names:output:0", "slices:output:0"});
  AddNode(&restore, "Identity", "Identity", {"RestoreV2:tensors:0"});
  AddNode(&restore, "Assign", "AssignVariableOp", {"scale", "Identity:output:0"});

  tfproto::SignatureEntry* entry = meta->add_signature_def();
  entry->set_key("serving_default");
  tfproto::TensorInfoEntry* in = entry->mutable_value()->add_inputs();
  in->set_key("x");
  in->mutable_value()->set_name("serving_default_x:0");
  in->mutable_value()->set_dtype(converter::kTfFloat);
  in->mutable_value()->mutable_tensor_shape();
  tfproto::TensorInfoEntry* out = entry->mutable_value()->add_outputs();
  out->set_key("y");
  out->mutable_value()->set_name("StatefulPartitionedCall:0");
  out->mutable_value()->set_dtype(converter::kTfFloat);
  out->mutable_value()->mutable_tensor_shape();
  return model;
}

std::map<std::string, std::string> SmallModelFiles(const std::string& folder) {
  CheckpointWriter checkpoint(2);
  checkpoint.AddFloats("scale/.ATTRIBUTES/VARIABLE_VALUE", {}, {3}, 1);
  checkpoint.AddFloats("shift", {}, {0.5f}, 0);
  std::map<std::string, std::string> files = checkpoint.Write(folder + "variables/variables");
  files[folder + "saved_model.pb"] = SmallModel().SerializeAsString();
  return files;
}

const TfNode* FindNode(const TfGraph& graph, const std::string& name) {
  for (const TfNode& node : graph.nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

double Evaluate(const TfGraph& graph, const std::string& tensor, double x) {
  const size_t colon = tensor.find(':');
  const TfNode* node = FindNode(graph, tensor.substr(0, colon));
  Check(node != nullptr, "no such node");
  const auto input = [&](size_t i) { return Evaluate(graph, node->inputs.at(i), x); };
  if (node->op == "Placeholder") return x;
  if (node->op == "Const") return (*std::get<TfTensor>(node->attrs.at("value")).data).at(0);
  if (node->op == "Identity") return input(0);
  if (node->op == "Neg") return -input(0);
  if (node->op == "Mul") return input(0) * input(1);
  if (node->op == "AddV2") return input(0) + input(1);
  throw std::runtime_error("operator " + node->op);
}

}  // namespace fovea::testing
