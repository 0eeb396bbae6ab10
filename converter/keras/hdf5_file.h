// The part of HDF5 that Keras and h5py write: groups, string attributes, arrays of numbers.
//
// Our own reader rather than libhdf5, whose 1.10 hangs on files that are damaged in a few bytes. Every address, size
// and depth is checked before it is used; nothing outside the file is followed. What only newer writers' "latest"
// format has (dense groups, new chunk indices, virtual datasets) is refused with a sentence. Format:
// https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html, "HDF5 File Format Specification Version 3.0"; sections in the code
// are those of that document.
#ifndef FOVEA_CONVERTER_KERAS_HDF5_FILE_H_
#define FOVEA_CONVERTER_KERAS_HDF5_FILE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "converter/keras/hdf5_object.h"
#include "converter/keras/weights.h"

namespace fovea::converter::keras {

class Hdf5File {
 public:
  static Result<Hdf5File> Open(const std::string& path);
  static Result<Hdf5File> FromBytes(std::span<const std::byte> bytes);  // which outlive the file

  // Paths have the form "model_weights/conv1"; "" is the root.
  Result<bool> HasGroup(const std::string& path);
  // A string attribute; nullopt where the group has none of this name.
  Result<std::optional<std::string>> Text(const std::string& group, const std::string& name);
  // A list of strings, which Keras splits into name0, name1 ... where it exceeds 64 KB. nullopt: absent.
  Result<std::optional<std::vector<std::string>>> Texts(const std::string& group, const std::string& name);
  // An array of floats or integers, as float32.
  Result<Weight> Array(const std::string& path);

 private:
  explicit Hdf5File(std::unique_ptr<Hdf5Bytes> bytes) : bytes_(std::move(bytes)) {}
  static Result<Hdf5File> FromSource(std::unique_ptr<ByteSource> source);
  // nullptr: there is no such object.
  Result<const Hdf5Object*> Find(const std::string& path);
  Result<const std::map<std::string, uint64_t>*> Links(const Hdf5Object& group);

  std::unique_ptr<Hdf5Bytes> bytes_;
  uint64_t root_ = 0;
  uint64_t decoded_bytes_ = 0;
  std::map<uint64_t, Hdf5Object> objects_;                        // by address
  std::map<uint64_t, std::map<std::string, uint64_t>> children_;  // of groups, by address
};

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_HDF5_FILE_H_
