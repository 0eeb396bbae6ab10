// Networks of known geometry, for tests that expect exact numbers.
#ifndef FOVEA_TESTS_SUPPORT_SMALL_NETS_H_
#define FOVEA_TESTS_SUPPORT_SMALL_NETS_H_

#include <vector>

#include "tests/support/random_graph.h"

namespace fovea::test {

// An encoder of `levels` stride-2 poolings and a decoder with skips.
inline NetBuilder UNet(int levels, bool padded = true) {
  NetBuilder net(11);
  int x = net.Input("byxc", {DimExpr::InputDim(0, 0), DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  std::vector<int> skips;
  const auto conv = [&](int from, int64_t channels) {
    const int y = net.Conv(from, channels, 3, 1, 1, 1, {kernels::UnaryFn::kRelu});
    if (!padded) {
      auto& p = std::get<ConvParams>(net.graph().nodes.back().params);
      p.pad_begin = p.pad_end = {0, 0, 0};
      for (size_t a = 1; a < 3; ++a) {
        net.graph().values[static_cast<size_t>(y)].dims[a] = net.dims(from)[a] - 2;
      }
    }
    return y;
  };
  for (int level = 0; level < levels; ++level) {
    skips.push_back(conv(x, 4));
    x = net.Pool(skips.back(), kernels::PoolKind::kMax, 2, 2);
  }
  x = conv(x, 6);
  for (int level = levels; level-- > 0;) {
    x = net.ConvTranspose(x, 4, 2, 2);
    int skip = skips[static_cast<size_t>(level)];
    if (!padded) {
      SliceParams p;
      p.step.assign(4, 1);
      p.size = net.dims(x);
      p.start.assign(4, 0);
      for (size_t a = 1; a < 3; ++a) p.start[a] = FloorDiv(net.dims(skip)[a] - net.dims(x)[a], 2);
      p.size.back() = net.dims(skip).back();
      skip = net.Add(p, {skip});
    }
    x = conv(net.Concat({skip, x}), 4);
  }
  net.Output(net.Conv(x, 1, 1));
  return net;
}

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_SMALL_NETS_H_
