// Writes the model of c_api_test.c: the sum of the 3x3 pixels around each.
#include <cstdio>

#include "tests/support/random_graph.h"

int main(int argc, char** argv) {
  using namespace fovea;
  if (argc != 2) return 2;
  test::NetBuilder net(1);
  const int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  ConvParams p;
  p.kernel = {1, 3, 3};
  p.pad_begin = p.pad_end = {0, 1, 1};
  const int y = net.Add(p, {x, net.Const({1, 3, 3, 1, 1}, std::vector<float>(9, 1.0f)), kNoValue, kNoValue});
  net.Output(y);
  const Status status = net.Write(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
