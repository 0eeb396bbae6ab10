// Touching objects of a mask cut apart where they are narrowest, as ImageJ's Binary > Watershed: maxima of the distance
// to the background that stand out by more than a tolerance are seeds; they grow downhill, and where two meet a line of
// background is left.
//
// The same pixels as ImageJ's (EDM and MaximumFinder by M. Schmid and W. Rasband; 1.53t), tolerance 0.5: heights of
// peaks between pixels estimated from opposite neighbours, seeds grown level by level over whole-numbered distances,
// eight directions in turn. Distances are exact here; ImageJ's own deviate on very few pixels of objects thicker than
// 26 pixels. A plane without background stays as it is.
#ifndef FOVEA_RUNTIME_PROCESS_WATERSHED_H_
#define FOVEA_RUNTIME_PROCESS_WATERSHED_H_

#include <cstdint>

namespace fovea::process {

// Pixels that are not 0 are objects; those of the lines become 0.
void CutObjects(double tolerance, float* plane, int64_t rows, int64_t cols);
int64_t WatershedBytes(int64_t rows, int64_t cols);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_WATERSHED_H_
