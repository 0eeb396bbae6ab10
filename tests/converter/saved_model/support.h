// What the tests of the TensorFlow containers share: file trees in memory, checkpoints written through leveldb, zips
// written through libzip, and graphs made by hand.
#ifndef FOVEA_TESTS_CONVERTER_SAVED_MODEL_SUPPORT_H_
#define FOVEA_TESTS_CONVERTER_SAVED_MODEL_SUPPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "archive/file_tree.h"
#include "converter/saved_model/tensorflow.pb.h"
#include "converter/tensorflow/tf_graph.h"

namespace fovea::testing {

using converter::TfGraph;
using converter::TfNode;
using converter::TfTensor;

class MemoryTree : public archive::FileTree {
 public:
  MemoryTree() = default;
  explicit MemoryTree(std::map<std::string, std::string> contents);
  const std::vector<std::string>& files() const override { return names_; }
  Result<std::unique_ptr<archive::ByteSource>> Open(const std::string& name) override;
  void Set(const std::string& name, std::string bytes);
  std::string& at(const std::string& name) { return contents_.at(name); }
  void Remove(const std::string& name);
  const std::map<std::string, std::string>& contents() const { return contents_; }

 private:
  std::map<std::string, std::string> contents_;
  std::vector<std::string> names_;
};

// Bit by bit, so that it shares nothing with the converter's tables.
uint32_t PlainCrc32c(const std::string& bytes);
uint32_t PlainMask(uint32_t crc);

// leveldb's TableBuilder over these entries; small blocks make several of them.
std::string WriteTable(const std::map<std::string, std::string>& entries, bool snappy, size_t block_bytes = 4096);

// A checkpoint as TensorFlow lays it out.
class CheckpointWriter {
 public:
  explicit CheckpointWriter(int shards = 1, bool big_endian = false);
  // A tensor in any type; `bytes` are in the file's order.
  tfproto::BundleEntryProto& Add(const std::string& key, int dtype, const std::vector<int64_t>& dims,
                                 const std::string& bytes, int shard = 0);
  void AddFloats(const std::string& key, const std::vector<int64_t>& dims, const std::vector<float>& values,
                 int shard = 0);
  // The whole of a partitioned variable; its parts are added under SliceKey names.
  tfproto::BundleEntryProto& AddSliced(const std::string& key, const std::vector<int64_t>& dims);
  void AddString(const std::string& key, const std::string& text);
  // variables.index and the shards, under `prefix`.
  std::map<std::string, std::string> Write(const std::string& prefix, bool snappy = false) const;

  std::map<std::string, tfproto::BundleEntryProto> entries;
  std::vector<std::string> shards;

 private:
  bool big_endian_;
};

// Elements in either byte order.
template <class T>
std::string Bytes(const std::vector<T>& values, bool big_endian = false) {
  std::string out;
  for (const T value : values) {
    std::string raw(reinterpret_cast<const char*>(&value), sizeof(T));
    if (big_endian) raw = std::string(raw.rbegin(), raw.rend());
    out += raw;
  }
  return out;
}

struct ZipEntry {
  std::string name, bytes;
  bool deflate = true;
  bool link = false;
};
std::string WriteZip(const std::vector<ZipEntry>& entries);

// Nodes of a graph or function being written.
tfproto::NodeDef& AddNode(tfproto::GraphDef* graph, const std::string& name, const std::string& op,
                          const std::vector<std::string>& inputs);
tfproto::NodeDef& AddNode(tfproto::FunctionDef* function, const std::string& name, const std::string& op,
                          const std::vector<std::string>& inputs);
tfproto::AttrValue& Attr(tfproto::NodeDef& node, const std::string& name);
void SetShape(tfproto::TensorShapeProto* shape, const std::vector<int64_t>& dims);
// A Const of float32 scalars or vectors, bool scalars, strings.
void SetFloats(tfproto::NodeDef& node, const std::vector<int64_t>& dims, const std::vector<float>& values);
void SetBool(tfproto::NodeDef& node, bool value);
void SetStrings(tfproto::NodeDef& node, const std::vector<std::string>& values);
tfproto::FunctionDef& AddFunction(tfproto::GraphDef* graph, const std::string& name,
                                  const std::vector<std::string>& args,
                                  const std::vector<std::pair<std::string, std::string>>& results);
void SetFunction(tfproto::NodeDef& node, const std::string& attr, const std::string& function);

// A model of TensorFlow 2 with two variables behind two nested calls: y = x * scale + shift, where scale is stored
// under an object path and shift under its name. And its files.
tfproto::SavedModel SmallModel();
std::map<std::string, std::string> SmallModelFiles(const std::string& folder = "");

const TfNode* FindNode(const TfGraph& graph, const std::string& name);
// The value of a tensor in a graph of scalars made of Placeholder, Const, Identity, Mul, AddV2 and Neg. Every
// Placeholder is `x`.
double Evaluate(const TfGraph& graph, const std::string& tensor, double x);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_SAVED_MODEL_SUPPORT_H_
