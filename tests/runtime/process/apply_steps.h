// Steps on pixels in memory, for tests.
#ifndef FOVEA_TESTS_RUNTIME_PROCESS_APPLY_STEPS_H_
#define FOVEA_TESTS_RUNTIME_PROCESS_APPLY_STEPS_H_

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "runtime/include/fovea/process.h"

namespace fovea {

class MemorySource : public SampleSource {
 public:
  MemorySource(const SampleShape& shape, std::vector<float> values) : shape_(shape), values_(std::move(values)) {}
  Status Read(const SampleRegion& r, float* dst) override {
    for (int64_t c = r.channel; c < r.channel + r.channels; ++c) {
      for (int64_t y = r.y; y < r.y + r.rows; ++y) {
        for (int64_t x = r.x; x < r.x + r.cols; ++x) {
          const int64_t volume = (r.sample * shape_.channels + c) * shape_.planes + r.plane;
          *dst++ = values_[static_cast<size_t>((volume * shape_.rows + y) * shape_.cols + x)];
        }
      }
    }
    return OkStatus();
  }

 private:
  SampleShape shape_;
  std::vector<float> values_;
};

// Sample 0 of what `steps` make of the values, read at once and column by column: both must be the same.
// result_shape: null or that of the result.
inline std::vector<float> Apply(const std::string& steps, const SampleShape& shape, const std::vector<float>& values,
                                const StepOptions& options, SampleShape* result_shape = nullptr) {
  const auto list = ParseSteps(steps);
  EXPECT_TRUE(list.ok()) << list.status().message();
  auto chain = StepChain::Create(*list, shape, options);
  EXPECT_TRUE(chain.ok()) << chain.status().message();
  if (!chain.ok()) return {};
  MemorySource source(shape, values);
  chain->Connect(&source);
  const Status prepared = chain->Prepare(0);
  EXPECT_TRUE(prepared.ok()) << prepared.message();
  const SampleShape& out = chain->shape();
  if (result_shape != nullptr) *result_shape = out;
  std::vector<float> result(static_cast<size_t>(out.channels * out.planes * out.rows * out.cols));
  for (int64_t c = 0; c < out.channels; ++c) {
    for (int64_t z = 0; z < out.planes; ++z) {
      float* const plane = result.data() + (c * out.planes + z) * out.rows * out.cols;
      EXPECT_TRUE(chain->result()->Read({0, c, 1, z, 0, 0, out.rows, out.cols}, plane).ok());
      for (int64_t x = 0; x < out.cols; ++x) {
        std::vector<float> column(static_cast<size_t>(out.rows));
        EXPECT_TRUE(chain->result()->Read({0, c, 1, z, 0, x, out.rows, 1}, column.data()).ok());
        for (int64_t y = 0; y < out.rows; ++y) {
          const float alone = column[static_cast<size_t>(y)], together = plane[y * out.cols + x];
          EXPECT_TRUE(alone == together || (std::isnan(alone) && std::isnan(together))) << alone << " " << together;
        }
      }
    }
  }
  return result;
}
inline std::vector<float> Apply(const std::string& steps, const SampleShape& shape, const std::vector<float>& values,
                                Compatibility compatibility = Compatibility::kExact) {
  StepOptions options;
  options.compatibility = compatibility;
  return Apply(steps, shape, values, options);
}
inline std::vector<float> Row(const std::string& steps, const std::vector<float>& values,
                              Compatibility compatibility = Compatibility::kExact) {
  return Apply(steps, {1, 1, 1, 1, static_cast<int64_t>(values.size())}, values, compatibility);
}

}  // namespace fovea

#endif  // FOVEA_TESTS_RUNTIME_PROCESS_APPLY_STEPS_H_
