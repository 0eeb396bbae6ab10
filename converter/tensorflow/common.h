// Small helpers that several importers share: axes, layouts, size arithmetic, windows.
#ifndef FOVEA_CONVERTER_TENSORFLOW_COMMON_H_
#define FOVEA_CONVERTER_TENSORFLOW_COMMON_H_

#include <functional>
#include <string>
#include <vector>

#include "converter/tensorflow/node_context.h"

namespace fovea::converter::tf {

// axis in [-rank, rank) to [0, rank). kCorruptFile otherwise.
Result<int64_t> NormalAxis(int64_t axis, int rank);
// The same for a list; sorted, without repetition.
Result<std::vector<int64_t>> NormalAxes(const std::vector<int64_t>& axes, int rank);

DimExpr Product(const Dims& dims);
bool SameDims(const Dims& a, const Dims& b);
// x reshaped to dims, unless it has them already.
Result<ValueId> ReshapeTo(ir::Builder& b, ValueId x, const Dims& dims);
// x broadcast to dims, unless it has them already.
Result<ValueId> ExpandTo(ir::Builder& b, ValueId x, const Dims& dims);

// The attribute data_format: NCHW and the like. kUnsupported: a vendor's layout.
Result<bool> ChannelsFirst(NodeContext& c);
Result<ValueId> ToChannelsLast(ir::Builder& b, ValueId x, bool channels_first);
Result<ValueId> FromChannelsLast(ir::Builder& b, ValueId x, bool channels_first);
// out(0) = back(f(channels-last x)) for the image that is input `index`, which must have so many spatial axes (0: 1 to
// 3).
Status Spatial(NodeContext& c, int index, int spatial_axes, const std::function<Result<ValueId>(ValueId)>& f);
Dims SpatialSizes(const Dims& channels_last);

// Kernel, strides, dilations and padding in D, H, W order.
struct Window {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dim3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};
};
// Attributes strides, dilations, padding, explicit_paddings. `kernel` is that of the weights, or of the attribute ksize
// where it is all 0. in: spatial sizes of the image that the windows slide over. stride: where the attribute is absent.
Result<Window> ReadWindow(NodeContext& c, const Dims& in, const Int3& kernel, const Int3& stride = {1, 1, 1});
// The entries of a list attribute that belong to the spatial axes, and a check that the others are 1.
Status ReadSpatialList(NodeContext& c, const char* name, const std::vector<int64_t>& list, size_t spatial, Int3* out);

// True when the value follows from constants alone.
bool FollowsFromConstants(const ir::Builder& b, ValueId v);

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_COMMON_H_
