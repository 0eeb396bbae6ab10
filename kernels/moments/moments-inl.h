// The chains of kernels/moments/moments.h, for one instruction set at a time: lanes are channels.
#if defined(FOVEA_KERNELS_MOMENTS_MOMENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_MOMENTS_MOMENTS_INL_H_
#undef FOVEA_KERNELS_MOMENTS_MOMENTS_INL_H_
#else
#define FOVEA_KERNELS_MOMENTS_MOMENTS_INL_H_
#endif

#include <utility>

#include "kernels/moments/moments.h"
#include "kernels/reduce/doubles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// A unit's channels may be a part of each pixel, so that the processor does not foresee what is read next.
inline constexpr int64_t kAhead = 24;  // pixels
template <size_t kFloats>
HWY_INLINE void PrefetchPixel(const float* x) {
  constexpr size_t kLineFloats = 16;
  __builtin_prefetch(x);
  if constexpr (kFloats > kLineFloats) __builtin_prefetch(x + kLineFloats);
}

inline constexpr std::make_integer_sequence<int, 1> kOne{};
inline constexpr std::make_integer_sequence<int, 2> kTwo{};
inline constexpr std::make_integer_sequence<int, 4> kFour{};

// State of the cells of one sample, from the first of the channels that are looked at.
struct MomentState {
  double* cells;
  int64_t cell_stride, field_stride;
  const double* first;  // kSquares
};

template <MomentFn kFn>
HWY_INLINE DoubleVec MomentNext(DoubleVec chain, DoubleVec x) {
  if constexpr (kFn == MomentFn::kMax) return hn::IfThenElse(hn::Or(hn::Gt(x, chain), hn::IsNaN(x)), x, chain);
  if constexpr (kFn == MomentFn::kMin) return hn::IfThenElse(hn::Or(hn::Lt(x, chain), hn::IsNaN(x)), x, chain);
  return hn::Add(chain, x);
}

// Pixels of one row in one cell, some vectors of channels; of a single vector `count` lanes are channels.
template <MomentFn kFn, int... v>
HWY_INLINE void AddPiece(std::integer_sequence<int, v...>, const float* x, int64_t pixel_step, int64_t channel_step,
                         int64_t pixels, int64_t count, double* cell, int64_t field_stride, const double* first) {
  constexpr int kVecs = sizeof...(v);
  const Doubles d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  DoubleVec sums[kVecs], squares[kVecs], shift[kVecs];
  ((sums[v] = hn::LoadU(d, cell + v * lanes)), ...);
  if constexpr (kFn == MomentFn::kSquares) {
    ((squares[v] = hn::LoadU(d, cell + field_stride + v * lanes), shift[v] = hn::LoadU(d, first + v * lanes)), ...);
  }
  for (int64_t w = 0; w < pixels; ++w, x += pixel_step) {
    PrefetchPixel<kVecs * hn::MaxLanes(d)>(x + kAhead * pixel_step);
    DoubleVec value[kVecs];
    ((value[v] = LoadDoubles(x + v * lanes * channel_step, channel_step, kVecs > 1 ? lanes : count)), ...);
    if constexpr (kFn == MomentFn::kSquares) {
      ((value[v] = hn::Sub(value[v], shift[v])), ...);
      ((squares[v] = hn::MulAdd(value[v], value[v], squares[v])), ...);
    }
    ((sums[v] = MomentNext<kFn>(sums[v], value[v])), ...);
  }
  ((hn::StoreU(sums[v], d, cell + v * lanes)), ...);
  if constexpr (kFn == MomentFn::kSquares) ((hn::StoreU(squares[v], d, cell + field_stride + v * lanes)), ...);
}

// Adds rows [row_begin, row_end) and columns [column_begin, column_end) of `sample`, in its coordinates, all of its
// depth, `channels` channels from where it and the state begin.
template <MomentFn kFn>
void AddMoments(const MomentsLayer& layer, const MomentsArgs& args, const float* sample, int64_t channels,
                int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end,
                const MomentState& state) {
  const ConstView& src = args.src;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Doubles()));
  const int64_t cells = MomentColumnCells(layer.spatial, args.image[2]);
  const int64_t step = src.strides[kW], channel_step = src.strides[kC];
  for (int64_t depth = 0; depth < src.dims[kD]; ++depth) {
    for (int64_t h = row_begin; h < row_end; ++h) {
      const float* row = sample + depth * src.strides[kD] + h * src.strides[kH];
      const int64_t row_cell = layer.spatial > 2 ? (args.origin[1] + h) / kMomentCell : 0;
      for (int64_t w = column_begin; w < column_end;) {
        const int64_t column = layer.spatial > 1 ? (args.origin[2] + w) / kMomentCell : 0;
        const int64_t end =
            layer.spatial > 1 ? std::min(column_end, (column + 1) * kMomentCell - args.origin[2]) : column_end;
        double* cell = state.cells + (row_cell * cells + column) * state.cell_stride;
        int64_t c = 0;
        for (; c + 4 * lanes <= channels; c += 4 * lanes) {
          AddPiece<kFn>(kFour, row + w * step + c * channel_step, step, channel_step, end - w, lanes, cell + c,
                        state.field_stride, state.first + c);
        }
        for (; c < channels; c += lanes) {
          AddPiece<kFn>(kOne, row + w * step + c * channel_step, step, channel_step, end - w,
                        std::min(lanes, channels - c), cell + c, state.field_stride, state.first + c);
        }
        w = end;
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
