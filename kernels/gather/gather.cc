// Rows of `inner` elements are copied; there is nothing that vectors would add, so the reference is the only row.
#include "kernels/gather/gather.h"

#include <cmath>
#include <cstring>

#include "kernels/loop.h"

namespace fovea::kernels {
namespace {

// Indices come as floats; a NaN counts as 0.
int64_t ClampIndex(float index, int64_t size) {
  if (std::isnan(index)) return 0;
  const float wrapped = index < 0 ? index + static_cast<float>(size) : index;
  if (wrapped <= 0) return 0;
  return wrapped >= static_cast<float>(size) ? size - 1 : static_cast<int64_t>(wrapped);
}

int64_t RowsPerUnit(const GatherArgs& args) {
  return std::max<int64_t>(1, kUnitElements / std::max<int64_t>(1, args.dst.dims[2]));
}

int64_t Units(const GatherLayer&, const GatherArgs& args) {
  return args.dst.elements() == 0 ? 0 : CeilDiv(args.dst.dims[0] * args.dst.dims[1], RowsPerUnit(args));
}

void Gather(const GatherLayer&, const GatherArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const int64_t per_unit = RowsPerUnit(args);
  const int64_t end = std::min(args.dst.dims[0] * args.dst.dims[1], unit_end * per_unit);
  const int64_t inner = args.dst.dims[2];
  const bool contiguous = args.src.strides[2] == 1 && args.dst.strides[2] == 1;
  for (int64_t row = unit_begin * per_unit; row < end; ++row) {
    const int64_t outer = row / args.dst.dims[1], i = row % args.dst.dims[1];
    const int64_t at = ClampIndex(args.indices.data[i * args.indices.strides[0]], args.src.dims[1]);
    const float* src = args.src.data + outer * args.src.strides[0] + at * args.src.strides[1];
    float* dst = args.dst.data + outer * args.dst.strides[0] + i * args.dst.strides[1];
    if (contiguous) {
      std::memcpy(dst, src, static_cast<size_t>(inner) * sizeof(float));
    } else {
      for (int64_t k = 0; k < inner; ++k) dst[k * args.dst.strides[2]] = src[k * args.src.strides[2]];
    }
  }
}

}  // namespace

std::span<const GatherKernel> GatherKernels() {
  static constexpr GatherKernel kRows[] = {
      {Isa::kReference, "gather/reference", AcceptsAll, Units, NoScratch, Gather},
  };
  return kRows;
}

}  // namespace fovea::kernels
