// What the passes share: looking around a node.
#ifndef FOVEA_CONVERTER_PASSES_REWRITE_H_
#define FOVEA_CONVERTER_PASSES_REWRITE_H_

#include <optional>
#include <string>
#include <vector>

#include "converter/ir/builder.h"
#include "converter/ir/graph.h"

namespace fovea::converter {

inline const ir::Value& ValueOf(const ir::Graph& graph, ir::ValueId v) { return graph.values[static_cast<size_t>(v)]; }
inline bool IsConst(const ir::Graph& graph, ir::ValueId v) { return v != kNoValue && ValueOf(graph, v).is_const(); }

// Readers of a value: nodes (once for each input) and graph outputs.
std::vector<int> CountUses(const ir::Graph& graph);

// The node that produces v when its parameters are of type P and it is not removed, else null.
ir::Node* ProducerNode(ir::Graph* graph, ir::ValueId v);
template <class P>
ir::Node* Producer(ir::Graph* graph, ir::ValueId v) {
  ir::Node* node = ProducerNode(graph, v);
  return node != nullptr && std::holds_alternative<P>(node->params) ? node : nullptr;
}

bool SameDims(const ir::Graph& graph, ir::ValueId a, ir::ValueId b);

// The one number of a constant with one element.
std::optional<float> ConstScalar(const ir::Graph& graph, ir::ValueId v);

// A constant that is broadcast over all axes but the last of `image`, one number a channel, without making `image`
// larger; scalars are repeated.
std::optional<std::vector<float>> ConstPerChannel(const ir::Graph& graph, ir::ValueId v, ir::ValueId image);

// The number of channels (last axis) when it is known.
std::optional<int64_t> Channels(const ir::Graph& graph, ir::ValueId image);

// y = scale x + offset, with numbers for each channel of the last axis.
struct Affine {
  ir::ValueId image = kNoValue;  // x
  std::vector<double> scale, offset;
};
// What a Binary node with one constant operand computes, activation left aside; nullopt when it is none of these or
// not finite.
std::optional<Affine> AffineOf(const ir::Graph& graph, const ir::Node& node);

bool NoPadding(const Dim3& pads);

// The fused activation of an operator that can have one, else null.
kernels::Activation* ActivationOf(ir::Node* node);
bool IsIdentity(const kernels::Activation& act);

// A vector constant.
ir::ValueId AddVector(ir::Graph* graph, const std::string& name, std::vector<float> data);

// Marks the node removed and lets the readers of its result read `v`.
void Replace(ir::Graph* graph, ir::Node* node, ir::ValueId v);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_PASSES_REWRITE_H_
