#include "fovea/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace fovea {
namespace {

constexpr int64_t kBlockValues = int64_t{1} << 18;  // of the source that are held at once, where a row allows it

int64_t FloorDivide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

// Keys' cubic convolution kernel, a = -1/2.
double Keys(double distance) {
  constexpr double a = -0.5;
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

// Adds a tap, or to the last one when that is the same pixel (the repeated border).
void Add(int64_t index, double weight, std::vector<ResizeAxis::Tap>* taps) {
  if (weight == 0) return;
  if (!taps->empty() && taps->back().index == index) {
    taps->back().weight += weight;
  } else {
    taps->push_back({index, weight});
  }
}

// The taps of a run of output pixels, one after another.
struct TapTable {
  std::vector<ResizeAxis::Tap> taps;
  std::vector<size_t> begin;  // of each pixel, and the end

  TapTable(const ResizeAxis& axis, int64_t first, int64_t count) {
    std::vector<ResizeAxis::Tap> one;
    begin.reserve(static_cast<size_t>(count) + 1);
    for (int64_t o = first; o < first + count; ++o) {
      begin.push_back(taps.size());
      axis.Taps(o, &one);
      taps.insert(taps.end(), one.begin(), one.end());
    }
    begin.push_back(taps.size());
  }
};

}  // namespace

Result<ResizeMethod> ParseResizeMethod(const std::string& text) {
  if (text == "nearest") return ResizeMethod::kNearest;
  if (text == "linear") return ResizeMethod::kLinear;
  if (text == "cubic") return ResizeMethod::kCubic;
  if (text == "area") return ResizeMethod::kArea;
  return InvalidArgument("'" + text + "' is not a way to resize; choose nearest, linear, cubic or area");
}

void ResizeAxis::Taps(int64_t o, std::vector<Tap>* taps) const {
  taps->clear();
  if (method_ == ResizeMethod::kNearest) {
    taps->push_back({(2 * o + 1) * in_ / (2 * out_), 1});
    return;
  }
  if (method_ == ResizeMethod::kArea) {
    // In units of 1 / out source pixels the output pixel is [o in, (o + 1) in), source pixel i is [i out, (i + 1) out).
    const int64_t begin = o * in_, end = begin + in_;
    for (int64_t i = begin / out_; i * out_ < end; ++i) {
      const int64_t overlap = std::min(end, (i + 1) * out_) - std::max(begin, i * out_);
      Add(i, static_cast<double>(overlap) / static_cast<double>(in_), taps);
    }
    return;
  }
  // s = numerator / (2 out), exactly.
  const int64_t numerator = (2 * o + 1) * in_ - out_, denominator = 2 * out_;
  const int64_t i = FloorDivide(numerator, denominator);
  const double f = static_cast<double>(numerator - i * denominator) / static_cast<double>(denominator);
  const auto inside = [this](int64_t index) { return std::clamp<int64_t>(index, 0, in_ - 1); };
  if (method_ == ResizeMethod::kLinear) {
    Add(inside(i), 1 - f, taps);
    Add(inside(i + 1), f, taps);
    return;
  }
  for (int64_t k = -1; k <= 2; ++k) Add(inside(i + k), Keys(f - static_cast<double>(k)), taps);
}

ResizeAxis::Range ResizeAxis::Sources(int64_t begin, int64_t count) const {
  std::vector<Tap> first, last;
  Taps(begin, &first);
  Taps(begin + count - 1, &last);
  return {first.front().index, last.back().index + 1};
}

int64_t ResizeAxis::MostTaps() const {
  switch (method_) {
    case ResizeMethod::kNearest: return 1;
    case ResizeMethod::kLinear: return 2;
    case ResizeMethod::kCubic: return 4;
    case ResizeMethod::kArea: return std::min(in_, in_ / out_ + 2);
  }
  return 1;
}

// Output rows that are made from one block of the source: neither the block nor they are large.
int64_t Resizer::BandRows(int64_t source_cols, int64_t cols) const {
  const int64_t source_rows = std::max<int64_t>(0, kBlockValues / source_cols - axes_[1].MostTaps());
  return std::max<int64_t>(1, std::min(source_rows * axes_[1].out() / axes_[1].in(), kBlockValues / cols));
}

Status Resizer::Region(int64_t z, int64_t y, int64_t x, int64_t rows, int64_t cols, const Source& source,
                       float* dst) const {
  if (rows < 1 || cols < 1) return OkStatus();
  const TapTable across(axes_[2], x, cols);
  const ResizeAxis::Range columns = axes_[2].Sources(x, cols);
  const int64_t source_cols = columns.end - columns.begin;
  const int64_t band = std::min(rows, BandRows(source_cols, cols));
  std::vector<ResizeAxis::Tap> planes;
  axes_[0].Taps(z, &planes);
  std::vector<float> block;
  std::vector<double> line(static_cast<size_t>(cols));
  std::vector<double> sums(static_cast<size_t>(band * cols));
  // Rows that are resized along the columns already; a row's slot is its number modulo their count.
  const int64_t slots = axes_[1].MostTaps();
  std::vector<double> lines(static_cast<size_t>(slots * cols));
  for (int64_t top = 0; top < rows; top += band) {
    const int64_t count = std::min(band, rows - top);
    const TapTable down(axes_[1], y + top, count);
    const ResizeAxis::Range needed = axes_[1].Sources(y + top, count);
    block.resize(static_cast<size_t>((needed.end - needed.begin) * source_cols));
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const ResizeAxis::Tap& plane : planes) {
      FOVEA_RETURN_IF_ERROR(
          source(plane.index, needed.begin, columns.begin, needed.end - needed.begin, source_cols, block.data()));
      int64_t ready = needed.begin;
      for (int64_t r = 0; r < count; ++r) {
        const auto row = static_cast<size_t>(r);
        const int64_t last = down.taps[down.begin[row + 1] - 1].index;
        for (ready = std::max(ready, down.taps[down.begin[row]].index); ready <= last; ++ready) {
          const float* from = block.data() + (ready - needed.begin) * source_cols - columns.begin;
          double* to = lines.data() + ready % slots * cols;
          for (size_t c = 0; c < static_cast<size_t>(cols); ++c) {
            double sum = 0;
            for (size_t t = across.begin[c]; t < across.begin[c + 1]; ++t) {
              sum += across.taps[t].weight * static_cast<double>(from[across.taps[t].index]);
            }
            to[c] = sum;
          }
        }
        std::fill(line.begin(), line.end(), 0.0);
        for (size_t t = down.begin[row]; t < down.begin[row + 1]; ++t) {
          const double weight = down.taps[t].weight;
          const double* from = lines.data() + down.taps[t].index % slots * cols;
          for (size_t c = 0; c < static_cast<size_t>(cols); ++c) line[c] += weight * from[c];
        }
        double* to = sums.data() + r * cols;
        for (size_t c = 0; c < static_cast<size_t>(cols); ++c) to[c] += plane.weight * line[c];
      }
    }
    for (int64_t i = 0; i < count * cols; ++i) dst[top * cols + i] = static_cast<float>(sums[static_cast<size_t>(i)]);
  }
  return OkStatus();
}

int64_t Resizer::WorkingBytes() const {
  const int64_t source_cols = axes_[2].in(), cols = axes_[2].out();
  const int64_t band = std::min(axes_[1].out(), BandRows(source_cols, cols));
  const int64_t source_rows = std::min(axes_[1].in(), band * axes_[1].in() / axes_[1].out() + axes_[1].MostTaps() + 1);
  const int64_t tap = static_cast<int64_t>(sizeof(ResizeAxis::Tap) + sizeof(size_t));
  // A table grows by doubling.
  const int64_t tables =
      2 * tap * (cols * std::min<int64_t>(axes_[2].MostTaps(), source_cols / cols + 4) + band * axes_[1].MostTaps());
  return source_rows * source_cols * 4 + (axes_[1].MostTaps() + band + 1) * cols * 8 + tables;
}

void ResizePlane(ResizeMethod method, const float* src, int64_t in_rows, int64_t in_cols, float* dst, int64_t out_rows,
                 int64_t out_cols) {
  const Resizer resizer({}, {method, in_rows, out_rows}, {method, in_cols, out_cols});
  const Resizer::Source source = [&](int64_t, int64_t y, int64_t x, int64_t rows, int64_t cols, float* to) {
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(to + r * cols, src + (y + r) * in_cols + x, static_cast<size_t>(cols) * sizeof(float));
    }
    return OkStatus();
  };
  // Memory as a source never fails.
  (void)resizer.Region(0, 0, 0, out_rows, out_cols, source, dst).ok();
}

}  // namespace fovea
