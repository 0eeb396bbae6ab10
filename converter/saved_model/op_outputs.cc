#include "converter/saved_model/op_outputs.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "converter/saved_model/tensor.h"

namespace fovea::converter {

namespace {

struct Row {
  std::string_view op;
  std::array<std::string_view, 6> outputs;
};

// Operators with several single outputs (tensorflow/core/ops/*.cc).
constexpr Row kRows[] = {
    {"BroadcastGradientArgs", {"r0", "r1"}},
    {"FusedBatchNorm", {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"}},
    {"FusedBatchNormV2", {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"}},
    {"FusedBatchNormV3",
     {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"}},
    {"_FusedBatchNormEx",
     {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"}},
    {"ListDiff", {"out", "idx"}},
    {"MaxPoolWithArgmax", {"output", "argmax"}},
    {"Merge", {"output", "value_index"}},
    {"NonMaxSuppressionV4", {"selected_indices", "valid_outputs"}},
    {"NonMaxSuppressionV5", {"selected_indices", "selected_scores", "valid_outputs"}},
    {"QuantizeV2", {"output", "output_min", "output_max"}},
    {"QuantizedConv2D", {"output", "min_output", "max_output"}},
    {"RefMerge", {"output", "value_index"}},
    {"RefSwitch", {"output_false", "output_true"}},
    {"SoftmaxCrossEntropyWithLogits", {"loss", "backprop"}},
    {"SparseSoftmaxCrossEntropyWithLogits", {"loss", "backprop"}},
    {"Svd", {"s", "u", "v"}},
    {"Switch", {"output_false", "output_true"}},
    {"TensorArrayV3", {"handle", "flow"}},
    {"TopK", {"values", "indices"}},
    {"TopKV2", {"values", "indices"}},
    {"Unique", {"y", "idx"}},
    {"UniqueV2", {"y", "idx"}},
    {"UniqueWithCounts", {"y", "idx", "count"}},
};

}  // namespace

OpOutputs::OpOutputs(const tfproto::OpList* list) {
  if (list == nullptr) return;
  for (const tfproto::OpDef& op : list->op()) definitions_.emplace(op.name(), &op);
}

int64_t OpOutputs::Begin(const tfproto::NodeDef& node, const std::string& output) const {
  const auto definition = definitions_.find(node.op());
  if (definition != definitions_.end()) {
    int64_t begin = 0;
    for (const tfproto::OpDef::ArgDef& arg : definition->second->output_arg()) {
      if (arg.name() == output) return begin;
      int64_t count = 1;
      if (!arg.number_attr().empty()) {
        const tfproto::AttrValue* number = FindAttr(node.attr(), arg.number_attr());
        count = number != nullptr ? std::clamp<int64_t>(number->i(), 0, INT32_MAX) : 1;
      } else if (!arg.type_list_attr().empty()) {
        const tfproto::AttrValue* types = FindAttr(node.attr(), arg.type_list_attr());
        count = types != nullptr ? types->list().type_size() : 1;
      }
      begin += count;
    }
    return 0;
  }
  for (const Row& row : kRows) {
    if (row.op != node.op()) continue;
    const auto at = std::find(row.outputs.begin(), row.outputs.end(), output);
    return at != row.outputs.end() ? at - row.outputs.begin() : 0;
  }
  return 0;
}

}  // namespace fovea::converter
