// Reading .fov files: map, check, decode. The layout is written down in model.fbs.
//
// Models come from strangers: magic, version, section bounds, content hash, the FlatBuffers verifier, then the semantic
// checks of VerifyGraph. Nothing is allocated from a number in the file before that number is checked against the
// file's size.
#ifndef FOVEA_RUNTIME_MODEL_MODEL_FILE_H_
#define FOVEA_RUNTIME_MODEL_MODEL_FILE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "runtime/model/graph.h"

namespace fovea {

// A verified model and its bytes. Weights stay in the mapped file.
class ModelFile {
 public:
  static Result<std::shared_ptr<const ModelFile>> Open(const std::string& path);
  // `name` stands for the file in messages. Keeps its own copy of the bytes.
  static Result<std::shared_ptr<const ModelFile>> FromBytes(std::span<const std::byte> bytes, const std::string& name);
  ~ModelFile();

  const Graph& graph() const { return graph_; }
  const std::string& content_hash() const { return content_hash_; }  // 32 hexadecimal digits
  uint64_t file_bytes() const { return bytes_.size(); }
  std::span<const std::byte> weights() const { return weights_; }

  // Elements of a constant as float32: a view into the mapped file when it is stored so (and suitably aligned),
  // otherwise decoded into `storage` (f16, bf16), which is resized.
  std::span<const float> Floats(const Value& value, std::vector<float>* storage) const;
  // Says that a constant is not needed for now: its pages of the mapping need not stay in memory. They come back by
  // themselves when it is looked at.
  void Release(const Value& value) const;
  // Says that all of a constant is looked at next: its pages are mapped at once, which takes a third of the time that
  // it takes page by page.
  void Expect(const Value& value) const;

 private:
  ModelFile() = default;
  static Result<std::shared_ptr<const ModelFile>> Parse(std::shared_ptr<ModelFile> file, const std::string& name);

  Graph graph_;
  std::string content_hash_;
  std::span<const std::byte> bytes_, weights_;
  void* mapping_ = nullptr;  // munmap'ed with bytes_.size() when not null
  std::vector<std::byte> storage_;
};

// A verified graph's semantic checks: numbers of values and ports in range, every value produced once and before use,
// constants inside the weight section and as large as their dims say, parameters in range, ranks within kMaxTensorRank,
// shapes that infer symbolically. Names the node or value that is wrong.
Status VerifyGraph(const Graph& graph, uint64_t weight_bytes);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_MODEL_FILE_H_
