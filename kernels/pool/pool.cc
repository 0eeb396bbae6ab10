// Vector rows of pooling: vectors of channels, taps in the reference's order, so the bits are the reference's.
#include "kernels/pool/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool/pool.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// The larger of the two, or NaN if either is; the instruction's own rule for NaN differs between targets.
HWY_INLINE Vec PoolMax(Vec best, Vec x) { return hn::IfThenElse(hn::Or(hn::Gt(x, best), hn::IsNaN(x)), x, best); }

template <bool kAverage>
HWY_INLINE Vec PoolStart() {
  const Floats d;
  return kAverage ? hn::Zero(d) : hn::Neg(hn::Inf(d));
}
template <bool kAverage>
HWY_INLINE Vec PoolAdd(Vec sum, Vec x) {
  return kAverage ? hn::Add(sum, x) : PoolMax(sum, x);
}
template <bool kAverage>
HWY_INLINE Vec PoolFinish(Vec sum, float divisor) {
  return kAverage ? hn::Div(sum, hn::Set(Floats(), divisor)) : sum;
}

// The taps of one output pixel, as steps from the first one's address.
struct PoolWindow {
  int64_t count[3];
  int64_t step[3];
};

template <bool kAverage>
HWY_INLINE void PoolPixel(const float* src, const PoolWindow& window, float divisor, float* dst, int64_t channels) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < channels; c += lanes) {
    const int64_t rest = channels - c;
    Vec sum = PoolStart<kAverage>();
    for (int64_t i = 0; i < window.count[0]; ++i) {
      for (int64_t j = 0; j < window.count[1]; ++j) {
        const float* row = src + c + i * window.step[0] + j * window.step[1];
        for (int64_t k = 0; k < window.count[2]; ++k, row += window.step[2]) {
          sum = PoolAdd<kAverage>(sum, rest >= lanes ? hn::LoadU(d, row) : LoadFirst(row, rest));
        }
      }
    }
    sum = PoolFinish<kAverage>(sum, divisor);
    if (rest >= lanes) {
      hn::StoreU(sum, d, dst + c);
    } else {
      StoreFirst(sum, dst + c, rest);
    }
  }
}

// `pixels` neighbouring windows of 2 x 2 (depth 1), all inside the view. The pixels of a row that follow each other
// without a gap, with stride 2, need no special care: channels are the only vector axis.
template <bool kAverage>
HWY_INLINE void Pool2x2(const float* src, int64_t row_step, int64_t tap_step, int64_t pixel_step, float* dst,
                        int64_t dst_step, int64_t pixels, int64_t channels) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto window = [&](auto load, const float* p) HWY_ATTR {
    Vec sum = PoolAdd<kAverage>(PoolStart<kAverage>(), load(p));
    sum = PoolAdd<kAverage>(sum, load(p + tap_step));
    sum = PoolAdd<kAverage>(sum, load(p + row_step));
    sum = PoolAdd<kAverage>(sum, load(p + row_step + tap_step));
    return PoolFinish<kAverage>(sum, 4.0f);
  };
  for (int64_t w = 0; w < pixels; ++w, src += pixel_step, dst += dst_step) {
    int64_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      hn::StoreU(window([d](const float* p) HWY_ATTR { return hn::LoadU(d, p); }, src + c), d, dst + c);
    }
    if (const int64_t rest = channels - c; rest > 0) {
      StoreFirst(window([rest](const float* p) HWY_ATTR { return LoadFirst(p, rest); }, src + c), dst + c, rest);
    }
  }
}

template <bool kAverage>
void PoolRow(const PoolLayer& layer, const PoolArgs& args, int64_t n, int64_t d, int64_t h) {
  const ConstView& src = args.src;
  const View& dst = args.dst;
  const int64_t channels = dst.dims[kC], width = dst.dims[kW];
  const reference::PoolTaps kd = reference::PoolAxisTaps(layer, args, 0, d, 0, src.dims[kD]);
  const reference::PoolTaps kh = reference::PoolAxisTaps(layer, args, 1, h, 0, src.dims[kH]);
  const int64_t top = n * src.strides[kN] +
                      (d * layer.stride[0] - args.pad[0] + kd.begin * layer.dilation[0]) * src.strides[kD] +
                      (h * layer.stride[1] - args.pad[1] + kh.begin * layer.dilation[1]) * src.strides[kH];
  float* to = args.dst.data + n * dst.strides[kN] + d * dst.strides[kD] + h * dst.strides[kH];
  PoolWindow window = {
      {kd.end - kd.begin, kh.end - kh.begin, 0},
      {layer.dilation[0] * src.strides[kD], layer.dilation[1] * src.strides[kH], layer.dilation[2] * src.strides[kW]}};
  const bool two_by_two = layer.kernel[0] == 1 && window.count[0] == 1 && layer.kernel[1] == 2 &&
                          window.count[1] == 2 && layer.kernel[2] == 2;
  for (int64_t w = 0; w < width;) {
    const reference::PoolTaps kw = reference::PoolAxisTaps(layer, args, 2, w, 0, src.dims[kW]);
    window.count[2] = kw.end - kw.begin;
    const int64_t left = w * layer.stride[2] - args.pad[2];
    const float* from = src.data + top + (left + kw.begin * layer.dilation[2]) * src.strides[kW];
    if (two_by_two && window.count[2] == 2) {
      // The windows from here on whose last tap is inside.
      const int64_t inside = (src.dims[kW] - 1 - layer.dilation[2] - left) / layer.stride[2] + 1;
      const int64_t pixels = std::min(inside, width - w);
      Pool2x2<kAverage>(from, window.step[1], window.step[2], layer.stride[2] * src.strides[kW],
                        to + w * dst.strides[kW], dst.strides[kW], pixels, channels);
      w += pixels;
      continue;
    }
    const float divisor = kAverage ? reference::PoolDivisor(layer, args, {d, h, w}) : 1;
    PoolPixel<kAverage>(from, window, divisor, to + w * dst.strides[kW], channels);
    ++w;
  }
}

void Pool(const PoolLayer& layer, const PoolArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const View& dst = args.dst;
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t h = unit % dst.dims[kH];
    const int64_t d = unit / dst.dims[kH] % dst.dims[kD];
    const int64_t n = unit / dst.dims[kH] / dst.dims[kD];
    if (layer.kind == PoolKind::kAverage) {
      PoolRow<true>(layer, args, n, d, h);
    } else {
      PoolRow<false>(layer, args, n, d, h);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const PoolKernel> PoolKernels() {
  static constexpr PoolKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "pool/channels/avx512", AcceptsAll, reference::PoolUnits, NoScratch, N_AVX3::Pool},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "pool/channels/avx2", AcceptsAll, reference::PoolUnits, NoScratch, N_AVX2::Pool},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "pool/channels/sse4", AcceptsAll, reference::PoolUnits, NoScratch, N_SSE4::Pool},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "pool/channels/neon", AcceptsAll, reference::PoolUnits, NoScratch, N_NEON::Pool},
#endif
    {Isa::kReference, "pool/reference", AcceptsAll, reference::PoolUnits, NoScratch, reference::Pool},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
