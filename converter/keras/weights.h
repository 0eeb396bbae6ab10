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

  // Names of the weights among which are those of a layer of the outermost model, "conv1/kernel:0" ("conv1_W" in
  // Keras 1), in the order in which they were saved.
  virtual Result<std::vector<std::string>> Names(const std::string& layer) = 0;
  // The weight at a position of that list.
  virtual Result<Weight> Read(const std::string& layer, size_t index) = 0;
  // Whether Names() lists that layer's weights alone; else it lists the whole model's.
  virtual bool IsPerLayer() const = 0;
};

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_WEIGHTS_H_
