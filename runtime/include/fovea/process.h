// Steps before and after a network (step.h), carried out: a StepChain turns the pixels of samples into other pixels.
//
// A sample is what the network sees at once: the channels and planes of one image of a series; the samples of one
// image file are the data set. Pixels are float32, ordered [channel][plane][row][column]; arithmetic is in double and
// rounded to float once per step. Every pixel of a result is the same whatever region is asked for, in whatever order.
//
// Definitions of all steps, their arguments and sources: StepCatalogue(), which `fovea run --steps` prints.
//
// Statistics (percentiles, mean, standard deviation, histograms) are exact over all pixels that they are of:
// percentiles come from two passes over the pixels that count the upper and then the lower halves of their bit
// patterns, so nothing but the counts is held. Pixels that are NaN are left out of all statistics, infinite ones out of
// means and standard deviations; both stay what they are in the result. Statistics of the data set are of all samples
// of an image, or of several images (MeasureDataset).
#ifndef FOVEA_PROCESS_H_
#define FOVEA_PROCESS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fovea/status.h"
#include "fovea/step.h"

namespace fovea {

// The published program whose numbers are wanted where programs differ.
enum class Compatibility : uint8_t {
  kExact,        // the definitions of the catalogue
  kCore,         // bioimageio.core 0.9: its fixed eps of 1e-6, statistics of the values before the first step
  kJdll,         // JDLL (DeepImageJ 3): binarize by >=, percentiles sorted[int(n p / 100)], no softmax
  kCsbdeepFiji,  // CSBDeep for Fiji: percentiles sorted[round((n - 1) p / 100)] of the data set, negative values to 0
  kDij1,         // DeepImageJ 1: ImageJ's statistics (n - 1; 256-bin percentiles), numbers as its macros write them
};
// "exact", "core", "jdll", "csbdeep-fiji" or "dij1".
Result<Compatibility> ParseCompatibility(const std::string& text);

struct SampleShape {
  int64_t samples = 1, channels = 1, planes = 1, rows = 1, cols = 1;
  bool operator==(const SampleShape&) const = default;
};

// A box of one sample: `channels` channels of rows x cols pixels of one plane.
struct SampleRegion {
  int64_t sample = 0, channel = 0, channels = 1, plane = 0, y = 0, x = 0, rows = 0, cols = 0;
};

// Pixels of samples, region by region. Not thread-safe.
class SampleSource {
 public:
  SampleSource() = default;
  SampleSource(const SampleSource&) = delete;
  SampleSource& operator=(const SampleSource&) = delete;
  virtual ~SampleSource() = default;
  // dst: [channel][row][column], tight.
  virtual Status Read(const SampleRegion& region, float* dst) = 0;
};

// Where an axis of a result comes from: index i lies at scale i + offset of the source's axis `source`.
struct AxisMap {
  int source = 0;  // 0 planes, 1 rows, 2 columns
  double scale = 1, offset = 0;
};

// What the numbers of a result are.
enum class PixelKind : uint8_t {
  kValues,
  kMask,          // 0 or one other number
  kLabels,        // 0, or numbers of objects, of each plane on their own
  kVolumeLabels,  // the same, of whole volumes
};

// What steps of the data set found in several images together (MeasureDataset), so that each image is processed by it.
struct DatasetStatistics {
  int64_t images = 0;
  // An entry a step, in the order of the steps: the numbers that it goes by; empty for steps that take no such
  // statistics.
  std::vector<std::vector<double>> constants;

  bool empty() const { return images == 0; }
  bool operator==(const DatasetStatistics&) const = default;
};

struct StepOptions {
  Compatibility compatibility = Compatibility::kExact;
  // What reference_tensor means: the pixels of an input as they were before its steps. Null where there is none.
  std::function<SampleSource*(const std::string& name, SampleShape* shape)> reference;
  std::function<bool()> cancelled;  // asked between bands of pixels; null: never
  // Statistics of a data set of several images, for these very steps; null: the samples of one image are the data set.
  const DatasetStatistics* dataset = nullptr;
};

class StepChain {
 public:
  StepChain();
  StepChain(StepChain&&) noexcept;
  StepChain& operator=(StepChain&&) noexcept;
  ~StepChain();

  // Checks names, arguments and what they say about samples of shape `in`. Errors: kInvalidArgument, kUnsupported; the
  // message names step and argument and says what is possible.
  static Result<StepChain> Create(std::span<const Step> steps, const SampleShape& in, const StepOptions& options);

  bool empty() const;
  const SampleShape& shape() const;     // of the result
  std::array<AxisMap, 3> axes() const;  // planes, rows, columns of the result
  // Every result pixel depends on the source pixels of its own place alone (any channel), and nothing must be known
  // beforehand: results can be made from any region of the source at once.
  bool is_pointwise() const;
  PixelKind kind() const;
  // Some step's statistics are of the data set, so that other images belong to it, too (MeasureDataset).
  bool takes_dataset_statistics() const;
  // Bytes held, at most: the source's buffer (HoldSource), buffers of whole samples that some steps need, their
  // scratch.
  int64_t WorkingBytes() const;

  // Where the pixels come from; kept by reference. Before Prepare.
  void Connect(SampleSource* source);
  // Instead of Connect: the chain keeps one sample itself, [channel][plane][row][column], to be filled in before
  // Prepare. Steps that work on whole samples then need no buffer of their own.
  void HoldSource();
  float* held_pixels();
  // Makes ready what reading `sample` needs: statistics (reading the source, once or more), buffered steps. Reading
  // another sample without it is an error of the caller. Errors: those of the source, kCancelled, kUnsupported for
  // samples that a step can't take.
  Status Prepare(int64_t sample);
  // The result; valid for the sample that was prepared.
  SampleSource* result();

  // What statistics decided for the prepared sample, a line a step: "scale_range: 12 .. 860"; for reports.
  std::vector<std::string> Decisions() const;

 private:
  struct State;
  explicit StepChain(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One image of a data set. The source must be valid until the next one is opened.
struct DatasetImage {
  SampleSource* source = nullptr;
  SampleShape shape;
};

// The statistics that `steps` take of all images together: what each of them would take if the samples of all images,
// which may differ in size, were those of one. Images are opened one after another, at least once for each pass over
// the pixels; options.reference is asked after an image was opened and means that image's. Nothing but counts is held
// (and what steps in front of the statistics hold of one sample).
// Errors: those of `open` and of reading; kInvalidArgument when steps do not suit an image. The image is the one that
// was opened last.
Result<DatasetStatistics> MeasureDataset(std::span<const Step> steps, int64_t images,
                                         const std::function<Status(int64_t image, DatasetImage* opened)>& open,
                                         const StepOptions& options);

// Whether all steps and arguments are in the catalogue; what can be said without knowing an image. Errors:
// kInvalidArgument, with the name that was probably meant.
Status CheckStepNames(std::span<const Step> steps);

// Documentation of all steps: one entry a step, in reading order.
struct StepDocumentation {
  std::string name;
  std::string signature;   // "scale_range(min_percentile=0, max_percentile=100, ...)"
  std::string definition;  // formula, meaning of the arguments, source
};
std::span<const StepDocumentation> StepCatalogue();

}  // namespace fovea

#endif  // FOVEA_PROCESS_H_
