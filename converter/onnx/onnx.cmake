# The ONNX frontend's sources, and the code that protoc writes from onnx.proto, as a target of its own: it is not ours to
# keep free of warnings, and the tests build models with it.
set(ONNX_SOURCES
  onnx/activation.cc
  onnx/arithmetic.cc
  onnx/common.cc
  onnx/constant.cc
  onnx/control.cc
  onnx/conv.cc
  onnx/external_data.cc
  onnx/import.cc
  onnx/importer.cc
  onnx/matmul.cc
  onnx/model.cc
  onnx/node_context.cc
  onnx/node_order.cc
  onnx/normalization.cc
  onnx/pool.cc
  onnx/reduce.cc
  onnx/registry.cc
  onnx/resize.cc
  onnx/selection.cc
  onnx/shape_ops.cc
  onnx/tensor.cc
)

set(_onnx_generated ${CMAKE_CURRENT_BINARY_DIR}/onnx_generated)
set(_onnx_proto ${CMAKE_CURRENT_SOURCE_DIR}/onnx/onnx.proto)
file(MAKE_DIRECTORY ${_onnx_generated})
add_custom_command(
  OUTPUT ${_onnx_generated}/converter/onnx/onnx.pb.cc ${_onnx_generated}/converter/onnx/onnx.pb.h
  COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${_onnx_generated} ${_onnx_proto}
  DEPENDS ${_onnx_proto}
  VERBATIM)
add_library(fovea_onnx_proto STATIC ${_onnx_generated}/converter/onnx/onnx.pb.cc
                                    ${_onnx_generated}/converter/onnx/onnx.pb.h)
target_include_directories(fovea_onnx_proto SYSTEM PUBLIC ${_onnx_generated})
target_link_libraries(fovea_onnx_proto PUBLIC protobuf::libprotobuf)
target_compile_options(fovea_onnx_proto PRIVATE -w)
