#include "tests/converter/onnx/support.h"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace fovea::testing {

namespace {

template <class T>
std::vector<double> Raw(const std::string& bytes) {
  std::vector<double> out(bytes.size() / sizeof(T));
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
  return out;
}

double Half(uint32_t bits) {
  const double mantissa = static_cast<double>(bits & 0x3ff);
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : std::nan("");
  return exponent == 0 ? sign * std::ldexp(mantissa, -24) : sign * std::ldexp(1024 + mantissa, exponent - 25);
}

std::vector<double> Halves(const std::vector<double>& bits) {
  std::vector<double> out;
  for (const double b : bits) out.push_back(Half(static_cast<uint32_t>(b)));
  return out;
}

template <class Field>
std::vector<double> Typed(const Field& field) {
  return {field.begin(), field.end()};
}

// Copies between source order and stored order: source axis i is stored axis axes[i].
template <class Visit>
void ForEachElement(const std::vector<int64_t>& source_dims, const std::vector<int>& axes, Visit visit) {
  const size_t rank = source_dims.size();
  std::vector<int64_t> stored_dims(rank), stride(rank, 1), index(rank, 0);
  for (size_t i = 0; i < rank; ++i) stored_dims[static_cast<size_t>(axes[i])] = source_dims[i];
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * stored_dims[i];
  int64_t count = 1;
  for (const int64_t d : source_dims) count *= d;
  for (int64_t n = 0; n < count; ++n) {
    int64_t stored = 0;
    for (size_t i = 0; i < rank; ++i) stored += index[i] * stride[static_cast<size_t>(axes[i])];
    visit(static_cast<size_t>(n), static_cast<size_t>(stored));
    for (size_t i = rank; i-- > 0;) {
      if (++index[i] < source_dims[i]) break;
      index[i] = 0;
    }
  }
}

size_t Count(const std::vector<int64_t>& dims) {
  size_t count = 1;
  for (const int64_t d : dims) count *= static_cast<size_t>(d);
  return count;
}

std::string Text(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (const int64_t d : dims) {
    if (text.size() > 1) text += ',';
    text += std::to_string(d);
  }
  return text += ']';
}

}  // namespace

std::filesystem::path TemporaryPath(const std::string& name) {
  std::ostringstream text;
  text << name << '_' << ::getpid();
  return std::filesystem::temp_directory_path() / text.str();
}

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot open " + path);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

Tensor ReadPb(const std::string& path) {
  onnx::TensorProto proto;
  if (!proto.ParseFromString(ReadBytes(path))) throw std::runtime_error("cannot parse " + path);
  Tensor t;
  t.dims.assign(proto.dims().begin(), proto.dims().end());
  const std::string& raw = proto.raw_data();
  const bool typed = !proto.has_raw_data();
  const auto ints = [&] { return Typed(proto.int32_data()); };
  switch (proto.data_type()) {
    case 1: t.type = "float32", t.values = typed ? Typed(proto.float_data()) : Raw<float>(raw); break;
    case 2: t.type = "uint8", t.values = typed ? ints() : Raw<uint8_t>(raw); break;
    case 3: t.type = "int8", t.values = typed ? ints() : Raw<int8_t>(raw); break;
    case 4: t.type = "uint16", t.values = typed ? ints() : Raw<uint16_t>(raw); break;
    case 5: t.type = "int16", t.values = typed ? ints() : Raw<int16_t>(raw); break;
    case 6: t.type = "int32", t.values = typed ? ints() : Raw<int32_t>(raw); break;
    case 7: t.type = "int64", t.values = typed ? Typed(proto.int64_data()) : Raw<int64_t>(raw); break;
    case 9: t.type = "bool", t.values = typed ? ints() : Raw<uint8_t>(raw); break;
    case 10: t.type = "float16", t.values = Halves(typed ? ints() : Raw<uint16_t>(raw)); break;
    case 11: t.type = "float64", t.values = typed ? Typed(proto.double_data()) : Raw<double>(raw); break;
    case 12: t.type = "uint32", t.values = typed ? Typed(proto.uint64_data()) : Raw<uint32_t>(raw); break;
    case 13: t.type = "uint64", t.values = typed ? Typed(proto.uint64_data()) : Raw<uint64_t>(raw); break;
    default: throw std::runtime_error(path + " has element type " + std::to_string(proto.data_type()));
  }
  if (t.values.size() != Count(t.dims)) throw std::runtime_error(path + " does not have as many values as its dims");
  return t;
}

Tensor ReadNpy(const std::string& path) {
  const std::string bytes = ReadBytes(path);
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) throw std::runtime_error(path + " is not .npy");
  const size_t length = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  if (header.find("'<f4'") == std::string::npos || header.find("False") == std::string::npos) {
    throw std::runtime_error(path + " is not little-endian C-order float32");
  }
  Tensor t;
  t.type = "float32";
  std::stringstream shape(header.substr(header.find('(', header.find("'shape'")) + 1));
  for (int64_t d; shape >> d;) {
    t.dims.push_back(d);
    char comma = 0;
    if (!(shape >> comma) || comma != ',') break;
  }
  t.values = Raw<float>(bytes.substr(10 + length));
  if (t.values.size() != Count(t.dims)) throw std::runtime_error(path + " does not have as many values as its shape");
  return t;
}

Result<std::vector<Tensor>> Run(const Model& model, const std::vector<Tensor>& inputs, const SessionOptions& options) {
  std::vector<std::vector<int64_t>> dims(inputs.size());
  std::vector<std::vector<double>> shape_values(inputs.size());
  std::vector<std::vector<float>> stored(inputs.size());
  if (model.inputs().size() != inputs.size()) {
    return InvalidArgument("the model has " + std::to_string(model.inputs().size()) + " inputs, not " +
                           std::to_string(inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    if (spec.source_axes.size() != inputs[i].dims.size()) return InvalidArgument("input of another rank: " + spec.name);
    dims[i].resize(inputs[i].dims.size());
    for (size_t a = 0; a < dims[i].size(); ++a) dims[i][static_cast<size_t>(spec.source_axes[a])] = inputs[i].dims[a];
    stored[i].resize(inputs[i].values.size());
    ForEachElement(inputs[i].dims, spec.source_axes,
                   [&](size_t source, size_t at) { stored[i][at] = static_cast<float>(inputs[i].values[source]); });
    if (spec.is_shape) shape_values[i] = inputs[i].values;
  }
  Result<Session> session = Session::Create(model, dims, options, shape_values);
  if (!session.ok()) return session.status();

  std::vector<std::vector<float>> results;
  for (const auto& output : session->output_dims()) results.emplace_back(Count(output));
  std::vector<const float*> in;
  std::vector<float*> out;
  for (const auto& tensor : stored) in.push_back(tensor.data());
  for (auto& tensor : results) out.push_back(tensor.data());
  FOVEA_RETURN_IF_ERROR(session->Run(in, out));

  std::vector<Tensor> outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    const TensorSpec& spec = model.outputs()[i];
    Tensor t;
    t.type = DTypeName(spec.dtype);
    for (const int axis : spec.source_axes) t.dims.push_back(session->output_dims()[i][static_cast<size_t>(axis)]);
    t.values.resize(results[i].size());
    ForEachElement(t.dims, spec.source_axes, [&](size_t source, size_t at) { t.values[source] = results[i][at]; });
    outputs.push_back(std::move(t));
  }
  return outputs;
}

Result<Model> ConvertAndLoad(const std::string& path, const converter::Options& options, converter::Report* report) {
  FOVEA_ASSIGN_OR_RETURN(const ir::Graph graph, converter::Convert(path, options, report));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, converter::Emit(graph, options));
  return Model::FromBytes(bytes, path);
}

Result<Model> ConvertAndLoad(const onnx::ModelProto& model, const converter::Options& options,
                             converter::Report* report) {
  const std::string path = TemporaryPath("fovea_onnx").string() + ".onnx";
  std::ofstream(path, std::ios::binary) << model.SerializeAsString();
  Result<Model> loaded = ConvertAndLoad(path, options, report);
  std::filesystem::remove(path);
  return loaded;
}

std::string Compare(const Tensor& got, const Tensor& want, double rtol, double atol) {
  if (got.dims != want.dims) return "dims " + Text(got.dims) + " instead of " + Text(want.dims);
  for (size_t i = 0; i < want.values.size(); ++i) {
    const double g = got.values[i], w = want.values[i];
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    if (std::fabs(g - w) <= atol + rtol * std::fabs(w)) continue;
    std::ostringstream text;
    text << "element " << i << " of " << want.values.size() << " is " << g << " instead of " << w;
    return text.str();
  }
  return "";
}

ModelMaker::ModelMaker(int64_t opset, int64_t ir_version) {
  model.set_ir_version(ir_version);
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("made");
}

ModelMaker& ModelMaker::Input(const std::string& name, const std::vector<int64_t>& dims, int type) {
  auto* input = model.mutable_graph()->add_input();
  input->set_name(name);
  auto* tensor = input->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (const int64_t d : dims) {
    auto* dim = tensor->mutable_shape()->add_dim();
    if (d >= 0) {
      dim->set_dim_value(d);
    } else {
      dim->set_dim_param("open");
    }
  }
  return *this;
}

ModelMaker& ModelMaker::Output(const std::string& name) {
  model.mutable_graph()->add_output()->set_name(name);
  return *this;
}

ModelMaker& ModelMaker::Weights(const std::string& name, const std::vector<int64_t>& dims,
                                const std::vector<float>& data) {
  auto* tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(1);
  for (const int64_t d : dims) tensor->add_dims(d);
  for (const float v : data) tensor->add_float_data(v);
  return *this;
}

ModelMaker& ModelMaker::Integers(const std::string& name, const std::vector<int64_t>& dims,
                                 const std::vector<int64_t>& data) {
  auto* tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(7);
  for (const int64_t d : dims) tensor->add_dims(d);
  for (const int64_t v : data) tensor->add_int64_data(v);
  return *this;
}

onnx::NodeProto& ModelMaker::Node(const std::string& op, const std::vector<std::string>& inputs,
                                  const std::vector<std::string>& outputs) {
  auto* node = model.mutable_graph()->add_node();
  node->set_op_type(op);
  for (const auto& name : inputs) node->add_input(name);
  for (const auto& name : outputs) node->add_output(name);
  return *node;
}

namespace {

onnx::AttributeProto* AddAttribute(onnx::NodeProto& node, const std::string& name) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  return attribute;
}

}  // namespace

void SetInt(onnx::NodeProto& node, const std::string& name, int64_t value) { AddAttribute(node, name)->set_i(value); }
void SetInts(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto* attribute = AddAttribute(node, name);
  for (const int64_t v : values) attribute->add_ints(v);
}
void SetFloat(onnx::NodeProto& node, const std::string& name, float value) { AddAttribute(node, name)->set_f(value); }
void SetFloats(onnx::NodeProto& node, const std::string& name, const std::vector<float>& values) {
  auto* attribute = AddAttribute(node, name);
  for (const float v : values) attribute->add_floats(v);
}
void SetString(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  AddAttribute(node, name)->set_s(value);
}

std::vector<float> Pattern(size_t count, uint32_t seed) {
  std::vector<float> out(count);
  uint32_t state = seed * 2654435761u + 1;
  for (float& v : out) {
    state = state * 1664525u + 1013904223u;
    v = (static_cast<float>(state >> 25) - 64.0f) / 64.0f;
  }
  return out;
}

Tensor PatternTensor(const std::vector<int64_t>& dims, uint32_t seed) {
  const std::vector<float> values = Pattern(Count(dims), seed);
  return {"float32", dims, {values.begin(), values.end()}};
}

}  // namespace fovea::testing
