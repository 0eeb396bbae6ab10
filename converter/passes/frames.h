// In which axis order each node computes: the decision behind the layout pass.
//
// A frame is a permutation M: what a node computes in it has as axis i the axis M[i] that it has in the source graph.
// Spatial operators and others whose axes have fixed meanings stay in the identity frame; elementwise operators,
// Concat, Pad, Reduce ... can work in any, Reshape in those that keep together what it joins, and model inputs can be
// stored in any. Transposes of the source graph are relations between frames. A Transpose is needed wherever a reader's
// frame does not follow from its producer's; frames are chosen so that those are few: they spread from the spatial
// operators, then from the other fixed nodes, then single nodes and whole areas of one frame change sides as long as
// that saves transposes.
#ifndef FOVEA_CONVERTER_PASSES_FRAMES_H_
#define FOVEA_CONVERTER_PASSES_FRAMES_H_

#include <optional>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::converter {

using Frame = std::vector<int64_t>;

Frame IdentityFrame(size_t rank);
Frame Inverse(const Frame& f);
Frame Compose(const Frame& outer, const Frame& inner);  // i -> outer[inner[i]]

// The value at the other end of the Transposes that give v, and v's axis i as its axis perm[i].
struct TransposedSource {
  ir::ValueId root;
  Frame perm;
};
TransposedSource TraceTransposes(const ir::Graph& graph, ir::ValueId v);

// Whether the node can work in other frames than the identity.
bool IsFlexible(const ir::Graph& graph, const ir::Node& node);
// Whether input i of a flexible node has the axes of the node's frame. Others are read as they are (scalars, indices)
// or, with fewer axes in Binary and Select, aligned at the right.
bool InputFollowsFrame(const ir::Graph& graph, const ir::Node& node, size_t i);

// A flexible node's frame permutes its result's axes; of Reduce, its input's (dropped ones included); of Reshape, the
// groups of axes that it takes apart, joins or leaves ([N,C,H,W] -> [N,C,HW] has the groups N, C and HW): as long as
// the axes of a group stay together, the order of groups is free.
size_t FrameRank(const ir::Graph& graph, const ir::Node& node);
Frame InputFrame(const ir::Graph& graph, const ir::Node& node, const Frame& frame);
Frame OutputFrame(const ir::Graph& graph, const ir::Node& node, const Frame& frame);
// The node's frame for which InputFrame or OutputFrame is `wanted`; nullopt when there is none or it is not unique.
std::optional<Frame> FrameForInput(const ir::Graph& graph, const ir::Node& node, const Frame& wanted);
std::optional<Frame> FrameForOutput(const ir::Graph& graph, const ir::Node& node, const Frame& wanted);

// Whether permuting these dims by perm leaves the order of elements in memory: only axes of size 1 move.
bool MovesOnlyUnitAxes(const std::vector<DimExpr>& dims, const Frame& perm);

struct Frames {
  std::vector<Frame> nodes;   // of each flexible node, empty for the others
  std::vector<Frame> inputs;  // of each model input
};
Frames ChooseFrames(const ir::Graph& graph);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_PASSES_FRAMES_H_
