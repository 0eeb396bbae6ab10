// A copy seen as transpositions: p is the axis along which the destination is dense, q the one along which the source
// is. All other axes are outer. Units are tiles of the (p, q) plane.
#ifndef FOVEA_KERNELS_COPY_PLANE_H_
#define FOVEA_KERNELS_COPY_PLANE_H_

#include "kernels/copy/copy.h"
#include "kernels/loop.h"

namespace fovea::kernels {

struct CopyTile {
  int64_t src, dst;  // offsets of the tile's first element
  int64_t p_count, q_count;
};

struct CopyPlane {
  Loop<2> outer;  // src, dst
  int64_t p_size, q_size;
  int64_t src_step, dst_step;  // dst[q dst_step + p] = src[p src_step + q]
  int64_t p_tile, q_tile;

  int64_t units() const;
  CopyTile Tile(int64_t unit) const;
};

// False where the copy is no transposition: dense along the same axis, or along none.
bool MakeCopyPlane(const CopyArgs& args, CopyPlane* plane);

int64_t CopyPlaneUnits(const CopyLayer& layer, const CopyArgs& args);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_COPY_PLANE_H_
