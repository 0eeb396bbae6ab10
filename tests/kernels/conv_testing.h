// What the tests of convolution and transposed convolution share: guarded memory, random layers, and checks that hold
// for every row of a table. Expected values come from a double-precision oracle that each test brings.
#ifndef FOVEA_TESTS_KERNELS_CONV_TESTING_H_
#define FOVEA_TESTS_KERNELS_CONV_TESTING_H_

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv/conv.h"

namespace fovea::kernels::testing {

// Floats between two unreadable pages, pushed against the one behind them or the one before; filled with a NaN that no
// arithmetic produces. 64-byte aligned where `align` is set (then up to 15 spare floats lie behind).
class Guarded {
 public:
  enum class Side { kEnd, kBegin };
  static constexpr uint32_t kPoison = 0x7fc0dead;

  explicit Guarded(int64_t count, Side side = Side::kEnd, bool align = false) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t unit = align ? 64 : sizeof(float);
    const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + unit - 1) / unit * unit;
    const size_t body = (bytes + page - 1) / page * page;
    size_ = body + 2 * page;
    base_ = static_cast<char*>(mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(static_cast<void*>(base_), MAP_FAILED);
    EXPECT_TRUE(body == 0 || mprotect(base_ + page, body, PROT_READ | PROT_WRITE) == 0);
    data_ = reinterpret_cast<float*>(base_ + page + (side == Side::kEnd ? body - bytes : 0));
    for (int64_t i = 0; i < count; ++i) data_[i] = std::bit_cast<float>(kPoison);
  }
  Guarded(Guarded&& from) noexcept
      : count_(from.count_), size_(from.size_), base_(std::exchange(from.base_, nullptr)), data_(from.data_) {}
  Guarded& operator=(Guarded&&) = delete;
  ~Guarded() {
    if (base_ != nullptr) munmap(base_, size_);
  }

  float* data() const { return data_; }
  int64_t count() const { return count_; }

 private:
  int64_t count_;
  size_t size_ = 0;
  char* base_ = nullptr;
  float* data_ = nullptr;
};

inline bool IsPoison(float value) { return std::bit_cast<uint32_t>(value) == Guarded::kPoison; }

struct Dims {
  int64_t n = 1, d = 1, h = 1, w = 1, c = 1;
};

// A view in memory of its own: pixels `gap` floats wider than the channels, and the same between rows.
struct Owned {
  Owned(const Dims& dims, int64_t gap, Guarded::Side side) : memory(Floats(dims, gap), side) {
    const int64_t sizes[5] = {dims.n, dims.d, dims.h, dims.w, dims.c};
    view.data = memory.data();
    view.rank = 5;
    for (int a = 0; a < 5; ++a) view.dims[a] = sizes[a];
    view.strides[kC] = 1;
    view.strides[kW] = dims.c + gap;
    view.strides[kH] = dims.w * view.strides[kW] + gap;
    view.strides[kD] = dims.h * view.strides[kH] + gap;
    view.strides[kN] = dims.d * view.strides[kD];
  }
  // Up to the last element of the view: the next one is unreadable.
  static int64_t Floats(const Dims& dims, int64_t gap) {
    const int64_t row = dims.w * (dims.c + gap) + gap;
    const int64_t plane = dims.h * row + gap;
    return ((dims.n - 1) * dims.d + dims.d - 1) * plane + (dims.h - 1) * row + (dims.w - 1) * (dims.c + gap) + dims.c;
  }

  Guarded memory;
  View view;
};

inline int64_t OffsetOf(const View& v, int64_t n, int64_t d, int64_t h, int64_t w, int64_t c) {
  return n * v.strides[kN] + d * v.strides[kD] + h * v.strides[kH] + w * v.strides[kW] + c;
}

template <class Visit>
void ForEach(const View& v, const Visit& visit) {
  for (int64_t n = 0; n < v.dims[kN]; ++n) {
    for (int64_t d = 0; d < v.dims[kD]; ++d) {
      for (int64_t h = 0; h < v.dims[kH]; ++h) {
        for (int64_t w = 0; w < v.dims[kW]; ++w) {
          for (int64_t c = 0; c < v.dims[kC]; ++c) visit(n, d, h, w, c);
        }
      }
    }
  }
}

inline void FillRandom(const View& v, std::mt19937& random) {
  std::uniform_real_distribution<float> value(-1.0f, 1.0f);
  ForEach(v, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t c) {
    v.data[OffsetOf(v, n, d, h, w, c)] = value(random);
  });
}

inline std::vector<float> RandomFloats(int64_t count, std::mt19937& random) {
  std::uniform_real_distribution<float> value(-1.0f, 1.0f);
  std::vector<float> floats(static_cast<size_t>(count));
  for (float& f : floats) f = value(random);
  return floats;
}

inline int64_t Uniform(std::mt19937& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

// What a row has to compute, and where its views lie.
template <class LayerType>
struct Case {
  LayerType layer;
  Dims src, dst;
  int64_t pad[3] = {0, 0, 0};
  int64_t src_gap = 0, dst_gap = 0, residual_gap = 0;
  bool residual_is_dst = false;
  Guarded::Side side = Guarded::Side::kEnd;

  int64_t weight_count() const {
    const int64_t taps = layer.kernel[0] * layer.kernel[1] * layer.kernel[2];
    return taps * (layer.in_channels / layer.groups) * layer.out_channels;
  }
  std::string Describe() const {
    std::string s;
    const auto add = [&s](const char* name, const int64_t(&v)[3]) {
      s += std::string(name) + " " + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]) +
           " ";
    };
    add("kernel", layer.kernel);
    add("stride", layer.stride);
    add("dilation", layer.dilation);
    add("pad", pad);
    add("src", {src.d, src.h, src.w});
    add("dst", {dst.d, dst.h, dst.w});
    s += "n " + std::to_string(src.n) + " groups " + std::to_string(layer.groups) + " channels " +
         std::to_string(layer.in_channels) + ">" + std::to_string(layer.out_channels) + " gaps " +
         std::to_string(src_gap) + "," + std::to_string(dst_gap) + "," + std::to_string(residual_gap) + " act " +
         std::to_string(static_cast<int>(layer.act.fn)) + (layer.has_residual ? " residual" : "") +
         (residual_is_dst ? " in place" : "");
    return s;
  }
};

// One output before the activation, in double, and the sum of the magnitudes of its terms, which bounds the rounding.
struct Exact {
  double sum = 0;
  double magnitude = 0;
  int64_t terms = 0;
  void Add(double a, double b) {
    sum += a * b;
    magnitude += std::fabs(a * b);
    ++terms;
  }
};

// Activations of Lipschitz constant 1 keep the bound; the smooth ones add a few ulp of a value below 1 of their own.
inline double ActivationSlack(UnaryFn fn) {
  return fn == UnaryFn::kSigmoid || fn == UnaryFn::kTanh ? 16.0 * std::numeric_limits<float>::epsilon() : 0.0;
}
inline double ActivateExactly(const Activation& act, double x) {
  switch (act.fn) {
    case UnaryFn::kRelu: return std::max(x, 0.0);
    case UnaryFn::kLeakyRelu: return x < 0 ? static_cast<double>(act.alpha) * x : x;
    case UnaryFn::kClip: return std::min(std::max(x, static_cast<double>(act.alpha)), static_cast<double>(act.beta));
    case UnaryFn::kSigmoid: return 1 / (1 + std::exp(-x));
    case UnaryFn::kTanh: return std::tanh(x);
    default: return x;
  }
}

// Inputs of a case, the packed weights of one row, and its result.
template <class LayerType>
struct Inputs {
  Inputs(const Case<LayerType>& c, uint32_t seed)
      : src(c.src, c.src_gap, c.side), residual(c.dst, c.residual_gap, c.side) {
    std::mt19937 random(seed);
    FillRandom(src.view, random);
    FillRandom(residual.view, random);
    weights = RandomFloats(c.weight_count(), random);
    bias = RandomFloats(c.layer.out_channels, random);
  }
  Owned src, residual;
  std::vector<float> weights, bias;
};

template <class Row, class LayerType>
Guarded PackFor(const Row& row, const LayerType& layer, const Inputs<LayerType>& s, int parts) {
  Guarded packed(row.packed_floats(layer), Guarded::Side::kEnd, true);
  for (int part = parts - 1; part >= 0; --part) {
    row.pack(layer, s.weights.data(), s.bias.data(), packed.data(), part, parts);
  }
  return packed;
}

template <class Row, class LayerType>
ConvArgs ArgsOf(const Case<LayerType>& c, const Inputs<LayerType>& s, const Owned& dst, const float* packed) {
  ConvArgs args;
  args.src = s.src.view;
  args.dst = dst.view;
  if (c.layer.has_residual) args.residual = c.residual_is_dst ? dst.view : s.residual.view;
  for (int a = 0; a < 3; ++a) args.pad[a] = c.pad[a];
  args.packed = packed;
  return args;
}

inline void CopyInto(const View& to, const View& from) {
  ForEach(to, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ch) {
    to.data[OffsetOf(to, n, d, h, w, ch)] = from.data[OffsetOf(from, n, d, h, w, ch)];
  });
}

template <class Row, class LayerType>
void RunAll(const Row& row, const LayerType& layer, const ConvArgs& args) {
  Guarded scratch(row.scratch_floats(layer, args), Guarded::Side::kEnd, true);
  row.run(layer, args, 0, row.units(layer, args), scratch.data());
}

// Every element between a view's elements still holds what it held: canaries behind pixels and rows.
inline void ExpectGapsUntouched(const Owned& dst) {
  std::vector<bool> inside(static_cast<size_t>(dst.memory.count()), false);
  ForEach(dst.view, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ch) {
    inside[static_cast<size_t>(OffsetOf(dst.view, n, d, h, w, ch))] = true;
  });
  for (int64_t i = 0; i < dst.memory.count(); ++i) {
    ASSERT_TRUE(inside[static_cast<size_t>(i)] || IsPoison(dst.memory.data()[i])) << "wrote outside the view at " << i;
  }
}

inline void ExpectSameBits(const View& a, const View& b, const char* what) {
  int64_t different = 0;
  ForEach(a, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ch) {
    const float x = a.data[OffsetOf(a, n, d, h, w, ch)];
    const float y = b.data[OffsetOf(b, n, d, h, w, ch)];
    if (std::bit_cast<uint32_t>(x) != std::bit_cast<uint32_t>(y)) {
      if (different++ == 0) {
        ADD_FAILURE() << what << ": " << x << " and " << y << " at " << n << "," << d << "," << h << "," << w << ","
                      << ch;
      }
    }
  });
}

// Runs `row` on the case and compares every element with the oracle. |error| <= c K eps sum|a||w|: each of K roundings
// of a chain is at most eps/2 of a partial sum, which the magnitude bounds; unfused targets round products too, and
// sums of lanes add a few: c = 2.
template <class Row, class LayerType, class Oracle>
void CheckAgainstOracle(const Row& row, const Case<LayerType>& c, const Inputs<LayerType>& s, const Oracle& oracle,
                        const Owned& dst) {
  const Guarded packed = PackFor(row, c.layer, s, 3);
  if (c.residual_is_dst) CopyInto(dst.view, s.residual.view);
  RunAll(row, c.layer, ArgsOf<Row>(c, s, dst, packed.data()));
  ExpectGapsUntouched(dst);
  int64_t wrong = 0;
  ForEach(dst.view, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ch) {
    Exact exact = oracle(c, s, n, d, h, w, ch);
    exact.Add(static_cast<double>(s.bias[static_cast<size_t>(ch)]), 1.0);
    const View& r = s.residual.view;
    if (c.layer.has_residual) exact.Add(static_cast<double>(r.data[OffsetOf(r, n, d, h, w, ch)]), 1.0);
    const double want = ActivateExactly(c.layer.act, exact.sum);
    const double got = static_cast<double>(dst.view.data[OffsetOf(dst.view, n, d, h, w, ch)]);
    const double tolerance =
        2.0 * static_cast<double>(exact.terms + 1) * std::numeric_limits<float>::epsilon() * exact.magnitude +
        ActivationSlack(c.layer.act.fn);
    if (!(std::fabs(got - want) <= tolerance) && wrong++ == 0) {
      ADD_FAILURE() << got << " instead of " << want << " +- " << tolerance << " at " << n << "," << d << "," << h
                    << "," << w << "," << ch;
    }
  });
}

// Units one by one in a random order, each with scratch that held something else, give the bits of the whole.
template <class Row, class LayerType>
void CheckUnits(const Row& row, const Case<LayerType>& c, const Inputs<LayerType>& s, const Owned& whole,
                std::mt19937& random) {
  const Guarded packed = PackFor(row, c.layer, s, 1);
  const Owned dst(c.dst, c.dst_gap, c.side);
  if (c.residual_is_dst) CopyInto(dst.view, s.residual.view);
  const ConvArgs args = ArgsOf<Row>(c, s, dst, packed.data());
  const int64_t units = row.units(c.layer, args);
  std::vector<int64_t> cuts = {0, units};
  for (int i = 0; i < 6; ++i) cuts.push_back(Uniform(random, 0, units));
  std::sort(cuts.begin(), cuts.end());
  std::vector<size_t> order(cuts.size() - 1);
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  for (size_t i : order) {
    Guarded scratch(row.scratch_floats(c.layer, args), Guarded::Side::kEnd, true);
    row.run(c.layer, args, cuts[i], cuts[i + 1], scratch.data());
  }
  ExpectSameBits(dst.view, whole.view, "units");
}

// A random rectangle of the output, computed from only the part of the source that its windows reach, has the bits of
// the whole. source_range(axis, first, last) gives the source positions [low, high) that outputs [first, last] need,
// and pad_of(axis, first, low) the pad that goes with them.
template <class Row, class LayerType, class RangeOf, class PadOf>
void CheckRectangle(const Row& row, const Case<LayerType>& c, const Inputs<LayerType>& s, const Owned& whole,
                    const RangeOf& range_of, const PadOf& pad_of, std::mt19937& random) {
  const int64_t out[3] = {c.dst.d, c.dst.h, c.dst.w};
  const int64_t in[3] = {c.src.d, c.src.h, c.src.w};
  Case<LayerType> part = c;
  part.residual_is_dst = false;
  int64_t first[3], last[3], low[3], high[3];
  for (int a = 0; a < 3; ++a) {
    first[a] = Uniform(random, 0, out[a] - 1);
    last[a] = Uniform(random, first[a], out[a] - 1);
    range_of(a, first[a], last[a], &low[a], &high[a]);
    low[a] = std::clamp<int64_t>(low[a], 0, in[a] - 1);
    high[a] = std::clamp<int64_t>(high[a], low[a] + 1, in[a]);
    part.pad[a] = pad_of(a, first[a], low[a]);
  }
  part.src = {c.src.n, high[0] - low[0], high[1] - low[1], high[2] - low[2], c.src.c};
  part.dst = {c.dst.n, last[0] - first[0] + 1, last[1] - first[1] + 1, last[2] - first[2] + 1, c.dst.c};

  const Guarded packed = PackFor(row, c.layer, s, 2);
  const Owned src(part.src, c.src_gap + 3, c.side);
  const Owned residual(part.dst, c.residual_gap + 1, c.side);
  const Owned dst(part.dst, c.dst_gap + 2, c.side);
  const Owned expected(part.dst, 0, c.side);
  const auto shifted = [](const View& v, const int64_t(&by)[3]) {
    View moved = v;
    moved.data += OffsetOf(v, 0, by[0], by[1], by[2], 0);
    return moved;
  };
  CopyInto(src.view, shifted(s.src.view, low));
  CopyInto(residual.view, shifted(s.residual.view, first));
  CopyInto(expected.view, shifted(whole.view, first));
  ConvArgs args = ArgsOf<Row>(part, s, dst, packed.data());
  args.src = src.view;
  if (c.layer.has_residual) args.residual = residual.view;
  for (int a = 0; a < 3; ++a) args.dst_origin[a] = first[a];
  RunAll(row, c.layer, args);
  ExpectGapsUntouched(dst);
  ExpectSameBits(dst.view, expected.view, "rectangle");
}

inline bool Supported(Isa isa) {
  for (Isa s : SupportedIsas()) {
    if (s == isa) return true;
  }
  return false;
}

// Activations of the networks at hand: fused and not fused ones.
inline Activation RandomActivation(std::mt19937& random) {
  switch (Uniform(random, 0, 6)) {
    case 0: return {UnaryFn::kRelu};
    case 1: return {UnaryFn::kLeakyRelu, 0.2f};
    case 2: return {UnaryFn::kClip, -0.5f, 0.75f};
    case 3: return {UnaryFn::kSigmoid};
    case 4: return {UnaryFn::kTanh};
    default: return {};
  }
}

template <class LayerType>
void RandomChannels(LayerType* layer, std::mt19937& random) {
  switch (Uniform(random, 0, 5)) {
    case 0:
      layer->groups = Uniform(random, 2, 3);
      layer->in_channels = layer->groups * Uniform(random, 1, 9);
      layer->out_channels = layer->groups * Uniform(random, 1, 35);
      break;
    case 1:  // depthwise, sometimes with a multiplier
      layer->groups = layer->in_channels = Uniform(random, 1, 40);
      layer->out_channels = layer->groups * (Uniform(random, 0, 3) == 0 ? 2 : 1);
      break;
    case 2:  // first layers
      layer->in_channels = Uniform(random, 1, 4);
      layer->out_channels = Uniform(random, 1, 70);
      break;
    case 3:  // last layers
      layer->in_channels = Uniform(random, 1, 70);
      layer->out_channels = Uniform(random, 1, 5);
      break;
    default: layer->in_channels = Uniform(random, 1, 40); layer->out_channels = Uniform(random, 1, 70);
  }
}

template <class LayerType>
void RandomPlaces(Case<LayerType>* c, std::mt19937& random) {
  c->src.n = c->dst.n = Uniform(random, 0, 4) == 0 ? 2 : 1;
  c->src.c = c->layer.in_channels;
  c->dst.c = c->layer.out_channels;
  if (Uniform(random, 0, 1) == 0) c->src_gap = Uniform(random, 1, 9);
  if (Uniform(random, 0, 1) == 0) c->dst_gap = Uniform(random, 1, 9);
  if (Uniform(random, 0, 1) == 0) c->residual_gap = Uniform(random, 1, 9);
  if (Uniform(random, 0, 1) == 0) c->side = Guarded::Side::kBegin;
  c->layer.act = RandomActivation(random);
}

}  // namespace fovea::kernels::testing

#endif  // FOVEA_TESTS_KERNELS_CONV_TESTING_H_
