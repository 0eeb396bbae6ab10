// Section II: the superblock; and what callers ask of a file.
#include "converter/keras/hdf5_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace fovea::converter::keras {

using archive::OpenFile;

namespace {

constexpr uint64_t kMaxTexts = 1 << 20;
constexpr int kMaxParts = 1 << 12;  // of a split list
constexpr size_t kMaxRank = 6;

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

class Memory : public ByteSource {
 public:
  explicit Memory(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  Status Read(uint64_t offset, std::span<std::byte> out) override {
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return OkStatus();
  }

 private:
  std::span<const std::byte> bytes_;
};

// Any IEEE float of at most 64 bits.
double FloatOf(uint64_t bits, int exponent_bits, int mantissa_bits) {
  const uint64_t mantissa = bits & ((uint64_t{1} << mantissa_bits) - 1);
  const int top = (1 << exponent_bits) - 1, bias = top / 2;
  const int exponent = static_cast<int>(bits >> mantissa_bits & static_cast<uint64_t>(top));
  const double sign = (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -1.0 : 1.0;
  if (exponent == top) return mantissa != 0 ? std::nan("") : sign * INFINITY;
  const double value = static_cast<double>(exponent == 0 ? mantissa : mantissa | uint64_t{1} << mantissa_bits);
  return sign * std::ldexp(value, std::max(exponent, 1) - bias - mantissa_bits);
}

std::vector<float> ToFloats(const Hdf5Type& type, const std::string& bytes) {
  std::vector<float> out(bytes.size() / type.width);
  if (type.kind == Hdf5Type::kFloat && type.width == 4 && type.exponent_bits == 8 && !type.big_endian &&
      std::endian::native == std::endian::little) {
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
    return out;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    std::string element = bytes.substr(i * type.width, type.width);
    if (type.big_endian) std::reverse(element.begin(), element.end());
    const uint64_t bits = Fields(element).Number(type.width);
    if (type.kind == Hdf5Type::kFloat) {
      out[i] = static_cast<float>(FloatOf(bits, type.exponent_bits, type.mantissa_bits));
    } else if (type.is_signed) {
      const int unused = 64 - static_cast<int>(type.width) * 8;
      out[i] = static_cast<float>(static_cast<int64_t>(bits << unused) >> unused);
    } else {
      out[i] = static_cast<float>(bits);
    }
  }
  return out;
}

// The address of the root group's object header.
Result<uint64_t> ReadSuperblock(Hdf5Bytes* bytes) {
  static constexpr char kSignature[] = "\x89HDF\r\n\x1a\n";
  const Status cut = CorruptFile("not an HDF5 file, or cut off");
  Result<std::string> head = bytes->Read(0, 48);
  if (!head.ok() || head->compare(0, 8, kSignature, 8) != 0) return cut;
  const auto version = static_cast<unsigned char>((*head)[8]);
  if (version > 3) return Unsupported("HDF5 superblock version " + std::to_string(version));
  const uint64_t base_at = version == 0 ? 24 : version == 1 ? 28 : 12;
  Result<std::string> body = bytes->Read(base_at, version < 2 ? 48 : 32);
  if (!body.ok()) return cut;
  const size_t widths = version < 2 ? 13 : 9;
  if ((*head)[widths] != 8 || (*head)[widths + 1] != 8) return Unsupported("HDF5 addresses that do not have 8 bytes");
  Fields fields(*body);
  const uint64_t base = fields.U64();
  fields.Skip(8);  // free space, or the superblock's extension
  const uint64_t end = fields.U64();
  if (version < 2) fields.Skip(16);  // driver information, name of the root
  const uint64_t root = fields.U64();
  if (base != 0) return Unsupported("an HDF5 file behind other data");
  if (end > bytes->size()) return cut;
  return root;
}

}  // namespace

Result<Hdf5File> Hdf5File::FromSource(std::unique_ptr<ByteSource> source) {
  Hdf5File file(std::make_unique<Hdf5Bytes>(std::move(source)));
  FOVEA_ASSIGN_OR_RETURN(file.root_, ReadSuperblock(file.bytes_.get()));
  return file;
}

Result<Hdf5File> Hdf5File::Open(const std::string& path) {
  FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenFile(path));
  return FromSource(std::move(source));
}

Result<Hdf5File> Hdf5File::FromBytes(std::span<const std::byte> bytes) {
  return FromSource(std::make_unique<Memory>(bytes));
}

Result<const std::map<std::string, uint64_t>*> Hdf5File::Links(const Hdf5Object& group) {
  const auto known = children_.find(group.address);
  if (known != children_.end()) return &known->second;
  FOVEA_ASSIGN_OR_RETURN(auto links, ReadLinks(bytes_.get(), group));
  return &children_.emplace(group.address, std::move(links)).first->second;
}

Result<const Hdf5Object*> Hdf5File::Find(const std::string& path) {
  uint64_t address = root_;
  size_t begin = 0;
  while (true) {
    auto object = objects_.find(address);
    if (object == objects_.end()) {
      FOVEA_ASSIGN_OR_RETURN(Hdf5Object read, ReadObject(bytes_.get(), address));
      object = objects_.emplace(address, std::move(read)).first;
    }
    while (begin < path.size() && path[begin] == '/') ++begin;
    if (begin >= path.size()) return &object->second;
    const size_t end = std::min(path.find('/', begin), path.size());
    if (!object->second.IsGroup()) return static_cast<const Hdf5Object*>(nullptr);
    FOVEA_ASSIGN_OR_RETURN(const auto* links, Links(object->second));
    const auto link = links->find(path.substr(begin, end - begin));
    if (link == links->end()) return static_cast<const Hdf5Object*>(nullptr);
    address = link->second;
    begin = end;
  }
}

Result<bool> Hdf5File::HasGroup(const std::string& path) {
  FOVEA_ASSIGN_OR_RETURN(const Hdf5Object* object, Find(path));
  return object != nullptr && object->IsGroup();
}

Result<std::optional<std::string>> Hdf5File::Text(const std::string& group, const std::string& name) {
  FOVEA_ASSIGN_OR_RETURN(const auto texts, Texts(group, name));
  if (!texts.has_value() || texts->empty()) return std::optional<std::string>();
  return std::optional((*texts)[0]);
}

Result<std::optional<std::vector<std::string>>> Hdf5File::Texts(const std::string& group, const std::string& name) {
  using List = std::optional<std::vector<std::string>>;
  const std::string where = "group " + Quoted(group.empty() ? "/" : group);
  Result<const Hdf5Object*> object = Find(group);
  if (!object.ok()) return object.status().Prefixed(where);
  if (*object == nullptr) return CorruptFile("the " + where + " is missing");
  const auto read = [&](const std::string& attribute) -> Result<List> {
    for (const Hdf5Message& message : (*object)->messages) {
      if (message.type != Hdf5MessageType::kAttribute) continue;
      Result<List> texts = ReadTextAttribute(bytes_.get(), message, attribute);
      if (!texts.ok()) return texts.status().Prefixed(where + ": the attribute " + Quoted(attribute));
      if (texts->has_value()) return texts;
    }
    return List();
  };
  FOVEA_ASSIGN_OR_RETURN(List whole, read(name));
  if (whole.has_value()) return whole;
  List joined;
  for (int part = 0; part < kMaxParts; ++part) {
    FOVEA_ASSIGN_OR_RETURN(const List texts, read(name + std::to_string(part)));
    if (!texts.has_value()) break;
    if (!joined.has_value()) joined.emplace();
    joined->insert(joined->end(), texts->begin(), texts->end());
    if (joined->size() > kMaxTexts) return CorruptFile(where + ": the attribute " + Quoted(name) + " has no end");
  }
  if (joined.has_value()) return joined;
  const Hdf5Message* info = (*object)->Find(Hdf5MessageType::kAttributeInfo);
  if (info != nullptr) {
    Fields fields(info->bytes);
    fields.Skip(1);
    if ((fields.U8() & 1) != 0) fields.Skip(2);
    if (fields.U64() != kUndefinedAddress) {
      return Unsupported(where +
                         " has its attributes in HDF5's dense form; write the file again with h5repack --high=0");
    }
  }
  return joined;
}

Result<Weight> Hdf5File::Array(const std::string& path) {
  const std::string where = "the weights " + Quoted(path);
  const auto read = [&]() -> Result<Weight> {
    FOVEA_ASSIGN_OR_RETURN(const Hdf5Object* object, Find(path));
    if (object == nullptr) return CorruptFile("they are missing");
    const Hdf5Message *space = object->Find(Hdf5MessageType::kDataspace),
                      *type_message = object->Find(Hdf5MessageType::kDatatype);
    if (space == nullptr || type_message == nullptr) return CorruptFile("they are not an array");
    if (space->shared || type_message->shared) return Unsupported("their type is stored elsewhere in the file");
    FOVEA_ASSIGN_OR_RETURN(const Hdf5Type type, ReadType(type_message->bytes));
    if (type.kind != Hdf5Type::kFloat && type.kind != Hdf5Type::kInteger) {
      return Unsupported("they are neither integers nor floats of at most 64 bits");
    }
    FOVEA_ASSIGN_OR_RETURN(const auto dims, ReadDataspace(space->bytes));
    if (!dims.has_value()) return CorruptFile("they have no elements");
    if (dims->size() > kMaxRank) return CorruptFile("they have " + std::to_string(dims->size()) + " axes");
    const uint64_t limit = kFreeExpansionBytes + kMaxExpansion * bytes_->size();
    uint64_t bytes = type.width;
    Weight weight;
    for (const uint64_t size : *dims) {
      if (size > limit || (size > 0 && bytes > limit / size)) {
        return CorruptFile("they are larger than what the file holds");
      }
      bytes *= size;
      weight.dims.push_back(static_cast<int64_t>(size));
    }
    if (bytes > limit - decoded_bytes_) return CorruptFile("they are larger than what the file holds");
    decoded_bytes_ += bytes;
    FOVEA_ASSIGN_OR_RETURN(const std::string data, ReadElements(bytes_.get(), *object, *dims, type.width, bytes));
    weight.data = ToFloats(type, data);
    return weight;
  };
  Result<Weight> weight = read();
  if (!weight.ok()) return weight.status().Prefixed(where);
  return weight;
}

}  // namespace fovea::converter::keras
