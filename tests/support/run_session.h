// Running sessions on tensors in memory, for tests.
#ifndef FOVEA_TESTS_SUPPORT_RUN_SESSION_H_
#define FOVEA_TESTS_SUPPORT_RUN_SESSION_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/isa.h"
#include "runtime/include/fovea/session.h"

namespace fovea::test {

using Tensors = std::vector<std::vector<float>>;

inline int64_t Count(const std::vector<int64_t>& dims) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  return n;
}

// Standard normal values.
inline Tensors RandomTensors(const std::vector<std::vector<int64_t>>& dims, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensors tensors;
  for (const auto& d : dims) {
    tensors.emplace_back(static_cast<size_t>(Count(d)));
    for (float& v : tensors.back()) v = normal(random);
  }
  return tensors;
}

// Outputs are NaN before the run, so that an element that is not written is seen.
inline Tensors RunSession(Session& session, const Tensors& inputs) {
  Tensors outputs;
  std::vector<const float*> in;
  std::vector<float*> out;
  for (const auto& t : inputs) in.push_back(t.data());
  for (const auto& d : session.output_dims()) outputs.emplace_back(static_cast<size_t>(Count(d)), NAN);
  for (auto& t : outputs) out.push_back(t.data());
  const Status status = session.Run(in, out);
  EXPECT_TRUE(status.ok()) << status.message();
  return outputs;
}

// Number of the first element whose bits differ, "" when none does.
inline std::string FirstDifference(const Tensors& a, const Tensors& b) {
  for (size_t o = 0; o < a.size(); ++o) {
    for (size_t i = 0; i < a[o].size(); ++i) {
      if (std::memcmp(&a[o][i], &b[o][i], sizeof(float)) == 0) continue;
      return "output " + std::to_string(o) + " element " + std::to_string(i) + ": " + std::to_string(a[o][i]) +
             " and " + std::to_string(b[o][i]);
    }
  }
  return "";
}

inline std::vector<std::string> IsaNames() {
  std::vector<std::string> names;
  for (kernels::Isa isa : kernels::SupportedIsas()) {
    if (isa <= kernels::BestIsa()) names.emplace_back(kernels::IsaName(isa));
  }
  return names;
}

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_RUN_SESSION_H_
