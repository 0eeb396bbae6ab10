#include "kernels/copy/reference.h"

namespace fovea::kernels::reference {

int64_t CopyUnits(const CopyLayer&, const CopyArgs& args) { return CopyLoop(args).units(); }

void Copy(const CopyLayer&, const CopyArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<2> loop = CopyLoop(args);
  const int64_t src_step = loop.strides[0][loop.rank - 1], dst_step = loop.strides[1][loop.rank - 1];
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) args.dst.data[at[1] + i * dst_step] = args.src.data[at[0] + i * src_step];
  });
}

}  // namespace fovea::kernels::reference
