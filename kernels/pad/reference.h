// The reference row of padding.
#ifndef FOVEA_KERNELS_PAD_REFERENCE_H_
#define FOVEA_KERNELS_PAD_REFERENCE_H_

#include "kernels/loop.h"
#include "kernels/pad/pad.h"

namespace fovea::kernels::reference {

// Position in the view of src that index i of dst's axis takes, or -1 for the constant.
inline int64_t PadAxisSource(const PadLayer& layer, const PadArgs& args, int axis, int64_t i) {
  const int64_t at = PadSource(layer.mode, i + args.dst_origin[axis] - args.begin[axis], args.in_size[axis]);
  return at < 0 ? -1 : at - args.src_origin[axis];
}

inline Loop<1> PadRows(const PadArgs& args) { return MakeLoop<1>(args.dst.rank, args.dst.dims, {args.dst.strides}); }

int64_t PadUnits(const PadLayer&, const PadArgs& args);  // one unit: some rows of the last axis
int64_t PadRowsPerUnit(const PadArgs& args);
void Pad(const PadLayer& layer, const PadArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_PAD_REFERENCE_H_
