// Times one ONNX file with OpenCV's DNN module on the processor, or runs it once on given numbers. The counterpart of
// `fovea bench` and `fovea tensor`; bench/run starts all of them.
//
// usage: bench_opencv bench  MODEL.onnx C [D]xHxW THREADS REPEAT
//        bench_opencv tensor MODEL.onnx INPUT.npy OUT_DIR
//        bench_opencv version
// The model has one float32 input, N, C, [D,] H, W. `bench` prints one JSON object with the keys of `fovea bench
// --json`; times are wall-clock milliseconds and leave out the first run. `tensor` writes OUT_DIR/NAME.npy for every
// output. Exit code 1 with OpenCV's own sentence when it can't run the network.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <opencv2/dnn.hpp>
#include <sstream>

#include "formats/image/npy.h"
#include "tools/cli/program.h"
#include "tools/cli/seeded.h"

namespace fovea::bench {
namespace {

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

cv::dnn::Net Load(const char* path) {
  cv::dnn::Net net = cv::dnn::readNetFromONNX(path);
  net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
  return net;
}

cv::Mat Blob(std::vector<float>& values, const std::vector<int64_t>& dims) {
  const std::vector<int> sizes(dims.begin(), dims.end());
  return cv::Mat(static_cast<int>(sizes.size()), sizes.data(), CV_32F, values.data());
}

int Bench(char** words) {
  std::vector<int64_t> dims = {1, std::atoll(words[1])};
  std::istringstream size(words[2]);
  for (std::string part; std::getline(size, part, 'x');) dims.push_back(std::atoll(part.c_str()));
  const int threads = std::atoi(words[3]), repeat = std::atoi(words[4]);
  cv::setNumThreads(threads);
  const Clock::time_point load_start = Clock::now();
  cv::dnn::Net net = Load(words[0]);
  const double load_ms = Milliseconds(load_start);
  std::vector<float> input = cli::SeededInput(cli::ElementCount(dims));
  const cv::Mat blob = Blob(input, dims);
  const std::vector<cv::String> names = net.getUnconnectedOutLayersNames();
  std::vector<cv::Mat> outputs;
  std::vector<double> runs;
  for (int i = -1; i < repeat; ++i) {
    const Clock::time_point start = Clock::now();
    net.setInput(blob);
    net.forward(outputs, names);
    if (i >= 0) runs.push_back(Milliseconds(start));
  }
  std::string list;
  for (const double ms : runs) list += (list.empty() ? "" : ", ") + std::to_string(ms);
  std::printf("{\"runs_ms\": [%s], \"load_ms\": %.3f, \"peak_rss_bytes\": %llu, \"threads\": %d}\n", list.c_str(),
              load_ms, static_cast<unsigned long long>(cli::PeakResidentBytes()), threads);
  return 0;
}

int Tensor(char** words) {
  const auto array = formats::ReadNpy(words[1]);
  if (!array.ok()) return std::fprintf(stderr, "%s\n", array.status().message().c_str()), 2;
  std::vector<float> input = formats::ToFloatVector(*array);
  cv::dnn::Net net = Load(words[0]);
  net.setInput(Blob(input, array->shape));
  const std::vector<cv::String> names = net.getUnconnectedOutLayersNames();
  std::vector<cv::Mat> outputs;
  net.forward(outputs, names);
  for (size_t o = 0; o < outputs.size(); ++o) {
    const cv::Mat& mat = outputs[o];
    const std::vector<int64_t> dims(mat.size.p, mat.size.p + mat.dims);
    std::vector<float> values(mat.total());
    std::memcpy(values.data(), mat.ptr<float>(), values.size() * sizeof(float));
    const auto written = formats::FromFloatVector(values, dims, DType::kFloat32);
    if (!written.ok()) return 1;
    const Status status = formats::WriteNpy(std::string(words[2]) + "/" + names[o] + ".npy", *written);
    if (!status.ok()) return std::fprintf(stderr, "%s\n", status.message().c_str()), 1;
  }
  return 0;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  try {
    if (verb == "bench" && argc == 7) return fovea::bench::Bench(argv + 2);
    if (verb == "tensor" && argc == 5) return fovea::bench::Tensor(argv + 2);
    if (verb == "version" && argc == 2) return std::printf("%s\n", CV_VERSION), 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_opencv: %s\n", error.what());
    return 1;
  }
  std::fprintf(stderr,
               "usage: bench_opencv bench MODEL.onnx C [D]xHxW THREADS REPEAT | tensor MODEL.onnx INPUT.npy OUT_DIR | "
               "version\n");
  return 2;
}
