// Touching objects of a mask cut apart where they are narrowest, as ImageJ's Binary > Watershed: maxima of the distance
// to the background that stand out by more than a tolerance are seeds; they grow downhill, and where two meet a line of
// background is left.
//
// Maxima, tolerance and their true heights (a parabola through the neighbours where the peak lies between pixels) are
// those of ImageJ's MaximumFinder. ImageJ grows its seeds over distances that are rounded to whole numbers, here they
// are exact, so lines can lie a pixel beside ImageJ's.
#ifndef FOVEA_RUNTIME_PROCESS_WATERSHED_H_
#define FOVEA_RUNTIME_PROCESS_WATERSHED_H_

#include <cstdint>

namespace fovea::process {

// Pixels that are not 0 are objects; those of the lines become 0.
void CutObjects(double tolerance, float* plane, int64_t rows, int64_t cols);
int64_t WatershedBytes(int64_t rows, int64_t cols);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_WATERSHED_H_
