// Pooling with windows, and over the whole image (which is a reduction).
#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

Status Pool(NodeContext& c, kernels::PoolKind kind) {
  if (c.Wants(1)) {
    return Unsupported("its second output (the positions of the maxima) is used; only the maxima are supported");
  }
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    const Dims& dims = c.b.dims(x);
    FOVEA_ASSIGN_OR_RETURN(const Window w, ReadWindow(c, {dims.begin() + 1, dims.end() - 1}, {}));
    return c.b.Add(PoolParams{kind, w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, c.Int("ceil_mode", 0) != 0,
                              c.Int("count_include_pad", 0) != 0},
                   {x});
  });
}

Status MaxPool(NodeContext& c) { return Pool(c, kernels::PoolKind::kMax); }
Status AveragePool(NodeContext& c) { return Pool(c, kernels::PoolKind::kAverage); }

Status GlobalPool(NodeContext& c, kernels::ReduceFn fn) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  ReduceParams params{fn, {}, true};
  for (int i = 2; i < c.b.rank(x); ++i) params.axes.push_back(i);
  if (params.axes.empty()) return c.Out(0, x);
  return c.Out(0, c.b.Add(std::move(params), {x}));
}

Status GlobalAveragePool(NodeContext& c) { return GlobalPool(c, kernels::ReduceFn::kMean); }
Status GlobalMaxPool(NodeContext& c) { return GlobalPool(c, kernels::ReduceFn::kMax); }

constexpr OpRow kOps[] = {{"MaxPool", MaxPool},
                          {"AveragePool", AveragePool},
                          {"GlobalAveragePool", GlobalAveragePool},
                          {"GlobalMaxPool", GlobalMaxPool}};

}  // namespace

std::span<const OpRow> PoolOps() { return kOps; }

}  // namespace fovea::converter
