// Reductions over axes, and the position of the extreme along one.
#include <algorithm>

#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

using kernels::ReduceFn;

// Reducing an axis of size 1 changes nothing for these.
constexpr bool KeepsSingles(ReduceFn fn) {
  return fn == ReduceFn::kSum || fn == ReduceFn::kMean || fn == ReduceFn::kMax || fn == ReduceFn::kMin ||
         fn == ReduceFn::kProd;
}

Result<std::vector<int64_t>> DeclaredAxes(NodeContext& c, ReduceFn fn, bool keep, const Status& otherwise) {
  const Dims in = c.b.dims(c.In(0));
  return AxesFromDeclared(
      c, static_cast<int>(in.size()),
      [&](uint32_t mask, const Dims& declared) {
        Dims out;
        for (size_t i = 0; i < in.size(); ++i) {
          const bool reduced = (mask >> i & 1u) != 0;
          if (reduced && keep && KeepsSingles(fn) && in[i] == DimExpr(1)) return false;  // as good as not reduced
          if (!reduced || keep) out.push_back(reduced ? DimExpr(1) : in[i]);
        }
        return mask != 0 && SameDims(out, declared);
      },
      otherwise);
}

template <ReduceFn kFn>
Status Reduce(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const bool keep = c.Int("keepdims", 1) != 0;
  Result<std::vector<int64_t>> given = AxesOf(c, 1, kFn == ReduceFn::kSum ? 13 : 18);
  if (!given.ok()) given = DeclaredAxes(c, kFn, keep, given.status());
  if (!given.ok()) return given.status();
  FOVEA_ASSIGN_OR_RETURN(std::vector<int64_t> axes, NormalAxes(*given, c.b.rank(x)));
  if (axes.empty()) {
    if (c.Int("noop_with_empty_axes", 0) != 0) {
      if (!KeepsSingles(kFn)) return Unsupported("noop_with_empty_axes; leave the operator out instead");
      return c.Out(0, x);
    }
    for (int64_t i = 0; i < c.b.rank(x); ++i) axes.push_back(i);
  }
  if (axes.empty()) return c.Out(0, x);
  return c.Out(0, c.b.Add(ReduceParams{kFn, std::move(axes), keep}, {x}));
}

Status Arg(NodeContext& c, bool max) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", 0), c.b.rank(x)));
  return c.Out(0,
               c.b.Add(ArgReduceParams{axis, max, c.Int("keepdims", 1) != 0, c.Int("select_last_index", 0) != 0}, {x}));
}
Status ArgMax(NodeContext& c) { return Arg(c, true); }
Status ArgMin(NodeContext& c) { return Arg(c, false); }

constexpr OpRow kOps[] = {{"ReduceSum", Reduce<ReduceFn::kSum>},
                          {"ReduceMean", Reduce<ReduceFn::kMean>},
                          {"ReduceMax", Reduce<ReduceFn::kMax>},
                          {"ReduceMin", Reduce<ReduceFn::kMin>},
                          {"ReduceProd", Reduce<ReduceFn::kProd>},
                          {"ReduceL1", Reduce<ReduceFn::kL1>},
                          {"ReduceL2", Reduce<ReduceFn::kL2>},
                          {"ReduceSumSquare", Reduce<ReduceFn::kSumSquare>},
                          {"ReduceLogSum", Reduce<ReduceFn::kLogSum>},
                          {"ReduceLogSumExp", Reduce<ReduceFn::kLogSumExp>},
                          {"ArgMax", ArgMax},
                          {"ArgMin", ArgMin}};

}  // namespace

std::span<const OpRow> ReduceOps() { return kOps; }

}  // namespace fovea::converter
