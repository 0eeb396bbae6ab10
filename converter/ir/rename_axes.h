// Size expressions after the axes of model inputs have been put in another order.
#ifndef FOVEA_CONVERTER_IR_RENAME_AXES_H_
#define FOVEA_CONVERTER_IR_RENAME_AXES_H_

#include <cstdint>
#include <vector>

#include "runtime/model/dim_expr.h"

namespace fovea::ir {

// The same size, axis a of model input i having become axis new_axis[i][a].
Result<DimExpr> RenameInputAxes(const DimExpr& size, const std::vector<std::vector<int64_t>>& new_axis);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_RENAME_AXES_H_
