// What the kernel tests share: tensors inside canaries, rows run in random unit ranges, distances in units in the last
// place.
#ifndef FOVEA_TESTS_KERNELS_HARNESS_H_
#define FOVEA_TESTS_KERNELS_HARNESS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int64_t Int(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine_); }
  float Float(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine_); }
  bool Coin() { return Int(0, 1) == 1; }

 private:
  std::mt19937 engine_;
};

// A row-major tensor in a buffer of its own. The last axis may be a slice of a wider one (slack elements between rows),
// as channel slices are; everything outside the view is a canary.
class Tensor {
 public:
  Tensor(std::vector<int64_t> dims, int64_t slack = 0) : dims_(std::move(dims)) {
    int64_t step = 1;
    view_.rank = static_cast<int>(dims_.size());
    for (int i = view_.rank - 1; i >= 0; --i) {
      view_.dims[i] = dims_[static_cast<size_t>(i)];
      view_.strides[i] = step;
      step *= view_.dims[i] + (i == view_.rank - 1 ? slack : 0);
    }
    buffer_.assign(static_cast<size_t>(step + 2 * kGuard), kCanary);
    view_.data = buffer_.data() + kGuard;
  }
  Tensor(const Tensor& other) : dims_(other.dims_), buffer_(other.buffer_), view_(other.view_) {
    view_.data = buffer_.data() + kGuard;
  }
  Tensor& operator=(const Tensor&) = delete;

  const View& view() const { return view_; }
  ConstView cview() const { return view_; }
  int64_t size() const { return view_.elements(); }

  // Offset in the view of element i in row-major order.
  int64_t Offset(int64_t i) const {
    int64_t at = 0;
    for (int axis = view_.rank - 1; axis >= 0; --axis) {
      at += i % view_.dims[axis] * view_.strides[axis];
      i /= view_.dims[axis];
    }
    return at;
  }
  float& operator[](int64_t i) { return view_.data[Offset(i)]; }
  float operator[](int64_t i) const { return view_.data[Offset(i)]; }
  float At(std::initializer_list<int64_t> index) const {
    int64_t at = 0;
    int axis = 0;
    for (int64_t i : index) at += i * view_.strides[axis++];
    return view_.data[at];
  }

  Tensor& Fill(Random& random, float low, float high) {
    for (int64_t i = 0; i < size(); ++i) (*this)[i] = random.Float(low, high);
    return *this;
  }

  // True when nothing outside the view was written.
  bool Intact() const {
    std::vector<bool> inside(buffer_.size(), false);
    for (int64_t i = 0; i < size(); ++i) inside[static_cast<size_t>(Offset(i) + kGuard)] = true;
    for (size_t i = 0; i < buffer_.size(); ++i) {
      if (!inside[i] && buffer_[i] != kCanary) return false;
    }
    return true;
  }

 private:
  static constexpr int64_t kGuard = 32;
  static constexpr float kCanary = -987654.25f;
  std::vector<int64_t> dims_;
  std::vector<float> buffer_;
  View view_;
};

// The part of a view that begins at `begin` and has `dims`.
template <class AnyView>
AnyView SubView(AnyView view, const std::vector<int64_t>& begin, const std::vector<int64_t>& dims) {
  for (int i = 0; i < view.rank; ++i) {
    view.data += begin[static_cast<size_t>(i)] * view.strides[i];
    view.dims[i] = dims[static_cast<size_t>(i)];
  }
  return view;
}

template <class AnyView>
AnyView SwapAxes(AnyView view, int a, int b) {
  std::swap(view.dims[a], view.dims[b]);
  std::swap(view.strides[a], view.strides[b]);
  return view;
}

inline bool SameBits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }
inline bool SameBits(const Tensor& a, const Tensor& b) {
  if (a.size() != b.size()) return false;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (!SameBits(a[i], b[i])) return false;
  }
  return true;
}

// Distance of got from want in units in the last place of want (of the smallest normal number below it).
inline double UlpError(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : kInf;
  if (static_cast<double>(got) == want) return 0;
  if (std::isinf(static_cast<float>(want))) return std::isinf(got) && (got > 0) == (want > 0) ? 0 : kInf;
  if (!std::isfinite(got)) return kInf;
  const double magnitude = std::max(std::fabs(want), 1.1754943508222875e-38);
  return std::fabs(static_cast<double>(got) - want) / std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

// Runs all units in two or three ranges, the later ones first: the result may not depend on the partition.
template <class Row, class Layer, class Args>
void RunRow(const Row& row, const Layer& layer, const Args& args, Random& random) {
  ASSERT_TRUE(row.accepts(layer)) << row.name;
  const int64_t units = row.units(layer, args);
  const size_t floats = static_cast<size_t>(row.scratch_floats(layer, args));
  std::vector<float> scratch(floats + 64, -5.5f);
  void* start = scratch.data();
  size_t space = scratch.size() * sizeof(float);
  float* aligned = static_cast<float*>(std::align(64, floats * sizeof(float), start, space));
  int64_t end = units;
  for (int64_t cut : {random.Int(0, units), random.Int(0, units)}) {
    if (cut >= end) continue;
    row.run(layer, args, cut, end, aligned);
    end = cut;
  }
  row.run(layer, args, 0, end, aligned);
  for (const float* p = aligned + floats; p < scratch.data() + scratch.size(); ++p) {
    ASSERT_EQ(*p, -5.5f) << row.name << " wrote beyond its scratch";
  }
}

// fn(row) for every row that this CPU can run and that is not above the cap of FOVEA_ISA.
template <class Row, class Fn>
void ForEachKernel(std::span<const Row> rows, Fn&& fn) {
  int run = 0;
  for (const Row& row : rows) {
    const std::span<const Isa> supported = SupportedIsas();
    if (row.isa > BestIsa() || std::find(supported.begin(), supported.end(), row.isa) == supported.end()) continue;
    SCOPED_TRACE(row.name);
    fn(row);
    ++run;
  }
  EXPECT_GE(run, 1);
}

}  // namespace fovea::kernels

#endif  // FOVEA_TESTS_KERNELS_HARNESS_H_
