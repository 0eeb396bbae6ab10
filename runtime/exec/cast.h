// Cast: what a float32 value becomes when the source model stores it in another type.
//
// Values stay float32 in memory. To integers: truncated, then wrapped to the type's width (C and numpy conversion
// through a wide integer; NaN and values beyond 64 bits give 0); to bool: x != 0; to float16: rounded to nearest even.
#ifndef FOVEA_RUNTIME_EXEC_CAST_H_
#define FOVEA_RUNTIME_EXEC_CAST_H_

#include "kernels/kernels.h"
#include "runtime/include/fovea/dtype.h"

namespace fovea::exec {

using CastKernel = kernels::Kernel<DType, kernels::UnaryArgs>;  // src may be dst itself
const CastKernel& TheCastKernel();

float CastValue(DType to, float x);

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_CAST_H_
