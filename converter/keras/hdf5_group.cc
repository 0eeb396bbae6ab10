// Sections III.A to III.D: the tables of groups.
#include "converter/keras/hdf5_object.h"

namespace fovea::converter::keras {

namespace {

constexpr size_t kMaxMembers = 1 << 17;
constexpr uint64_t kMaxHeapBytes = uint64_t{64} << 20;
constexpr int kMaxLevel = 16;

Status Damaged() { return CorruptFile("the table of a group is damaged"); }

// A group of the classic form: a B-tree of nodes that name their members by positions in a local heap.
class SymbolTable {
 public:
  SymbolTable(Hdf5Bytes* file, std::map<std::string, uint64_t>* links) : file_(file), links_(links) {}

  Status Read(uint64_t tree, uint64_t heap) {
    FOVEA_ASSIGN_OR_RETURN(const std::string head, file_->Read(heap, 32));
    Fields fields(head);
    if (fields.Take(4) != "HEAP") return Damaged();
    fields.Skip(4);
    const uint64_t size = fields.U64();
    fields.Skip(8);
    const uint64_t address = fields.U64();
    if (size > kMaxHeapBytes) return Damaged();
    FOVEA_ASSIGN_OR_RETURN(names_, file_->Read(address, size));
    return Tree(tree, kMaxLevel);
  }

 private:
  Status Tree(uint64_t address, int level_above) {
    FOVEA_ASSIGN_OR_RETURN(const std::string head, file_->Read(address, 24));
    Fields fields(head);
    const bool is_tree = fields.Take(4) == "TREE" && fields.U8() == 0;
    const int level = fields.U8();
    const uint16_t entries = fields.U16();
    if (!is_tree || level >= level_above) return Damaged();
    FOVEA_ASSIGN_OR_RETURN(const std::string body, file_->Read(address + 24, uint64_t{entries} * 16 + 8));
    Fields children(body);
    for (int i = 0; i < entries; ++i) {
      children.Skip(8);  // the key: the last name below
      const uint64_t child = children.U64();
      FOVEA_RETURN_IF_ERROR(level > 0 ? Tree(child, level) : Node(child));
    }
    return OkStatus();
  }

  Status Node(uint64_t address) {
    FOVEA_ASSIGN_OR_RETURN(const std::string head, file_->Read(address, 8));
    Fields fields(head);
    if (fields.Take(4) != "SNOD" || fields.U8() != 1) return Damaged();
    fields.Skip(1);
    const uint16_t count = fields.U16();
    FOVEA_ASSIGN_OR_RETURN(const std::string body, file_->Read(address + 8, uint64_t{count} * 40));
    Fields symbols(body);
    for (int i = 0; i < count; ++i) {
      const uint64_t name = symbols.U64(), object = symbols.U64();
      const uint32_t kind = symbols.U32();
      symbols.Skip(20);
      if (kind == 2 || object == kUndefinedAddress) continue;  // a soft link
      if (name >= names_.size() || links_->size() >= kMaxMembers) return Damaged();
      const size_t end = names_.find('\0', name);
      if (end == std::string::npos) return Damaged();
      (*links_)[names_.substr(name, end - name)] = object;
    }
    return OkStatus();
  }

  Hdf5Bytes* file_;
  std::map<std::string, uint64_t>* links_;
  std::string names_;
};

// A link message (IV.A.2.g) of a group of the newer form, where it is a hard link.
Status AddLink(std::string_view message, std::map<std::string, uint64_t>* links) {
  Fields fields(message);
  if (fields.U8() != 1) return Damaged();
  const uint8_t flags = fields.U8();
  const uint8_t kind = (flags & 8) != 0 ? fields.U8() : 0;
  if ((flags & 4) != 0) fields.Skip(8);
  if ((flags & 0x10) != 0) fields.Skip(1);
  const uint64_t length = fields.Number(size_t{1} << (flags & 3));
  const std::string_view name = fields.Take(length);
  if (!fields.ok()) return Damaged();
  if (kind != 0) return OkStatus();
  (*links)[std::string(name)] = fields.U64();
  return fields.ok() && links->size() < kMaxMembers ? OkStatus() : Damaged();
}

}  // namespace

Result<std::map<std::string, uint64_t>> ReadLinks(Hdf5Bytes* file, const Hdf5Object& group) {
  std::map<std::string, uint64_t> links;
  if (const Hdf5Message* table = group.Find(Hdf5MessageType::kSymbolTable); table != nullptr) {
    Fields fields(table->bytes);
    const uint64_t tree = fields.U64(), heap = fields.U64();
    if (!fields.ok()) return Damaged();
    FOVEA_RETURN_IF_ERROR(SymbolTable(file, &links).Read(tree, heap));
    return links;
  }
  if (const Hdf5Message* info = group.Find(Hdf5MessageType::kLinkInfo); info != nullptr) {
    Fields fields(info->bytes);
    fields.Skip(1);
    if ((fields.U8() & 1) != 0) fields.Skip(8);
    if (fields.U64() != kUndefinedAddress || !fields.ok()) {
      return Unsupported("a group in HDF5's dense form; write the file again with h5repack --high=0");
    }
  }
  for (const Hdf5Message& message : group.messages) {
    if (message.type == Hdf5MessageType::kLink && !message.shared) {
      FOVEA_RETURN_IF_ERROR(AddLink(message.bytes, &links));
    }
  }
  return links;
}

}  // namespace fovea::converter::keras
