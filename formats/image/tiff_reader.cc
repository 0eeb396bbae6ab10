#include <new>

#include "formats/image/tiff.h"
#include "formats/image/tiff_decoder.h"
#include "formats/image/tiff_metadata.h"

namespace fovea::formats {
namespace {

class TiffReader final : public ImageReader {
 public:
  Status Open(std::unique_ptr<ByteSource> source, const char* format) {
    main_.source = std::move(source);
    FOVEA_ASSIGN_OR_RETURN(main_.structure, TiffStructure::Open(main_.source.get()));
    FOVEA_ASSIGN_OR_RETURN(stack_, ReadTiffStack(*main_.source, main_.structure, &info_));
    main_.decoder = std::make_unique<TiffDecoder>(main_.source.get(), &main_.structure);
    main_.page = stack_.first;
    if (format != nullptr) info_.format = format;
    return OkStatus();
  }

  Status Read(const Region& region, void* dst) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    if (region.height == 0 || region.width == 0) return OkStatus();
    try {
      return ReadChecked(region, dst);
    } catch (const std::bad_alloc&) {
      return OutOfMemory("not enough memory to decode '" + main_.source->name() + "'");
    }
  }

  int64_t WorkingBytes(int64_t band_rows) const override {
    const int64_t files = stack_.files.size() > 1 ? 2 : 1;
    return files * main_.decoder->WorkingBytes(stack_.first, Pages(), band_rows);
  }

  int64_t UsefulCacheBytes() const override {
    const int64_t planes = stack_.first.separate ? info_.c : info_.c / stack_.first.samples;
    return stack_.first.raw() ? 0 : (planes * stack_.first.chunks_across() + 1) * stack_.first.chunk_bytes();
  }

  void SetCacheBytes(int64_t bytes) override {
    cache_bytes_ = bytes;
    main_.decoder->set_cache_bytes(bytes);
    if (other_.decoder != nullptr) other_.decoder->set_cache_bytes(bytes);
  }

 private:
  int64_t Pages() const { return info_.t * info_.z * info_.c / stack_.first.samples; }

  struct File {
    std::unique_ptr<ByteSource> source;
    TiffStructure structure;
    std::unique_ptr<TiffDecoder> decoder;
    TiffPage page;  // the page read last
  };

  Status ReadChecked(const Region& region, void* dst) {
    const int64_t samples = stack_.first.samples;
    const int64_t pages_c = info_.c / samples;
    const int64_t index = (region.t * info_.z + region.z) * pages_c + region.c / samples;
    const int64_t sample = region.c % samples;
    const TiffPlane& plane = stack_.planes[static_cast<size_t>(index)];
    if (stack_.contiguous) {
      const TiffPage& page = stack_.first;
      const int64_t plane_bytes = (page.width * page.samples * page.bits + 7) / 8 * page.height;
      return main_.decoder->ReadPlain(page, stack_.contiguous_offset + static_cast<uint64_t>(plane.page * plane_bytes),
                                      sample, region.y, region.x, region.height, region.width, dst);
    }
    File* file = &main_;
    if (plane.file != 0) {
      FOVEA_RETURN_IF_ERROR(SelectCompanion(plane.file));
      file = &other_;
    }
    const auto& directories = file->structure.directory_offsets();
    if (plane.page >= static_cast<int64_t>(directories.size())) {
      return CorruptFile("'" + file->source->name() + "' has no page " + std::to_string(plane.page + 1) + ", which '" +
                         main_.source->name() + "' refers to");
    }
    const uint64_t directory = directories[static_cast<size_t>(plane.page)];
    if (file->page.directory != directory) {
      FOVEA_ASSIGN_OR_RETURN(const TiffPage page, ReadTiffPage(*file->source, file->structure, directory));
      if (!page.SameShape(stack_.first)) {
        return CorruptFile("page " + std::to_string(plane.page + 1) + " of '" + file->source->name() +
                           "' has another size or type than the image");
      }
      file->page = page;
    }
    return file->decoder->Read(file->page, sample, region.y, region.x, region.height, region.width, dst);
  }

  // One companion is open at a time: sets can have more files than a process may open.
  Status SelectCompanion(int32_t index) {
    if (other_index_ == index) return OkStatus();
    other_index_ = 0;
    other_.decoder.reset();  // before the bytes it reads from
    other_ = File();
    FOVEA_ASSIGN_OR_RETURN(other_.source, OpenFileSource(stack_.files[static_cast<size_t>(index)]));
    FOVEA_ASSIGN_OR_RETURN(other_.structure, TiffStructure::Open(other_.source.get()));
    other_.decoder = std::make_unique<TiffDecoder>(other_.source.get(), &other_.structure);
    other_.decoder->set_cache_bytes(cache_bytes_);
    other_index_ = index;
    return OkStatus();
  }

  File main_, other_;
  int32_t other_index_ = 0;
  int64_t cache_bytes_ = int64_t{16} << 20;
  TiffStack stack_;
};

}  // namespace

Result<std::unique_ptr<ImageReader>> OpenTiff(std::unique_ptr<ByteSource> source, const char* format) {
  auto reader = std::make_unique<TiffReader>();
  FOVEA_RETURN_IF_ERROR(reader->Open(std::move(source), format));
  return std::unique_ptr<ImageReader>(std::move(reader));
}

}  // namespace fovea::formats
