// HDF5's building blocks: bytes at addresses, object headers and their messages, types, sizes, groups' tables, chunks.
#ifndef FOVEA_CONVERTER_KERAS_HDF5_OBJECT_H_
#define FOVEA_CONVERTER_KERAS_HDF5_OBJECT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/file_tree.h"

namespace fovea::converter::keras {

using archive::ByteSource;

// Addresses and lengths have 8 bytes in every file that h5py writes; others are refused when the file is opened.
inline constexpr uint64_t kUndefinedAddress = ~uint64_t{0};
// Compressed weights may be larger than the file, but not without end: at most this many times, and so many bytes.
inline constexpr uint64_t kMaxExpansion = 64;
inline constexpr uint64_t kFreeExpansionBytes = uint64_t{16} << 20;

// Little-endian fields, one after the other. Reading beyond the end gives zeros and is remembered.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}
  uint64_t Number(size_t width);
  uint8_t U8() { return static_cast<uint8_t>(Number(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Number(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Number(4)); }
  uint64_t U64() { return Number(8); }
  std::string_view Take(uint64_t count);
  void Skip(uint64_t count) { Take(count); }
  void AlignTo8() { Skip((8 - at_ % 8) % 8); }  // relative to the first field
  size_t left() const { return bytes_.size() - at_; }
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

class Hdf5Bytes {
 public:
  explicit Hdf5Bytes(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  uint64_t size() const { return source_->size(); }
  // kCorruptFile where they do not lie within the file. Bounds the number of reads, so that structures which point at
  // each other end.
  Result<std::string> Read(uint64_t address, uint64_t count);
  // Section III.E: an object of the global heap, where texts of variable length lie.
  Result<std::string> HeapObject(uint64_t collection, uint32_t index);

 private:
  Result<std::map<uint32_t, std::string>> ReadCollection(uint64_t address);

  std::unique_ptr<ByteSource> source_;
  std::map<uint64_t, std::map<uint32_t, std::string>> collections_;
  uint64_t reads_ = 0, read_bytes_ = 0;
};

// Section IV.A.2: the messages of an object header that are read here.
enum class Hdf5MessageType : uint16_t {
  kDataspace = 0x01,
  kLinkInfo = 0x02,
  kDatatype = 0x03,
  kLink = 0x06,
  kExternalFiles = 0x07,
  kLayout = 0x08,
  kFilters = 0x0b,
  kAttribute = 0x0c,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
  kAttributeInfo = 0x15,
};
struct Hdf5Message {
  Hdf5MessageType type;
  bool shared = false;  // the bytes are an address of another object
  std::string bytes;
};
struct Hdf5Object {
  uint64_t address = 0;
  std::vector<Hdf5Message> messages;
  const Hdf5Message* Find(Hdf5MessageType type) const;
  bool IsGroup() const;
};
Result<Hdf5Object> ReadObject(Hdf5Bytes* file, uint64_t address);

struct Hdf5Type {
  enum Kind { kInteger, kFloat, kText, kVariableText, kOther } kind = kOther;
  uint32_t width = 0;  // bytes of an element
  bool big_endian = false, is_signed = false, blank_padded = false;
  int exponent_bits = 0, mantissa_bits = 0;  // of floats
};
Result<Hdf5Type> ReadType(std::string_view message);
// nullopt: no elements at all.
Result<std::optional<std::vector<uint64_t>>> ReadDataspace(std::string_view message);

// Members of a group: name to address of the object header. Soft and external links are left out.
Result<std::map<std::string, uint64_t>> ReadLinks(Hdf5Bytes* file, const Hdf5Object& group);

// The elements of a dataset as stored, row-major, `bytes` in all.
Result<std::string> ReadElements(Hdf5Bytes* file, const Hdf5Object& dataset, const std::vector<uint64_t>& dims,
                                 uint32_t width, uint64_t bytes);

// The texts of an attribute message, where its name is `name`; nullopt otherwise.
Result<std::optional<std::vector<std::string>>> ReadTextAttribute(Hdf5Bytes* file, const Hdf5Message& message,
                                                                  const std::string& name);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_HDF5_OBJECT_H_
