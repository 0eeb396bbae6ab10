// Where the weights of a Keras model come from: an HDF5 file, or the shards of a TF.js model.
#ifndef FOVEA_CONVERTER_KERAS_WEIGHTS_H_
#define FOVEA_CONVERTER_KERAS_WEIGHTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::converter::keras {

// As stored: Keras' layout, row-major.
struct Weight {
  std::vector<int64_t> dims;
  std::vector<float> data;
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // Names of the weights that belong to a layer of the outermost model, "conv1/kernel:0" ("conv1_W" in Keras 1). Empty
  // where it has none.
  virtual Result<std::vector<std::string>> Names(const std::string& layer) = 0;
  // The weight at a position of that list.
  virtual Result<Weight> Read(const std::string& layer, size_t index) = 0;
  // Whether Names() lists this layer's weights and no others, in Keras' order: trainable ones first. Then a layer whose
  // weights have unusual names can still be told by position.
  virtual bool IsOrdered() const = 0;
};

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_WEIGHTS_H_
