# The TensorFlow containers' sources, and the code that protoc writes from tensorflow.proto, as a target of its own: it
# is not ours to keep free of warnings, and the tests build models with it.
set(SAVED_MODEL_SOURCES
  saved_model/bundle.cc
  saved_model/crc32c.cc
  saved_model/flatten.cc
  saved_model/frozen_graph.cc
  saved_model/import.cc
  saved_model/interface.cc
  saved_model/op_outputs.cc
  saved_model/parse.cc
  saved_model/saved_model.cc
  saved_model/slice.cc
  saved_model/table.cc
  saved_model/tensor.cc
  saved_model/variables.cc
)

find_package(Snappy REQUIRED)

set(_tf_generated ${CMAKE_CURRENT_BINARY_DIR}/tensorflow_generated)
set(_tf_proto ${CMAKE_CURRENT_SOURCE_DIR}/saved_model/tensorflow.proto)
file(MAKE_DIRECTORY ${_tf_generated})
add_custom_command(
  OUTPUT ${_tf_generated}/converter/saved_model/tensorflow.pb.cc ${_tf_generated}/converter/saved_model/tensorflow.pb.h
  COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${_tf_generated} ${_tf_proto}
  DEPENDS ${_tf_proto}
  VERBATIM)
add_library(fovea_tensorflow_proto STATIC ${_tf_generated}/converter/saved_model/tensorflow.pb.cc
                                          ${_tf_generated}/converter/saved_model/tensorflow.pb.h)
target_include_directories(fovea_tensorflow_proto SYSTEM PUBLIC ${_tf_generated})
target_link_libraries(fovea_tensorflow_proto PUBLIC protobuf::libprotobuf)
target_compile_options(fovea_tensorflow_proto PRIVATE -w)
