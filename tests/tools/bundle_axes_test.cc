// Descriptions whose axes are in an order of their own: x before y, channels anywhere, without a batch, outputs that
// are not described. The network is a convolution along the first spatial axis alone, out[i] = in[i - 1] + 10 in[i] +
// 100 in[i + 1], so that every exchange of axes shows; what must come out is worked out on the image here.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/converter/saved_model/support.h"
#include "tests/tools/steps_testing.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRows = 5, kCols = 8;

class BundleAxesTest : public StepsTest {
 protected:
  // tensor [1, first, second, 1]; named: the signature's output.
  void WriteNetwork() {
    tfproto::SavedModel model;
    model.set_saved_model_schema_version(1);
    tfproto::MetaGraphDef* meta = model.add_meta_graphs();
    meta->mutable_meta_info_def()->add_tags("serve");
    tfproto::GraphDef* graph = meta->mutable_graph_def();
    Attr(AddNode(graph, "x", "Placeholder", {}), "dtype").set_type(1);
    SetFloats(AddNode(graph, "kernel", "Const", {}), {3, 1, 1, 1}, {1, 10, 100});
    tfproto::NodeDef& conv = AddNode(graph, "y", "Conv2D", {"x", "kernel"});
    for (int i = 0; i < 4; ++i) Attr(conv, "strides").mutable_list()->add_i(1);
    Attr(conv, "padding").set_s("SAME");
    Attr(conv, "data_format").set_s("NHWC");
    auto* signature = meta->add_signature_def();
    signature->set_key("serving_default");
    const auto port = [](tfproto::TensorInfoEntry* entry, const std::string& name) {
      entry->set_key(name);
      entry->mutable_value()->set_name(name + ":0");
      entry->mutable_value()->set_dtype(1);
      SetShape(entry->mutable_value()->mutable_tensor_shape(), {1, -1, -1, 1});
    };
    port(signature->mutable_value()->add_inputs(), "x");
    port(signature->mutable_value()->add_outputs(), "y");
    fs::create_directories(scratch_ / "bundle");
    std::ofstream(fs::path(scratch_ / "bundle") / "saved_model.pb", std::ios::binary) << model.SerializeAsString();
  }

  // The result of the image, and what the conversion told.
  Values Converted(const std::string& inputs, const std::string& outputs, std::string* told, formats::ImageInfo* info) {
    WriteNetwork();
    std::ofstream(fs::path(scratch_ / "bundle") / "rdf.yaml")
        << "format_version: 0.4.9\ntype: model\nname: Axes\ninputs: [" << inputs << "]\n"
        << "outputs: [" << outputs << "]\n"
        << "weights: {tensorflow_saved_model_bundle: {source: ./}}\n";
    const ProcessResult r = RunProcess({kConvert, scratch_ / "bundle", "-o", scratch_ / "net.fov"});
    EXPECT_EQ(r.exit_code, 0) << r.err;
    *told = r.out + r.err;
    return Result(scratch_ / "net.fov", Write("in.tif", Sizes(1, 1, 1, kRows, kCols), image_), {}, nullptr, info);
  }

  void SetUp() override {
    for (int64_t i = 0; i < kRows * kCols; ++i) image_.push_back(static_cast<float>(i * i % 23));
  }
  float At(int64_t y, int64_t x) const {
    return y < 0 || x < 0 || y >= kRows || x >= kCols ? 0 : image_[static_cast<size_t>(y * kCols + x)];
  }
  // The convolution along y (dy = 1) or x (dx = 1) of the image.
  Values Along(int64_t dy, int64_t dx) const {
    Values out;
    for (int64_t y = 0; y < kRows; ++y) {
      for (int64_t x = 0; x < kCols; ++x) {
        out.push_back(At(y - dy, x - dx) + 10 * At(y, x) + 100 * At(y + dy, x + dx));
      }
    }
    return out;
  }
  Values image_;
};

TEST_F(BundleAxesTest, AreTheNetworksNotTheImages) {
  std::string told;
  formats::ImageInfo info;
  // described input and output; empty: its axes are not said
  for (const auto& [in, out] : {std::pair("byxc", "byxc"), {"byxc", ""}, {"yxc", "byxc"}, {"byxc", "yxc"}}) {
    const std::string output = *out == '\0' ? "{name: y}" : std::string("{name: y, axes: ") + out + "}";
    EXPECT_EQ(Converted(std::string("{name: x, axes: ") + in + "}", output, &told, &info), Along(1, 0)) << in << out;
    EXPECT_EQ(told.find("exchanges"), std::string::npos) << told;
  }
  for (const auto& [in, out] : {std::pair("bxyc", "bxyc"), {"bxyc", ""}, {"xyc", "bxyc"}, {"bxyc", "xyc"}}) {
    const std::string output = *out == '\0' ? "{name: y}" : std::string("{name: y, axes: ") + out + "}";
    EXPECT_EQ(Converted(std::string("{name: x, axes: ") + in + "}", output, &told, &info), Along(0, 1)) << in << out;
    EXPECT_EQ(info.y, kRows) << in << out;
    EXPECT_EQ(info.x, kCols) << in << out;
    EXPECT_EQ(told.find("exchanges"), std::string::npos) << told;
    EXPECT_EQ(told.find("its axes are not described; taken as those of input 'x' (bxyc)") != std::string::npos,
              *out == '\0')
        << told;
  }
}

TEST_F(BundleAxesTest, OutputsOfAnotherRankFollowTheInput) {
  std::string told;
  formats::ImageInfo info;
  EXPECT_EQ(Converted("{name: x, axes: bxyc}", "{name: y, axes: bi}", &told, &info), Along(0, 1));
  EXPECT_NE(told.find("the description's axes are left out"), std::string::npos) << told;
  EXPECT_NE(told.find("taken as those of input 'x' (bxyc)"), std::string::npos) << told;
}

TEST_F(BundleAxesTest, ExchangesOfXAndYAreTold) {
  std::string told;
  formats::ImageInfo info;
  WriteNetwork();
  std::ofstream(fs::path(scratch_ / "bundle") / "rdf.yaml")
      << "format_version: 0.4.9\ntype: model\nname: Axes\ninputs: [{name: x, axes: bxyc}]\n"
      << "outputs: [{name: y, axes: byxc}]\nweights: {tensorflow_saved_model_bundle: {source: ./}}\n";
  ProcessResult r = RunProcess({kConvert, scratch_ / "bundle", "-o", scratch_ / "net.fov"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_NE((r.out + r.err).find("exchanges x and y between input 'x' (bxyc) and output 'y' (byxc)"), std::string::npos)
      << r.out << r.err;
  // As told to: no exchange.
  r = RunProcess({kConvert, scratch_ / "bundle", "-o", scratch_ / "net.fov", "--axes", "y=bxyc"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  const std::string in = Write("in.tif", Sizes(1, 1, 1, kRows, kCols), image_);
  EXPECT_EQ(Result(scratch_ / "net.fov", in, {}), Along(0, 1));
}

TEST_F(BundleAxesTest, StepsReferToTheNetworksInputByTheDescriptionsName) {
  std::string told;
  formats::ImageInfo info;
  // scale_mean_variance gives the result the image's mean and deviation.
  const Values out =
      Converted("{name: raw, axes: byxc}",
                "{name: denoised, axes: byxc, postprocessing: [{name: scale_mean_variance, kwargs: {mode: per_sample, "
                "reference_tensor: raw}}]}",
                &told, &info);
  const auto moments = [](const Values& values) {
    double mean = 0, squares = 0;
    for (const float v : values) mean += static_cast<double>(v) / static_cast<double>(values.size());
    for (const float v : values) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
    return std::pair(mean, std::sqrt(squares / static_cast<double>(values.size())));
  };
  ASSERT_EQ(out.size(), image_.size());
  EXPECT_NEAR(moments(out).first, moments(image_).first, 1e-4);
  EXPECT_NEAR(moments(out).second, moments(image_).second, 1e-4);
  const Values plain = Along(1, 0);
  EXPECT_NEAR((out[3] - moments(out).first) / moments(out).second,
              (plain[3] - moments(plain).first) / moments(plain).second, 1e-4);
}

}  // namespace
}  // namespace fovea::testing
