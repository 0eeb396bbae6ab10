// Keras models in one HDF5 file (model.save("x.h5")): Functional and Sequential configurations of Keras 1, 2 and 3 into
// the converter's IR.
//
// Tensors keep Keras' axis order (N, spatial, C, or N, C, spatial for channels_first); sizes that the file leaves open
// become DimExpr::InputDim, the batch included; Options.size fixes them. Files that hold weights alone are refused:
// they do not say how the layers are connected.
//
// Errors: kNotFound, kIo, kCorruptFile (one sentence that names the file and the layer), kInvalidArgument (options that
// name no input), kUnsupported: report->unsupported lists every layer, not only the first.
// Sources: https://keras.io/api/layers and the configurations that get_config() writes;
// https://docs.hdfgroup.org/hdf5/v1_10 for the container.
#ifndef FOVEA_CONVERTER_KERAS_IMPORT_H_
#define FOVEA_CONVERTER_KERAS_IMPORT_H_

#include <cstddef>
#include <span>
#include <string>

#include "converter/convert.h"

namespace fovea::converter {

Status ImportKeras(const std::string& path, const Options& options, ir::Graph* graph, Report* report);

// The same from memory. name: for messages.
Status ImportKerasFromBytes(std::span<const std::byte> bytes, const std::string& name, const Options& options,
                            ir::Graph* graph, Report* report);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_KERAS_IMPORT_H_
