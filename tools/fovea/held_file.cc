#include "tools/fovea/held_file.h"

#include <unistd.h>

#include <filesystem>

namespace fovea::cli {
namespace {

std::string HeldPath(const std::string& output) { return output + ".held"; }

}  // namespace

HeldFile::HeldFile(const std::string& output, int64_t planes, int64_t rows, int64_t cols)
    : path_(HeldPath(output)), planes_(planes), rows_(rows), cols_(cols) {}

void HeldFile::Remove(const std::string& output) { unlink(formats::OutputFile::PartName(HeldPath(output)).c_str()); }

void HeldFile::Note(int64_t plane, int64_t y, int64_t x, int64_t rows, int64_t cols) {
  // Tiles come a few rows at a time, one channel after another.
  constexpr size_t kLast = 64;
  for (size_t i = changed_.size(); i-- > 0 && changed_.size() - i <= kLast;) {
    Place& last = changed_[i];
    if (last.plane == plane && last.x == x && last.cols == cols && last.y + last.rows == y) {
      last.rows += rows;
      return;
    }
  }
  changed_.push_back({plane, y, x, rows, cols});
}

Status HeldFile::SavePlace(const Place& place, const float* pixels) {
  const bool whole = place.cols == cols_;
  const int64_t pieces = whole ? 1 : place.rows, length = whole ? place.rows * cols_ : place.cols;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t at = (place.plane * rows_ + place.y + i) * cols_ + place.x;
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(static_cast<uint64_t>(at) * sizeof(float), pixels + at,
                                        static_cast<size_t>(length) * sizeof(float)));
  }
  return OkStatus();
}

Status HeldFile::Save(const float* pixels) {
  if (!open_) {
    FOVEA_RETURN_IF_ERROR(file_.CreateResumable(path_, false));
    file_.Keep(keep_);
    open_ = true;
    FOVEA_RETURN_IF_ERROR(file_.Resize(bytes()));  // what comes to lie in it later reads as 0
  }
  for (const Place& place : changed_) FOVEA_RETURN_IF_ERROR(SavePlace(place, pixels));
  changed_.clear();
  return file_.Sync();
}

Status HeldFile::Load(float* pixels) {
  FOVEA_RETURN_IF_ERROR(file_.CreateResumable(path_, true));
  file_.Keep(keep_);
  open_ = true;
  std::error_code error;
  const std::string name = formats::OutputFile::PartName(path_);
  if (std::filesystem::file_size(name, error) != bytes()) return CorruptFile(name + ": has not the size that it had");
  // Plane by plane, since a read takes what one call of the system gives.
  const auto plane_bytes = static_cast<uint64_t>(rows_ * cols_) * sizeof(float);
  for (int64_t plane = 0; plane < planes_; ++plane) {
    FOVEA_RETURN_IF_ERROR(file_.ReadAt(static_cast<uint64_t>(plane) * plane_bytes, pixels + plane * rows_ * cols_,
                                       static_cast<size_t>(plane_bytes)));
  }
  return OkStatus();
}

void HeldFile::Keep(bool keep) {
  keep_ = keep;
  if (open_) file_.Keep(keep);
}

}  // namespace fovea::cli
