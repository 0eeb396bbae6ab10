// Pooling with windows, and over the whole image (which is a reduction).
#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

Result<ValueId> Pool(LayerContext& c, kernels::PoolKind kind) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    const size_t n = static_cast<size_t>(SpatialAxes(c.class_name()));
    const std::vector<int64_t> size = c.Ints("pool_size", n, 2);
    const std::vector<int64_t> stride = c.Has("strides") ? c.Ints("strides", n, 1) : size;
    const std::string padding = c.String("padding", "valid");
    if (padding == "causal") return Unsupported("padding causal");
    FOVEA_ASSIGN_OR_RETURN(const Window w,
                           MakeWindow(SpatialSizes(c.b.dims(x)), size, stride, std::vector<int64_t>(n, 1), padding));
    return c.b.Add(PoolParams{kind, w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, false, false}, {x});
  });
}

Result<ValueId> MaxPool(LayerContext& c) { return Pool(c, kernels::PoolKind::kMax); }
Result<ValueId> AveragePool(LayerContext& c) { return Pool(c, kernels::PoolKind::kAverage); }

Result<ValueId> GlobalPool(LayerContext& c, kernels::ReduceFn fn) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const int axes = SpatialAxes(c.class_name());
  if (c.b.rank(x) != axes + 2) return CorruptFile("an input with " + std::to_string(c.b.rank(x)) + " axes");
  ReduceParams params{fn, {}, c.Bool("keepdims", false)};
  for (int i = 0; i < axes; ++i) params.axes.push_back(c.ChannelsFirst() ? i + 2 : i + 1);
  return c.b.Add(std::move(params), {x});
}

Result<ValueId> GlobalAveragePool(LayerContext& c) { return GlobalPool(c, kernels::ReduceFn::kMean); }
Result<ValueId> GlobalMaxPool(LayerContext& c) { return GlobalPool(c, kernels::ReduceFn::kMax); }

constexpr LayerRow kLayers[] = {{"MaxPooling1D", MaxPool},
                                {"MaxPooling2D", MaxPool},
                                {"MaxPooling3D", MaxPool},
                                {"MaxPool1D", MaxPool},
                                {"MaxPool2D", MaxPool},
                                {"MaxPool3D", MaxPool},
                                {"AveragePooling1D", AveragePool},
                                {"AveragePooling2D", AveragePool},
                                {"AveragePooling3D", AveragePool},
                                {"AvgPool1D", AveragePool},
                                {"AvgPool2D", AveragePool},
                                {"AvgPool3D", AveragePool},
                                {"GlobalAveragePooling1D", GlobalAveragePool},
                                {"GlobalAveragePooling2D", GlobalAveragePool},
                                {"GlobalAveragePooling3D", GlobalAveragePool},
                                {"GlobalMaxPooling1D", GlobalMaxPool},
                                {"GlobalMaxPooling2D", GlobalMaxPool},
                                {"GlobalMaxPooling3D", GlobalMaxPool}};

}  // namespace

std::span<const LayerRow> PoolLayers() { return kLayers; }

}  // namespace fovea::converter::keras
