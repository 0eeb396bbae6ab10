// The inputs of a Keras model: sizes from the configuration and the options, letters of the axes.
#include <algorithm>
#include <charconv>

#include "converter/keras/importer.h"

namespace fovea::converter::keras {

namespace {

constexpr int64_t kMaxDim = int64_t{1} << 40;
constexpr size_t kMaxInputs = 256;

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

// "1x512x512x?" to sizes, -1 for ?.
Result<std::vector<int64_t>> ParseSize(const std::string& text) {
  std::vector<int64_t> sizes;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('x', begin), text.size());
    int64_t size = -1;
    if (text.compare(begin, end - begin, "?") != 0) {
      const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, size);
      if (error != std::errc() || stop != text.data() + end || size < 1 || size > kMaxDim) {
        return InvalidArgument(Quoted(text) + " is not a size like 1x512x512x1 (with ? where it stays open)");
      }
    }
    sizes.push_back(size);
    begin = end + 1;
  }
  return sizes;
}

// -1 where open.
Result<std::vector<int64_t>> DeclaredShape(const LayerDef& layer) {
  const Json* shape = Find(layer.config, "batch_shape");
  if (shape == nullptr) shape = Find(layer.config, "batch_input_shape");
  if (shape == nullptr) {
    return Unsupported("the file does not say the size of its input: the model was saved before it was built");
  }
  // Keras 3 may write {"class_name": "__tuple__", "items": [...]}.
  if (const Json* items = Find(*shape, "items"); items != nullptr) shape = items;
  if (!shape->is_array() || shape->empty()) return CorruptFile("its shape is not a list");
  std::vector<int64_t> sizes;
  for (const Json& size : *shape) {
    const std::optional<int64_t> number = AsInteger(size);
    if (!size.is_null() && (!number || *number < -1 || *number == 0 || *number > kMaxDim)) {
      return CorruptFile("its shape has a size that is not a positive number");
    }
    sizes.push_back(size.is_null() ? -1 : *number);
  }
  return sizes;
}

DType InputType(const LayerDef& layer) {
  const std::string name = FindString(layer.config, "dtype").value_or("float32");
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == DTypeName(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  return DType::kFloat32;
}

// The data_format of the first layer that has one.
std::string DataFormat(const ModelDef& model) {
  for (const LayerDef& layer : model.layers) {
    const std::string format =
        layer.model != nullptr ? DataFormat(*layer.model) : FindString(layer.config, "data_format").value_or("");
    if (!format.empty()) return format;
  }
  return "";
}

std::string AxesLetters(size_t rank, bool channels_first) {
  if (rank == 4) return channels_first ? "bcyx" : "byxc";
  if (rank == 5) return channels_first ? "bczyx" : "bzyxc";
  return "";
}

// Layers of the outermost model that its outputs need.
std::vector<bool> NeededLayers(const ModelDef& model) {
  std::vector<bool> needed(model.layers.size(), false);
  std::vector<int> open;
  const auto need = [&](const TensorRef& ref) {
    if (!needed[static_cast<size_t>(ref.layer)]) open.push_back(ref.layer);
    needed[static_cast<size_t>(ref.layer)] = true;
  };
  for (const TensorRef& ref : model.outputs) need(ref);
  while (!open.empty()) {
    const LayerDef& layer = model.layers[static_cast<size_t>(open.back())];
    open.pop_back();
    for (const CallDef& call : layer.calls) {
      for (const Argument& argument : call.args) {
        if (argument.is_tensor) need(argument.ref);
      }
      for (const auto& [name, ref] : call.named_tensors) need(ref);
    }
  }
  return needed;
}

}  // namespace

Result<ValueId> Importer::AddInput(const LayerDef& layer) {
  FOVEA_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, DeclaredShape(layer));
  if (sizes.size() > kMaxTensorRank) {
    return Unsupported(std::to_string(sizes.size()) + " axes; fovea goes up to " + std::to_string(kMaxTensorRank));
  }
  const auto given = options_.size.find(layer.name);
  if (given != options_.size.end()) {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> fixed, ParseSize(given->second));
    if (fixed.size() != sizes.size()) {
      return InvalidArgument("--size " + given->second + ": the input has " + std::to_string(sizes.size()) + " axes");
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] >= 0 && sizes[i] != fixed[i]) {
        return InvalidArgument("--size " + given->second + ": the model fixes axis " + std::to_string(i) + " at " +
                               std::to_string(sizes[i]) +
                               (fixed[i] < 0 ? ", which can't be opened here; export the network anew" : ""));
      }
      if (fixed[i] < 0) continue;
      sizes[i] = fixed[i];
    }
  }
  const auto set = std::find_if(options_.set.begin(), options_.set.end(),
                                [&](const NamedTensor& tensor) { return tensor.name == layer.name; });
  if (set != options_.set.end()) {
    bool fits = set->dims.size() == sizes.size();
    uint64_t count = 1;
    for (size_t i = 0; fits && i < sizes.size(); ++i) {
      fits = sizes[i] < 0 || sizes[i] == set->dims[i];
      count *= static_cast<uint64_t>(std::max<int64_t>(set->dims[i], 0));
    }
    if (!fits || count != set->data.size()) return InvalidArgument("--set: the tensor does not have the input's size");
    return builder_.Constant(layer.name, set->dtype, set->dims, set->data);
  }
  const int index = static_cast<int>(graph_->inputs.size());
  Dims dims;
  for (size_t i = 0; i < sizes.size(); ++i) {
    dims.push_back(sizes[i] >= 0 ? DimExpr(sizes[i]) : DimExpr::InputDim(index, static_cast<int>(i)));
  }
  const ValueId value = builder_.Input(layer.name, InputType(layer), std::move(dims));
  graph_->inputs.back().axes = AxesLetters(sizes.size(), DataFormat(model_) == "channels_first");
  return value;
}

Status Importer::AddInputs(std::vector<ValueId>* values) {
  if (model_.inputs.size() > kMaxInputs) return Unsupported("more than 256 inputs");
  std::string known;
  for (const TensorRef& ref : model_.inputs) {
    known += (known.empty() ? "" : ", ") + model_.layers[static_cast<size_t>(ref.layer)].name;
  }
  const auto check = [&](const std::string& name) -> Status {
    for (const TensorRef& ref : model_.inputs) {
      if (model_.layers[static_cast<size_t>(ref.layer)].name == name) return OkStatus();
    }
    return InvalidArgument("the model has no input " + Quoted(name) + " (it has " + known + ")");
  };
  for (const NamedTensor& tensor : options_.set) FOVEA_RETURN_IF_ERROR(check(tensor.name));
  for (const auto& [name, size] : options_.size) FOVEA_RETURN_IF_ERROR(check(name));
  const std::vector<bool> needed = NeededLayers(model_);
  for (const TensorRef& ref : model_.inputs) {
    const LayerDef& layer = model_.layers[static_cast<size_t>(ref.layer)];
    if (!needed[static_cast<size_t>(ref.layer)]) {  // a mask of the training side: none of the network's
      ++graph_->history.dropped["unused input"];
      values->push_back(ir::kNoValue);
      continue;
    }
    if (layer.model != nullptr) return CorruptFile("the input " + Quoted(layer.name) + " is a model");
    Result<ValueId> value = AddInput(layer);
    if (!value.ok()) return value.status().Prefixed("input " + Quoted(layer.name));
    values->push_back(*value);
  }
  return OkStatus();
}

}  // namespace fovea::converter::keras
