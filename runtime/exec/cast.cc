#include "runtime/exec/cast.h"

#include <cmath>

namespace fovea::exec {
namespace {

// IEEE 754 binary16: 11 bits of precision, least exponent -14, largest value 65504.
float RoundToHalf(float x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);                                    // |x| in [0.5, 1) 2^exponent
  const int unit = exponent - 11 < -24 ? -24 : exponent - 11;  // exponent of the last place
  const float scaled = std::ldexp(x, -unit);
  const float down = std::floor(scaled);
  const float rest = scaled - down;
  const bool odd = std::fmod(down, 2.0f) != 0;
  const float rounded = std::ldexp(rest > 0.5f || (rest == 0.5f && odd) ? down + 1 : down, unit);
  if (std::fabs(rounded) >= 65520.0f) return std::copysign(INFINITY, x);
  return rounded;
}

template <class T>
float Wrap(float x) {
  // 2^63 and beyond do not fit the wide integer.
  if (!(std::fabs(x) < 9223372036854775808.0f)) return 0;
  return static_cast<float>(static_cast<T>(static_cast<int64_t>(x)));
}

void Run(const DType& to, const kernels::UnaryArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  // A unit is one row along the last axis.
  const kernels::View& dst = args.dst;
  const int last = dst.rank - 1;
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    int64_t rest = unit, from = 0, at = 0;
    for (int a = last - 1; a >= 0; --a) {
      from += rest % dst.dims[a] * args.src.strides[a];
      at += rest % dst.dims[a] * dst.strides[a];
      rest /= dst.dims[a];
    }
    const int64_t n = last < 0 ? 1 : dst.dims[last];
    const int64_t src_stride = last < 0 ? 1 : args.src.strides[last], dst_stride = last < 0 ? 1 : dst.strides[last];
    for (int64_t i = 0; i < n; ++i) {
      dst.data[at + i * dst_stride] = CastValue(to, args.src.data[from + i * src_stride]);
    }
  }
}

bool Accepts(const DType&) { return true; }
int64_t Units(const DType&, const kernels::UnaryArgs& args) {
  int64_t n = 1;
  for (int a = 0; a + 1 < args.dst.rank; ++a) n *= args.dst.dims[a];
  return n;
}
int64_t NoScratch(const DType&, const kernels::UnaryArgs&) { return 0; }

constexpr CastKernel kRow = {kernels::Isa::kReference, "cast/reference", Accepts, Units, NoScratch, Run};

}  // namespace

const CastKernel& TheCastKernel() { return kRow; }

float CastValue(DType to, float x) {
  switch (to) {
    case DType::kFloat32:
    case DType::kFloat64: return x;
    case DType::kFloat16: return RoundToHalf(x);
    case DType::kInt8: return Wrap<int8_t>(x);
    case DType::kUInt8: return Wrap<uint8_t>(x);
    case DType::kInt16: return Wrap<int16_t>(x);
    case DType::kUInt16: return Wrap<uint16_t>(x);
    case DType::kInt32: return Wrap<int32_t>(x);
    case DType::kUInt32: return Wrap<uint32_t>(x);
    case DType::kInt64: return Wrap<int64_t>(x);
    case DType::kUInt64: return Wrap<uint64_t>(x);
    case DType::kBool: return x != 0 ? 1.0f : 0.0f;
  }
  return x;
}

}  // namespace fovea::exec
