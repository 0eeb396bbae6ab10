#include "runtime/process/gaussian.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::process {
namespace {

void Normalize(GaussianKernel* kernel) {
  double sum = (*kernel)[0];
  for (size_t i = 1; i < kernel->size(); ++i) sum += 2 * (*kernel)[i];
  for (double& weight : *kernel) weight /= sum;
}

GaussianKernel Bell(double sigma, int64_t radius) {
  GaussianKernel kernel;
  for (int64_t i = 0; i <= radius; ++i) {
    const auto distance = static_cast<double>(i);
    kernel.push_back(std::exp(-0.5 * distance * distance / (sigma * sigma)));
  }
  return kernel;
}

}  // namespace

GaussianKernel SampledKernel(double sigma) {
  if (!(sigma > 0)) return {};
  GaussianKernel kernel = Bell(sigma, static_cast<int64_t>(4 * sigma + 0.5));
  Normalize(&kernel);
  return kernel;
}

GaussianKernel ImageJKernel(double sigma) {
  constexpr double kAccuracy = 2e-4;
  if (!(sigma > 0)) return {};
  const auto size = static_cast<int64_t>(std::ceil(sigma * std::sqrt(-2 * std::log(kAccuracy)))) + 1;
  GaussianKernel kernel = Bell(sigma, size - 1);
  if (size > 3) {
    // Inwards from the end for as long as the parabola through the end gets flatter.
    double slope = std::numeric_limits<double>::max();
    int64_t r = size;
    while (r > size / 2) {
      --r;
      const double here = std::sqrt(kernel[static_cast<size_t>(r)]) / static_cast<double>(size - r);
      if (here >= slope) break;
      slope = here;
    }
    for (int64_t i = r + 2; i < size; ++i) {
      const auto left = static_cast<double>(size - i);
      kernel[static_cast<size_t>(i)] = left * left * slope * slope;
    }
  }
  Normalize(&kernel);
  return kernel;
}

void BlurAxis(const GaussianKernel& kernel, float* data, int64_t lines, int64_t n, int64_t step, int64_t line_step) {
  if (kernel.empty()) return;
  const auto radius = static_cast<int64_t>(kernel.size()) - 1;
  std::vector<double> line(static_cast<size_t>(n + 2 * radius));
  for (int64_t l = 0; l < lines; ++l) {
    float* const at = data + l * line_step;
    for (int64_t i = -radius; i < n + radius; ++i) {
      line[static_cast<size_t>(i + radius)] = static_cast<double>(at[std::clamp<int64_t>(i, 0, n - 1) * step]);
    }
    for (int64_t i = 0; i < n; ++i) {
      const double* const centre = line.data() + i + radius;
      double sum = centre[0] * kernel[0];
      for (int64_t k = 1; k <= radius; ++k) sum += (centre[-k] + centre[k]) * kernel[static_cast<size_t>(k)];
      at[i * step] = static_cast<float>(sum);
    }
  }
}

void BlurPlane(const GaussianKernel& kernel, float* plane, int64_t rows, int64_t cols) {
  BlurAxis(kernel, plane, rows, cols, 1, cols);
  BlurAxis(kernel, plane, cols, rows, cols, 1);
}

}  // namespace fovea::process
