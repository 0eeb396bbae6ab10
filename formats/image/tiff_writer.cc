// TIFF writer. Pixels go to the file as they come (tiff_level); directories are written at the end, so that strips of
// any plane may be completed in any order and the choice between classic TIFF and BigTIFF follows from the true size.
#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <new>

#include "formats/image/ome.h"
#include "formats/image/output_file.h"
#include "formats/image/text.h"
#include "formats/image/tiff.h"
#include "formats/image/tiff_encode.h"
#include "formats/image/tiff_level.h"
#include "formats/image/tiff_page.h"
#include "formats/image/tiff_tags.h"

namespace fovea::formats {
namespace {

constexpr uint64_t kHeaderBytes = 16;  // BigTIFF's; a classic header leaves 8 of them unused
constexpr int64_t kStripBytes = int64_t{256} << 10;
constexpr int64_t kTile = 512;
constexpr double kClassicBytes = 4e9;  // more needs BigTIFF, which is read by region: tiles

bool ImageJSupports(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kUInt16 || dtype == DType::kInt16 || dtype == DType::kInt32 ||
         dtype == DType::kUInt32 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

class TiffWriter final : public ImageWriter {
 public:
  // Decides everything; touches no file.
  Status LayOut(const std::string& path, const ImageInfo& info, const WriteOptions& options) {
    path_ = path;
    info_ = info;
    options_ = options;
    // TIFF has no bool of a byte; 0 and 1 are.
    info_.dtype = options.dtype == DType::kBool ? DType::kUInt8 : options.dtype;
    FOVEA_RETURN_IF_ERROR(ChooseFlavour());
    return ChooseLevels();
  }

  Status Open() {
    const bool resume = !options_.resume_state.empty();
    FOVEA_RETURN_IF_ERROR(options_.resumable ? file_.CreateResumable(path_, resume) : file_.Create(path_));
    uint64_t bytes = 0;
    for (const auto& level : levels_) {
      bytes += static_cast<uint64_t>(level->shape().page_bytes() * level->shape().pages);
    }
    if (!compressed()) FOVEA_RETURN_IF_ERROR(file_.CheckSpace(kHeaderBytes + bytes));
    end_ = kHeaderBytes + (compressed() ? 0 : bytes);
    if (body_.store != nullptr) {
      store_.Open(path_, levels_[0]->shape().chunk_bytes(), options_.resumable);
    }
    if (!resume) return store_.RemoveStale(), OkStatus();
    return LoadState().Prefixed("the record of the interrupted run that wrote '" + path_ + "'");
  }

  Status Write(const Region& region, const void* src) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    if (finished_) return InvalidArgument("'" + path_ + "' is already complete");
    try {
      const int64_t page = (region.t * info_.z + region.z) * (info_.c / samples_) + region.c / samples_;
      return levels_[0]->Write(page, region.c % samples_, region, static_cast<const uint8_t*>(src));
    } catch (const std::bad_alloc&) {
      return OutOfMemory("not enough memory to write '" + path_ + "'");
    }
  }

  Status Finish() override {
    if (finished_) return InvalidArgument("'" + path_ + "' is already complete");
    finished_ = true;
    try {
      return WriteDirectories();
    } catch (const std::bad_alloc&) {
      return OutOfMemory("not enough memory to complete '" + path_ + "'");
    }
  }

  Result<std::vector<uint8_t>> Checkpoint() override {
    StateWriter state;
    state.Put(end_);
    for (const auto& level : levels_) {
      if (body_.store != nullptr) level->Save(&state);
    }
    if (body_.store != nullptr) FOVEA_RETURN_IF_ERROR(store_.Save(&state));
    FOVEA_RETURN_IF_ERROR(file_.Sync());
    return state.Take();
  }

  void KeepUnfinished(bool keep) override {
    file_.Keep(keep);
    store_.Keep(keep);
  }

  int64_t band_alignment() const override { return compressed() ? levels_[0]->shape().chunk_height : 1; }

  int64_t WorkingBytes(int64_t) const override {
    int64_t bytes = int64_t{384} << 10;  // a block, and the directory of the first page
    for (const auto& level : levels_) bytes += level->TableBytes();
    // Besides those that wait: one whole chunk, half of it, and its encoded form.
    const int64_t chunk = levels_[0]->shape().chunk_bytes();
    if (body_.store != nullptr)
      bytes += std::min(ChunkStore::MemoryBytes(chunk), levels_[0]->BodyBytes()) + 3 * chunk + (int64_t{512} << 10);
    return bytes;
  }

 private:
  bool compressed() const { return options_.compression != WriteOptions::kNone; }

  Status ChooseFlavour() {
    const size_t slash = path_.rfind('/');
    flavour_.file_name = slash == std::string::npos ? path_ : path_.substr(slash + 1);
    const std::string lower = LowerCase(path_);
    flavour_.ome = lower.ends_with(".ome.tif") || lower.ends_with(".ome.tiff");
    if (flavour_.ome && !OmeSupports(info_.dtype)) {
      return Unsupported("cannot write '" + path_ + "': OME-TIFF has no " + DTypeName(info_.dtype));
    }
    flavour_.imagej = !flavour_.ome && ImageJSupports(info_.dtype);
    // Colour pictures stay interleaved. ImageJ knows RGB of 8 bits in stacks and of 16 bits as a single page.
    const bool single = info_.t * info_.z == 1;
    flavour_.interleaved =
        info_.c == 3 && info_.axes.ends_with("YXS") &&
        (info_.dtype == DType::kUInt8 || (info_.dtype == DType::kUInt16 && (single || flavour_.ome)));
    samples_ = flavour_.interleaved ? info_.c : 1;
    element_bytes_ = static_cast<int64_t>(DTypeBytes(info_.dtype));
    info_.format = flavour_.ome ? "OME-TIFF" : flavour_.imagej ? "ImageJ TIFF" : "TIFF";
    std::string axes;
    for (const auto& [letter, count] :
         {std::pair{'T', info_.t}, {'Z', info_.z}, {'C', flavour_.interleaved ? 1 : info_.c}}) {
      if (count > 1) axes.push_back(letter);
    }
    info_.axes = axes + (flavour_.interleaved ? "YXS" : "YX");
    return OkStatus();
  }

  // Strips or tiles, and the levels of the pyramid.
  Status ChooseLevels() {
    const auto refuse = [&](const char* why) { return InvalidArgument("cannot write '" + path_ + "': " + why); };
    if (options_.tile < 0 || options_.tile % 16 != 0 || options_.tile > 65536 || options_.rows_per_strip < 0) {
      return refuse("tiles must have a multiple of 16 pixels");
    }
    const bool wide = element_bytes_ == 8 && !IsFloat(info_.dtype);
    if (options_.pyramid && (wide || info_.dtype == DType::kFloat16)) {
      return refuse("pyramids are of integers of up to 32 bits, or of floats of 32 or 64");
    }
    LevelShape shape;
    shape.width = info_.x;
    shape.height = info_.y;
    shape.pages = info_.plane_count() / samples_;
    shape.samples = samples_;
    shape.element_bytes = element_bytes_;
    const int64_t image_row_bytes = info_.x * samples_ * element_bytes_;
    const bool large =
        static_cast<double>(image_row_bytes) * static_cast<double>(info_.y) * static_cast<double>(shape.pages) >
        kClassicBytes;
    shape.tiled = options_.tile > 0 || options_.pyramid || (large && options_.rows_per_strip == 0);
    if (shape.tiled) {
      shape.chunk_width = shape.chunk_height = options_.tile > 0 ? options_.tile : kTile;
    } else {
      shape.chunk_width = info_.x;
      shape.chunk_height = options_.rows_per_strip > 0
                               ? options_.rows_per_strip
                               : std::max<int64_t>(1, kStripBytes / std::max<int64_t>(1, image_row_bytes));
      shape.chunk_height = std::min(shape.chunk_height, info_.y);
    }
    std::vector<LevelShape> shapes = {shape};
    while (options_.pyramid && std::max(shapes.back().width, shapes.back().height) > shape.chunk_width) {
      shape.width = (shape.width + 1) / 2;
      shape.height = (shape.height + 1) / 2;
      shapes.push_back(shape);
    }
    int64_t chunks = 0;
    for (const LevelShape& level : shapes) chunks += level.pages * level.page_chunks();
    if (chunks > (int64_t{1} << 28)) return refuse("too many strips or tiles");
    body_.file = &file_;
    body_.end = &end_;
    body_.store = compressed() || shapes.size() > 1 ? &store_ : nullptr;
    body_.compression = options_.compression;
    // ImageJ undoes differences after LZW only, and of whole numbers only.
    body_.predicts = options_.compression == WriteOptions::kLzw && element_bytes_ <= 2 && !IsFloat(info_.dtype);
    body_.dtype = info_.dtype;
    body_.nearest = options_.pyramid_nearest;
    body_.path = path_;
    uint64_t base = kHeaderBytes;
    std::vector<uint64_t> bases;
    for (const LevelShape& level : shapes) {
      bases.push_back(base);
      base += static_cast<uint64_t>(level.page_bytes() * level.pages);
    }
    for (size_t i = shapes.size(); i-- > 0;) {
      TiffLevel* next = levels_.empty() ? nullptr : levels_.front().get();
      levels_.insert(levels_.begin(), std::make_unique<TiffLevel>(shapes[i], &body_, bases[i], next));
    }
    return OkStatus();
  }

  Status LoadState() {
    StateReader state(options_.resume_state);
    end_ = state.Get();
    int64_t chunks = 0;
    for (const auto& level : levels_) {
      if (body_.store != nullptr) FOVEA_RETURN_IF_ERROR(level->Load(&state));
      chunks += level->chunks();
    }
    if (body_.store != nullptr) FOVEA_RETURN_IF_ERROR(store_.Load(&state, chunks));
    for (const auto& level : levels_) {
      if (!level->HoldsWhatIsPending()) return CorruptFile("damaged");
    }
    return state.ok() && state.at_end() ? OkStatus() : CorruptFile("damaged");
  }

  void AddPixelTags(size_t level, IfdBuilder* ifd) const {
    ifd->AddLong(kTagNewSubfileType, level == 0 ? 0 : 1);
    ifd->AddLong(kTagImageWidth, static_cast<uint32_t>(levels_[level]->shape().width));
    ifd->AddLong(kTagImageLength, static_cast<uint32_t>(levels_[level]->shape().height));
    const auto samples = static_cast<size_t>(samples_);
    ifd->AddShorts(kTagBitsPerSample, std::vector<uint16_t>(samples, static_cast<uint16_t>(8 * element_bytes_)));
    const uint16_t compression = options_.compression == WriteOptions::kLzw       ? kCompressionLzw
                                 : options_.compression == WriteOptions::kDeflate ? kCompressionDeflate
                                                                                  : kCompressionNone;
    ifd->AddShort(kTagCompression, compression);
    if (body_.predicts) ifd->AddShort(kTagPredictor, 2);
    ifd->AddShort(kTagSamplesPerPixel, static_cast<uint16_t>(samples_));
    ifd->AddShort(kTagPlanarConfig, 1);
    const bool is_signed = info_.dtype == DType::kInt8 || info_.dtype == DType::kInt16 ||
                           info_.dtype == DType::kInt32 || info_.dtype == DType::kInt64;
    const uint16_t format = IsFloat(info_.dtype) ? 3 : is_signed ? 2 : 1;
    ifd->AddShorts(kTagSampleFormat, std::vector<uint16_t>(samples, format));
    // A lone table is TIFF's colour map, for ImageJ of wider types, too; values stay indices.
    if (HasColourMap(info_, flavour_)) {
      std::vector<uint16_t> map(info_.luts[0].size());
      for (size_t i = 0; i < map.size(); ++i) map[i] = static_cast<uint16_t>(info_.luts[0][i] * 257);
      ifd->AddShorts(kTagColorMap, map);
    }
    const bool palette = HasColourMap(info_, flavour_) && info_.dtype == DType::kUInt8;
    ifd->AddShort(kTagPhotometric, palette                ? kPhotometricPalette
                                   : flavour_.interleaved ? kPhotometricRgb
                                                          : kPhotometricMinIsBlack);
  }

  Status WriteIfd(const IfdBuilder& ifd, bool last) {
    const std::vector<uint8_t> bytes = ifd.Serialize(end_, last);
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(end_, bytes.data(), bytes.size()));
    end_ += bytes.size();
    return OkStatus();
  }

  // The smaller levels of a page, where its SubIFDs tag points to.
  Status WriteSubIfds(int64_t page, bool big, std::vector<uint64_t>* places) {
    for (size_t i = 1; i < levels_.size(); ++i) {
      IfdBuilder ifd(big);
      AddPixelTags(i, &ifd);
      levels_[i]->AddChunks(page, &ifd);
      places->push_back(end_);
      FOVEA_RETURN_IF_ERROR(WriteIfd(ifd, true));
    }
    return OkStatus();
  }

  // Generous: tags, colour map, positions, and the texts of the first page.
  uint64_t DirectoryBytes() const {
    uint64_t bytes = (uint64_t{4} << 20) + 1024 * static_cast<uint64_t>(info_.slice_labels.size());
    for (const auto& level : levels_) {
      bytes += static_cast<uint64_t>(level->shape().pages * (4096 + 16 * level->shape().page_chunks()));
    }
    for (const ImageJBlock& block : info_.imagej_blocks) bytes += block.bytes.size();
    return bytes + 4 * info_.notes.size() + info_.description.size();
  }

  Status WriteDirectories() {
    for (const auto& level : levels_) FOVEA_RETURN_IF_ERROR(level->Complete());
    end_ += end_ & 1;
    const bool big = options_.force_bigtiff || end_ + DirectoryBytes() > 0xffffffffu;
    const int64_t pages = levels_[0]->shape().pages;
    uint64_t first = 0;
    // Smaller levels come before the directories that name them, so that those follow one another.
    std::vector<std::vector<uint64_t>> smaller(static_cast<size_t>(pages));
    for (int64_t page = 0; page < pages; ++page) {
      FOVEA_RETURN_IF_ERROR(WriteSubIfds(page, big, &smaller[static_cast<size_t>(page)]));
    }
    first = end_;
    for (int64_t page = 0; page < pages; ++page) {
      IfdBuilder ifd(big);
      AddPixelTags(0, &ifd);
      levels_[0]->AddChunks(page, &ifd);
      const std::vector<uint64_t>& places = smaller[static_cast<size_t>(page)];
      if (!places.empty()) ifd.AddSubIfds(kTagSubIfds, places);
      AddResolution(info_, flavour_, &ifd);
      if (page == 0) AddDescription(info_, flavour_, &ifd);
      FOVEA_RETURN_IF_ERROR(WriteIfd(ifd, page + 1 == pages));
    }
    FOVEA_RETURN_IF_ERROR(WriteHeader(big, first));
    // An interrupted run may have got further than the one that goes on with its file.
    FOVEA_RETURN_IF_ERROR(file_.Resize(end_));
    store_.Keep(false);
    return file_.Commit();
  }

  Status WriteHeader(bool big, uint64_t first) {
    uint8_t header[kHeaderBytes] = {};
    const char order = std::endian::native == std::endian::little ? 'I' : 'M';
    header[0] = header[1] = static_cast<uint8_t>(order);
    const uint16_t magic = big ? 43 : 42, offset_bytes = 8;
    const auto first32 = static_cast<uint32_t>(first);
    std::memcpy(header + 2, &magic, 2);
    if (big) {
      std::memcpy(header + 4, &offset_bytes, 2);
      std::memcpy(header + 8, &first, 8);
    } else {
      std::memcpy(header + 4, &first32, 4);
    }
    return file_.WriteAt(0, header, sizeof header);
  }

  OutputFile file_;
  ChunkStore store_;
  TiffLevel::Body body_;
  std::vector<std::unique_ptr<TiffLevel>> levels_;  // full size first
  WriteOptions options_;
  TiffFlavour flavour_;
  bool finished_ = false;
  int64_t samples_ = 1, element_bytes_ = 1;
  uint64_t end_ = 0;
};

}  // namespace

Result<std::unique_ptr<ImageWriter>> CreateTiff(const std::string& path, const ImageInfo& info,
                                                const WriteOptions& options) {
  auto writer = std::make_unique<TiffWriter>();
  FOVEA_RETURN_IF_ERROR(writer->LayOut(path, info, options));
  FOVEA_RETURN_IF_ERROR(writer->Open());
  return std::unique_ptr<ImageWriter>(std::move(writer));
}

Result<int64_t> TiffWriterBytes(const std::string& path, const ImageInfo& info, const WriteOptions& options) {
  TiffWriter writer;
  FOVEA_RETURN_IF_ERROR(writer.LayOut(path, info, options));
  return writer.WorkingBytes(1);
}

}  // namespace fovea::formats
