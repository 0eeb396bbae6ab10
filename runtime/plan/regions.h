// Regions: which part of its inputs a node reads to make a wanted part of its output.
//
// Every operator of the vocabulary is separable: what it reads along one axis of an input follows from what is wanted
// along one axis of the output. A node is therefore described by one AxisLink for each axis of each input, and regions
// of a whole network are propagated backwards, axis by axis, from the outputs. Regions are in whole-image coordinates
// and clipped to the image: a network's own padding acts at the true border only.
//
// Formulas: window operators as in kernels/conv/conv.h and kernels/conv_transpose/conv_transpose.h, resize by
// kernels::ResizeAxisSupport, padding by kernels::PadSource.
#ifndef FOVEA_RUNTIME_PLAN_REGIONS_H_
#define FOVEA_RUNTIME_PLAN_REGIONS_H_

#include <array>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "runtime/plan/resolve.h"

namespace fovea::plan {

// [begin, end)
struct Interval {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  bool empty() const { return end <= begin; }
  bool operator==(const Interval&) const = default;
};

// A rectangle of a tensor; axes beyond its rank are not used. wanted: false where nobody reads the value.
struct Region {
  bool wanted = false;
  std::array<Interval, kMaxTensorRank> axis{};
  bool operator==(const Region&) const = default;
};
Region WholeRegion(const Dims& dims);
bool IsEmpty(const Region& region, size_t rank);
int64_t RegionElements(const Region& region, size_t rank);
// Smallest rectangle around both.
void Include(const Region& more, size_t rank, Region* region);

enum class LinkKind : uint8_t {
  kWhole,       // the operator couples the whole axis (or it is a channel axis of weights)
  kUnused,      // the input only decides sizes
  kBroadcast,   // size 1 whatever is wanted
  kSame,        // output position + offset
  kWindow,      // stride, dilation, kernel, offset = padding before, of positions repeated `factor` times
  kTransposed,  // the same for transposed convolution
  kResize,
  kPad,     // offset = padding before
  kSlice,   // offset = start, stride = step
  kExpand,  // input position = output position * factor, e.g. space to depth
  kShrink,  // input position = output position / factor, e.g. depth to space
  kRepeat,  // the input is repeated along the axis
  kHeld,    // what others read of the input, wherever the output lies; all of it when nobody does (passes.h)
};

struct AxisLink {
  LinkKind kind = LinkKind::kWhole;
  int out_axis = -1;
  int64_t in_size = 1, out_size = 1;
  int64_t offset = 0, stride = 1, dilation = 1, kernel = 1, factor = 1;
  double scale = 1;                  // kResize
  float roi_begin = 0, roi_end = 1;  // kResize
  bool monotone = false;             // kResize: later positions never read earlier ones
};

struct NodeLinks {
  std::vector<std::vector<AxisLink>> inputs;  // [input][axis]; empty for absent inputs
  // Output regions of the node are widened to multiples of this along each axis before inputs are asked for; 0: the
  // whole axis, because kernels write all of it (channels of convolutions, axes of norms).
  std::vector<int64_t> align;
  // Such multiples are counted from here, [0, align). As many entries as align.
  std::vector<int64_t> phase;
  // Where the node's output ends when the first output ends at a multiple of everything (phases.h); 0: not known.
  std::vector<int64_t> end;
  kernels::ResizeLayer resize;
  kernels::PadMode pad_mode = kernels::PadMode::kConstant;
};

NodeLinks LinkNode(const ResolvedNode& node);
std::vector<NodeLinks> LinkNodes(const ResolvedGraph& graph);

// What `link` reads for `out` (not empty). clip false: as if the image had no border, for receptive fields.
Interval Needed(const NodeLinks& links, const AxisLink& link, Interval out, bool clip = true);

// Widens `region` as the node's `align` says.
void AlignOutput(const NodeLinks& links, const Dims& out, Region* region);

// regions: one a value; those of the graph's outputs are given, the others are overwritten. whole_channels[v]: the last
// axis of v is always computed whole (values that others are placed into). Allocates nothing.
void Propagate(const ResolvedGraph& graph, std::span<const NodeLinks> links, std::span<const uint8_t> whole_channels,
               std::span<Region> regions);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_REGIONS_H_
