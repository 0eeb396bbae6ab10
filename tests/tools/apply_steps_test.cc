// Self-tests run their steps as `fovea run` does: which steps belong to which tensor, and what steps may refer to.
#include "tools/cli/apply_steps.h"

#include <gtest/gtest.h>

#include "tests/tools/steps_testing.h"
#include "tools/cli/self_test.h"

namespace fovea::testing {
namespace {

class SelfTestSteps : public StepsTest {};

TEST_F(SelfTestSteps, GiveWhatRunGives) {
  // y = 3 x - 7 before the network, statistics of the image before that after it: the image comes back, once by
  // its mean and standard deviation, once by its smallest and largest value.
  const Values image = {4, 8, 15, 16, 23, 42};
  const std::string in = WriteRow("in.tif", image);
  for (const std::string post : {"scale_mean_variance(reference_tensor=x0, mode=per_sample, eps=1e-12)",
                                 "scale_range(mode=per_sample, eps=1e-12) | scale_linear(gain=38, offset=4)"}) {
    const std::string net = Network("n.fov", "byxc", 1, "scale_linear(gain=3, offset=-7)", post);
    const Values run = Result(net, in, {});
    ASSERT_EQ(run.size(), image.size());
    for (size_t i = 0; i < image.size(); ++i) EXPECT_NEAR(run[i], image[i], 1e-4) << post;
    const auto model = Model::Load(net);
    ASSERT_TRUE(model.ok());
    const auto tested = cli::RunTensors(*model, {{{1, 1, 6, 1}, image}}, true, {}, nullptr);
    ASSERT_TRUE(tested.ok()) << tested.status().message();
    EXPECT_EQ((*tested)[0].values, run) << post;
  }
}

TEST_F(SelfTestSteps, BelongToTheTensorThatTheyName) {
  const auto steps = ParseSteps("clip(min=1)@a | binarize(threshold=0) | sigmoid@b");
  ASSERT_TRUE(steps.ok());
  EXPECT_EQ(ToString(cli::StepsOfTensor(*steps, "a")), "clip(min=1)@a | binarize(threshold=0)");
  EXPECT_EQ(ToString(cli::StepsOfTensor(*steps, "b")), "binarize(threshold=0) | sigmoid@b");
}

TEST_F(SelfTestSteps, SayWhatTheyCanNotReferTo) {
  const auto model = Model::Load(Network("n.fov", "byxc", 1, "none", "scale_range(reference_tensor=elsewhere)"));
  ASSERT_TRUE(model.ok());
  const auto tested = cli::RunTensors(*model, {{{1, 1, 2, 1}, {1, 2}}}, true, {}, nullptr);
  ASSERT_FALSE(tested.ok());
  EXPECT_NE(tested.status().message().find("'elsewhere'"), std::string::npos) << tested.status().message();
}

}  // namespace
}  // namespace fovea::testing
