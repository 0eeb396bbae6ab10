// Pooling with windows. SAME padding is left out of averages.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

Status Pool(NodeContext& c, kernels::PoolKind kind, int spatial) {
  return Spatial(c, 0, spatial, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const Window w, ReadWindow(c, SpatialSizes(c.b.dims(x)), {0, 0, 0}));
    return c.b.Add(PoolParams{kind, w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, false, false}, {x});
  });
}

Status MaxPool(NodeContext& c) { return Pool(c, kernels::PoolKind::kMax, 2); }
Status AvgPool(NodeContext& c) { return Pool(c, kernels::PoolKind::kAverage, 2); }
Status MaxPool3d(NodeContext& c) { return Pool(c, kernels::PoolKind::kMax, 3); }
Status AvgPool3d(NodeContext& c) { return Pool(c, kernels::PoolKind::kAverage, 3); }

// Window and strides as inputs.
Status MaxPoolV2(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> ksize, c.IntegersAt(1));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> strides, c.IntegersAt(2));
  return Spatial(c, 0, 2, [&](ValueId x) -> Result<ValueId> {
    Int3 kernel{1, 1, 1}, stride{1, 1, 1};
    FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "ksize", ksize, 2, &kernel));
    FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "strides", strides, 2, &stride));
    FOVEA_ASSIGN_OR_RETURN(const Window w, ReadWindow(c, SpatialSizes(c.b.dims(x)), kernel, stride));
    return c.b.Add(
        PoolParams{kernels::PoolKind::kMax, w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, false, false}, {x});
  });
}

constexpr OpRow kOps[] = {{"MaxPool", MaxPool},
                          {"MaxPoolV2", MaxPoolV2},
                          {"AvgPool", AvgPool},
                          {"MaxPool3D", MaxPool3d},
                          {"AvgPool3D", AvgPool3d}};

}  // namespace

std::span<const OpRow> PoolOps() { return kOps; }

}  // namespace fovea::converter::tf
