// The inputs of the model: which tensors they are, which become constants, and their sizes.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "converter/tensorflow/importer.h"

namespace fovea::converter::tf {
namespace {

constexpr int64_t kMaxDim = int64_t{1} << 40;
constexpr size_t kMaxPorts = 256;

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
        return InvalidArgument("'" + text + "' is not a size like 1x512x512x1 (with ? where it stays open)");
      }
    }
    sizes.push_back(size);
    at = end + 1;
  }
  return sizes;
}

bool IsOneOf(const std::string& op, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* name) { return op == name; });
}

// Operators whose first input has the axes, and the channels, of their result.
bool KeepsAxes(const std::string& op) {
  return IsOneOf(op,
                 {"Identity", "Cast",          "Relu", "Sub",     "Add",       "AddV2",        "Mul",
                  "RealDiv",  "Div",           "Pad",  "PadV2",   "MirrorPad", "StopGradient", "PlaceholderWithDefault",
                  "Snapshot", "CheckNumerics", "Tanh", "Sigmoid", "Abs",       "Sqrt",         "Log",
                  "Maximum",  "Minimum",       "Neg"});
}

}  // namespace

const NamedTensor* Importer::FindSet(int n) const {
  const std::string& name = index_.node(n).name;
  const auto port = ports_.find({n, 0});
  for (const NamedTensor& set : options_.set) {
    if (set.name == name || set.name == name + ":0") return &set;
    if (port != ports_.end() && tf_.inputs[static_cast<size_t>(port->second)].name == set.name) return &set;
  }
  return nullptr;
}

Status Importer::ResolvePorts() {
  std::string names;
  for (size_t i = 0; i < tf_.inputs.size(); ++i) {
    const TfPort& port = tf_.inputs[i];
    const Edge edge = index_.Resolve(port.tensor);
    if (edge.node < 0) return NotFound("input '" + port.name + "': the graph has no tensor '" + port.tensor + "'");
    if (edge.output >= 256) return CorruptFile("input '" + port.name + "': output " + std::to_string(edge.output));
    if (!ports_.emplace(std::pair(edge.node, edge.output), static_cast<int>(i)).second) {
      return CorruptFile("input '" + port.name + "': the tensor '" + port.tensor + "' is an input twice");
    }
    names += (names.empty() ? "" : ", ") + port.name;
  }
  const auto is_port = [&](const std::string& name) {
    return std::any_of(tf_.inputs.begin(), tf_.inputs.end(), [&](const TfPort& port) {
      return port.name == name || port.tensor == name || ParseRef(port.tensor).node == name;
    });
  };
  for (const auto& [name, size] : options_.size) {
    if (!is_port(name)) return InvalidArgument("the model has no input '" + name + "' (it has " + names + ")");
  }
  for (const NamedTensor& set : options_.set) {
    const int n = index_.Find(ParseRef(set.name).node);
    const bool is_placeholder =
        n >= 0 && IsOneOf(index_.node(n).op, {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"});
    if (!is_placeholder && !is_port(set.name)) {
      return InvalidArgument("the model has no input or placeholder '" + set.name + "' (its inputs are " + names + ")");
    }
  }
  return OkStatus();
}

Status Importer::AddSet(int n, const NamedTensor& set) {
  const TfNode& node = index_.node(n);
  const auto port = ports_.find({n, 0});
  DType dtype = set.dtype;
  TfShape shape;
  if (port != ports_.end()) {
    dtype = tf_.inputs[static_cast<size_t>(port->second)].dtype;
    shape = tf_.inputs[static_cast<size_t>(port->second)].shape;
  } else {
    if (const TfType* type = FindAttr<TfType>(node, "dtype"); type != nullptr && *type) dtype = **type;
    if (const TfShape* declared = FindAttr<TfShape>(node, "shape")) shape = *declared;
  }
  // A command line does not know ranks: one number may stand for a scalar or for a vector of one. Old files declare
  // scalars without a shape.
  std::vector<int64_t> dims = set.dims;
  if (shape.known_rank && shape.dims.size() <= 1 && dims.size() <= 1 && set.data.size() == 1) {
    dims.assign(shape.dims.size(), 1);
  } else if (!shape.known_rank && set.data.size() == 1) {
    dims.clear();
  }
  int64_t count = 1;
  for (const int64_t dim : dims) count = dim < 0 || dim > kMaxDim ? -1 : count * dim;
  bool fits = count == static_cast<int64_t>(set.data.size()) && dims.size() <= static_cast<size_t>(kMaxTensorRank);
  if (shape.known_rank && fits) {
    fits = shape.dims.size() == dims.size();
    for (size_t i = 0; fits && i < dims.size(); ++i) fits = shape.dims[i] < 0 || shape.dims[i] == dims[i];
  }
  if (!fits) return InvalidArgument("the tensor does not have the input's size");
  Tensor made;
  if (!IsFloat(dtype) && dims.size() <= 1) {
    std::vector<int64_t> integers;
    for (const float v : set.data) {
      if (!(std::fabs(v) < 0x1p62f)) return InvalidArgument("an integer is asked for");
      integers.push_back(static_cast<int64_t>(v));
    }
    made.value = builder_.Integers(node.name, dtype, dims, integers);
  } else {
    made.value = builder_.Constant(node.name, dtype, dims, set.data);
  }
  values_[static_cast<size_t>(n)] = {made};
  return OkStatus();
}

Importer::Guess Importer::GuessFromReaders(int n, int output) const {
  Guess guess;
  std::vector<Edge> same{{n, output}};  // tensors with the axes and channels of the port
  for (const int reader : index_.order()) {
    const TfNode& node = index_.node(reader);
    const std::vector<Edge>& inputs = index_.inputs(reader);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (std::find(same.begin(), same.end(), inputs[i]) == same.end()) continue;
      const bool is_2d = IsOneOf(node.op, {"Conv2D", "DepthwiseConv2dNative", "_FusedConv2D", "FusedConv2D", "MaxPool",
                                           "AvgPool", "DepthToSpace", "ResizeBilinear", "ResizeNearestNeighbor"});
      const bool is_3d = IsOneOf(node.op, {"Conv3D", "MaxPool3D", "AvgPool3D"});
      if (i == 0 && (is_2d || is_3d)) {
        guess.rank = is_2d ? 4 : 5;
        const std::string* format = FindAttr<std::string>(node, "data_format");
        guess.channel_axis = format != nullptr && format->find("NC") == 0 ? 1 : guess.rank - 1;
        // The weights, through Identity.
        Edge weights = inputs.size() > 1 ? inputs[1] : Edge{};
        while (weights.node >= 0 && IsOneOf(index_.node(weights.node).op, {"Identity", "ReadVariableOp"}) &&
               !index_.inputs(weights.node).empty()) {
          weights = index_.inputs(weights.node)[0];
        }
        const bool is_conv = node.op.find("Conv") != std::string::npos;
        const TfTensor* tensor =
            is_conv && weights.node >= 0 ? FindAttr<TfTensor>(index_.node(weights.node), "value") : nullptr;
        if (tensor != nullptr && static_cast<int>(tensor->dims.size()) == guess.rank) {
          guess.channels = tensor->dims[tensor->dims.size() - 2];
          return guess;
        }
      } else if (i == 0 && KeepsAxes(node.op)) {
        same.push_back({reader, 0});
      }
    }
  }
  return guess;
}

Result<std::vector<int64_t>> Importer::InputSizes(int index) const {
  const TfPort& port = tf_.inputs[static_cast<size_t>(index)];
  const Edge edge = index_.Resolve(port.tensor);
  std::vector<int64_t> sizes = port.shape.dims;
  bool known = port.shape.known_rank;
  for (int64_t& size : sizes) {
    if (size > kMaxDim) return CorruptFile("it declares a size of " + std::to_string(size));
    size = std::max<int64_t>(size, -1);
  }
  auto option = options_.size.find(port.name);
  if (option == options_.size.end()) option = options_.size.find(port.tensor);
  if (option == options_.size.end()) option = options_.size.find(index_.node(edge.node).name);
  if (option != options_.size.end()) {
    const std::string text = "--size " + option->first + "=" + option->second;
    Result<std::vector<int64_t>> fixed = ParseSize(option->second);
    if (!fixed.ok()) return fixed.status().Prefixed(text);
    if (!known) sizes.assign(fixed->size(), -1);
    known = true;
    if (fixed->size() != sizes.size()) {
      return InvalidArgument(text + ": the input has " + std::to_string(sizes.size()) + " axes");
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] >= 0 && sizes[i] != (*fixed)[i]) {
        return InvalidArgument(text + ": the model fixes axis " + std::to_string(i) + " at " +
                               std::to_string(sizes[i]) +
                               ((*fixed)[i] < 0 ? ", which can't be opened here; export the network anew" : ""));
      }
      if ((*fixed)[i] < 0) continue;
      sizes[i] = (*fixed)[i];
    }
  }
  const bool open = !known || std::find(sizes.begin(), sizes.end(), -1) != sizes.end();
  if (!open) return sizes;
  const Guess guess = GuessFromReaders(edge.node, edge.output);
  if (!known) {
    if (guess.rank < 0) {
      return ::fovea::Unsupported("it has no declared number of axes: give its size with --size " + port.name + "=...");
    }
    sizes.assign(static_cast<size_t>(guess.rank), -1);
  }
  if (guess.channels > 0 && guess.rank == static_cast<int>(sizes.size())) {
    int64_t& channels = sizes[static_cast<size_t>(guess.channel_axis)];
    if (channels < 0) channels = guess.channels;
  }
  return sizes;
}

Status Importer::AddInput(int index) {
  const TfPort& port = tf_.inputs[static_cast<size_t>(index)];
  const Edge edge = index_.Resolve(port.tensor);
  if (edge.output == 0) {
    if (const NamedTensor* set = FindSet(edge.node)) return AddSet(edge.node, *set);
  }
  std::vector<Tensor>& outputs = values_[static_cast<size_t>(edge.node)];
  if (outputs.size() <= static_cast<size_t>(edge.output)) outputs.resize(static_cast<size_t>(edge.output) + 1);
  Tensor& made = outputs[static_cast<size_t>(edge.output)];
  if (IsTrainingFlag(index_.node(edge.node))) {
    made.value = builder_.Constant(port.name, DType::kBool, {}, std::vector<float>{0});
    return OkStatus();
  }
  if (graph_->inputs.size() >= kMaxPorts) return ::fovea::Unsupported("more than 256 inputs");
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, InputSizes(index));
  if (sizes.size() > static_cast<size_t>(kMaxTensorRank)) {
    return ::fovea::Unsupported("it has " + std::to_string(sizes.size()) + " axes; fovea goes up to " +
                                std::to_string(kMaxTensorRank));
  }
  const int at = static_cast<int>(graph_->inputs.size());
  Dims dims;
  for (size_t i = 0; i < sizes.size(); ++i) {
    dims.push_back(sizes[i] >= 0 ? DimExpr(sizes[i]) : DimExpr::InputDim(at, static_cast<int>(i)));
  }
  made.value = builder_.Input(port.name, port.dtype, std::move(dims));
  return OkStatus();
}

}  // namespace fovea::converter::tf
