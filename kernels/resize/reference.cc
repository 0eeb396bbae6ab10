// Interpolates in double, innermost axis first.
#include "kernels/loop.h"
#include "kernels/resize/axis.h"

namespace fovea::kernels::reference {
namespace {

struct Sampler {
  const ResizeArgs& args;
  ResizeAxis axes[kMaxRank];
  ResizeTaps taps[kMaxRank];

  double Sample(int axis, const float* src) const {
    if (axis == args.src.rank) return *src;
    double sum = 0;
    for (int64_t k = 0; k < taps[axis].count; ++k) {
      const double weight = ResizeWeight(axes[axis], taps[axis], k);
      if (weight == 0) continue;
      const int64_t at = ResizeSource(axes[axis], taps[axis], k) - args.src_origin[axis];
      const double value = Sample(axis + 1, src + at * args.src.strides[axis]);
      if (taps[axis].count == 1) return value;  // an exact copy, infinities included
      sum += weight * value;
    }
    return sum;
  }
};

}  // namespace

int64_t ResizeUnits(const ResizeLayer&, const ResizeArgs& args) {
  return MakeLoop<1>(args.dst.rank, args.dst.dims, {args.dst.strides}).units();
}

void Resize(const ResizeLayer& layer, const ResizeArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  Sampler sampler{args, {}, {}};
  const int rank = args.dst.rank;
  int64_t at[kMaxRank];
  for (int i = 0; i < rank; ++i) {
    sampler.axes[i] = MakeResizeAxis(layer, args, i);
    at[i] = -1;
  }
  // Units count elements of dst in row-major order; positions are recovered from the element's index.
  const int64_t units = ResizeUnits(layer, args);
  const int64_t elements = args.dst.elements();
  const int64_t per_unit = units == 0 ? 0 : CeilDiv(elements, units);
  const int64_t end = unit_end * per_unit < elements ? unit_end * per_unit : elements;
  for (int64_t e = unit_begin * per_unit; e < end; ++e) {
    int64_t rest = e, to = 0;
    bool outside = false;
    for (int i = rank - 1; i >= 0; --i) {
      const int64_t o = rest % args.dst.dims[i];
      rest /= args.dst.dims[i];
      to += o * args.dst.strides[i];
      if (o != at[i]) sampler.taps[i] = MakeResizeTaps(sampler.axes[i], o + args.dst_origin[i]);
      at[i] = o;
      outside = outside || sampler.taps[i].outside;
    }
    args.dst.data[to] = outside ? layer.extrapolation_value : static_cast<float>(sampler.Sample(0, args.src.data));
  }
}

}  // namespace fovea::kernels::reference
