// A graph with every size known: what is left of the model once the sizes of its inputs are given.
//
// Shapes come from shape inference (runtime/model/shapes.h), parameters that are expressions are evaluated. Everything
// after this step - regions, memory, kernels - works on plain integers.
#ifndef FOVEA_RUNTIME_PLAN_RESOLVE_H_
#define FOVEA_RUNTIME_PLAN_RESOLVE_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"
#include "runtime/model/graph.h"

namespace fovea::plan {

using Dims = std::vector<int64_t>;

struct ResolvedNode {
  const Node* node = nullptr;  // of the graph, which must outlive this
  OpKind kind = OpKind::kUnary;
  std::vector<Dims> in;  // dims of each input; those of absent ones are empty
  Dims out;
  Int3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};  // Conv, ConvTranspose, Pool
  std::vector<int64_t> begin;                 // Pad: amount before; Slice: start; Tile: repeats; one an axis
  std::vector<int64_t> numbers;               // Dims: the elements
  std::vector<double> scale;                  // Resize: out / in or what the model prescribes, one an axis
  // Conv: positions of the first input are repeated so often before the window reads them (fuse_upsampling.h).
  Int3 upsample{1, 1, 1};
  bool again = false;  // computes what another node does, too (recompute.h)
  bool late = false;   // in bands, makes rows when they are read, whatever row_steps.h would choose

  bool Has(size_t input) const { return input < node->inputs.size() && node->inputs[input] != kNoValue; }
};

struct ResolvedGraph {
  const Graph* graph = nullptr;
  std::vector<Dims> dims;  // of every value
  std::vector<ResolvedNode> nodes;
  std::vector<std::shared_ptr<const Node>> own_nodes;  // nodes that are not the model's
  std::shared_ptr<const Graph> own_graph;              // when it is not the model's
};

// input_dims: stored order, one an input port. shape_values: elements of the ports that say is_shape; may be shorter
// than the list of ports. kInvalidArgument names the input or node whose sizes do not fit. The graph must outlive the
// result.
Result<ResolvedGraph> Resolve(const Graph& graph, std::span<const Dims> input_dims,
                              std::span<const std::vector<double>> shape_values);

// Tensor axis of spatial axis `a` (0: D, 1: H, 2: W) in a tensor of `rank` 3 .. 5 with axes N, [D,] [H,] W, C; 0 or
// less when the tensor lacks it.
constexpr int SpatialAxis(int a, int rank) { return a + rank - 4; }

constexpr int64_t FloorDiv(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0); }
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return -FloorDiv(-a, b); }

int64_t Elements(const Dims& dims);
// Multiply-adds of convolutions and matrix products over the whole output; 0 for other operators.
int64_t MultiplyAdds(const ResolvedNode& node);

// "1x64x64x1"
std::string DimsToString(const Dims& dims);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_RESOLVE_H_
