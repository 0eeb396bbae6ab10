// Section IV of the specification: object headers, datatypes, dataspaces, attributes.
#include "converter/keras/hdf5_object.h"

#include <algorithm>
#include <set>

namespace fovea::converter::keras {

namespace {

constexpr uint64_t kMaxHeaderBytes = uint64_t{64} << 20;
constexpr size_t kMaxMessages = 100'000;
constexpr size_t kMaxContinuations = 10'000;
constexpr size_t kMaxRank = 32;  // of the format
constexpr uint64_t kMaxTexts = 1 << 20;
constexpr uint64_t kMaxTextBytes = uint64_t{256} << 20;

Status Damaged(const std::string& what) { return CorruptFile(what + " is damaged"); }

// Messages in [fields]. Continuations are appended to `open`.
Status ReadMessages(Fields fields, bool version2, bool creation_order, Hdf5Object* object,
                    std::vector<std::pair<uint64_t, uint64_t>>* open) {
  const size_t prefix = version2 ? (creation_order ? 6 : 4) : 8;
  while (fields.left() >= prefix) {
    const uint16_t type = version2 ? fields.U8() : fields.U16();
    const uint16_t size = fields.U16();
    const uint8_t flags = fields.U8();
    if (!version2) fields.Skip(3);
    if (version2 && creation_order) fields.Skip(2);
    const std::string_view bytes = fields.Take(size);
    if (!fields.ok() || object->messages.size() >= kMaxMessages) return Damaged("an object header");
    if (static_cast<Hdf5MessageType>(type) == Hdf5MessageType::kContinuation) {
      Fields block(bytes);
      const uint64_t address = block.U64(), length = block.U64();
      if (!block.ok() || open->size() >= kMaxContinuations) return Damaged("an object header");
      open->emplace_back(address, length);
    } else {
      object->messages.push_back({static_cast<Hdf5MessageType>(type), (flags & 2) != 0, std::string(bytes)});
    }
  }
  return OkStatus();
}

Result<std::vector<std::string>> FixedTexts(const Hdf5Type& type, uint64_t count, std::string_view data) {
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view element = data.substr(i * type.width, type.width);
    std::string text(element.substr(0, std::min(element.find('\0'), element.size())));
    if (type.blank_padded) text.erase(text.find_last_not_of(' ') + 1);
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::vector<std::string>> VariableTexts(Hdf5Bytes* file, uint64_t count, std::string_view data) {
  Fields fields(data);
  std::vector<std::string> texts;
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint32_t length = fields.U32();
    const uint64_t address = fields.U64();
    const uint32_t index = fields.U32();
    std::string text;
    if (length > 0 && address != 0) {
      FOVEA_ASSIGN_OR_RETURN(text, file->HeapObject(address, index));
    }
    if (text.size() < length) return Damaged("the heap of texts");
    text.resize(std::min<size_t>(length, std::min(text.find('\0'), text.size())));
    total += text.size();
    if (total > kMaxTextBytes) return CorruptFile("the texts of an attribute are too long");
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace

Result<std::map<uint32_t, std::string>> Hdf5Bytes::ReadCollection(uint64_t address) {
  FOVEA_ASSIGN_OR_RETURN(const std::string head, Read(address, 16));
  Fields fields(head);
  const bool is_heap = fields.Take(4) == "GCOL" && fields.U8() == 1;
  fields.Skip(3);
  const uint64_t size = fields.U64();
  if (!is_heap || size < 16 || size > kMaxTextBytes) return Damaged("the heap of texts");
  FOVEA_ASSIGN_OR_RETURN(const std::string bytes, Read(address, size));
  Fields objects(bytes);
  objects.Skip(16);
  std::map<uint32_t, std::string> texts;
  while (objects.left() >= 16) {
    const uint32_t index = objects.U16();
    objects.Skip(6);
    const uint64_t length = objects.U64();
    if (index == 0) break;  // the free space at the end
    texts[index] = std::string(objects.Take(length));
    objects.AlignTo8();
    if (!objects.ok()) return Damaged("the heap of texts");
  }
  return texts;
}

Result<std::string> Hdf5Bytes::HeapObject(uint64_t collection, uint32_t index) {
  auto known = collections_.find(collection);
  if (known == collections_.end()) {
    FOVEA_ASSIGN_OR_RETURN(auto texts, ReadCollection(collection));
    known = collections_.emplace(collection, std::move(texts)).first;
  }
  const auto object = known->second.find(index);
  if (object == known->second.end()) return Damaged("the heap of texts");
  return object->second;
}

const Hdf5Message* Hdf5Object::Find(Hdf5MessageType type) const {
  for (const Hdf5Message& message : messages) {
    if (message.type == type) return &message;
  }
  return nullptr;
}

bool Hdf5Object::IsGroup() const {
  return Find(Hdf5MessageType::kSymbolTable) != nullptr || Find(Hdf5MessageType::kLinkInfo) != nullptr;
}

Result<Hdf5Object> ReadObject(Hdf5Bytes* file, uint64_t address) {
  Hdf5Object object;
  object.address = address;
  std::vector<std::pair<uint64_t, uint64_t>> open;  // continuation blocks still to be read
  FOVEA_ASSIGN_OR_RETURN(const std::string head, file->Read(address, 16));
  Fields fields(head);
  bool version2 = false, creation_order = false;
  if (std::string_view(head).substr(0, 4) == "OHDR") {
    version2 = true;
    fields.Skip(4);
    const uint8_t version = fields.U8(), flags = fields.U8();
    if (version != 2) return Damaged("an object header");
    creation_order = (flags & 4) != 0;
    const uint64_t times = (flags & 0x20) != 0 ? 16 : 0, limits = (flags & 0x10) != 0 ? 4 : 0;
    const uint64_t width = uint64_t{1} << (flags & 3);
    FOVEA_ASSIGN_OR_RETURN(const std::string length, file->Read(address + 6 + times + limits, width));
    const uint64_t size = Fields(length).Number(width);
    if (size > kMaxHeaderBytes) return Damaged("an object header");
    FOVEA_ASSIGN_OR_RETURN(const std::string block, file->Read(address + 6 + times + limits + width, size));
    FOVEA_RETURN_IF_ERROR(ReadMessages(Fields(block), true, creation_order, &object, &open));
  } else {
    if (fields.U8() != 1) return Damaged("an object header");
    fields.Skip(7);
    const uint32_t size = fields.U32();
    if (size > kMaxHeaderBytes) return Damaged("an object header");
    FOVEA_ASSIGN_OR_RETURN(const std::string block, file->Read(address + 16, size));
    FOVEA_RETURN_IF_ERROR(ReadMessages(Fields(block), false, false, &object, &open));
  }
  std::set<uint64_t> seen;
  for (size_t i = 0; i < open.size(); ++i) {
    const auto [at, size] = open[i];
    if (size > kMaxHeaderBytes || !seen.insert(at).second) return Damaged("an object header");
    FOVEA_ASSIGN_OR_RETURN(const std::string block, file->Read(at, size));
    std::string_view body = block;
    if (version2) {  // signature and checksum around the messages
      if (size < 8 || std::string_view(block).substr(0, 4) != "OCHK") return Damaged("an object header");
      body = body.substr(4, size - 8);
    }
    FOVEA_RETURN_IF_ERROR(ReadMessages(Fields(body), version2, creation_order, &object, &open));
  }
  return object;
}

Result<Hdf5Type> ReadType(std::string_view message) {
  Fields fields(message);
  const uint8_t head = fields.U8(), bits0 = fields.U8(), bits1 = fields.U8();
  fields.Skip(1);
  Hdf5Type type;
  type.width = fields.U32();
  type.big_endian = (bits0 & 1) != 0;
  const int bits = type.width <= 8 ? static_cast<int>(type.width) * 8 : -1;  // -1: as wide as no number
  switch (head & 15) {
    case 0: {
      const bool whole = fields.U16() == 0 && fields.U16() == bits;
      type.is_signed = (bits0 & 8) != 0;
      if (whole && (type.width == 1 || type.width == 2 || type.width == 4 || type.width == 8)) {
        type.kind = Hdf5Type::kInteger;
      }
      break;
    }
    case 1: {
      const bool whole = fields.U16() == 0 && fields.U16() == bits;
      const int exponent_at = fields.U8();
      type.exponent_bits = fields.U8();
      const int mantissa_at = fields.U8();
      type.mantissa_bits = fields.U8();
      const uint32_t bias = fields.U32();
      const bool ieee = whole && mantissa_at == 0 && exponent_at == type.mantissa_bits &&
                        type.exponent_bits + type.mantissa_bits == bits - 1 && bits1 == bits - 1 &&
                        (bits0 & 0x40) == 0 && type.exponent_bits >= 5 && type.exponent_bits <= 11 &&
                        bias == (1u << (type.exponent_bits - 1)) - 1 &&
                        (type.width == 2 || type.width == 4 || type.width == 8);
      if (ieee) type.kind = Hdf5Type::kFloat;
      break;
    }
    case 3:
      type.kind = Hdf5Type::kText;
      type.blank_padded = (bits0 & 15) == 2;
      break;
    case 9:
      if ((bits0 & 15) == 1 && type.width == 16) type.kind = Hdf5Type::kVariableText;
      break;
    default: break;
  }
  if (!fields.ok() || type.width == 0) return Damaged("a type");
  return type;
}

Result<std::optional<std::vector<uint64_t>>> ReadDataspace(std::string_view message) {
  Fields fields(message);
  const uint8_t version = fields.U8(), rank = fields.U8();
  fields.Skip(1);  // whether maximal sizes follow
  const uint8_t kind = fields.U8();
  if (version == 1) fields.Skip(4);
  if ((version != 1 && version != 2) || rank > kMaxRank) return Damaged("the size of an array");
  std::optional<std::vector<uint64_t>> dims(std::in_place);
  for (int i = 0; i < rank; ++i) dims->push_back(fields.U64());
  if (!fields.ok()) return Damaged("the size of an array");
  if (version == 2 && kind == 2) dims.reset();
  return dims;
}

Result<std::optional<std::vector<std::string>>> ReadTextAttribute(Hdf5Bytes* file, const Hdf5Message& message,
                                                                  const std::string& name) {
  using Texts = std::optional<std::vector<std::string>>;
  if (message.shared) return Texts();
  Fields fields(message.bytes);
  const uint8_t version = fields.U8(), flags = fields.U8();
  const uint16_t name_size = fields.U16(), type_size = fields.U16(), space_size = fields.U16();
  if (version == 3) fields.Skip(1);  // character set of the name
  if (version < 1 || version > 3) return Damaged("an attribute");
  // Version 1 pads each part to eight bytes.
  const auto part = [&](uint16_t size) {
    const std::string_view bytes = fields.Take(size);
    if (version == 1) fields.AlignTo8();
    return bytes;
  };
  const std::string_view stored_name = part(name_size);
  if (stored_name.substr(0, stored_name.find('\0')) != name) return Texts();
  const std::string_view type_bytes = part(type_size), space_bytes = part(space_size);
  if (!fields.ok()) return Damaged("an attribute");
  if (version > 1 && (flags & 3) != 0) return Unsupported("its type is stored elsewhere in the file");
  FOVEA_ASSIGN_OR_RETURN(const Hdf5Type type, ReadType(type_bytes));
  FOVEA_ASSIGN_OR_RETURN(const auto dims, ReadDataspace(space_bytes));
  uint64_t count = dims.has_value() ? 1 : 0;
  for (size_t i = 0; dims.has_value() && i < dims->size(); ++i) {
    if ((*dims)[i] > kMaxTexts) return CorruptFile("its size is absurd");
    count *= (*dims)[i];
    if (count > kMaxTexts) return CorruptFile("its size is absurd");
  }
  if (count == 0) return Texts(std::in_place);  // an empty list is written as no floats
  if (type.kind != Hdf5Type::kText && type.kind != Hdf5Type::kVariableText) return CorruptFile("it is not text");
  const std::string_view data = fields.Take(count * type.width);
  if (!fields.ok()) return Damaged("an attribute");
  FOVEA_ASSIGN_OR_RETURN(std::vector<std::string> texts, type.kind == Hdf5Type::kText
                                                             ? FixedTexts(type, count, data)
                                                             : VariableTexts(file, count, data));
  return Texts(std::move(texts));
}

}  // namespace fovea::converter::keras
