// How far two executors may be apart on a random network.
#ifndef FOVEA_TESTS_SUPPORT_TOLERANCE_H_
#define FOVEA_TESTS_SUPPORT_TOLERANCE_H_

#include <cmath>

#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea::test {

// Chains of the same products in another order or with fused rounding differ by at most K eps sum|w x| each (Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.1). Weights are scaled so that sum |w x| is about
// sqrt(K) |x|; every layer adds its own error and passes on those of the layers before, whose gain is about 1.
inline double Tolerance(const NetBuilder& net, const Tensors& reference) {
  double chain = 16, largest = 1;
  NetBuilder& graph = const_cast<NetBuilder&>(net);
  for (const Node& node : graph.graph().nodes) {
    if (KindOf(node.params) != OpKind::kConv && KindOf(node.params) != OpKind::kConvTranspose) continue;
    double k = 1;
    for (const DimExpr& d : net.dims(node.inputs[1])) k *= static_cast<double>(d.Const());
    chain = std::max(chain, std::pow(k / static_cast<double>(net.dims(node.inputs[1]).back().Const()), 1.5));
  }
  for (const auto& t : reference) {
    for (float v : t) largest = std::max(largest, static_cast<double>(std::fabs(v)));
  }
  return largest * chain * static_cast<double>(graph.graph().nodes.size()) * 0x1p-24;
}

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_TOLERANCE_H_
