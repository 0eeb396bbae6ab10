# The Keras frontend's sources and its libraries.
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)

set(KERAS_SOURCES
  keras/activation.cc
  keras/base64.cc
  keras/common.cc
  keras/conv.cc
  keras/core.cc
  keras/find_weights.cc
  keras/hdf5_bytes.cc
  keras/hdf5_data.cc
  keras/hdf5_file.cc
  keras/hdf5_group.cc
  keras/hdf5_object.cc
  keras/import.cc
  keras/importer.cc
  keras/json.cc
  keras/keras1.cc
  keras/layer_context.cc
  keras/merge.cc
  keras/model.cc
  keras/model_inputs.cc
  keras/normalization.cc
  keras/operation.cc
  keras/pool.cc
  keras/python_lambda.cc
  keras/registry.cc
  keras/resize.cc
)
