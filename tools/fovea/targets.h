// What becomes of an output's values: written as they are, as a mask, or as labels of connected components.
#ifndef FOVEA_TOOLS_FOVEA_TARGETS_H_
#define FOVEA_TOOLS_FOVEA_TARGETS_H_

#include <memory>
#include <vector>

#include "tools/fovea/image_tensors.h"

namespace fovea::cli {

// Position of a sample's first plane in the output image.
struct PlaneOffset {
  int64_t t = 0, z = 0, c = 0;
};

class FileTarget : public OutputTarget {
 public:
  explicit FileTarget(std::unique_ptr<formats::ImageWriter> writer) : writer_(std::move(writer)) {}
  // Before and after each sample.
  virtual Status Begin(const PlaneOffset& offset);
  virtual Status End() { return OkStatus(); }
  virtual Status Finish() { return writer_->Finish(); }

  // What was written of an unfinished sample is in the file; others hold it until End.
  virtual bool streams() const { return false; }
  Result<std::vector<uint8_t>> Checkpoint() { return writer_->Checkpoint(); }
  void KeepUnfinished(bool keep) { writer_->KeepUnfinished(keep); }

 protected:
  Status WriteRegion(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values);

  std::unique_ptr<formats::ImageWriter> writer_;
  PlaneOffset offset_;
};

class ValueTarget : public FileTarget {
 public:
  using FileTarget::FileTarget;
  bool streams() const override { return true; }
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
};

// 255 where the value is above the threshold, 0 elsewhere.
class MaskTarget : public FileTarget {
 public:
  MaskTarget(std::unique_ptr<formats::ImageWriter> writer, float threshold)
      : FileTarget(std::move(writer)), threshold_(threshold) {}
  bool streams() const override { return true; }
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;

 private:
  float threshold_;
  std::vector<float> block_;
};

// Connected components (4 neighbours: objects parted by a one-pixel line stay apart) of what is above the threshold,
// numbered from 1, plane by plane. Holds the sample.
class LabelTarget : public FileTarget {
 public:
  // max_label: kUnsupported when a plane has more objects, since a file's type could not hold their numbers.
  LabelTarget(std::unique_ptr<formats::ImageWriter> writer, float threshold, int64_t max_label, int64_t planes,
              int64_t channels, int64_t rows, int64_t cols);
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
  Status End() override;
  Status Finish() override;

  bool overflowed() const { return overflowed_; }
  int64_t objects() const { return objects_; }  // in all planes so far
  void AddObjects(int64_t count) { objects_ += count; }

 private:
  float threshold_;
  int64_t max_label_, channels_, rows_, cols_;
  bool overflowed_ = false;
  int64_t objects_ = 0, most_objects_ = 0;  // in all planes, in one
  std::vector<float> values_;               // [plane][channel][row][col]
};

// Keeps the first plane of the first channel of one sample, and passes everything on: for the overlay picture.
class TeeTarget : public OutputTarget {
 public:
  TeeTarget(OutputTarget* next, int64_t rows, int64_t cols);
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
  const std::vector<float>& plane() const { return plane_; }
  void Stop() { keep_ = false; }
  bool stopped() const { return !keep_; }

 private:
  OutputTarget* next_;
  int64_t cols_;
  bool keep_ = true;
  std::vector<float> plane_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_TARGETS_H_
