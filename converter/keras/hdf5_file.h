// The part of HDF5 that Keras uses: groups, string attributes, arrays of numbers. Everything is bounded before it is
// read; nothing outside the file is followed (external links, external storage, virtual datasets, filter plug-ins).
#ifndef FOVEA_CONVERTER_KERAS_HDF5_FILE_H_
#define FOVEA_CONVERTER_KERAS_HDF5_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "converter/keras/weights.h"

namespace fovea::converter::keras {

class Hdf5File {
 public:
  static Result<Hdf5File> Open(const std::string& path);
  static Result<Hdf5File> FromBytes(std::span<const std::byte> bytes);
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  // Paths have the form "model_weights/conv1"; "" is the root.
  bool HasGroup(const std::string& path) const;
  // Names of a group's members.
  Result<std::vector<std::string>> Members(const std::string& group) const;
  // A string attribute; nullopt where the group has none of this name.
  Result<std::optional<std::string>> Text(const std::string& group, const std::string& name) const;
  // A list of strings, which Keras splits into name0, name1 ... where it exceeds 64 KB. nullopt: absent.
  Result<std::optional<std::vector<std::string>>> Texts(const std::string& group, const std::string& name) const;
  // An array of floats or integers of any width, as float32.
  Result<Weight> Array(const std::string& path) const;

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_HDF5_FILE_H_
