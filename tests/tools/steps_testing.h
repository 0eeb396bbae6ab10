// Programs run on networks of known arithmetic (y = x, with steps) and on images that a test writes and reads.
#ifndef FOVEA_TESTS_TOOLS_STEPS_TESTING_H_
#define FOVEA_TESTS_TOOLS_STEPS_TESTING_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "formats/image/image.h"
#include "runtime/include/fovea/process.h"
#include "tests/support/random_graph.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {

using Values = std::vector<float>;

class StepsTest : public ProgramTest {
 protected:
  // y = x with these steps; axes as "byxc". channels 0: any number.
  std::string Network(const std::string& name, const std::string& axes, int64_t channels,
                      const std::string& pre = "none", const std::string& post = "none", int64_t multiple = 1) {
    test::NetBuilder net(1);
    std::vector<DimExpr> dims = {1};
    for (size_t a = 1; a + 1 < axes.size(); ++a) dims.push_back(DimExpr::InputDim(0, static_cast<int>(a)));
    dims.push_back(channels == 0 ? DimExpr::InputDim(0, static_cast<int>(axes.size()) - 1) : DimExpr(channels));
    net.Output(net.Unary(net.Input(axes, dims), {kernels::UnaryFn::kIdentity}));
    for (AxisRule& rule : net.graph().inputs[0].rules) {
      if (rule.step != 0) rule = {multiple, multiple};
    }
    net.graph().preprocessing = *ParseSteps(pre);
    net.graph().postprocessing = *ParseSteps(post);
    const Status written = net.Write(scratch_ / name);
    EXPECT_TRUE(written.ok()) << written.message();
    return scratch_ / name;
  }

  // A TIFF of [t][z][c][y][x].
  std::string Write(const std::string& name, const formats::ImageInfo& info, const Values& values) {
    auto writer = formats::CreateImage(scratch_ / name, info, {});
    EXPECT_TRUE(writer.ok()) << writer.status().message();
    const auto plane = static_cast<size_t>(info.y * info.x);
    for (int64_t i = 0; i < info.plane_count(); ++i) {
      const formats::Region region = {i / info.c / info.z, i / info.c % info.z, i % info.c, 0, 0, info.y, info.x};
      EXPECT_TRUE((*writer)->Write(region, &values[static_cast<size_t>(i) * plane]).ok());
    }
    EXPECT_TRUE((*writer)->Finish().ok());
    return scratch_ / name;
  }
  std::string WriteRow(const std::string& name, const Values& values) {
    formats::ImageInfo info;
    info.x = static_cast<int64_t>(values.size());
    info.y = 1;
    return Write(name, info, values);
  }

  Values Read(const std::string& path, formats::ImageInfo* info = nullptr) {
    auto reader = formats::OpenImage(path);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) return {};
    const formats::ImageInfo& in = (*reader)->info();
    if (info != nullptr) *info = in;
    Values values(static_cast<size_t>(in.plane_count() * in.y * in.x));
    for (int64_t i = 0; i < in.plane_count(); ++i) {
      const formats::Region region = {i / in.c / in.z, i / in.c % in.z, i % in.c, 0, 0, in.y, in.x};
      EXPECT_TRUE(formats::ReadAsFloat(**reader, region, values.data() + i * in.y * in.x, 1).ok());
    }
    return values;
  }

  // Runs, expects success, reads the result.
  Values Result(const std::string& net, const std::string& in, std::vector<std::string> more,
                nlohmann::json* report = nullptr, formats::ImageInfo* info = nullptr) {
    more.insert(more.begin(), {"run", net, in, "-o", scratch_ / "o.tif", "--json"});
    const ProcessResult r = Run(more);
    EXPECT_EQ(r.exit_code, 0) << r.err << r.out;
    if (r.exit_code != 0) return {};
    if (report != nullptr) *report = nlohmann::json::parse(r.out);
    return Read(scratch_ / "o.tif", info);
  }
};

inline formats::ImageInfo Sizes(int64_t t, int64_t z, int64_t c, int64_t y, int64_t x) {
  formats::ImageInfo info;
  info.t = t, info.z = z, info.c = c, info.y = y, info.x = x;
  info.axes = std::string(t > 1 ? "T" : "") + (z > 1 ? "Z" : "") + (c > 1 ? "C" : "") + "YX";
  return info;
}

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_TOOLS_STEPS_TESTING_H_
