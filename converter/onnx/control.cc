// If with a condition that is known when converting: the branch that is taken takes the node's place.
#include <algorithm>

#include "converter/onnx/importer.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

Status If(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId condition, c.Need(0));
  const auto known = c.b.ConstFloats(condition);
  if (!known || known->size() != 1) {
    return Unsupported("its condition depends on the image; only branches decided when converting are supported");
  }
  const auto* branch = c.Find((*known)[0] != 0 ? "then_branch" : "else_branch");
  if (branch == nullptr || !branch->has_g()) return CorruptFile("the branch to take is missing");
  FOVEA_ASSIGN_OR_RETURN(const std::vector<ValueId> values, c.importer().InlineGraph(branch->g(), &c.scope()));
  if (static_cast<int>(values.size()) < c.output_count()) return CorruptFile("the branch has too few outputs");
  for (int i = 0; i < c.output_count(); ++i) {
    const ValueId value = values[static_cast<size_t>(i)];
    if (value == kUnknownValue) {
      c.scope().values[c.node().output(i)] = value;
    } else {
      FOVEA_RETURN_IF_ERROR(c.Out(i, value));
    }
  }
  return OkStatus();
}

constexpr OpRow kOps[] = {{"If", If}};

}  // namespace

std::span<const OpRow> ControlOps() { return kOps; }

}  // namespace fovea::converter
