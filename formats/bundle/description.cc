#include "formats/bundle/description.h"

namespace fovea::formats {

bool FileReference::is_url() const { return source.find("://") != std::string::npos; }

std::string TensorDescription::Letters() const {
  std::string letters;
  for (const AxisDescription& axis : axes) letters += axis.letter;
  return letters;
}

const char* WeightsFormatName(WeightsFormat format) {
  switch (format) {
    case WeightsFormat::kOnnx: return "ONNX";
    case WeightsFormat::kSavedModel: return "TensorFlow SavedModel";
    case WeightsFormat::kKeras: return "Keras HDF5";
    case WeightsFormat::kTfjs: return "TensorFlow.js";
    case WeightsFormat::kTorchscript: return "TorchScript";
    case WeightsFormat::kStateDict: return "PyTorch state dict";
    case WeightsFormat::kOther: break;
  }
  return "unknown";
}

}  // namespace fovea::formats
