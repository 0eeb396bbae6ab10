#include "tools/fovea/targets.h"

#include <algorithm>

#include "formats/image/lut.h"

namespace fovea::cli {

Status FileTarget::Begin(const PlaneOffset& offset) {
  offset_ = offset;
  if (held_file_ != nullptr) held_file_->Begin();
  return OkStatus();
}

Result<std::vector<uint8_t>> FileTarget::Checkpoint(bool in_sample) {
  if (in_sample && held_file_ != nullptr) {
    // A disk without room for it is no reason to end the run, which can't be gone on with then.
    const Status saved = held_file_->Save(held_pixels());
    if (!saved.ok()) return Unsupported(saved.message());
  }
  Result<std::vector<uint8_t>> state = writer_->Checkpoint();
  if (!state.ok() && state.status().code() == StatusCode::kUnsupported && !written_) return std::vector<uint8_t>();
  return state;
}

Status FileTarget::Restore() { return held_file_ == nullptr ? OkStatus() : held_file_->Load(held_pixels()); }

void FileTarget::KeepUnfinished(bool keep) {
  writer_->KeepUnfinished(keep);
  if (held_file_ != nullptr) held_file_->Keep(keep);
}

void FileTarget::NoteHeld(int64_t plane, int64_t y, int64_t x, int64_t rows, int64_t cols) {
  if (held_file_ != nullptr) held_file_->Note(plane, y, x, rows, cols);
}

void FileTarget::KeepPlane(int64_t rows, int64_t cols) {
  plane_.assign(static_cast<size_t>(rows * cols), 0.0f);
  plane_cols_ = cols;
}

void FileTarget::DropPlane() {
  plane_ = {};
  if (holds_plane()) held_file_.reset();  // the file stays as long as a record may name it
}

Status FileTarget::WriteRegion(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols,
                               const float* values) {
  if (!plane_.empty() && z == 0 && c == 0) {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(values + r * cols, cols, plane_.data() + (y + r) * plane_cols_ + x);
    if (holds_plane()) NoteHeld(0, y, x, rows, cols);
  }
  written_ = true;
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

StepTarget::StepTarget(std::unique_ptr<formats::ImageWriter> writer, StepChain chain, const SampleShape& shape,
                       int64_t max_label)
    : FileTarget(std::move(writer)),
      chain_(std::move(chain)),
      shape_(shape),
      streams_(chain_.is_pointwise()),
      block_(std::make_unique<Block>()),
      max_label_(max_label) {
  if (streams_) {
    chain_.Connect(block_.get());
  } else {
    chain_.HoldSource();
  }
}

Status StepTarget::Block::Read(const SampleRegion& wanted, float* dst) {
  // Steps that stream ask for the place itself.
  const int64_t pixels = region.rows * region.cols;
  std::copy_n(values.data() + wanted.channel * pixels, wanted.channels * pixels, dst);
  return OkStatus();
}

Status StepTarget::Begin(const PlaneOffset& offset) {
  FOVEA_RETURN_IF_ERROR(FileTarget::Begin(offset));
  return streams_ ? chain_.Prepare(0) : OkStatus();
}

Status StepTarget::Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) {
  if (!streams_) {
    float* const plane = chain_.held_pixels() + (c * shape_.planes + z) * shape_.rows * shape_.cols;
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(values + r * cols, cols, plane + (y + r) * shape_.cols + x);
    }
    NoteHeld(c * shape_.planes + z, y, x, rows, cols);
    return OkStatus();
  }
  const int64_t pixels = rows * cols;
  if (c == 0) block_->region = {0, 0, shape_.channels, z, y, x, rows, cols};
  block_->values.resize(static_cast<size_t>(shape_.channels * pixels));
  std::copy_n(values, pixels, block_->values.data() + c * pixels);
  return c == shape_.channels - 1 ? WriteStreamed() : OkStatus();
}

Status StepTarget::WriteStreamed() {
  SampleRegion region = block_->region;
  region.channels = chain_.shape().channels;
  const int64_t pixels = region.rows * region.cols;
  result_.resize(static_cast<size_t>(region.channels * pixels));
  FOVEA_RETURN_IF_ERROR(chain_.result()->Read(region, result_.data()));
  for (int64_t c = 0; c < region.channels; ++c) {
    FOVEA_RETURN_IF_ERROR(
        WriteRegion(region.plane, c, region.y, region.x, region.rows, region.cols, result_.data() + c * pixels));
  }
  return OkStatus();
}

Status StepTarget::Count(const float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (!(values[i] >= 1)) continue;
    const auto label = static_cast<size_t>(values[i]);
    if (label >= seen_.size()) seen_.resize(label + 1);
    seen_[label] = true;
  }
  if (static_cast<int64_t>(seen_.size()) - 1 <= max_label_) return OkStatus();
  overflowed_ = true;
  return Unsupported("more than " + std::to_string(max_label_) +
                     " objects do not fit the type of the label image; leave --dtype out, or choose uint32");
}

void StepTarget::EndOfPiece() {
  objects_ += std::count(seen_.begin(), seen_.end(), true);
  most_objects_ = std::max(most_objects_, static_cast<int64_t>(seen_.size()) - 1);
  seen_.clear();
}

Status StepTarget::End() {
  if (streams_) return OkStatus();
  FOVEA_RETURN_IF_ERROR(chain_.Prepare(0));
  const SampleShape& out = chain_.shape();
  const int64_t band = std::max<int64_t>(1, BlockBytes(1) / static_cast<int64_t>(sizeof(float)) / out.cols);
  for (int64_t c = 0; c < out.channels; ++c) {
    for (int64_t z = 0; z < out.planes; ++z) {
      for (int64_t y = 0; y < out.rows; y += band) {
        const int64_t rows = std::min(band, out.rows - y);
        result_.resize(static_cast<size_t>(rows * out.cols));
        FOVEA_RETURN_IF_ERROR(chain_.result()->Read({0, c, 1, z, y, 0, rows, out.cols}, result_.data()));
        if (has_labels()) FOVEA_RETURN_IF_ERROR(Count(result_.data(), rows * out.cols));
        FOVEA_RETURN_IF_ERROR(WriteRegion(z, c, y, 0, rows, out.cols, result_.data()));
      }
      if (chain_.kind() == PixelKind::kLabels) EndOfPiece();
    }
    if (chain_.kind() == PixelKind::kVolumeLabels) EndOfPiece();
  }
  return OkStatus();
}

Status StepTarget::Finish() {
  if (!has_labels()) return writer_->Finish();
  const size_t ranges = writer_->info().c > 1 ? static_cast<size_t>(writer_->info().c) : 1;
  writer_->SetDisplay(std::vector<formats::DisplayRange>(ranges, formats::LabelRange(most_objects_)),
                      writer_->info().luts);
  return writer_->Finish();
}

}  // namespace fovea::cli
