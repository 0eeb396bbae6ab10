// What becomes of an output's values: written as they are, or after the steps that follow the network.
#ifndef FOVEA_TOOLS_FOVEA_TARGETS_H_
#define FOVEA_TOOLS_FOVEA_TARGETS_H_

#include <memory>
#include <vector>

#include "runtime/include/fovea/process.h"
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

  // Also keeps what is written to the first plane and channel of the sample, rows x cols, until DropPlane: for
  // pictures.
  void KeepPlane(int64_t rows, int64_t cols);
  const std::vector<float>& plane() const { return plane_; }
  void DropPlane() { plane_ = {}; }

 protected:
  Status WriteRegion(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values);

  std::unique_ptr<formats::ImageWriter> writer_;
  PlaneOffset offset_;

 private:
  std::vector<float> plane_;  // kept; empty: none
  int64_t plane_cols_ = 0;
};

class ValueTarget : public FileTarget {
 public:
  using FileTarget::FileTarget;
  bool streams() const override { return true; }
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
};

// What the steps after the network make of the values. Steps that need no more than a pixel's channels are carried out
// as tiles come; others hold the sample until it is complete.
class StepTarget : public FileTarget {
 public:
  // max_label: kUnsupported when a label is larger, since the file's type could not hold it.
  StepTarget(std::unique_ptr<formats::ImageWriter> writer, StepChain chain, const SampleShape& shape,
             int64_t max_label);
  bool streams() const override { return streams_; }
  Status Begin(const PlaneOffset& offset) override;
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
  Status End() override;
  Status Finish() override;

  bool overflowed() const { return overflowed_; }
  const StepChain& chain() const { return chain_; }
  bool has_labels() const { return chain_.kind() == PixelKind::kLabels || chain_.kind() == PixelKind::kVolumeLabels; }
  int64_t objects() const { return objects_; }  // in all planes (volumes) so far
  void AddObjects(int64_t count) { objects_ += count; }
  std::vector<std::string> Decisions() const { return chain_.Decisions(); }

 private:
  // The channels of one place, as the chain's source.
  class Block : public SampleSource {
   public:
    Status Read(const SampleRegion& region, float* dst) override;
    SampleRegion region;
    std::vector<float> values;
  };

  Status WriteStreamed();
  // Counts the objects of a piece of a label image, which may come in bands.
  Status Count(const float* values, int64_t n);
  void EndOfPiece();

  StepChain chain_;
  SampleShape shape_;  // of the network's result
  bool streams_;
  std::unique_ptr<Block> block_;
  std::vector<float> result_;
  int64_t max_label_, objects_ = 0;
  bool overflowed_ = false;
  std::vector<bool> seen_;    // labels of the piece
  int64_t most_objects_ = 0;  // in one piece
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_TARGETS_H_
