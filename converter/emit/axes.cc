#include "converter/emit/axes.h"

#include <algorithm>
#include <numeric>

namespace fovea::converter {
namespace {

bool IsSpatial(OpKind kind) {
  switch (kind) {
    case OpKind::kConv:
    case OpKind::kConvTranspose:
    case OpKind::kPool:
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth:
    case OpKind::kGroupNorm: return true;
    default: return false;
  }
}

// Operators whose axes mean what their first input's mean.
bool KeepsAxes(OpKind kind) {
  switch (kind) {
    case OpKind::kResize:
    case OpKind::kPad:
    case OpKind::kConcat:
    case OpKind::kSlice:
    case OpKind::kTile:
    case OpKind::kUnary:
    case OpKind::kBinary:
    case OpKind::kSelect:
    case OpKind::kSoftmax:
    case OpKind::kLrn:
    case OpKind::kDropout:
    case OpKind::kCast: return true;
    default: return false;
  }
}

// Whether values tied to `start` by axis-keeping operators, in either direction, meet a spatial operator.
bool MeetsSpatialOperator(const ir::Graph& graph, ir::ValueId start) {
  const size_t rank = graph.values[static_cast<size_t>(start)].dims.size();
  const std::vector<std::vector<int>> consumers = graph.Consumers();
  std::vector<bool> seen(graph.values.size(), false);
  std::vector<ir::ValueId> open{start};
  seen[static_cast<size_t>(start)] = true;
  while (!open.empty()) {
    const ir::ValueId v = open.back();
    open.pop_back();
    std::vector<int> around = consumers[static_cast<size_t>(v)];
    const int producer = graph.values[static_cast<size_t>(v)].producer;
    if (producer >= 0) around.push_back(producer);
    for (const int n : around) {
      const ir::Node& node = graph.nodes[static_cast<size_t>(n)];
      const OpKind kind = KindOf(node.params);
      const bool touches_image = node.output == v || (!node.inputs.empty() && node.inputs[0] == v);
      if (IsSpatial(kind) && touches_image) return true;
      if (!KeepsAxes(kind)) continue;
      std::vector<ir::ValueId> next = node.inputs;
      next.push_back(node.output);
      for (const ir::ValueId w : next) {
        if (w == kNoValue || seen[static_cast<size_t>(w)]) continue;
        const ir::Value& value = graph.values[static_cast<size_t>(w)];
        if (value.is_const() || value.dims.size() != rank) continue;
        seen[static_cast<size_t>(w)] = true;
        open.push_back(w);
      }
    }
  }
  return false;
}

std::string ChannelsFirst(size_t rank) {
  switch (rank) {
    case 5: return "bczyx";
    case 4: return "bcyx";
    case 3: return "bcx";
    case 2: return "bi";
    default: return std::string(rank, 'i');
  }
}

std::string ChannelsLast(size_t rank) {
  switch (rank) {
    case 5: return "bzyxc";
    case 4: return "byxc";
    default: return "bxc";
  }
}

Status CheckLetters(const std::string& letters, const ir::Port& port) {
  const std::string where = "axes '" + letters + "' of '" + port.name + "'";
  if (letters.size() != port.source_axes.size()) {
    return InvalidArgument(where + ": the tensor has " + std::to_string(port.source_axes.size()) + " axes");
  }
  for (const char c : letters) {
    if (std::string("bczyxti").find(c) == std::string::npos) {
      return InvalidArgument(where + ": letters are b (batch), c, z, y, x, t, and i for anything else");
    }
    if (c != 'i' && std::count(letters.begin(), letters.end(), c) > 1) {
      return InvalidArgument(where + ": '" + c + "' occurs twice");
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::string> StoredAxes(const ir::Graph& graph, const ir::Port& port, const Options& options) {
  const auto given = options.axes.find(port.name);
  std::string letters = given != options.axes.end() ? given->second : port.axes;
  const size_t rank = port.source_axes.size();
  if (letters.empty()) {
    if (rank >= 3 && rank <= 5 && MeetsSpatialOperator(graph, port.value)) return ChannelsLast(rank);
    letters = ChannelsFirst(rank);
  }
  FOVEA_RETURN_IF_ERROR(CheckLetters(letters, port));
  std::string stored(rank, 'i');
  for (size_t i = 0; i < rank; ++i) stored[static_cast<size_t>(port.source_axes[i])] = letters[i];
  return stored;
}

}  // namespace fovea::converter
