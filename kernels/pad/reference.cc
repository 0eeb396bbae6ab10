#include "kernels/pad/reference.h"

namespace fovea::kernels {

int64_t PadSource(PadMode mode, int64_t o, int64_t in_size) {
  if (o >= 0 && o < in_size) return o;
  const auto wrapped = [o](int64_t period) { return (o % period + period) % period; };
  switch (mode) {
    case PadMode::kConstant: return -1;
    case PadMode::kEdge: return o < 0 ? 0 : in_size - 1;
    case PadMode::kWrap: return wrapped(in_size);
    case PadMode::kReflect: {
      if (in_size == 1) return 0;
      const int64_t at = wrapped(2 * in_size - 2);
      return at < in_size ? at : 2 * in_size - 2 - at;
    }
    case PadMode::kSymmetric: {
      const int64_t at = wrapped(2 * in_size);
      return at < in_size ? at : 2 * in_size - 1 - at;
    }
  }
  return -1;
}

namespace reference {

int64_t PadRowsPerUnit(const PadArgs& args) {
  const int64_t row = args.dst.rank > 0 ? args.dst.dims[args.dst.rank - 1] : 1;
  return std::max<int64_t>(1, kUnitElements / std::max<int64_t>(1, row));
}

int64_t PadUnits(const PadLayer&, const PadArgs& args) {
  const int64_t elements = args.dst.elements();
  if (elements == 0) return 0;
  const int64_t row = args.dst.rank > 0 ? args.dst.dims[args.dst.rank - 1] : 1;
  return CeilDiv(elements / row, PadRowsPerUnit(args));
}

void Pad(const PadLayer& layer, const PadArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const int rank = args.dst.rank;
  if (rank == 0) {
    if (unit_begin < unit_end) *args.dst.data = *args.src.data;
    return;
  }
  const int64_t inner = args.dst.dims[rank - 1];
  const int64_t end = std::min(args.dst.elements(), unit_end * PadRowsPerUnit(args) * inner);
  for (int64_t e = unit_begin * PadRowsPerUnit(args) * inner; e < end; ++e) {
    int64_t rest = e, from = 0, to = 0;
    bool constant = false;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const int64_t i = rest % args.dst.dims[axis];
      rest /= args.dst.dims[axis];
      to += i * args.dst.strides[axis];
      const int64_t at = PadAxisSource(layer, args, axis, i);
      constant = constant || at < 0;
      from += at * args.src.strides[axis];
    }
    args.dst.data[to] = constant ? args.value : args.src.data[from];
  }
}

}  // namespace reference
}  // namespace fovea::kernels
