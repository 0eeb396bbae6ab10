// The reference row of the strided copy.
#ifndef FOVEA_KERNELS_COPY_REFERENCE_H_
#define FOVEA_KERNELS_COPY_REFERENCE_H_

#include "kernels/copy/copy.h"
#include "kernels/loop.h"

namespace fovea::kernels::reference {

inline Loop<2> CopyLoop(const CopyArgs& args) {
  return MakeLoop<2>(args.dst.rank, args.dst.dims, {args.src.strides, args.dst.strides});
}
int64_t CopyUnits(const CopyLayer&, const CopyArgs& args);
void Copy(const CopyLayer&, const CopyArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_COPY_REFERENCE_H_
