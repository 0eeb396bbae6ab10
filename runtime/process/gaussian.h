// Gaussian blur along axes, border pixels repeated outwards. Sums in double, from one side to the other; rounded to
// float once per axis.
#ifndef FOVEA_RUNTIME_PROCESS_GAUSSIAN_H_
#define FOVEA_RUNTIME_PROCESS_GAUSSIAN_H_

#include <cstdint>
#include <vector>

namespace fovea::process {

// weights[i] belongs to the distance i on both sides; the whole sums to 1. Empty: no blur.
using GaussianKernel = std::vector<double>;

// exp(-i^2 / (2 sigma^2)) for distances up to floor(4 sigma + 1/2): scipy.ndimage.gaussian_filter1d.
GaussianKernel SampledKernel(double sigma);

// ImageJ's GaussianBlur for float images (accuracy 2e-4): radius ceil(sigma sqrt(-2 ln accuracy)) + 1; the tail beyond
// the place where a parabola that ends at the radius touches the bell from below follows that parabola. ImageJ itself
// shrinks the image first for sigmas over 4.5, within the same accuracy; here it is not shrunk.
GaussianKernel ImageJKernel(double sigma);

// Blurs `lines` lines that begin `line_step` apart; a line has n pixels, `step` apart.
void BlurAxis(const GaussianKernel& kernel, float* data, int64_t lines, int64_t n, int64_t step, int64_t line_step);
// Along x, then y.
void BlurPlane(const GaussianKernel& kernel, float* plane, int64_t rows, int64_t cols);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_GAUSSIAN_H_
