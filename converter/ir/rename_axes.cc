#include "converter/ir/rename_axes.h"

#include "runtime/model/dim_expr_node.h"

namespace fovea::ir {

Result<DimExpr> RenameInputAxes(const DimExpr& size, const std::vector<std::vector<int64_t>>& new_axis) {
  if (size.IsConst()) return size;
  std::vector<int64_t> tokens = size.Encode();
  for (size_t at = 0; at < tokens.size();) {
    switch (static_cast<DimOp>(tokens[at])) {
      case DimOp::kInputDim: {
        const std::vector<int64_t>& axes = new_axis[static_cast<size_t>(tokens[at + 1])];
        tokens[at + 2] = axes[static_cast<size_t>(tokens[at + 2])];
        at += 3;
        break;
      }
      case DimOp::kInputValue:
      case DimOp::kScaleByInput: at += 3; break;
      case DimOp::kConst:
      case DimOp::kScale: at += 2; break;
      default: ++at;
    }
  }
  return DimExpr::Decode(tokens);
}

}  // namespace fovea::ir
