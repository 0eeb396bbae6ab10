// TensorFlow's element types, tensors and attributes as fovea's.
//
// Sizes are checked against the data before anything is allocated. Field semantics: tensorflow/core/framework/
// tensor.proto, types.proto and Tensor::FromProto: with fewer typed values than elements the last one is repeated.
// Errors: kCorruptFile (data that do not match the shape), kUnsupported (complex numbers, handles).
#ifndef FOVEA_CONVERTER_SAVED_MODEL_TENSOR_H_
#define FOVEA_CONVERTER_SAVED_MODEL_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "converter/saved_model/tensorflow.pb.h"
#include "converter/tensorflow/tf_graph.h"

namespace fovea::converter {

// Numbers of DataType (types.proto) that code here names; a reference type is 100 more.
enum TfDataType : int32_t {
  kTfFloat = 1,
  kTfDouble = 2,
  kTfInt32 = 3,
  kTfUInt8 = 4,
  kTfInt16 = 5,
  kTfInt8 = 6,
  kTfString = 7,
  kTfInt64 = 9,
  kTfBool = 10,
  kTfQInt8 = 11,
  kTfQUInt8 = 12,
  kTfQInt32 = 13,
  kTfBFloat16 = 14,
  kTfQInt16 = 15,
  kTfQUInt16 = 16,
  kTfUInt16 = 17,
  kTfHalf = 19,
  kTfResource = 20,
  kTfUInt32 = 22,
  kTfUInt64 = 23,
};

// bfloat16 is read as float32, quantised integers as plain ones. nullopt: fovea has no such type.
TfType ToDType(int32_t tf_type);
size_t TfTypeBytes(int32_t tf_type);      // in a file; 0 where ToDType is nullopt
std::string TfTypeName(int32_t tf_type);  // "float32", "string", "type 21"

TfShape ToShape(const tfproto::TensorShapeProto& shape);
// nullopt where a size is open or the product is beyond 2^62.
std::optional<uint64_t> ElementCount(const std::vector<int64_t>& dims);

// The numbers of `bytes`, row-major, of exactly the elements that dims ask for.
Result<TfTensor> DecodeElements(int32_t tf_type, std::vector<int64_t> dims, std::span<const std::byte> bytes,
                                bool big_endian);
// The same from numbers already in memory as float32.
TfTensor MakeFloatTensor(std::vector<int64_t> dims, std::vector<float> values);

// *budget: elements that may still be made by repeating a value, so that small files can't ask for endless memory.
Result<TfTensor> DecodeTensor(const tfproto::TensorProto& tensor, uint64_t* budget);
// Attributes of types that TfAttr has none of (functions, placeholders) give their name; lists of types give their
// numbers.
Result<TfAttr> DecodeAttr(const tfproto::AttrValue& value, uint64_t* budget);

const tfproto::AttrValue* FindAttr(const google::protobuf::RepeatedPtrField<tfproto::AttrEntry>& attrs,
                                   const std::string& name);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_TENSOR_H_
