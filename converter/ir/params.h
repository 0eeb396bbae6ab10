// The sizes in the parameters of any operator, found by each struct's Fields() list.
#ifndef FOVEA_CONVERTER_IR_PARAMS_H_
#define FOVEA_CONVERTER_IR_PARAMS_H_

#include <functional>

#include "runtime/model/ops.h"

namespace fovea::ir {

// Calls fn for every size expression in the parameters; fn may change it.
void ForEachSize(OpParams* params, const std::function<void(DimExpr&)>& fn);
void ForEachSize(const OpParams& params, const std::function<void(const DimExpr&)>& fn);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_PARAMS_H_
