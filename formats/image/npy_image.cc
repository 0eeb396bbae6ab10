#include "formats/image/npy_image.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "formats/image/npy.h"
#include "formats/image/output_file.h"
#include "formats/image/pixels.h"

namespace fovea::formats {
namespace {

constexpr int64_t kMaxSpan = 16;        // pixels further apart than this are not read row by row
constexpr int64_t kMaxInterleaved = 4;  // a last axis of up to 4 entries is colour

// Elements between neighbours along each axis.
struct Strides {
  int64_t t = 0, z = 0, c = 0, y = 0, x = 0;
};

int64_t* Member(Strides* strides, char axis) {
  switch (axis) {
    case 'T': return &strides->t;
    case 'Z': return &strides->z;
    case 'C':
    case 'S': return &strides->c;
    case 'Y': return &strides->y;
    default: return &strides->x;
  }
}

int64_t* Member(ImageInfo* info, char axis) {
  switch (axis) {
    case 'T': return &info->t;
    case 'Z': return &info->z;
    case 'C':
    case 'S': return &info->c;
    case 'Y': return &info->y;
    default: return &info->x;
  }
}

class NpyReader final : public ImageReader {
 public:
  Status Open(std::unique_ptr<ByteSource> source) {
    source_ = std::move(source);
    FOVEA_ASSIGN_OR_RETURN(header_, ReadNpyHeader(*source_));
    std::vector<int64_t> shape = header_.shape, strides(shape.size());
    int64_t step = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      const size_t axis = header_.fortran_order ? i : shape.size() - 1 - i;
      strides[axis] = step;
      step *= shape[axis];
    }
    if (step == 0) return CorruptFile("'" + source_->name() + "' is an array without elements");
    while (shape.size() > 3 && shape.back() == 1) {
      shape.pop_back();
      strides.pop_back();
    }
    while (shape.size() > 2 && shape[0] == 1 && !(shape.size() == 3 && shape[2] <= kMaxInterleaved)) {
      shape.erase(shape.begin());
      strides.erase(strides.begin());
    }
    const bool colour = shape.size() > 2 && shape.back() <= kMaxInterleaved;
    static constexpr const char* kAxes[2][6] = {{"", "X", "YX", "ZYX", "ZCYX", "TZCYX"},
                                                {"", "", "", "YXS", "ZYXS", "TZYXS"}};
    if (shape.size() > 5)
      return Unsupported("'" + source_->name() + "' has more than 5 axes; fovea sees no image in it");
    info_.axes = kAxes[colour ? 1 : 0][shape.size()];
    info_.dtype = header_.dtype;
    info_.y = info_.x = 1;
    info_.format = "NPY";
    for (size_t i = 0; i < info_.axes.size(); ++i) {
      *Member(&info_, info_.axes[i]) = shape[i];
      *Member(&strides_, info_.axes[i]) = strides[i];
    }
    return OkStatus();
  }

  Status Read(const Region& region, void* dst) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    if (region.width == 0) return OkStatus();
    try {
      const size_t bytes = DTypeBytes(info_.dtype);
      const bool whole = strides_.x > kMaxSpan;  // Fortran order: a row is scattered over the file
      if (whole && data_.empty()) FOVEA_RETURN_IF_ERROR(LoadAll());
      auto* out = static_cast<uint8_t*>(dst);
      for (int64_t row = 0; row < region.height; ++row, out += static_cast<size_t>(region.width) * bytes) {
        const int64_t first = region.t * strides_.t + region.z * strides_.z + region.c * strides_.c +
                              (region.y + row) * strides_.y + region.x * strides_.x;
        FOVEA_RETURN_IF_ERROR(ReadRow(first, region.width, whole, out));
      }
      return OkStatus();
    } catch (const std::bad_alloc&) {
      data_.clear();
      return OutOfMemory("not enough memory to read '" + source_->name() + "'");
    }
  }

  int64_t WorkingBytes(int64_t) const override {
    const auto bytes = static_cast<int64_t>(DTypeBytes(info_.dtype));
    if (strides_.x > kMaxSpan) return info_.plane_count() * info_.y * info_.x * bytes;
    return strides_.x > 1 ? info_.x * strides_.x * bytes : 0;  // otherwise rows go to the caller
  }

 private:
  Status LoadAll() {
    const int64_t count = ElementCount(header_.shape, 1);
    data_.resize(static_cast<size_t>(count) * DTypeBytes(info_.dtype));
    const Status status = source_->ReadAt(header_.data_offset, data_.data(), data_.size());
    if (!status.ok()) data_.clear();
    return status;
  }

  Status ReadRow(int64_t first, int64_t width, bool whole, uint8_t* out) {
    const size_t bytes = DTypeBytes(info_.dtype);
    const uint8_t* from = nullptr;
    if (whole) {
      from = data_.data() + static_cast<size_t>(first) * bytes;
    } else if (strides_.x > 1) {
      row_.resize(static_cast<size_t>((width - 1) * strides_.x + 1) * bytes);
      FOVEA_RETURN_IF_ERROR(
          source_->ReadAt(header_.data_offset + static_cast<uint64_t>(first) * bytes, row_.data(), row_.size()));
      from = row_.data();
    } else {
      FOVEA_RETURN_IF_ERROR(source_->ReadAt(header_.data_offset + static_cast<uint64_t>(first) * bytes, out,
                                            static_cast<size_t>(width) * bytes));
    }
    if (from != nullptr) {
      for (int64_t i = 0; i < width; ++i) {
        std::memcpy(out + static_cast<size_t>(i) * bytes, from + static_cast<size_t>(i * strides_.x) * bytes, bytes);
      }
    }
    if (header_.swapped) SwapBytes(out, bytes, static_cast<size_t>(width));
    return OkStatus();
  }

  std::unique_ptr<ByteSource> source_;
  NpyHeader header_;
  Strides strides_;
  std::vector<uint8_t> row_, data_;
};

class NpyWriter final : public ImageWriter {
 public:
  Status Open(const std::string& path, const ImageInfo& info, const WriteOptions& options) {
    path_ = path;
    info_ = info;
    info_.dtype = options.dtype;
    info_.format = "NPY";
    const bool colour = info.axes.ends_with("S") && info.c > 1 && info.c <= kMaxInterleaved;
    std::string axes;
    for (const char axis : {'T', 'Z', 'C', 'Y', 'X'}) {
      const bool kept = axis == 'Y' || axis == 'X' || (*Member(&info_, axis) > 1 && !(colour && axis == 'C'));
      if (kept) axes.push_back(axis);
    }
    if (colour) axes.push_back('S');
    info_.axes = axes;
    std::vector<int64_t> shape;
    for (const char axis : axes) shape.push_back(*Member(&info_, axis));
    int64_t step = 1;
    for (size_t i = axes.size(); i-- > 0;) {
      *Member(&strides_, axes[i]) = step;
      step *= shape[i];
    }
    FOVEA_RETURN_IF_ERROR(options.resumable ? file_.CreateResumable(path, !options.resume_state.empty())
                                            : file_.Create(path));
    const std::string head = NpyHeaderText(options.dtype, shape);
    data_offset_ = head.size();
    const uint64_t bytes = data_offset_ + static_cast<uint64_t>(step) * DTypeBytes(options.dtype);
    FOVEA_RETURN_IF_ERROR(file_.CheckSpace(bytes));
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(0, head.data(), head.size()));
    return file_.Resize(bytes);
  }

  Status Write(const Region& region, const void* src) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    const size_t bytes = DTypeBytes(info_.dtype);
    const auto* from = static_cast<const uint8_t*>(src);
    const int64_t base = region.t * strides_.t + region.z * strides_.z + region.c * strides_.c;
    const bool full_rows = strides_.x == 1 && region.width == info_.x;
    const int64_t step = full_rows ? region.height : 1;  // rows that follow each other in the file
    for (int64_t row = 0; row < region.height; row += step) {
      const int64_t count = step * region.width;
      const uint64_t at =
          data_offset_ + static_cast<uint64_t>(base + (region.y + row) * strides_.y + region.x * strides_.x) * bytes;
      if (strides_.x == 1) {
        FOVEA_RETURN_IF_ERROR(file_.WriteAt(at, from, static_cast<size_t>(count) * bytes));
      } else {
        // Channels of one pixel come in separate calls: keep those that are there.
        row_.resize(static_cast<size_t>((count - 1) * strides_.x + 1) * bytes);
        FOVEA_RETURN_IF_ERROR(file_.ReadAt(at, row_.data(), row_.size()));
        for (int64_t i = 0; i < count; ++i) {
          std::memcpy(row_.data() + static_cast<size_t>(i * strides_.x) * bytes, from + static_cast<size_t>(i) * bytes,
                      bytes);
        }
        FOVEA_RETURN_IF_ERROR(file_.WriteAt(at, row_.data(), row_.size()));
      }
      from += static_cast<size_t>(count) * bytes;
    }
    return OkStatus();
  }

  Status Finish() override {
    if (finished_) return InvalidArgument("'" + path_ + "' is already complete");
    finished_ = true;
    return file_.Commit();
  }

  Result<std::vector<uint8_t>> Checkpoint() override {
    FOVEA_RETURN_IF_ERROR(file_.Sync());
    return std::vector<uint8_t>{1};  // every pixel has its place; there is nothing to remember
  }
  void KeepUnfinished(bool keep) override { file_.Keep(keep); }

  int64_t WorkingBytes(int64_t) const override {
    return strides_.x > 1 ? info_.x * strides_.x * static_cast<int64_t>(DTypeBytes(info_.dtype)) : 0;
  }

 private:
  OutputFile file_;
  uint64_t data_offset_ = 0;
  Strides strides_;
  std::vector<uint8_t> row_;
  bool finished_ = false;
};

}  // namespace

Result<std::unique_ptr<ImageReader>> OpenNpyImage(std::unique_ptr<ByteSource> source) {
  auto reader = std::make_unique<NpyReader>();
  FOVEA_RETURN_IF_ERROR(reader->Open(std::move(source)));
  return std::unique_ptr<ImageReader>(std::move(reader));
}

Result<std::unique_ptr<ImageWriter>> CreateNpyImage(const std::string& path, const ImageInfo& info,
                                                    const WriteOptions& options) {
  auto writer = std::make_unique<NpyWriter>();
  FOVEA_RETURN_IF_ERROR(writer->Open(path, info, options));
  return std::unique_ptr<ImageWriter>(std::move(writer));
}

}  // namespace fovea::formats
