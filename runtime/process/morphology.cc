#include "runtime/process/morphology.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::process {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// out[x] = max(out[x], max of line[x - half .. x + half]); the line is padded by `half` on both sides. Blocks of the
// window's width: maxima from each block's begin and to its end (van Herk 1992).
void JoinWindowMaxima(const std::vector<float>& line, int64_t half, int64_t cols, std::vector<float>* from_begin,
                      std::vector<float>* to_end, float* out) {
  const int64_t width = 2 * half + 1, n = cols + 2 * half;
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(i);
    (*from_begin)[at] = i % width == 0 ? line[at] : std::max((*from_begin)[at - 1], line[at]);
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    const auto at = static_cast<size_t>(i);
    (*to_end)[at] = i == n - 1 || (i + 1) % width == 0 ? line[at] : std::max((*to_end)[at + 1], line[at]);
  }
  for (int64_t x = 0; x < cols; ++x) {
    out[x] = std::max({out[x], (*to_end)[static_cast<size_t>(x)], (*from_begin)[static_cast<size_t>(x + 2 * half)]});
  }
}

void MaximumFilter(const Element& element, float outside, float* plane, int64_t rows, int64_t cols) {
  std::vector<float> result(static_cast<size_t>(rows * cols), kLowest), line, from_begin, to_end;
  for (int64_t y = 0; y < rows; ++y) {
    float* const out = result.data() + y * cols;
    for (int64_t dy = -element.reach(); dy <= element.reach(); ++dy) {
      const int64_t half = element.half[static_cast<size_t>(std::abs(dy))];
      line.assign(static_cast<size_t>(cols + 2 * half), outside);
      if (y + dy >= 0 && y + dy < rows) std::copy_n(plane + (y + dy) * cols, cols, line.begin() + half);
      from_begin.resize(line.size());
      to_end.resize(line.size());
      JoinWindowMaxima(line, half, cols, &from_begin, &to_end, out);
    }
  }
  std::copy(result.begin(), result.end(), plane);
}

template <class Inside>
Element MakeElement(double radius, const Inside& inside) {
  Element element;
  const auto reach = static_cast<int64_t>(std::floor(radius));
  for (int64_t dy = 0; dy <= reach; ++dy) {
    int64_t half = 0;
    while (half < reach && inside(static_cast<double>(dy), static_cast<double>(half + 1))) ++half;
    element.half.push_back(half);
  }
  return element;
}

// Squared distances of a line: the lower envelope of the parabolas f[q] + (p - q)^2.
void LineDistances(std::vector<double>* f, std::vector<int64_t>* centres, std::vector<double>* borders,
                   std::vector<double>* out) {
  const auto n = static_cast<int64_t>(f->size());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  int64_t k = -1;
  for (int64_t q = 0; q < n; ++q) {
    const double value = (*f)[static_cast<size_t>(q)];
    if (value == kInfinity) continue;
    double border = -kInfinity;
    while (k >= 0) {
      const int64_t v = (*centres)[static_cast<size_t>(k)];
      border = (value + static_cast<double>(q * q) - (*f)[static_cast<size_t>(v)] - static_cast<double>(v * v)) /
               static_cast<double>(2 * (q - v));
      if (border > (*borders)[static_cast<size_t>(k)]) break;
      border = -kInfinity;
      --k;
    }
    ++k;
    (*centres)[static_cast<size_t>(k)] = q;
    (*borders)[static_cast<size_t>(k)] = border;
  }
  const int64_t last = k;
  int64_t at = 0;
  for (int64_t p = 0; p < n; ++p) {
    if (last < 0) {
      (*out)[static_cast<size_t>(p)] = kInfinity;
      continue;
    }
    while (at < last && (*borders)[static_cast<size_t>(at + 1)] < static_cast<double>(p)) ++at;
    const int64_t q = (*centres)[static_cast<size_t>(at)];
    (*out)[static_cast<size_t>(p)] = (*f)[static_cast<size_t>(q)] + static_cast<double>((p - q) * (p - q));
  }
}

}  // namespace

Element SquareElement(double radius) {
  return MakeElement(radius, [](double, double) { return true; });
}
Element DiskElement(double radius) {
  return MakeElement(radius, [radius](double y, double x) { return y * y + x * x <= radius * radius; });
}
Element CrossElement(double radius) {
  return MakeElement(radius, [radius](double y, double x) { return y + x <= radius; });
}

int64_t MorphologyBytes(int64_t rows, int64_t cols) { return (rows * cols + 12 * cols) * 4; }

void Dilate(const Element& element, float* plane, int64_t rows, int64_t cols) {
  MaximumFilter(element, kLowest, plane, rows, cols);
}

void Erode(const Element& element, Outside outside, float* plane, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows * cols; ++i) plane[i] = -plane[i];
  MaximumFilter(element, outside == Outside::kZero ? 0.0f : kLowest, plane, rows, cols);
  for (int64_t i = 0; i < rows * cols; ++i) plane[i] = plane[i] == 0 ? 0.0f : -plane[i];  // no -0
}

std::vector<float> DistanceToBackground(const float* plane, int64_t rows, int64_t cols) {
  const auto longest = static_cast<size_t>(std::max(rows, cols));
  std::vector<int64_t> centres(longest);
  std::vector<double> borders(longest), f, out;
  // Squared distances are whole numbers below 2^24 for planes of up to 2896 x 2896; beyond that rounding moves the
  // root by less than a millionth of it.
  std::vector<float> squares(static_cast<size_t>(rows * cols));
  f.resize(static_cast<size_t>(rows));
  out.resize(f.size());
  for (int64_t x = 0; x < cols; ++x) {
    for (int64_t y = 0; y < rows; ++y) {
      f[static_cast<size_t>(y)] = plane[y * cols + x] != 0 ? std::numeric_limits<double>::infinity() : 0;
    }
    LineDistances(&f, &centres, &borders, &out);
    for (int64_t y = 0; y < rows; ++y) {
      squares[static_cast<size_t>(y * cols + x)] = static_cast<float>(out[static_cast<size_t>(y)]);
    }
  }
  f.resize(static_cast<size_t>(cols));
  out.resize(f.size());
  for (int64_t y = 0; y < rows; ++y) {
    float* const row = squares.data() + y * cols;
    for (int64_t x = 0; x < cols; ++x) f[static_cast<size_t>(x)] = static_cast<double>(row[x]);
    LineDistances(&f, &centres, &borders, &out);
    for (int64_t x = 0; x < cols; ++x) row[x] = static_cast<float>(std::sqrt(out[static_cast<size_t>(x)]));
  }
  return squares;
}

}  // namespace fovea::process
