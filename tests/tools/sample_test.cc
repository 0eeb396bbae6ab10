// The whole line on our own sample: ONNX file -> .fov -> probability map -> labels, measured against the ground truth.
#include <cmath>

#include "formats/image/image.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

std::vector<float> ReadPlane(const std::string& path, formats::ImageInfo* info) {
  auto reader = formats::OpenImage(path);
  if (!reader.ok()) throw std::runtime_error(reader.status().message());
  *info = (*reader)->info();
  std::vector<float> plane(static_cast<size_t>(info->y * info->x));
  formats::Region region;
  region.height = info->y;
  region.width = info->x;
  const Status status = formats::ReadAsFloat(**reader, region, plane.data(), 1);
  if (!status.ok()) throw std::runtime_error(status.message());
  return plane;
}

using SampleTest = ProgramTest;

TEST_F(SampleTest, IntersectionOverUnionOnUnseenImages) {
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    const std::string n = std::to_string(i);
    const ProcessResult r = Run({"run", Model(), kSample + "/unseen/image_" + n + ".tif", "-o",
                                 scratch_ / ("p" + n + ".tif"), "--normalize", "zero-mean"});
    ASSERT_EQ(r.exit_code, 0) << r.err;
    formats::ImageInfo info, truth_info;
    const std::vector<float> probability = ReadPlane(scratch_ / ("p" + n + ".tif"), &info);
    const std::vector<float> truth = ReadPlane(kSample + "/unseen/labels_" + n + ".tif", &truth_info);
    ASSERT_EQ(probability.size(), truth.size());
    int64_t both = 0, either = 0;
    for (size_t k = 0; k < truth.size(); ++k) {
      const bool found = probability[k] > 0.5f, there = truth[k] > 0;
      both += found && there;
      either += found || there;
    }
    const double iou = static_cast<double>(both) / static_cast<double>(either);
    EXPECT_GE(iou, 0.90) << "image " << i;
    sum += iou;
  }
  EXPECT_GE(sum / 4, 0.90);
  RecordProperty("mean_iou", std::to_string(sum / 4));
}

TEST_F(SampleTest, LabelsCountNucleiAndKeepCalibration) {
  const ProcessResult r = Run({"run", Model(), kSample + "/nuclei.tif", "-o", scratch_ / "labels.tif", "--normalize",
                               "zero-mean", "--labels", "--overlay", scratch_ / "look.png", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto report = nlohmann::json::parse(r.out);
  formats::ImageInfo in, out, truth_info;
  ReadPlane(kSample + "/nuclei.tif", &in);
  const std::vector<float> labels = ReadPlane(scratch_ / "labels.tif", &out);
  const std::vector<float> truth = ReadPlane(kSample + "/nuclei_labels.tif", &truth_info);
  const float found = *std::max_element(labels.begin(), labels.end());
  const float there = *std::max_element(truth.begin(), truth.end());
  EXPECT_EQ(static_cast<int64_t>(found), report["objects"].get<int64_t>());
  EXPECT_NEAR(found, there, 0.05 * there);  // touching nuclei are parted, so the count is right to a few
  EXPECT_EQ(out.dtype, DType::kUInt16);
  EXPECT_EQ(out.y, in.y);
  EXPECT_EQ(out.x, in.x);
  EXPECT_NEAR(out.pixel_size.x, 0.325, 1e-6);
  EXPECT_NEAR(out.pixel_size.y, 0.325, 1e-6);
  EXPECT_EQ(out.pixel_size.unit, in.pixel_size.unit);
  formats::ImageInfo picture;
  auto reader = formats::OpenImage(scratch_ / "look.png");
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ((*reader)->info().c, 3);
  EXPECT_EQ((*reader)->info().x, in.x);
}

TEST_F(SampleTest, SelfTestPassesAtEveryIsaAndExecutor) {
  for (const char* isa : {"reference", "sse4", "avx2", "avx512", "neon"}) {
    const ProcessResult r = Run({"test", Model()}, {std::string("FOVEA_ISA=") + isa});
    EXPECT_EQ(r.exit_code, 0) << isa << ": " << r.out << r.err;
  }
  EXPECT_EQ(Run({"test", Model(), "--executor", "reference"}).exit_code, 0);
}

}  // namespace
}  // namespace fovea::testing
