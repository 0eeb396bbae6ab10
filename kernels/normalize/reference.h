// The reference rows of the normalisations.
#ifndef FOVEA_KERNELS_NORMALIZE_REFERENCE_H_
#define FOVEA_KERNELS_NORMALIZE_REFERENCE_H_

#include "kernels/loop.h"
#include "kernels/normalize/normalize.h"

namespace fovea::kernels::reference {

inline constexpr int64_t kNormalizeRowsPerUnit = 16;  // of LayerNorm and Lrn

int64_t GroupNormUnits(const GroupNormLayer& layer, const GroupNormArgs& args);
void GroupNorm(const GroupNormLayer& layer, const GroupNormArgs& args, int64_t unit_begin, int64_t unit_end, float*);
int64_t LayerNormUnits(const LayerNormLayer&, const LayerNormArgs& args);
void LayerNorm(const LayerNormLayer& layer, const LayerNormArgs& args, int64_t unit_begin, int64_t unit_end, float*);
int64_t LrnUnits(const LrnLayer&, const LrnArgs& args);
void Lrn(const LrnLayer& layer, const LrnArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_NORMALIZE_REFERENCE_H_
