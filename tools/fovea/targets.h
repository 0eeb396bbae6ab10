// What becomes of an output's values: written as they are, or after the steps that follow the network.
#ifndef FOVEA_TOOLS_FOVEA_TARGETS_H_
#define FOVEA_TOOLS_FOVEA_TARGETS_H_

#include <memory>
#include <vector>

#include "runtime/include/fovea/process.h"
#include "tools/fovea/held_file.h"
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

  // Pixels that are held until End lie in this file when a run records how far it has come.
  void HoldIn(std::unique_ptr<HeldFile> file) { held_file_ = std::move(file); }
  bool holds() const { return held_file_ != nullptr; }
  // See ImageWriter; nothing for a file that was not written to and can be begun anew. in_sample: with what is held.
  Result<std::vector<uint8_t>> Checkpoint(bool in_sample);
  // After Begin: what the interrupted run held of the sample.
  Status Restore();
  void KeepUnfinished(bool keep);

  // Also keeps what is written to the first plane and channel of the sample, rows x cols, until DropPlane: for
  // pictures.
  void KeepPlane(int64_t rows, int64_t cols);
  const std::vector<float>& plane() const { return plane_; }
  void DropPlane();

 protected:
  // Of the pixels that are held until End.
  virtual float* held_pixels() { return plane_.data(); }
  // This place of them was written. plane: counted over all channels.
  void NoteHeld(int64_t plane, int64_t y, int64_t x, int64_t rows, int64_t cols);
  Status WriteRegion(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values);

  std::unique_ptr<formats::ImageWriter> writer_;
  PlaneOffset offset_;

 private:
  // Whether the plane is all that is held: values go on to the file as they come.
  virtual bool holds_plane() const { return true; }

  std::vector<float> plane_;  // kept; empty: none
  int64_t plane_cols_ = 0;
  std::unique_ptr<HeldFile> held_file_;
  bool written_ = false;  // the writer was
};

class ValueTarget : public FileTarget {
 public:
  using FileTarget::FileTarget;
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
};

// What the steps after the network make of the values. Steps that need no more than a pixel's channels are carried out
// as tiles come; others hold the sample until it is complete.
class StepTarget : public FileTarget {
 public:
  // max_label: kUnsupported when a label is larger, since the file's type could not hold it.
  StepTarget(std::unique_ptr<formats::ImageWriter> writer, StepChain chain, const SampleShape& shape,
             int64_t max_label);
  bool streams() const { return streams_; }  // without holding the sample
  const SampleShape& held_shape() const { return shape_; }
  Status Begin(const PlaneOffset& offset) override;
  Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) override;
  Status End() override;
  Status Finish() override;

  bool overflowed() const { return overflowed_; }
  const StepChain& chain() const { return chain_; }
  bool has_labels() const { return chain_.kind() == PixelKind::kLabels || chain_.kind() == PixelKind::kVolumeLabels; }
  int64_t objects() const { return objects_; }            // in all planes (volumes) so far
  int64_t most_objects() const { return most_objects_; }  // in one of them
  // Of an interrupted run.
  void AddObjects(int64_t count, int64_t most) { objects_ += count, most_objects_ = std::max(most_objects_, most); }
  std::vector<std::string> Decisions() const { return chain_.Decisions(); }

 protected:
  float* held_pixels() override { return streams_ ? FileTarget::held_pixels() : chain_.held_pixels(); }

 private:
  bool holds_plane() const override { return streams_; }
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
