// A checkpoint: variables.index and its shards variables.data-?????-of-?????.
//
// The index maps names to BundleEntryProto (type, shape, shard, offset, size, checksum; slices for partitioned
// variables) and "" to BundleHeaderProto. Every size is checked against the shape and the shard before anything is
// allocated, and the CRC-32C of every tensor that is read against its entry. Errors: kNotFound (missing shard or
// tensor), kCorruptFile.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_BUNDLE_H_
#define FOVEA_CONVERTER_SAVED_MODEL_BUNDLE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "archive/file_tree.h"
#include "converter/saved_model/slice.h"
#include "converter/saved_model/tensorflow.pb.h"
#include "converter/tensorflow/tf_graph.h"

namespace fovea::converter {

using archive::ByteSource;
using archive::FileTree;

class Bundle {
 public:
  // prefix: "variables/variables". The tree outlives the bundle.
  static Result<Bundle> Open(FileTree* tree, const std::string& prefix);

  bool Has(const std::string& key) const { return entries_.count(key) != 0; }
  // Names of the variables, without the header and the keys of slices.
  std::vector<std::string> Names() const;

  struct Request {
    std::string key, slice;  // slice: as in shape_and_slices, empty for the whole variable
    std::string name;        // for messages
  };
  // The tensors asked for, in the order of the requests. Shards are read in one ascending pass where they can be.
  Result<std::vector<TfTensor>> Read(const std::vector<Request>& requests);

  // A tensor of one string.
  Result<std::string> ReadString(const std::string& key);

 private:
  using Entry = tfproto::BundleEntryProto;
  Result<Entry> Find(const std::string& key) const;
  Result<ByteSource*> Shard(int32_t shard);
  // Position and size of an entry's bytes, checked against its shard.
  Status CheckPlace(const Entry& entry);
  Result<TfTensor> ReadEntry(const Entry& entry);
  Result<TfTensor> ReadSlices(const std::string& key, const Entry& entry);
  Result<TfTensor> ReadRequest(const Request& request);

  FileTree* tree_ = nullptr;
  std::string prefix_;
  bool big_endian_ = false;
  int32_t shards_ = 0;
  std::map<std::string, std::string> entries_;
  std::map<int32_t, std::unique_ptr<ByteSource>> open_;
};

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_BUNDLE_H_
