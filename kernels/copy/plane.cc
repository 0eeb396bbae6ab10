#include "kernels/copy/plane.h"

#include "kernels/copy/reference.h"

namespace fovea::kernels {

bool MakeCopyPlane(const CopyArgs& args, CopyPlane* plane) {
  const Loop<2> loop = reference::CopyLoop(args);
  int p = -1, q = -1;
  for (int axis = 0; axis < loop.rank; ++axis) {
    if (loop.strides[0][axis] == 1) q = axis;
    if (loop.strides[1][axis] == 1) p = axis;
  }
  if (p < 0 || q < 0 || p == q || loop.rows() * loop.inner() == 0) return false;
  plane->p_size = loop.dims[p];
  plane->q_size = loop.dims[q];
  plane->src_step = loop.strides[0][p];
  plane->dst_step = loop.strides[1][q];
  // About kUnitElements a tile, square where both axes are long: every cache line that is touched is used whole.
  plane->p_tile = std::min<int64_t>(plane->p_size, 64);
  plane->q_tile = std::min<int64_t>(plane->q_size, CeilDiv(kUnitElements / plane->p_tile, 16) * 16);
  plane->p_tile = std::min<int64_t>(plane->p_size, CeilDiv(kUnitElements / plane->q_tile, 16) * 16);
  Loop<2>& outer = plane->outer;
  outer = Loop<2>();
  for (int axis = 0; axis < loop.rank; ++axis) {
    if (axis == p || axis == q) continue;
    outer.dims[outer.rank] = loop.dims[axis];
    for (int v = 0; v < 2; ++v) outer.strides[v][outer.rank] = loop.strides[v][axis];
    ++outer.rank;
  }
  // RowOffsets() walks all axes but the last, which stands for the tiles.
  outer.dims[outer.rank++] = 1;
  return true;
}

int64_t CopyPlane::units() const { return outer.rows() * CeilDiv(p_size, p_tile) * CeilDiv(q_size, q_tile); }

CopyTile CopyPlane::Tile(int64_t unit) const {
  const int64_t p_tiles = CeilDiv(p_size, p_tile), q_tiles = CeilDiv(q_size, q_tile);
  const int64_t p = unit % p_tiles * p_tile;
  const int64_t q = unit / p_tiles % q_tiles * q_tile;
  int64_t at[2];
  RowOffsets(outer, unit / p_tiles / q_tiles, at);
  return {at[0] + p * src_step + q, at[1] + q * dst_step + p, std::min(p_tile, p_size - p),
          std::min(q_tile, q_size - q)};
}

int64_t CopyPlaneUnits(const CopyLayer& layer, const CopyArgs& args) {
  CopyPlane plane;
  return MakeCopyPlane(args, &plane) ? plane.units() : reference::CopyUnits(layer, args);
}

}  // namespace fovea::kernels
