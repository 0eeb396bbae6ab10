// Builds without FOVEA_XNNPACK: the executor on XNNPACK says how to get it.
#include <gtest/gtest.h>

#include "runtime/include/fovea/session.h"
#include "tests/support/random_graph.h"

namespace fovea {
namespace {

TEST(XnnpackAbsent, SaysHowToGetIt) {
  test::NetBuilder net(1);
  net.Output(net.Conv(net.Input("byxc", {1, 8, 8, 1}), 2, 3));
  const auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto session = Session::Create(*model, {{1, 8, 8, 1}}, {.executor = Executor::kXnnpack});
  ASSERT_EQ(session.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(session.status().message().find("-DFOVEA_XNNPACK=ON"), std::string::npos);
}

}  // namespace
}  // namespace fovea
