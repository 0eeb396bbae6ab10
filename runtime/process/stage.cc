#include "runtime/process/stage.h"

#include <algorithm>
#include <cstring>

namespace fovea::process {

Status MapStage::Read(const SampleRegion& region, float* dst) {
  FOVEA_RETURN_IF_ERROR(upstream_->Read(region, dst));
  for (int64_t c = 0; c < region.channels; ++c) {
    for (int64_t y = 0; y < region.rows; ++y) {
      Map(region.sample, region.channel + c, region.plane, region.y + y, region.x, region.cols,
          dst + (c * region.rows + y) * region.cols);
    }
  }
  return OkStatus();
}

bool MapStage::TakeBuffer(int64_t sample, std::vector<float>* buffer) {
  if (before_ == nullptr || !before_->TakeBuffer(sample, buffer)) return false;
  float* row = buffer->data();
  for (int64_t c = 0; c < in_.channels; ++c) {
    for (int64_t z = 0; z < in_.planes; ++z) {
      for (int64_t y = 0; y < in_.rows; ++y, row += in_.cols) Map(sample, c, z, y, 0, in_.cols, row);
    }
  }
  return true;
}

Status BufferStage::Prepare(int64_t sample, const Select&) {
  // What the stage before holds already is worked on in place.
  if (before_ == nullptr || !before_->TakeBuffer(sample, &buffer_)) {
    buffer_.resize(static_cast<size_t>(in_.channels * in_.planes * plane_pixels()));
    const int64_t band = std::max<int64_t>(1, kBandPixels / in_.cols);
    for (int64_t c = 0; c < in_.channels; ++c) {
      for (int64_t z = 0; z < in_.planes; ++z) {
        for (int64_t y = 0; y < in_.rows; y += band) {
          const int64_t rows = std::min(band, in_.rows - y);
          float* const at = buffer_.data() + ((c * in_.planes + z) * in_.rows + y) * in_.cols;
          FOVEA_RETURN_IF_ERROR(upstream_->Read({sample, c, 1, z, y, 0, rows, in_.cols}, at));
        }
      }
    }
  }
  return Work(buffer_.data());
}

Status BufferStage::Read(const SampleRegion& region, float* dst) {
  for (int64_t c = 0; c < region.channels; ++c) {
    for (int64_t y = 0; y < region.rows; ++y) {
      const int64_t row = ((region.channel + c) * in_.planes + region.plane) * in_.rows + region.y + y;
      std::memcpy(dst, buffer_.data() + row * in_.cols + region.x, static_cast<size_t>(region.cols) * sizeof(float));
      dst += region.cols;
    }
  }
  return OkStatus();
}

bool BufferStage::TakeBuffer(int64_t, std::vector<float>* buffer) {
  buffer->swap(buffer_);
  buffer_ = {};
  return true;
}

float* HeldStage::pixels() {
  buffer_.resize(static_cast<size_t>(in_.channels * in_.planes * plane_pixels()));
  return buffer_.data();
}

Status ForEachBand(SampleSource* source, const SampleShape& shape, int64_t sample, int64_t channel, int64_t channels,
                   int64_t plane, int64_t planes, const std::function<bool()>& cancelled,
                   const std::function<void(const SampleRegion&, const float*)>& f) {
  const int64_t band = std::max<int64_t>(1, kBandPixels / std::max<int64_t>(1, shape.cols));
  std::vector<float> pixels(static_cast<size_t>(std::min(band, shape.rows) * shape.cols));
  for (int64_t c = channel; c < channel + channels; ++c) {
    for (int64_t z = plane; z < plane + planes; ++z) {
      for (int64_t y = 0; y < shape.rows; y += band) {
        if (cancelled && cancelled()) return Cancelled("cancelled");
        const SampleRegion region{sample, c, 1, z, y, 0, std::min(band, shape.rows - y), shape.cols};
        FOVEA_RETURN_IF_ERROR(source->Read(region, pixels.data()));
        f(region, pixels.data());
      }
    }
  }
  return OkStatus();
}

}  // namespace fovea::process
