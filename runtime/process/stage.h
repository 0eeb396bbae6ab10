// Stage: one step of a chain at work. Stages pull: reading a stage reads what it needs from the stage before it.
#ifndef FOVEA_RUNTIME_PROCESS_STAGE_H_
#define FOVEA_RUNTIME_PROCESS_STAGE_H_

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/include/fovea/process.h"
#include "runtime/process/arguments.h"

namespace fovea::process {

// Pixels of a plane's band that are read at a time: 1 MiB of float.
inline constexpr int64_t kBandPixels = int64_t{1} << 18;

// The images of a data set, as one stage meets them: after the steps in front of it.
class ImageSeries {
 public:
  // What is read: the stage's own input, what comes into the chain, or the tensor of options.reference.
  enum class Pixels { kUpstream, kOrigin, kReference };
  // select(sample): makes the source ready for a sample.
  using Visit = std::function<Status(SampleSource* source, const SampleShape& shape,
                                     const std::function<Status(int64_t)>& select)>;
  virtual ~ImageSeries() = default;
  virtual Status ForEach(Pixels pixels, const std::string& reference, const Visit& visit) const = 0;
};

class Stage : public SampleSource {
 public:
  explicit Stage(const SampleShape& in) : in_(in), out_(in) {}
  Stage(const SampleShape& in, const SampleShape& out) : in_(in), out_(out) {}

  const SampleShape& in() const { return in_; }
  const SampleShape& out() const { return out_; }

  // Reads only the place that it is asked for, and needs no Prepare.
  virtual bool is_pointwise() const { return false; }
  // What the result is when the stage reads `before`.
  virtual PixelKind Kind(PixelKind before) const {
    (void)before;
    return PixelKind::kValues;
  }
  // Bytes needed while the stage works, besides a buffer of the sample.
  virtual int64_t ScratchBytes() const { return 0; }
  virtual bool needs_buffer() const { return false; }   // holds the whole sample
  virtual bool passes_buffer() const { return false; }  // TakeBuffer gives what the stage before holds
  // select(sample): makes upstream ready for another sample, for statistics of the data set.
  using Select = std::function<Status(int64_t)>;
  virtual Status Prepare(int64_t sample, const Select& select) {
    (void)sample, (void)select;
    return OkStatus();
  }
  // Where the stage's result lies in what it reads.
  virtual std::array<AxisMap, 3> axes() const { return {{{0, 1, 0}, {1, 1, 0}, {2, 1, 0}}}; }
  virtual std::string Decision() const { return ""; }
  // Statistics of a data set of several images: whether the stage takes any, what it finds, and what it is given.
  virtual bool takes_dataset_statistics() const { return false; }
  virtual Result<std::vector<double>> MeasureDataset(const ImageSeries& images) {
    (void)images;
    return std::vector<double>();
  }
  // False when the stage needs another number of constants.
  virtual bool UseDataset(const std::vector<double>& constants) { return constants.empty(); }
  // Hands the whole prepared sample over, when the stage or one before it holds it; the stage can't be read afterwards.
  virtual bool TakeBuffer(int64_t sample, std::vector<float>* buffer) {
    (void)sample, (void)buffer;
    return false;
  }

  void Connect(Stage* before, SampleSource* upstream, SampleSource* origin) {
    before_ = before, upstream_ = upstream, origin_ = origin;
  }

 protected:
  SampleShape in_, out_;
  Stage* before_ = nullptr;           // the stage upstream, or null
  SampleSource* upstream_ = nullptr;  // the stage upstream, or the chain's source
  SampleSource* origin_ = nullptr;    // the chain's source
};

// What factories get.
struct StageContext {
  SampleShape in;
  const StepOptions* options = nullptr;
};

using StageResult = Result<std::unique_ptr<Stage>>;
// Checks name and arguments, and what they say about samples of shape `in`. options are kept by reference.
StageResult MakeStage(const Step& step, const SampleShape& in, const StepOptions& options);
using StageFactory = StageResult (*)(Arguments& arguments, const StageContext& context);

// One row of the catalogue.
struct StepRow {
  const char* name;
  const char* signature;
  const char* definition;
  StageFactory make;
};

// The rows of each file; catalogue.cc lists the files.
std::span<const StepRow> PointwiseSteps();
std::span<const StepRow> StatisticSteps();
std::span<const StepRow> ThresholdSteps();
std::span<const StepRow> GeometrySteps();
std::span<const StepRow> FilterSteps();
std::span<const StepRow> ObjectSteps();
std::span<const StepRow> AllSteps();

// A stage that changes one channel's pixels in place, row by row, given where they are.
class MapStage : public Stage {
 public:
  using Stage::Stage;
  bool is_pointwise() const override { return true; }
  bool passes_buffer() const override { return true; }
  bool TakeBuffer(int64_t sample, std::vector<float>* buffer) override;
  Status Read(const SampleRegion& region, float* dst) override;

 protected:
  // count pixels from column x on, of one channel, plane and row; in place.
  virtual void Map(int64_t sample, int64_t channel, int64_t plane, int64_t y, int64_t x, int64_t count,
                   float* pixels) const = 0;
};

// A stage that holds the whole sample and changes it plane by plane (or at once).
class BufferStage : public Stage {
 public:
  using Stage::Stage;
  bool needs_buffer() const override { return true; }
  bool passes_buffer() const override { return true; }
  Status Prepare(int64_t sample, const Select& select) override;
  Status Read(const SampleRegion& region, float* dst) override;
  bool TakeBuffer(int64_t sample, std::vector<float>* buffer) override;

 protected:
  // Changes [channel][plane][row][column] in place.
  virtual Status Work(float* sample) = 0;
  int64_t plane_pixels() const { return in_.rows * in_.cols; }

 private:
  friend class HeldStage;
  std::vector<float> buffer_;
};

// In front of a chain that keeps its source's sample itself.
class HeldStage : public BufferStage {
 public:
  using BufferStage::BufferStage;
  PixelKind Kind(PixelKind) const override { return PixelKind::kValues; }
  float* pixels();
  Status Prepare(int64_t, const Select&) override { return OkStatus(); }

 protected:
  Status Work(float*) override { return OkStatus(); }
};

// Calls f(band of one channel, its pixels) for all pixels of channels [channel, channel + channels) and planes
// [plane, plane + planes) of a sample, in the order channel, plane, row: always the same bands, so that sums are too.
Status ForEachBand(SampleSource* source, const SampleShape& shape, int64_t sample, int64_t channel, int64_t channels,
                   int64_t plane, int64_t planes, const std::function<bool()>& cancelled,
                   const std::function<void(const SampleRegion&, const float*)>& f);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_STAGE_H_
