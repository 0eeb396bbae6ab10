#include "converter/saved_model/bundle.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <numeric>

#include "converter/saved_model/crc32c.h"
#include "converter/saved_model/table.h"
#include "converter/saved_model/tensor.h"

namespace fovea::converter {

namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{256} << 20;
constexpr int32_t kMaxShards = 99'999;  // five digits
constexpr int kMaxSlices = 4096;

std::vector<int64_t> DimsOf(const tfproto::BundleEntryProto& entry) { return ToShape(entry.shape()).dims; }

Status WrongChecksum() { return CorruptFile("its checksum is wrong: the file is damaged"); }

}  // namespace

Result<Bundle> Bundle::Open(FileTree* tree, const std::string& prefix) {
  const std::string name = prefix + ".index";
  Result<std::unique_ptr<ByteSource>> source = tree->Open(name);
  if (!source.ok()) return source.status();
  Result<std::string> text = ReadAll(source->get(), kMaxIndexBytes);
  if (!text.ok()) return text.status().Prefixed(name);
  auto entries = ReadTable(*text);
  if (!entries.ok()) return entries.status().Prefixed(name);

  Bundle bundle;
  bundle.tree_ = tree;
  bundle.prefix_ = prefix;
  bundle.entries_ = std::move(*entries);
  const auto header_text = bundle.entries_.find("");
  tfproto::BundleHeaderProto header;
  if (header_text == bundle.entries_.end() || !header.ParseFromString(header_text->second)) {
    return CorruptFile(name + ": its header is missing or damaged");
  }
  if (header.num_shards() < 0 || header.num_shards() > kMaxShards || header.endianness() < 0 ||
      header.endianness() > 1) {
    return CorruptFile(name + ": its header is damaged");
  }
  bundle.shards_ = header.num_shards();
  bundle.big_endian_ = header.endianness() == 1;
  return bundle;
}

std::vector<std::string> Bundle::Names() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : entries_) {
    if (!key.empty() && key[0] != '\0') names.push_back(key);  // slices' keys begin with the ordered code of 0
  }
  return names;
}

Result<Bundle::Entry> Bundle::Find(const std::string& key) const {
  const auto text = entries_.find(key);
  if (text == entries_.end()) return NotFound("the checkpoint has no such tensor");
  Entry entry;
  if (!entry.ParseFromString(text->second)) return CorruptFile("its entry in the index is damaged");
  return entry;
}

Result<ByteSource*> Bundle::Shard(int32_t shard) {
  const auto found = open_.find(shard);
  if (found != open_.end()) return found->second.get();
  if (shard < 0 || shard >= shards_) return CorruptFile("it lies in a shard that the index does not count");
  char suffix[32];
  std::snprintf(suffix, sizeof(suffix), ".data-%05d-of-%05d", shard, shards_);
  Result<std::unique_ptr<ByteSource>> source = tree_->Open(prefix_ + suffix);
  if (!source.ok()) {
    if (source.status().code() != StatusCode::kNotFound) return source.status();
    return NotFound("the file '" + prefix_ + suffix + "' is missing beside the index");
  }
  return open_.emplace(shard, std::move(*source)).first->second.get();
}

Status Bundle::CheckPlace(const Entry& entry) {
  FOVEA_ASSIGN_OR_RETURN(ByteSource * shard, Shard(entry.shard_id()));
  const uint64_t size = shard->size();
  if (entry.offset() < 0 || entry.size() < 0 || static_cast<uint64_t>(entry.offset()) > size ||
      static_cast<uint64_t>(entry.size()) > size - static_cast<uint64_t>(entry.offset())) {
    return CorruptFile("its bytes lie beyond the end of shard " + std::to_string(entry.shard_id()) +
                       ": the file is cut off");
  }
  return OkStatus();
}

Result<TfTensor> Bundle::ReadEntry(const Entry& entry) {
  const size_t element = TfTypeBytes(entry.dtype());
  if (element == 0) return Unsupported("a variable of " + TfTypeName(entry.dtype()));
  FOVEA_RETURN_IF_ERROR(CheckPlace(entry));
  std::vector<int64_t> dims = DimsOf(entry);
  const std::optional<uint64_t> count = ElementCount(dims);
  const auto size = static_cast<uint64_t>(entry.size());
  if (entry.shape().unknown_rank() || !count || size % element != 0 || size / element != *count) {
    return CorruptFile("its " + std::to_string(entry.size()) + " bytes contradict its shape");
  }
  FOVEA_ASSIGN_OR_RETURN(ByteSource * shard, Shard(entry.shard_id()));
  const auto offset = static_cast<uint64_t>(entry.offset());
  const auto check = [&](std::span<const std::byte> bytes) {
    return MaskCrc32c(Crc32c(bytes)) == entry.crc32c() ? OkStatus() : WrongChecksum();
  };
  const bool swap = big_endian_ != (std::endian::native == std::endian::big);
  if (entry.dtype() == kTfFloat && !swap) {  // straight into place: weights are the bulk of a model
    std::vector<float> values(*count);
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(values));
    FOVEA_RETURN_IF_ERROR(shard->Read(offset, bytes));
    FOVEA_RETURN_IF_ERROR(check(bytes));
    return MakeFloatTensor(std::move(dims), std::move(values));
  }
  std::vector<std::byte> bytes(size);
  FOVEA_RETURN_IF_ERROR(shard->Read(offset, bytes));
  FOVEA_RETURN_IF_ERROR(check(bytes));
  return DecodeElements(entry.dtype(), std::move(dims), bytes, big_endian_);
}

Result<TfTensor> Bundle::ReadSlices(const std::string& key, const Entry& entry) {
  const std::vector<int64_t> dims = DimsOf(entry);
  const std::optional<uint64_t> count = ElementCount(dims);
  if (entry.shape().unknown_rank() || !count || entry.slices_size() > kMaxSlices) {
    return CorruptFile("its entry in the index is damaged");
  }
  const TfType dtype = ToDType(entry.dtype());
  if (!dtype || !IsFloat(*dtype)) return Unsupported("a partitioned variable of " + TfTypeName(entry.dtype()));
  std::vector<Slice> slices;
  std::vector<Entry> parts;
  uint64_t covered = 0;
  for (const auto& proto : entry.slices()) {
    const Slice slice = ToSlice(proto);
    FOVEA_ASSIGN_OR_RETURN(Slice resolved, Resolve(slice, dims));
    for (const Slice& other : slices) {
      if (Overlap(other, resolved)) return CorruptFile("its slices overlap");
    }
    Result<Entry> part = Find(SliceKey(key, slice));
    if (!part.ok()) return part.status().Prefixed("slice " + std::to_string(slices.size()));
    if (part->slices_size() > 0 || part->dtype() != entry.dtype() || DimsOf(*part) != SliceDims(resolved)) {
      return CorruptFile("slice " + std::to_string(slices.size()) + " contradicts its variable");
    }
    // The whole is allocated below: each part's bytes must be there first.
    FOVEA_RETURN_IF_ERROR(CheckPlace(*part));
    if (static_cast<uint64_t>(part->size()) / TfTypeBytes(entry.dtype()) != *ElementCount(SliceDims(resolved))) {
      return CorruptFile("slice " + std::to_string(slices.size()) + " contradicts its size");
    }
    covered += *ElementCount(SliceDims(resolved));
    slices.push_back(std::move(resolved));
    parts.push_back(std::move(*part));
  }
  if (covered != *count) return CorruptFile("its slices leave gaps");
  std::vector<float> whole(*count);
  for (size_t i = 0; i < parts.size(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const TfTensor part, ReadEntry(parts[i]));
    CopySliceIn(*part.data, slices[i], dims, &whole);
  }
  TfTensor tensor = MakeFloatTensor(dims, std::move(whole));
  tensor.dtype = *dtype;
  return tensor;
}

Result<TfTensor> Bundle::ReadRequest(const Request& request) {
  FOVEA_ASSIGN_OR_RETURN(const Entry entry, Find(request.key));
  FOVEA_ASSIGN_OR_RETURN(TfTensor whole, entry.slices_size() > 0 ? ReadSlices(request.key, entry) : ReadEntry(entry));
  FOVEA_ASSIGN_OR_RETURN(const Slice wanted, ParseSliceSpec(request.slice));
  if (wanted.empty()) return whole;
  FOVEA_ASSIGN_OR_RETURN(const Slice slice, Resolve(wanted, whole.dims));
  TfTensor part = MakeFloatTensor(SliceDims(slice), CopySliceOut(*whole.data, slice, whole.dims));
  part.dtype = whole.dtype;
  return part;
}

Result<std::vector<TfTensor>> Bundle::Read(const std::vector<Request>& requests) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<std::pair<int32_t, int64_t>> places;
  for (const Request& request : requests) {
    const Result<Entry> entry = Find(request.key);
    places.emplace_back(entry.ok() ? entry->shard_id() : 0, entry.ok() ? entry->offset() : 0);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return places[a] < places[b]; });
  std::vector<TfTensor> tensors(requests.size());
  std::map<std::pair<std::string, std::string>, size_t> done;  // several nodes may share one variable
  for (const size_t i : order) {
    const Request& request = requests[i];
    const auto [known, fresh] = done.emplace(std::pair(request.key, request.slice), i);
    if (!fresh) {
      tensors[i] = tensors[known->second];
      continue;
    }
    Result<TfTensor> tensor = ReadRequest(request);
    if (!tensor.ok()) return tensor.status().Prefixed("variable '" + request.name + "'");
    tensors[i] = std::move(*tensor);
  }
  return tensors;
}

Result<std::string> Bundle::ReadString(const std::string& key) {
  FOVEA_ASSIGN_OR_RETURN(const Entry entry, Find(key));
  FOVEA_RETURN_IF_ERROR(CheckPlace(entry));
  if (entry.dtype() != kTfString || entry.shape().dim_size() != 0) return CorruptFile("not one string");
  FOVEA_ASSIGN_OR_RETURN(ByteSource * shard, Shard(entry.shard_id()));
  std::string bytes(static_cast<size_t>(entry.size()), '\0');
  FOVEA_RETURN_IF_ERROR(shard->Read(static_cast<uint64_t>(entry.offset()), std::as_writable_bytes(std::span(bytes))));
  // Length, checksum of the length, text; the entry's checksum is over the length as uint32, its checksum and the text.
  std::string_view rest = bytes;
  uint64_t length = 0;
  if (!TakeVarint(&rest, &length) || length > UINT32_MAX || rest.size() < 4 || length != rest.size() - 4) {
    return CorruptFile("its length contradicts its entry");
  }
  std::string checked;
  for (int i = 0; i < 4; ++i) {
    checked.push_back(static_cast<char>(length >> (8 * (big_endian_ ? 3 - i : i))));
  }
  checked += rest;
  if (MaskCrc32c(Crc32c(std::as_bytes(std::span(checked)))) != entry.crc32c()) return WrongChecksum();
  return std::string(rest.substr(4));
}

}  // namespace fovea::converter
