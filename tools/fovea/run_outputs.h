// The files that one run writes: one for each image output of the network, and the overlay picture.
#ifndef FOVEA_TOOLS_FOVEA_RUN_OUTPUTS_H_
#define FOVEA_TOOLS_FOVEA_RUN_OUTPUTS_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/fovea/run_journal.h"
#include "tools/fovea/run_options.h"
#include "tools/fovea/targets.h"

namespace fovea::cli {

// Element type of a file whose numbers are of this kind; label_type: of labels, unless the user gave a type.
DType FileType(const RunOptions& options, PixelKind kind, DType label_type);
// How a file of these is to be shown.
ResultKind KindOfResult(const RunOptions& options, const StepChain& chain, const TensorSpec& spec);

class RunOutputs {
 public:
  // All are kept by reference.
  RunOutputs(const Model* model, const RunOptions* options, ProcessedImage* image, const Rescaling* rescaling)
      : model_(*model), options_(*options), image_(*image), layout_(image->layout()), rescaling_(*rescaling) {}

  // Opens `output` and siblings for further outputs ("out_NAME.tif"). Refuses a name that is `input` itself. original:
  // the image as it is in the file, without rescaling. journal: of the interrupted run that is gone on with, or null.
  Status Open(const std::string& input, const std::string& output, const formats::ImageInfo& original, DType label_type,
              const JournalEntry* journal);
  // Where the sink writes: one an entry of layout->outputs.
  std::vector<OutputTarget*> targets() const { return targets_; }

  // Around each sample. source: reads the sample for the overlay, made after the first one.
  Status Begin(const SampleIndex& sample);
  Status End(ImageSource* source);
  // Completes the files and renames them; fills "outputs", "objects" and "overlay" of the report.
  Status Finish(nlohmann::ordered_json* report);

  // Pixels are held until the sample is complete.
  bool holds() const;
  // See ImageWriter: states and objects of the entry, which is in a sample when its tile is not 0; whether unfinished
  // files stay.
  Status Checkpoint(JournalEntry* entry);
  // After Begin: what the interrupted run held of the sample.
  Status Restore();
  void KeepUnfinished(bool keep);

  // A plane had more objects than the files' type has numbers.
  bool label_overflow() const { return label_overflow_; }

 private:
  struct File {
    std::string path;
    std::unique_ptr<FileTarget> target;
    StepTarget* steps = nullptr;  // the target, when there are steps after the network
    int64_t channels = 1;         // of the file, of one sample
    bool of_dataset = false;      // steps after the network would go by statistics of all results
  };

  Result<File> OpenFile(const OutputLayout& out, const formats::ImageInfo& original, const std::string& path,
                        DType label_type, const std::vector<uint8_t>& state) const;
  Status KeepPlaneOfOverlay();
  void HoldInFiles();
  static bool HasLabels(const File& file);
  int64_t objects() const;
  // Steps that want statistics of all results have those of each sample.
  std::string DatasetNote() const;
  // Objects of the first file's first plane: its labels, its mask, or what is above the threshold.
  Result<std::vector<int32_t>> ObjectsOfPlane(int64_t rows, int64_t cols) const;
  Status WriteOverlay(ImageSource* source) const;

  const Model& model_;
  const RunOptions& options_;
  ProcessedImage& image_;
  const Layout& layout_;
  const Rescaling& rescaling_;
  std::vector<File> files_;
  bool draws_ = false;  // the overlay, after the first sample
  std::vector<OutputTarget*> targets_;
  bool label_overflow_ = false;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_OUTPUTS_H_
