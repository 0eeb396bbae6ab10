#include "tools/fovea/targets.h"

#include <algorithm>

#include "formats/image/lut.h"
#include "formats/image/overlay.h"

namespace fovea::cli {

Status FileTarget::Begin(const PlaneOffset& offset) {
  offset_ = offset;
  return OkStatus();
}

Status FileTarget::WriteRegion(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols,
                               const float* values) {
  formats::Region region;
  region.t = offset_.t;
  region.z = offset_.z + z;
  region.c = offset_.c + c;
  region.y = y;
  region.x = x;
  region.height = rows;
  region.width = cols;
  return writer_->WriteFloat(region, values, 1);
}

Status ValueTarget::Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) {
  return WriteRegion(z, c, y, x, rows, cols, values);
}

Status MaskTarget::Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) {
  block_.resize(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < block_.size(); ++i) block_[i] = values[i] > threshold_ ? 255.0f : 0.0f;
  return WriteRegion(z, c, y, x, rows, cols, block_.data());
}

LabelTarget::LabelTarget(std::unique_ptr<formats::ImageWriter> writer, float threshold, int64_t max_label,
                         int64_t planes, int64_t channels, int64_t rows, int64_t cols)
    : FileTarget(std::move(writer)),
      threshold_(threshold),
      max_label_(max_label),
      channels_(channels),
      rows_(rows),
      cols_(cols),
      values_(static_cast<size_t>(planes * channels * rows * cols)) {}

Status LabelTarget::Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) {
  float* plane = values_.data() + (z * channels_ + c) * rows_ * cols_;
  for (int64_t r = 0; r < rows; ++r) {
    std::copy(values + r * cols, values + (r + 1) * cols, plane + (y + r) * cols_ + x);
  }
  return OkStatus();
}

Status LabelTarget::End() {
  const int64_t plane_pixels = rows_ * cols_;
  const int64_t planes = static_cast<int64_t>(values_.size()) / (plane_pixels * channels_);
  std::vector<int32_t> labels(static_cast<size_t>(plane_pixels));
  for (int64_t z = 0; z < planes; ++z) {
    for (int64_t c = 0; c < channels_; ++c) {
      float* plane = values_.data() + (z * channels_ + c) * plane_pixels;
      FOVEA_ASSIGN_OR_RETURN(const int32_t count, formats::LabelMask(plane, rows_, cols_, threshold_,
                                                                     formats::Connectivity::kFour, labels.data()));
      objects_ += count;
      most_objects_ = std::max<int64_t>(most_objects_, count);
      if (count > max_label_) {
        overflowed_ = true;
        return Unsupported(std::to_string(count) + " objects do not fit the type of the label image");
      }
      // Numbers up to 2^24 are exact in float; a plane with more objects has more pixels than any buffer here.
      for (int64_t i = 0; i < plane_pixels; ++i) plane[i] = static_cast<float>(labels[static_cast<size_t>(i)]);
      FOVEA_RETURN_IF_ERROR(WriteRegion(z, c, 0, 0, rows_, cols_, plane));
    }
  }
  return OkStatus();
}

Status LabelTarget::Finish() {
  const size_t ranges = writer_->info().c > 1 ? static_cast<size_t>(writer_->info().c) : 1;
  writer_->SetDisplay(std::vector<formats::DisplayRange>(ranges, formats::LabelRange(most_objects_)),
                      writer_->info().luts);
  return writer_->Finish();
}

TeeTarget::TeeTarget(OutputTarget* next, int64_t rows, int64_t cols)
    : next_(next), cols_(cols), plane_(static_cast<size_t>(rows * cols)) {}

Status TeeTarget::Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) {
  if (keep_ && z == 0 && c == 0) {
    for (int64_t r = 0; r < rows; ++r) {
      std::copy(values + r * cols, values + (r + 1) * cols, plane_.data() + (y + r) * cols_ + x);
    }
  }
  return next_->Write(z, c, y, x, rows, cols, values);
}

}  // namespace fovea::cli
