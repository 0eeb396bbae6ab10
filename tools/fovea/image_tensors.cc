#include "tools/fovea/image_tensors.h"

#include <algorithm>
#include <limits>

namespace fovea::cli {
namespace {

constexpr int64_t kBlockFloats = int64_t{1} << 15;

// Begin, size and stride of the axes z, y, x, c in a tight row-major rectangle; axes that the tensor lacks have size 1.
struct Strides {
  int64_t begin[4] = {0, 0, 0, 0}, size[4] = {1, 1, 1, 1}, stride[4] = {0, 0, 0, 0};
};

Strides StridesOf(const std::string& axes, const TensorRegion& region) {
  Strides s;
  int64_t stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    const size_t which = std::string("zyxc").find(axes[i]);
    if (which != std::string::npos) {
      s.begin[which] = region.begin[i];
      s.size[which] = region.size[i];
      s.stride[which] = stride;
    }
    stride *= region.size[i];
  }
  return s;
}

void NoteRange(const std::vector<float>& values, ValueRange* range) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float least = kInfinity, most = -kInfinity;
  for (const float value : values) {
    if (value < least && value != -kInfinity) least = value;
    if (value > most && value != kInfinity) most = value;
  }
  if (least <= most) range->Include(least, most);
}

}  // namespace

int64_t BlockBytes(int64_t cols) { return std::max(kBlockFloats, cols) * static_cast<int64_t>(sizeof(float)); }

Status ImageSource::Select(int64_t sample) {
  sample_ = sample;
  return image_->Select(sample);
}

Status ImageSource::Read(int, const TensorRegion& region, float* dst) {
  const Strides s = StridesOf(spec_->axes, region);
  const int64_t rows = layout_->image[1], cols = layout_->image[2];
  // Image columns that the rectangle needs, mirrored ones included.
  int64_t col_begin = cols, col_end = 0;
  for (int64_t x = 0; x < s.size[2]; ++x) {
    const int64_t col = Mirror(s.begin[2] + x + origin_[2], cols, mirror_);
    col_begin = std::min(col_begin, col);
    col_end = std::max(col_end, col + 1);
  }
  for (int64_t z = 0; z < s.size[0]; ++z) {
    const int64_t plane = Mirror(s.begin[0] + z + origin_[0], layout_->image[0], mirror_);
    for (int64_t y = 0; y < s.size[1];) {
      // A run of rows that are consecutive in the image is read at once, in bands of bounded size.
      const int64_t first = Mirror(s.begin[1] + y + origin_[1], rows, mirror_);
      const int64_t limit = std::max<int64_t>(1, kBlockFloats / (col_end - col_begin));
      int64_t run = 1;
      while (run < limit && y + run < s.size[1] &&
             Mirror(s.begin[1] + y + run + origin_[1], rows, mirror_) == first + run)
        ++run;
      for (int64_t c = 0; c < s.size[3]; ++c) {
        const SampleRegion part{sample_, s.begin[3] + c, 1, plane, first, col_begin, run, col_end - col_begin};
        block_.resize(static_cast<size_t>(part.rows * part.cols));
        FOVEA_RETURN_IF_ERROR(image_->source()->Read(part, block_.data()));
        NoteRange(block_, &values_);
        for (int64_t r = 0; r < run; ++r) {
          const float* from = block_.data() + r * part.cols - col_begin;
          float* to = dst + z * s.stride[0] + (y + r) * s.stride[1] + c * s.stride[3];
          for (int64_t x = 0; x < s.size[2]; ++x) {
            to[x * s.stride[2]] = from[Mirror(s.begin[2] + x + origin_[2], cols, mirror_)];
          }
        }
      }
      y += run;
    }
  }
  return OkStatus();
}

Status ImageSource::ReadPlane(int64_t z, int64_t c, std::vector<float>* plane) {
  const SampleRegion region{sample_, c, 1, z, 0, 0, layout_->image[1], layout_->image[2]};
  plane->resize(static_cast<size_t>(region.rows * region.cols));
  SampleReader* const original = image_->original();
  const bool same = original->shape() == image_->chain().shape();
  return (same ? original : image_->source())->Read(region, plane->data());
}

Status ImageSink::Write(int output, const TensorRegion& region, const float* src) {
  for (size_t i = 0; i < layout_->outputs.size(); ++i) {
    const OutputLayout& out = layout_->outputs[i];
    if (out.port != output) continue;
    const Strides s = StridesOf(model_->outputs()[static_cast<size_t>(output)].axes, region);
    const std::array<Window, 3>& window = windows_[i];
    int64_t begin[3], end[3];  // of the rectangle inside the window, in the tensor's coordinates
    for (int a = 0; a < 3; ++a) {
      begin[a] = std::max(s.begin[a], window[static_cast<size_t>(a)].begin);
      end[a] = std::min(s.begin[a] + s.size[a], window[static_cast<size_t>(a)].end);
      if (begin[a] >= end[a]) return OkStatus();
    }
    const auto to = [&window](size_t a, int64_t pixel) { return pixel - window[a].begin + window[a].to; };
    const int64_t cols = end[2] - begin[2];
    const int64_t band = std::max<int64_t>(1, kBlockFloats / cols);
    for (int64_t z = begin[0]; z < end[0]; ++z) {
      for (int64_t y = begin[1]; y < end[1]; y += band) {
        const int64_t rows = std::min(band, end[1] - y);
        block_.resize(static_cast<size_t>(rows * cols));
        for (int64_t c = 0; c < s.size[3]; ++c) {
          const float* from = src + (z - s.begin[0]) * s.stride[0] + (y - s.begin[1]) * s.stride[1] +
                              (begin[2] - s.begin[2]) * s.stride[2] + c * s.stride[3];
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t x = 0; x < cols; ++x) {
              block_[static_cast<size_t>(r * cols + x)] = from[r * s.stride[1] + x * s.stride[2]];
            }
          }
          FOVEA_RETURN_IF_ERROR(
              targets_[i]->Write(to(0, z), s.begin[3] + c, to(1, y), to(2, begin[2]), rows, cols, block_.data()));
        }
      }
    }
  }
  return OkStatus();
}

}  // namespace fovea::cli
