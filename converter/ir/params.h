// What converter code does with the parameters of any operator: visit the sizes in them, print them. Derived from each
// struct's Fields() list.
#ifndef FOVEA_CONVERTER_IR_PARAMS_H_
#define FOVEA_CONVERTER_IR_PARAMS_H_

#include <functional>
#include <string>

#include "runtime/model/ops.h"

namespace fovea::ir {

// Calls fn for every size expression in the parameters; fn may change it.
void ForEachSize(OpParams* params, const std::function<void(DimExpr&)>& fn);
void ForEachSize(const OpParams& params, const std::function<void(const DimExpr&)>& fn);

// "kernel=1,3,3 act=relu": fields that differ from a default-constructed struct.
std::string ParamsToString(const OpParams& params);

// Exact equality of kind and all fields (sizes: equality of canonical forms).
bool SameParams(const OpParams& a, const OpParams& b);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_PARAMS_H_
