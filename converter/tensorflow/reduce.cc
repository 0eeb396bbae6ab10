// Reductions over axes, and the position of the extreme along one.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

using kernels::ReduceFn;

template <ReduceFn kFn>
Status Reduce(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(std::vector<int64_t> axes, c.IntegersAt(1));
  FOVEA_ASSIGN_OR_RETURN(axes, NormalAxes(axes, c.b.rank(x)));
  if (axes.empty()) return c.Out(0, x);
  return c.Out(0, c.b.Add(ReduceParams{kFn, std::move(axes), c.Bool("keep_dims", c.Bool("keepdims", false))}, {x}));
}

Status Arg(NodeContext& c, bool max) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const int rank = c.b.rank(x);
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, c.input_count() > 1 ? c.AxisAt(1, rank) : NormalAxis(0, rank));
  FOVEA_ASSIGN_OR_RETURN(const DType dtype, c.Type("output_type", DType::kInt64));
  return c.Out(0, c.b.Add(ArgReduceParams{axis, max, false, false}, {x}, dtype));
}
Status ArgMax(NodeContext& c) { return Arg(c, true); }
Status ArgMin(NodeContext& c) { return Arg(c, false); }

constexpr OpRow kOps[] = {{"Sum", Reduce<ReduceFn::kSum>},
                          {"Mean", Reduce<ReduceFn::kMean>},
                          {"Max", Reduce<ReduceFn::kMax>},
                          {"Min", Reduce<ReduceFn::kMin>},
                          {"Prod", Reduce<ReduceFn::kProd>},
                          {"All", Reduce<ReduceFn::kMin>},
                          {"Any", Reduce<ReduceFn::kMax>},
                          {"EuclideanNorm", Reduce<ReduceFn::kL2>},
                          {"ArgMax", ArgMax},
                          {"ArgMin", ArgMin}};

}  // namespace

std::span<const OpRow> ReduceOps() { return kOps; }

}  // namespace fovea::converter::tf
