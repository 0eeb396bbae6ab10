#include "converter/tfjs/graph_json.h"

#include <charconv>
#include <limits>

#include "converter/keras/base64.h"

namespace fovea::converter::tfjs {

namespace {

using keras::Find;
using keras::FindString;

constexpr int kMaxNodes = 1'000'000;

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

struct TypeName {
  const char* name;
  int32_t number;
};
// tensorflow/core/framework/types.proto
constexpr TypeName kTypes[] = {{"DT_FLOAT", 1},   {"DT_DOUBLE", 2},    {"DT_INT32", 3},     {"DT_UINT8", 4},
                               {"DT_INT16", 5},   {"DT_INT8", 6},      {"DT_STRING", 7},    {"DT_COMPLEX64", 8},
                               {"DT_INT64", 9},   {"DT_BOOL", 10},     {"DT_QINT8", 11},    {"DT_QUINT8", 12},
                               {"DT_QINT32", 13}, {"DT_BFLOAT16", 14}, {"DT_QINT16", 15},   {"DT_QUINT16", 16},
                               {"DT_UINT16", 17}, {"DT_HALF", 19},     {"DT_RESOURCE", 20}, {"DT_VARIANT", 21},
                               {"DT_UINT32", 22}, {"DT_UINT64", 23}};

int32_t TypeNumber(const Json& json) {
  if (const auto number = keras::AsInteger(json); number && *number >= 0 && *number < 200) {
    return static_cast<int32_t>(*number);
  }
  for (const TypeName& row : kTypes) {
    if (json == row.name) return row.number;
  }
  return 0;
}

// Protobuf's two spellings of a field: tensorShape, tensor_shape.
const Json* FindEither(const Json& json, const char* camel, const char* snake) {
  const Json* found = Find(json, camel);
  return found != nullptr ? found : Find(json, snake);
}

Result<int64_t> Integer(const Json& json) {
  if (json.is_number_integer()) return json.get<int64_t>();
  if (const auto number = keras::AsInteger(json)) return *number;
  int64_t value = 0;
  if (json.is_string()) {
    const std::string& text = json.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  return CorruptFile("an integer that is none");
}

Result<float> Float(const Json& json) {
  if (json.is_number()) return static_cast<float>(json.get<double>());
  if (json == "Infinity") return std::numeric_limits<float>::infinity();
  if (json == "-Infinity") return -std::numeric_limits<float>::infinity();
  if (json == "NaN") return std::numeric_limits<float>::quiet_NaN();
  return CorruptFile("a number that is none");
}

// Base64; early writers gave a list of character codes.
Result<std::string> Bytes(const Json& json) {
  if (json.is_string()) {
    if (auto bytes = keras::DecodeBase64(json.get_ref<const std::string&>())) return std::move(*bytes);
  } else if (json.is_array()) {
    std::string bytes;
    for (const Json& code : json) {
      const auto number = keras::AsInteger(code);
      if (!number || *number < 0 || *number > 255) return CorruptFile("text that is none");
      bytes += static_cast<char>(*number);
    }
    return bytes;
  }
  return CorruptFile("text that is not base64");
}

Status ReadShape(const Json& json, tfproto::TensorShapeProto* shape) {
  const Json* unknown = FindEither(json, "unknownRank", "unknown_rank");
  shape->set_unknown_rank(unknown != nullptr && *unknown == true);
  const Json* dims = Find(json, "dim");
  if (dims == nullptr) return OkStatus();
  if (!dims->is_array()) return CorruptFile("a shape that is not a list");
  for (const Json& dim : *dims) {
    const Json* size = Find(dim, "size");
    int64_t number = 0;
    if (size != nullptr) {
      FOVEA_ASSIGN_OR_RETURN(number, Integer(*size));
    }
    shape->add_dim()->set_size(number);
  }
  return OkStatus();
}

// Calls add for the elements of a list that may be absent.
template <class Fn>
Status ForEach(const Json* list, Fn add) {
  if (list == nullptr) return OkStatus();
  if (!list->is_array()) return CorruptFile("a list that is none");
  for (const Json& element : *list) FOVEA_RETURN_IF_ERROR(add(element));
  return OkStatus();
}

Status ReadTensor(const Json& json, tfproto::TensorProto* tensor) {
  if (const Json* type = Find(json, "dtype")) tensor->set_dtype(TypeNumber(*type));
  if (const Json* shape = FindEither(json, "tensorShape", "tensor_shape")) {
    FOVEA_RETURN_IF_ERROR(ReadShape(*shape, tensor->mutable_tensor_shape()));
  }
  if (const Json* content = FindEither(json, "tensorContent", "tensor_content")) {
    FOVEA_ASSIGN_OR_RETURN(const std::string bytes, Bytes(*content));
    tensor->set_tensor_content(bytes);
  }
  const auto add_float = [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const float number, Float(value));
    tensor->add_float_val(number);
    return OkStatus();
  };
  const auto add_double = [&](const Json& value) -> Status {
    if (!value.is_number()) return CorruptFile("a number that is none");
    tensor->add_double_val(value.get<double>());
    return OkStatus();
  };
  const auto add_int = [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const int64_t number, Integer(value));
    tensor->add_int_val(static_cast<int32_t>(number));
    return OkStatus();
  };
  const auto add_int64 = [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const int64_t number, Integer(value));
    tensor->add_int64_val(number);
    return OkStatus();
  };
  const auto add_bool = [&](const Json& value) -> Status {
    tensor->add_bool_val(value == true);
    return OkStatus();
  };
  const auto add_text = [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const std::string bytes, Bytes(value));
    tensor->add_string_val(bytes);
    return OkStatus();
  };
  FOVEA_RETURN_IF_ERROR(ForEach(FindEither(json, "floatVal", "float_val"), add_float));
  FOVEA_RETURN_IF_ERROR(ForEach(FindEither(json, "doubleVal", "double_val"), add_double));
  FOVEA_RETURN_IF_ERROR(ForEach(FindEither(json, "intVal", "int_val"), add_int));
  FOVEA_RETURN_IF_ERROR(ForEach(FindEither(json, "int64Val", "int64_val"), add_int64));
  FOVEA_RETURN_IF_ERROR(ForEach(FindEither(json, "boolVal", "bool_val"), add_bool));
  return ForEach(FindEither(json, "stringVal", "string_val"), add_text);
}

Status ReadList(const Json& json, tfproto::AttrValue::ListValue* list) {
  FOVEA_RETURN_IF_ERROR(ForEach(Find(json, "s"), [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const std::string bytes, Bytes(value));
    list->add_s(bytes);
    return OkStatus();
  }));
  FOVEA_RETURN_IF_ERROR(ForEach(Find(json, "i"), [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const int64_t number, Integer(value));
    list->add_i(number);
    return OkStatus();
  }));
  FOVEA_RETURN_IF_ERROR(ForEach(Find(json, "f"), [&](const Json& value) -> Status {
    FOVEA_ASSIGN_OR_RETURN(const float number, Float(value));
    list->add_f(number);
    return OkStatus();
  }));
  FOVEA_RETURN_IF_ERROR(ForEach(Find(json, "b"), [&](const Json& value) -> Status {
    list->add_b(value == true);
    return OkStatus();
  }));
  FOVEA_RETURN_IF_ERROR(ForEach(Find(json, "type"), [&](const Json& value) -> Status {
    list->add_type(TypeNumber(value));
    return OkStatus();
  }));
  return ForEach(Find(json, "shape"), [&](const Json& value) { return ReadShape(value, list->add_shape()); });
}

Status ReadAttr(const Json& json, tfproto::AttrValue* attr) {
  if (!json.is_object() || json.empty()) return OkStatus();
  const std::string kind = json.begin().key();
  const Json& value = json.begin().value();
  if (kind == "s") {
    FOVEA_ASSIGN_OR_RETURN(const std::string bytes, Bytes(value));
    attr->set_s(bytes);
  } else if (kind == "i") {
    FOVEA_ASSIGN_OR_RETURN(const int64_t number, Integer(value));
    attr->set_i(number);
  } else if (kind == "f") {
    FOVEA_ASSIGN_OR_RETURN(const float number, Float(value));
    attr->set_f(number);
  } else if (kind == "b") {
    attr->set_b(value == true);
  } else if (kind == "type") {
    attr->set_type(TypeNumber(value));
  } else if (kind == "shape") {
    return ReadShape(value, attr->mutable_shape());
  } else if (kind == "tensor") {
    return ReadTensor(value, attr->mutable_tensor());
  } else if (kind == "list") {
    return ReadList(value, attr->mutable_list());
  } else if (kind == "func") {
    attr->mutable_func()->set_name(FindString(value, "name").value_or(""));
  }
  return OkStatus();
}

Status ReadNode(const Json& json, tfproto::NodeDef* node) {
  const auto name = FindString(json, "name"), op = FindString(json, "op");
  if (!name || !op) return CorruptFile("a node without name or op");
  node->set_name(*name);
  node->set_op(*op);
  FOVEA_RETURN_IF_ERROR(ForEach(Find(json, "input"), [&](const Json& input) -> Status {
    if (!input.is_string()) return CorruptFile("an input that is not text");
    node->add_input(input.get<std::string>());
    return OkStatus();
  }));
  const Json* attrs = Find(json, "attr");
  if (attrs == nullptr) return OkStatus();
  if (!attrs->is_object()) return CorruptFile("attributes that are not a dictionary");
  for (auto it = attrs->begin(); it != attrs->end(); ++it) {
    tfproto::AttrEntry* entry = node->add_attr();
    entry->set_key(it.key());
    const Status status = ReadAttr(it.value(), entry->mutable_value());
    if (!status.ok()) return status.Prefixed("attribute " + Quoted(it.key()));
  }
  return OkStatus();
}

}  // namespace

Status ReadGraph(const Json& json, tfproto::GraphDef* graph) {
  const Json* nodes = Find(json, "node");
  if (nodes == nullptr || !nodes->is_array() || nodes->empty()) return CorruptFile("modelTopology holds no nodes");
  for (const Json& node : *nodes) {
    if (graph->node_size() >= kMaxNodes) return CorruptFile("more than a million nodes");
    FOVEA_RETURN_IF_ERROR(
        ReadNode(node, graph->add_node()).Prefixed("node " + Quoted(FindString(node, "name").value_or(""))));
  }
  return OkStatus();
}

Status ReadSignature(const Json& json, tfproto::SignatureDef* signature) {
  for (const char* side : {"inputs", "outputs"}) {
    const Json* entries = Find(json, side);
    if (entries == nullptr || !entries->is_object()) continue;
    for (auto it = entries->begin(); it != entries->end(); ++it) {
      tfproto::TensorInfoEntry* entry = side[0] == 'i' ? signature->add_inputs() : signature->add_outputs();
      entry->set_key(it.key());
      // The converter's own writer puts the tensor's name into the key where the signature had none.
      entry->mutable_value()->set_name(FindString(it.value(), "name").value_or(it.key()));
      if (const Json* type = Find(it.value(), "dtype")) entry->mutable_value()->set_dtype(TypeNumber(*type));
      if (const Json* shape = FindEither(it.value(), "tensorShape", "tensor_shape")) {
        const Status status = ReadShape(*shape, entry->mutable_value()->mutable_tensor_shape());
        if (!status.ok()) return status.Prefixed("signature, " + Quoted(it.key()));
      }
    }
  }
  return OkStatus();
}

}  // namespace fovea::converter::tfjs
