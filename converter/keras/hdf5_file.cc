#include "converter/keras/hdf5_file.h"

#include <hdf5.h>

#include <algorithm>
#include <utility>

namespace fovea::converter::keras {

namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{256} << 20;
constexpr uint64_t kMaxTexts = 1 << 20;
constexpr size_t kMaxMembers = 1 << 16;
constexpr uint64_t kMaxChunkedAttributes = 1 << 12;
// Compressed weights may be larger than the file, but not without end.
constexpr uint64_t kMaxExpansion = 64;
constexpr uint64_t kFreeExpansionBytes = uint64_t{16} << 20;
constexpr int kMaxRank = 6;

// An HDF5 identifier that closes itself.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  bool ok() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

void PrepareLibrary() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // every failure is reported by our own sentence
  H5PLset_loading_state(0);                     // a file may not ask for shared objects to be loaded
}

// The object at a path, reached through hard links only.
Handle OpenObject(hid_t file, const std::string& path) {
  Handle at(H5Oopen(file, "/", H5P_DEFAULT), H5Oclose);
  size_t begin = 0;
  while (at.ok() && begin < path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    H5L_info_t link;
    if (H5Iget_type(at.get()) != H5I_GROUP || H5Lexists(at.get(), name.c_str(), H5P_DEFAULT) <= 0 ||
        H5Lget_info(at.get(), name.c_str(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) {
      return Handle();
    }
    at = Handle(H5Oopen(at.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
  }
  return at;
}

Result<std::vector<std::string>> ReadTexts(hid_t attribute) {
  const Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  if (!type.ok() || !space.ok()) return CorruptFile("its type cannot be read");
  const hssize_t points = H5Sget_simple_extent_npoints(space.get());
  const size_t width = H5Tget_size(type.get());
  std::vector<std::string> texts;
  // An empty list is written as an array of no floats.
  if (points == 0) return texts;
  if (H5Tget_class(type.get()) != H5T_STRING) return CorruptFile("it is not text");
  if (points < 0 || static_cast<uint64_t>(points) > kMaxTexts || width == 0) return CorruptFile("its size is absurd");
  const size_t count = static_cast<size_t>(points);
  if (H5Tis_variable_str(type.get()) > 0) {
    const Handle memory(H5Tcopy(type.get()), H5Tclose);
    std::vector<char*> pointers(count, nullptr);
    if (H5Aread(attribute, memory.get(), pointers.data()) < 0) return CorruptFile("it cannot be read");
    for (const char* text : pointers) texts.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(memory.get(), space.get(), H5P_DEFAULT, pointers.data());
    return texts;
  }
  if (width > kMaxTextBytes / count || H5Aget_storage_size(attribute) < count * width) {
    return CorruptFile("its size is absurd");
  }
  std::vector<char> bytes(count * width);
  if (H5Aread(attribute, type.get(), bytes.data()) < 0) return CorruptFile("it cannot be read");
  for (size_t i = 0; i < count; ++i) {
    const char* begin = bytes.data() + i * width;
    texts.emplace_back(begin, std::find(begin, begin + width, '\0'));
  }
  // Padding of fixed-length strings that are padded with blanks.
  if (H5Tget_strpad(type.get()) == H5T_STR_SPACEPAD) {
    for (std::string& text : texts) text.erase(text.find_last_not_of(' ') + 1);
  }
  return texts;
}

Result<std::optional<std::vector<std::string>>> ReadAttribute(hid_t object, const std::string& name) {
  if (H5Aexists(object, name.c_str()) <= 0) return std::optional<std::vector<std::string>>();
  const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.ok()) return CorruptFile("the attribute " + Quoted(name) + " cannot be opened");
  Result<std::vector<std::string>> texts = ReadTexts(attribute.get());
  if (!texts.ok()) return texts.status().Prefixed("the attribute " + Quoted(name));
  return std::optional(std::move(*texts));
}

herr_t AddName(hid_t, const char* name, const H5L_info_t*, void* names) {
  auto* list = static_cast<std::vector<std::string>*>(names);
  list->emplace_back(name);
  return list->size() >= kMaxMembers ? 1 : 0;
}

}  // namespace

struct Hdf5File::State {
  Handle file;
  uint64_t bytes = 0;
  uint64_t decoded_bytes = 0;
};

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() = default;

Result<Hdf5File> Hdf5File::Open(const std::string& path) {
  PrepareLibrary();
  auto state = std::make_unique<State>();
  state->file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  hsize_t bytes = 0;
  if (!state->file.ok() || H5Fget_filesize(state->file.get(), &bytes) < 0) {
    return CorruptFile("not an HDF5 file, or cut off");
  }
  state->bytes = bytes;
  return Hdf5File(std::move(state));
}

Result<Hdf5File> Hdf5File::FromBytes(std::span<const std::byte> bytes) {
  PrepareLibrary();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  std::vector<std::byte> image(bytes.begin(), bytes.end());  // the interface asks for memory it may write
  auto state = std::make_unique<State>();
  if (image.empty() || !access.ok() || H5Pset_fapl_core(access.get(), 1 << 16, 0) < 0 ||
      H5Pset_file_image(access.get(), image.data(), image.size()) < 0) {
    return CorruptFile("not an HDF5 file, or cut off");
  }
  state->file = Handle(H5Fopen("memory.h5", H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!state->file.ok()) return CorruptFile("not an HDF5 file, or cut off");
  state->bytes = bytes.size();
  return Hdf5File(std::move(state));
}

bool Hdf5File::HasGroup(const std::string& path) const {
  const Handle object = OpenObject(state_->file.get(), path);
  return object.ok() && H5Iget_type(object.get()) == H5I_GROUP;
}

Result<std::vector<std::string>> Hdf5File::Members(const std::string& group) const {
  const Handle object = OpenObject(state_->file.get(), group);
  std::vector<std::string> names;
  if (!object.ok() || H5Iget_type(object.get()) != H5I_GROUP ||
      H5Literate(object.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, AddName, &names) < 0) {
    return CorruptFile("the group " + Quoted(group) + " cannot be read");
  }
  return names;
}

Result<std::optional<std::string>> Hdf5File::Text(const std::string& group, const std::string& name) const {
  FOVEA_ASSIGN_OR_RETURN(const auto texts, Texts(group, name));
  if (!texts.has_value() || texts->empty()) return std::optional<std::string>();
  return std::optional((*texts)[0]);
}

Result<std::optional<std::vector<std::string>>> Hdf5File::Texts(const std::string& group,
                                                                const std::string& name) const {
  const std::string where = "group " + Quoted(group);
  const Handle object = OpenObject(state_->file.get(), group);
  if (!object.ok()) return CorruptFile("the " + where + " is missing");
  Result<std::optional<std::vector<std::string>>> whole = ReadAttribute(object.get(), name);
  if (!whole.ok()) return whole.status().Prefixed(where);
  if (whole->has_value()) return whole;
  std::optional<std::vector<std::string>> joined;
  for (uint64_t part = 0; part < kMaxChunkedAttributes; ++part) {
    Result<std::optional<std::vector<std::string>>> texts = ReadAttribute(object.get(), name + std::to_string(part));
    if (!texts.ok()) return texts.status().Prefixed(where);
    if (!texts->has_value()) break;
    if (!joined.has_value()) joined.emplace();
    joined->insert(joined->end(), (*texts)->begin(), (*texts)->end());
    if (joined->size() > kMaxTexts) return CorruptFile(where + ": the attribute " + Quoted(name) + " has no end");
  }
  return joined;
}

Result<Weight> Hdf5File::Array(const std::string& path) const {
  const std::string where = "the weights " + Quoted(path);
  const Handle object = OpenObject(state_->file.get(), path);
  if (!object.ok()) return CorruptFile(where + " are missing");
  if (H5Iget_type(object.get()) != H5I_DATASET) return CorruptFile(where + " are not an array");
  const Handle type(H5Dget_type(object.get()), H5Tclose), space(H5Dget_space(object.get()), H5Sclose),
      creation(H5Dget_create_plist(object.get()), H5Pclose);
  if (!type.ok() || !space.ok() || !creation.ok()) return CorruptFile(where + " cannot be read");
  const H5T_class_t kind = H5Tget_class(type.get());
  const size_t width = H5Tget_size(type.get());
  if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || width < 1 || width > 8) {
    return Unsupported(where + " are neither integers nor floats of at most 64 bits");
  }
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  if (H5Pget_external_count(creation.get()) != 0 || layout == H5D_VIRTUAL || layout < 0) {
    return Unsupported(where + " are not in this file but in another one");
  }
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0 || rank > kMaxRank) return CorruptFile(where + " have " + std::to_string(rank) + " axes");
  hsize_t dims[kMaxRank] = {}, chunk[kMaxRank] = {};
  if (H5Sget_simple_extent_dims(space.get(), dims, nullptr) < 0) return CorruptFile(where + " cannot be read");

  const uint64_t limit = kFreeExpansionBytes + kMaxExpansion * state_->bytes;
  const auto bytes_of = [&](const hsize_t* sizes) {
    uint64_t total = width;
    for (int i = 0; i < rank; ++i) {
      if (sizes[i] != 0 && total > limit / sizes[i]) return limit + 1;
      total *= sizes[i];
    }
    return total;
  };
  const uint64_t bytes = bytes_of(dims);
  const bool stored_whole = layout == H5D_CONTIGUOUS || layout == H5D_COMPACT;
  if ((stored_whole && bytes > H5Dget_storage_size(object.get())) || bytes > limit - state_->decoded_bytes) {
    return CorruptFile(where + " are larger than what the file holds");
  }
  if (layout == H5D_CHUNKED && (H5Pget_chunk(creation.get(), rank, chunk) != rank || bytes_of(chunk) > limit)) {
    return CorruptFile(where + " are stored in pieces of an absurd size");
  }
  state_->decoded_bytes += bytes;

  Weight weight;
  weight.dims.assign(dims, dims + rank);
  weight.data.resize(bytes / width);
  if (!weight.data.empty() &&
      H5Dread(object.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, weight.data.data()) < 0) {
    return CorruptFile(where + " cannot be read: their data are damaged, or packed by a filter that is not HDF5's own");
  }
  return weight;
}

}  // namespace fovea::converter::keras
