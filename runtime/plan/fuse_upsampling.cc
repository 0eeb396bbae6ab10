#include "runtime/plan/fuse_upsampling.h"

#include <algorithm>

#include "runtime/exec/operator.h"

namespace fovea::plan {
namespace {

// The factors of a Resize along D, H, W, each 1 or 2; false when it is something else.
bool FactorsOf(const ResolvedNode& node, Int3* factors) {
  if (node.kind != OpKind::kResize || node.Has(1) || !RepeatsEachTwice(std::get<ResizeParams>(node.node->params)))
    return false;
  const int rank = static_cast<int>(node.out.size());
  for (int a = 0; a < rank; ++a) {
    const size_t axis = static_cast<size_t>(a);
    const int64_t in = node.in[0][axis], out = node.out[axis];
    if (in < 1 || (out != in && out != 2 * in)) return false;
    if (node.scale[axis] != static_cast<double>(out / in)) return false;
    const int s = a + 4 - rank;  // of D, H, W
    const bool spatial = a > 0 && a + 1 < rank && s >= 0;
    if (out != in && !spatial) return false;
    if (spatial) (*factors)[static_cast<size_t>(s)] = out / in;
  }
  return true;
}

// Windows begin where those of "same" padding do, up to whole source positions: kernels know no other place.
bool BeginsAsSame(const ResolvedNode& conv, const Int3& factors) {
  const Int3& kernel = std::get<ConvParams>(conv.node->params).kernel;
  for (size_t s = 0; s < 3; ++s) {
    if (factors[s] > 1 && conv.pad_begin[s] % 2 != kernel[s] / 2 % 2) return false;
  }
  return true;
}

class Fuser {
 public:
  Fuser(kernels::Isa cap, bool exact_order, ResolvedGraph* graph)
      : cap_(cap), exact_order_(exact_order), graph_(*graph), readers_(graph->dims.size(), 0) {
    for (const ResolvedNode& node : graph_.nodes) {
      for (int input : node.node->inputs) {
        if (input != kNoValue) ++readers_[static_cast<size_t>(input)];
      }
    }
    for (const Port& port : graph_.graph->outputs) ++readers_[static_cast<size_t>(port.value)];
  }

  void Run() {
    std::vector<uint8_t> gone(graph_.nodes.size(), 0);
    for (size_t r = 0; r < graph_.nodes.size(); ++r) {
      Int3 factors{1, 1, 1};
      if (FactorsOf(graph_.nodes[r], &factors) && Fuse(graph_.nodes[r], factors)) gone[r] = 1;
    }
    size_t kept = 0;
    for (size_t n = 0; n < gone.size(); ++n) {
      if (gone[n]) continue;
      if (kept != n) graph_.nodes[kept] = std::move(graph_.nodes[n]);
      ++kept;
    }
    graph_.nodes.resize(kept);
  }

 private:
  bool Fuse(const ResolvedNode& resize, const Int3& factors) {
    const int doubled = resize.node->output;
    if (readers_[static_cast<size_t>(doubled)] != 1) return false;
    const auto conv = std::find_if(graph_.nodes.begin(), graph_.nodes.end(), [&](const ResolvedNode& node) {
      return node.kind == OpKind::kConv && node.node->inputs[0] == doubled;
    });
    if (conv == graph_.nodes.end() || !BeginsAsSame(*conv, factors)) return false;
    ResolvedNode fused = *conv;
    auto node = std::make_shared<Node>(*conv->node);
    node->inputs[0] = resize.node->inputs[0];
    fused.node = node.get();
    fused.in[0] = resize.in[0];
    fused.upsample = factors;
    if (exec::Operator(fused, cap_, exact_order_).keeps_exact_order()) return false;
    *conv = std::move(fused);
    graph_.own_nodes.push_back(std::move(node));
    return true;
  }

  kernels::Isa cap_;
  bool exact_order_;
  ResolvedGraph& graph_;
  std::vector<int> readers_;  // of each value
};

}  // namespace

void FuseUpsampling(kernels::Isa cap, bool exact_order, ResolvedGraph* graph) {
  if (!exact_order) Fuser(cap, exact_order, graph).Run();
}

}  // namespace fovea::plan
