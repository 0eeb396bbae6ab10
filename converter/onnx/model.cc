// The frame of an ONNX model: operator sets, metadata, inputs, outputs.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "converter/onnx/import.h"
#include "converter/onnx/importer.h"

namespace fovea::converter {

namespace {

constexpr int64_t kNewestOpset = 24;
constexpr int64_t kMaxDim = int64_t{1} << 40;
constexpr int kMaxPorts = 256;

// "1x1x512x?" to sizes, -1 for ?.
Result<std::vector<int64_t>> ParseSize(const std::string& text) {
  std::vector<int64_t> sizes;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t end = std::min(text.find('x', at), text.size());
    const std::string part = text.substr(at, end - at);
    int64_t size = -1;
    if (part != "?") {
      const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), size);
      if (error != std::errc() || stop != part.data() + part.size() || size < 1 || size > kMaxDim) {
        return InvalidArgument("'" + text + "' is not a size like 1x1x512x512 (with ? where it stays open)");
      }
    }
    sizes.push_back(size);
    at = end + 1;
  }
  return sizes;
}

// -1 where open; nullopt: unknown rank.
Result<std::optional<std::vector<int64_t>>> DeclaredSizes(const onnx::TypeProto& type) {
  if (!type.tensor_type().has_shape()) return std::optional<std::vector<int64_t>>();
  std::vector<int64_t> dims;
  for (const auto& dim : type.tensor_type().shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() > kMaxDim) {
      return CorruptFile("it declares a size of " + std::to_string(dim.dim_value()));
    }
    dims.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : -1);
  }
  return std::optional(dims);
}

std::string InputNames(const onnx::GraphProto& graph) {
  std::string names;
  for (const auto& input : graph.input()) names += (names.empty() ? "" : ", ") + input.name();
  return names;
}

Status CheckIsInput(const std::string& name, const onnx::GraphProto& graph) {
  const auto named = [&](const auto& input) { return input.name() == name; };
  if (std::any_of(graph.input().begin(), graph.input().end(), named)) return OkStatus();
  return InvalidArgument("the model has no input " + Quoted(name) + " (it has " + InputNames(graph) + ")");
}

// The constant that takes an input's place, in the input's type. A command line does not know ranks: one number may
// stand for a scalar or for a vector of one.
Result<TensorData> SetData(const NamedTensor& set, DType dtype, const std::optional<std::vector<int64_t>>& declared) {
  TensorData data;
  data.dtype = dtype;
  data.dims = set.dims;
  if (declared && declared->size() != set.dims.size() && declared->size() <= 1 && set.dims.size() <= 1 &&
      (set.data.size() == 1 || declared->size() == 1)) {
    data.dims.assign(declared->size(), static_cast<int64_t>(set.data.size()));
  }
  uint64_t count = 1;
  for (const int64_t dim : data.dims) count *= static_cast<uint64_t>(std::max<int64_t>(dim, 0));
  bool fits = count == set.data.size() && data.dims.size() <= kMaxTensorRank;
  if (declared) {
    fits = fits && declared->size() == data.dims.size();
    for (size_t i = 0; fits && i < declared->size(); ++i) {
      fits = (*declared)[i] < 0 || (*declared)[i] == data.dims[i];
    }
  }
  if (!fits) return InvalidArgument("the tensor does not have the input's size");
  for (const float v : set.data) {
    if (data.is_integer()) {
      if (!(std::fabs(v) < 0x1p62f)) return InvalidArgument("an integer is asked for");
      data.integers.push_back(static_cast<int64_t>(v));
    } else {
      data.floats.push_back(v);
    }
  }
  return data;
}

}  // namespace

Status Importer::ReadOpsets(const onnx::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (!import.domain().empty() && import.domain() != "ai.onnx") continue;
    if (import.version() < 1 || import.version() > 1000) {
      return CorruptFile("operator set " + std::to_string(import.version()));
    }
    opset_ = import.version();
  }
  if (opset_ > kNewestOpset) {
    Warn("operator set " + std::to_string(opset_) + " is newer than 24: its operators are read as those of 24");
  }
  for (const auto& function : model.functions()) functions_[{function.domain(), function.name()}] = &function;
  return OkStatus();
}

void Importer::ReadMetadata(const onnx::ModelProto& model) {
  std::string format = "ONNX IR " + std::to_string(model.ir_version()) + ", opset " + std::to_string(opset_);
  if (!model.producer_name().empty()) format += ", " + model.producer_name();
  if (!model.producer_version().empty()) format += " " + model.producer_version();
  report_->source_format = format;
  Metadata& metadata = graph_->metadata;
  metadata.source_format = format;
  metadata.name = model.graph().name();
  metadata.description = !model.doc_string().empty() ? model.doc_string() : model.graph().doc_string();
  if (!model.domain().empty()) metadata.properties.emplace_back("domain", model.domain());
  if (model.model_version() != 0) {
    metadata.properties.emplace_back("model_version", std::to_string(model.model_version()));
  }
  for (const auto& entry : model.metadata_props()) {
    std::string key = entry.key();
    std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    if (key == "license" || key == "licence" || key == "model_license") {
      metadata.licence = entry.value();
    } else if (key == "author" || key == "authors" || key == "model_author") {
      metadata.authors = entry.value();
    } else if (key == "citation" || key == "cite") {
      metadata.citation = entry.value();
    } else {
      metadata.properties.emplace_back(entry.key(), entry.value());
    }
  }
}

Status Importer::AddInputs(const onnx::GraphProto& graph, Scope* scope) {
  for (const NamedTensor& set : options_.set) FOVEA_RETURN_IF_ERROR(CheckIsInput(set.name, graph));
  for (const auto& [name, size] : options_.size) FOVEA_RETURN_IF_ERROR(CheckIsInput(name, graph));
  for (const auto& input : graph.input()) {
    if (scope->initializers.count(input.name()) != 0) continue;  // IR 3 and older list weights as inputs
    const std::string where = "input " + Quoted(input.name());
    if (!input.type().has_tensor_type()) return Unsupported(where + " is not a tensor but a sequence, map or optional");
    if (scope->values.count(input.name()) != 0) return CorruptFile(where + " is listed twice");
    if (graph_->inputs.size() >= kMaxPorts) return Unsupported("more than 256 inputs");
    Result<DType> dtype = ElementType(input.type().tensor_type().elem_type());
    if (!dtype.ok()) return dtype.status().Prefixed(where);
    Result<std::optional<std::vector<int64_t>>> declared = DeclaredSizes(input.type());
    if (!declared.ok()) return declared.status().Prefixed(where);

    const auto set = std::find_if(options_.set.begin(), options_.set.end(),
                                  [&](const NamedTensor& tensor) { return tensor.name == input.name(); });
    if (set != options_.set.end()) {
      Result<TensorData> data = SetData(*set, *dtype, *declared);
      if (!data.ok()) return data.status().Prefixed("--set " + input.name());
      scope->values[input.name()] = ConstantFrom(input.name(), *data);
      continue;
    }

    std::vector<int64_t> sizes = declared->value_or(std::vector<int64_t>());
    const auto size = options_.size.find(input.name());
    if (size != options_.size.end()) {
      Result<std::vector<int64_t>> fixed = ParseSize(size->second);
      if (!fixed.ok()) return fixed.status().Prefixed("--size " + input.name());
      if (!declared->has_value()) sizes.assign(fixed->size(), -1);
      if (fixed->size() != sizes.size()) {
        return InvalidArgument("--size " + input.name() + "=" + size->second + ": the input has " +
                               std::to_string(sizes.size()) + " axes");
      }
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] >= 0 && sizes[i] != (*fixed)[i]) {
          return InvalidArgument("--size " + input.name() + "=" + size->second + ": the model fixes axis " +
                                 std::to_string(i) + " at " + std::to_string(sizes[i]) +
                                 ((*fixed)[i] < 0 ? ", which can't be opened here; export the network anew" : ""));
        }
        if ((*fixed)[i] < 0) continue;
        sizes[i] = (*fixed)[i];
      }
    } else if (!declared->has_value()) {
      return Unsupported(where + " has no declared number of axes: give its size with --size " + input.name() + "=...");
    }
    if (sizes.size() > kMaxTensorRank) {
      return Unsupported(where + " has " + std::to_string(sizes.size()) + " axes; fovea goes up to " +
                         std::to_string(kMaxTensorRank));
    }
    const int index = static_cast<int>(graph_->inputs.size());
    Dims dims;
    for (size_t i = 0; i < sizes.size(); ++i) {
      dims.push_back(sizes[i] >= 0 ? DimExpr(sizes[i]) : DimExpr::InputDim(index, static_cast<int>(i)));
    }
    scope->values[input.name()] = builder_.Input(input.name(), *dtype, std::move(dims));
  }
  return OkStatus();
}

Status Importer::AddOutputs(const onnx::GraphProto& graph, Scope* scope) {
  for (const auto& output : graph.output()) {
    Result<ValueId> value = Lookup(output.name(), scope);
    if (!value.ok()) return value.status().Prefixed("output");
    if (*value == kUnknownValue) continue;
    ValueId result = *value;
    const auto same = [&](const ir::Port& port) { return port.value == result; };
    const bool copy =
        builder_.value(result).producer < 0 || std::any_of(graph_->outputs.begin(), graph_->outputs.end(), same);
    if (copy) {  // an input, a constant or another output passed on: an output needs a node of its own
      builder_.SetSource(output.name(), "Identity");
      ir::Value passed = builder_.value(result);
      passed.name = output.name();
      passed.constant = nullptr;
      passed.producer = static_cast<int>(graph_->nodes.size());
      graph_->values.push_back(std::move(passed));
      const ValueId made = static_cast<ValueId>(graph_->values.size() - 1);
      graph_->nodes.push_back({output.name(), "Identity", UnaryParams{}, {result}, made, false});
      result = made;
    }
    builder_.Output(output.name(), result);
  }
  return OkStatus();
}

Status Importer::Import(onnx::ModelProto* model) {
  if (!model->has_graph()) return CorruptFile("it holds no graph: not an ONNX model");
  if (model->ir_version() < 1) return CorruptFile("IR version " + std::to_string(model->ir_version()));
  FOVEA_RETURN_IF_ERROR(ReadOpsets(*model));
  ReadMetadata(*model);
  onnx::GraphProto* graph = model->mutable_graph();
  if (graph->sparse_initializer_size() > 0) return Unsupported("sparse weights; export the model with dense ones");
  if (graph->output_size() == 0) return CorruptFile("the graph has no outputs");
  if (graph->output_size() > kMaxPorts) return Unsupported("more than 256 outputs");

  Scope scope;
  for (auto& initializer : *graph->mutable_initializer()) {
    if (!scope.initializers.emplace(initializer.name(), &initializer).second) {
      return CorruptFile("the weights " + Quoted(initializer.name()) + " are there twice");
    }
  }
  FOVEA_RETURN_IF_ERROR(AddInputs(*graph, &scope));
  std::set<std::string> wanted;
  for (const auto& output : graph->output()) {
    if (!wanted.insert(output.name()).second) {
      return CorruptFile("the output " + Quoted(output.name()) + " is listed twice");
    }
    Result<std::optional<std::vector<int64_t>>> declared = DeclaredSizes(output.type());
    if (declared.ok() && declared->has_value()) declared_outputs_[output.name()] = **declared;
  }
  FOVEA_RETURN_IF_ERROR(ImportNodes(graph->node(), wanted, &scope));
  FOVEA_RETURN_IF_ERROR(UnsupportedStatus(*report_));
  return AddOutputs(*graph, &scope);
}

}  // namespace fovea::converter
