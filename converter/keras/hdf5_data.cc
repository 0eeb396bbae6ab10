// Sections III.A.1 (chunks) and IV.A.2.i, l (layout, filters): the elements of datasets.
#include <zlib.h>

#include <algorithm>

#include "converter/keras/hdf5_object.h"

namespace fovea::converter::keras {

namespace {

constexpr int kMaxLevel = 16;
constexpr size_t kMaxFilters = 32;

enum FilterId : uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };

Status Damaged() { return CorruptFile("their data are damaged"); }

Result<std::vector<uint16_t>> ReadFilters(const Hdf5Message* message) {
  std::vector<uint16_t> filters;
  if (message == nullptr) return filters;
  if (message->shared) return Unsupported("their filters are stored elsewhere in the file");
  Fields fields(message->bytes);
  const uint8_t version = fields.U8(), count = fields.U8();
  if ((version != 1 && version != 2) || count > kMaxFilters) return Damaged();
  if (version == 1) fields.Skip(6);
  for (int i = 0; i < count; ++i) {
    const uint16_t id = fields.U16();
    const uint16_t name = version == 1 || id >= 256 ? fields.U16() : uint16_t{0};
    fields.Skip(2);
    const uint16_t values = fields.U16();
    fields.Skip(version == 1 ? (name + 7u) / 8 * 8 : name);
    fields.Skip(4u * (values + (version == 1 ? values % 2u : 0u)));
    if (id != kDeflate && id != kShuffle && id != kFletcher32) {
      return Unsupported("they are packed by filter " + std::to_string(id) +
                         ", which is not deflate, shuffle or fletcher32");
    }
    filters.push_back(id);
  }
  if (!fields.ok()) return Damaged();
  return filters;
}

// At most `limit` bytes.
Result<std::string> Inflate(const std::string& packed, uint64_t limit) {
  std::string out(limit, '\0');
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return OutOfMemory("zlib");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  if (result != Z_STREAM_END) return Damaged();
  return out;
}

// Byte k of all elements lies together.
std::string Unshuffle(const std::string& bytes, size_t width) {
  std::string out = bytes;  // a rest that is no whole element stays where it is
  const size_t count = bytes.size() / width;
  for (size_t k = 0; k < width; ++k) {
    for (size_t i = 0; i < count; ++i) out[i * width + k] = bytes[k * count + i];
  }
  return out;
}

class ChunkReader {
 public:
  ChunkReader(Hdf5Bytes* file, const std::vector<uint64_t>& dims, std::vector<uint64_t> chunk, uint32_t width,
              std::vector<uint16_t> filters, std::string* out)
      : file_(file), dims_(dims), chunk_(std::move(chunk)), width_(width), filters_(std::move(filters)), out_(out) {
    chunk_bytes_ = width;
    for (size_t a = 0; a < dims_.size(); ++a) {
      chunk_bytes_ *= chunk_[a];
      max_chunks_ *= (dims_[a] + chunk_[a] - 1) / chunk_[a];
    }
  }

  Status Tree(uint64_t address, int level_above = kMaxLevel) {
    FOVEA_ASSIGN_OR_RETURN(const std::string head, file_->Read(address, 24));
    Fields fields(head);
    const bool is_tree = fields.Take(4) == "TREE" && fields.U8() == 1;
    const int level = fields.U8();
    const uint16_t entries = fields.U16();
    if (!is_tree || level >= level_above) return Damaged();
    const uint64_t key = 8 + 8 * (dims_.size() + 1);
    FOVEA_ASSIGN_OR_RETURN(const std::string body, file_->Read(address + 24, entries * (key + 8)));
    Fields children(body);
    for (int i = 0; i < entries; ++i) {
      const uint32_t stored = children.U32(), mask = children.U32();
      std::vector<uint64_t> offset;
      for (size_t a = 0; a < dims_.size(); ++a) offset.push_back(children.U64());
      children.Skip(8);  // the offset inside an element
      const uint64_t child = children.U64();
      FOVEA_RETURN_IF_ERROR(level > 0 ? Tree(child, level) : Chunk(child, stored, mask, offset));
    }
    return OkStatus();
  }

 private:
  Status Chunk(uint64_t address, uint32_t stored, uint32_t mask, const std::vector<uint64_t>& offset) {
    for (size_t a = 0; a < dims_.size(); ++a) {
      if (offset[a] >= dims_[a] || offset[a] % chunk_[a] != 0) return Damaged();
    }
    if (++chunks_ > max_chunks_) return Damaged();
    FOVEA_ASSIGN_OR_RETURN(std::string bytes, file_->Read(address, stored));
    for (size_t i = filters_.size(); i-- > 0;) {
      if ((mask >> i & 1) != 0) continue;
      if (filters_[i] == kDeflate) {
        FOVEA_ASSIGN_OR_RETURN(bytes, Inflate(bytes, chunk_bytes_ + 4));
      } else if (filters_[i] == kShuffle) {
        bytes = Unshuffle(bytes, width_);
      } else if (bytes.size() >= 4) {
        bytes.resize(bytes.size() - 4);  // the checksum
      }
    }
    if (bytes.size() != chunk_bytes_) return Damaged();
    Copy(bytes, offset);
    return OkStatus();
  }

  // The part of the chunk that lies inside the array, a row at a time.
  void Copy(const std::string& bytes, const std::vector<uint64_t>& offset) {
    const size_t rank = dims_.size();
    std::vector<uint64_t> index(rank, 0), size(rank);
    for (size_t a = 0; a < rank; ++a) size[a] = std::min(chunk_[a], dims_[a] - offset[a]);
    while (true) {
      uint64_t from = 0, to = 0;
      for (size_t a = 0; a < rank; ++a) {
        from = from * chunk_[a] + index[a];
        to = to * dims_[a] + offset[a] + index[a];
      }
      std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(from * width_), size[rank - 1] * width_,
                  out_->begin() + static_cast<ptrdiff_t>(to * width_));
      size_t a = rank - 1;
      while (a-- > 0) {
        if (++index[a] < size[a]) break;
        index[a] = 0;
      }
      if (a == static_cast<size_t>(-1)) return;
    }
  }

  Hdf5Bytes* file_;
  const std::vector<uint64_t>& dims_;
  std::vector<uint64_t> chunk_;
  uint32_t width_;
  std::vector<uint16_t> filters_;
  std::string* out_;
  uint64_t chunk_bytes_ = 0, chunks_ = 0, max_chunks_ = 1;
};

Result<std::string> ReadChunks(Hdf5Bytes* file, const Hdf5Object& dataset, Fields layout,
                               const std::vector<uint64_t>& dims, uint32_t width, uint64_t bytes) {
  constexpr uint64_t kMaxChunkBytes = uint64_t{1} << 31;
  const uint8_t axes = layout.U8();
  const uint64_t tree = layout.U64();
  if (axes != dims.size() + 1 || dims.empty()) return Damaged();
  std::vector<uint64_t> chunk;
  uint64_t chunk_bytes = width;
  for (size_t a = 0; a < dims.size(); ++a) {
    chunk.push_back(layout.U32());
    if (chunk[a] == 0 || chunk_bytes > kMaxChunkBytes / chunk[a]) {
      return CorruptFile("they are stored in pieces of an absurd size");
    }
    chunk_bytes *= chunk[a];
  }
  const uint32_t element = layout.U32();
  if (!layout.ok() || element != width) return Damaged();
  if (chunk_bytes > kFreeExpansionBytes + kMaxExpansion * file->size()) {
    return CorruptFile("they are stored in pieces of an absurd size");
  }
  FOVEA_ASSIGN_OR_RETURN(std::vector<uint16_t> filters, ReadFilters(dataset.Find(Hdf5MessageType::kFilters)));
  std::string out(bytes, '\0');
  if (tree != kUndefinedAddress) {
    FOVEA_RETURN_IF_ERROR(ChunkReader(file, dims, std::move(chunk), width, std::move(filters), &out).Tree(tree));
  }
  return out;
}

}  // namespace

Result<std::string> ReadElements(Hdf5Bytes* file, const Hdf5Object& dataset, const std::vector<uint64_t>& dims,
                                 uint32_t width, uint64_t bytes) {
  const Hdf5Message* message = dataset.Find(Hdf5MessageType::kLayout);
  if (message == nullptr || message->shared) return Damaged();
  if (dataset.Find(Hdf5MessageType::kExternalFiles) != nullptr) {
    return Unsupported("they are not in this file but in another one");
  }
  Fields fields(message->bytes);
  const uint8_t version = fields.U8(), layout = fields.U8();
  if (version == 4 && layout >= 2) {
    return Unsupported(layout == 3
                           ? "they are not in this file but in others"
                           : "their chunks have an index of HDF5 1.10; write the file again with h5repack --high=0");
  }
  if (version != 3 && version != 4) return Unsupported("layout version " + std::to_string(version));
  if (layout == 0) {
    const uint16_t size = fields.U16();
    const std::string_view data = fields.Take(size);
    if (!fields.ok() || size < bytes) return CorruptFile("they are larger than what the file holds");
    return std::string(data.substr(0, bytes));
  }
  if (layout == 1) {
    const uint64_t address = fields.U64(), size = fields.U64();
    if (!fields.ok()) return Damaged();
    if (bytes == 0) return std::string();
    if (address == kUndefinedAddress || size < bytes || bytes > file->size()) {
      return CorruptFile("they are larger than what the file holds");
    }
    return file->Read(address, bytes);
  }
  if (layout != 2) return Damaged();
  return ReadChunks(file, dataset, fields, dims, width, bytes);
}

}  // namespace fovea::converter::keras
