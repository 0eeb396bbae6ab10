// Images brought to another number of pixels: nearest, linear, cubic and area, with exact definitions.
//
// An axis of `in` pixels becomes one of `out` pixels that covers the same extent: output pixel o lies at the source
// coordinate s = (o + 1/2) in / out - 1/2, where whole numbers are pixel centres ("half-pixel" centres: ONNX and
// TensorFlow 2 call it so, scikit-image and OpenCV do the same). Beyond the border the border pixel is repeated.
//
//   nearest  the source pixel whose extent holds the centre of the output pixel: floor((2 o + 1) in / (2 out))
//   linear   (1 - f) v[i] + f v[i + 1] with i = floor(s), f = s - i; no smoothing when it shrinks
//   cubic    v[i - 1] .. v[i + 2] weighted by Keys' kernel with a = -1/2 (Keys 1981, "Cubic convolution interpolation
//   for
//            digital image processing"), as ImageJ's bicubic; can overshoot the values' range
//   area     the mean over the output pixel's extent [o in / out, (o + 1) in / out), partly covered pixels in
//   proportion;
//            block means when in / out is a whole number
//
// Positions and weights are exact fractions rounded to double once; sums are in double, columns first, then rows, then
// planes, each in ascending order, and rounded to float once. A pixel's value depends on its taps alone, so every
// region of a result has the bits that it has in the whole. Pixels of weight 0 are not read: NaN stays where it is.
#ifndef FOVEA_RESIZE_H_
#define FOVEA_RESIZE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fovea/status.h"

namespace fovea {

enum class ResizeMethod : uint8_t { kNearest, kLinear, kCubic, kArea };

// "nearest", "linear", "cubic" or "area".
Result<ResizeMethod> ParseResizeMethod(const std::string& text);

// How one axis is resized. Sizes are 1 .. 2^31 - 1.
class ResizeAxis {
 public:
  struct Tap {
    int64_t index = 0;  // in the source, inside it
    double weight = 0;  // not 0; the weights of a pixel add up to 1
  };
  struct Range {
    int64_t begin = 0, end = 0;
  };

  ResizeAxis() = default;  // one pixel to one pixel
  ResizeAxis(ResizeMethod method, int64_t in, int64_t out) : method_(method), in_(in), out_(out) {}

  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  // What output pixel `o` is made of, in ascending order of the index. Replaces what is in `taps`.
  void Taps(int64_t o, std::vector<Tap>* taps) const;
  // The source pixels that outputs [begin, begin + count) read, count >= 1.
  Range Sources(int64_t begin, int64_t count) const;
  int64_t MostTaps() const;

 private:
  ResizeMethod method_ = ResizeMethod::kNearest;
  int64_t in_ = 1, out_ = 1;
};

// Resizes volumes (planes, rows, columns) region by region; the source is never held as a whole.
class Resizer {
 public:
  // Puts rows x cols values of plane z from (y, x) on to dst, row-major and tight.
  using Source = std::function<Status(int64_t z, int64_t y, int64_t x, int64_t rows, int64_t cols, float* dst)>;

  Resizer(const ResizeAxis& planes, const ResizeAxis& rows, const ResizeAxis& cols) : axes_{planes, rows, cols} {}

  const ResizeAxis& axis(int i) const { return axes_[static_cast<size_t>(i)]; }  // 0 planes, 1 rows, 2 columns
  // rows x cols pixels of output plane z from (y, x) on; dst row-major and tight. Errors are the source's.
  Status Region(int64_t z, int64_t y, int64_t x, int64_t rows, int64_t cols, const Source& source, float* dst) const;
  // Bytes that Region holds at most, about, whatever the region.
  int64_t WorkingBytes() const;

 private:
  int64_t BandRows(int64_t source_cols, int64_t cols) const;
  std::array<ResizeAxis, 3> axes_;
};

// One plane, tight, at once.
void ResizePlane(ResizeMethod method, const float* src, int64_t in_rows, int64_t in_cols, float* dst, int64_t out_rows,
                 int64_t out_cols);

}  // namespace fovea

#endif  // FOVEA_RESIZE_H_
