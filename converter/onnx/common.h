// Small helpers that several importers share: axes, layouts, size arithmetic, windows.
#ifndef FOVEA_CONVERTER_ONNX_COMMON_H_
#define FOVEA_CONVERTER_ONNX_COMMON_H_

#include <functional>
#include <vector>

#include "converter/onnx/node_context.h"

namespace fovea::converter {

// axis in [-rank, rank) to [0, rank). kCorruptFile otherwise.
Result<int64_t> NormalAxis(int64_t axis, int rank);
// The same for a list; sorted, without repetition.
Result<std::vector<int64_t>> NormalAxes(const std::vector<int64_t>& axes, int rank);

// N, C, spatial... to N, spatial..., C and back, by Transpose (nothing for ranks below 3).
Result<ValueId> ToChannelsLast(ir::Builder& b, ValueId x);
Result<ValueId> ToChannelsFirst(ir::Builder& b, ValueId x);
// out(0) = back(f(channels-last x)): the frame of every spatial operator. Checks that x has rank 3 to 5.
Status Spatial(NodeContext& c, const std::function<Result<ValueId>(ValueId)>& f);

DimExpr Product(const Dims& dims, size_t begin, size_t end);
// x reshaped to dims, unless it has them already.
Result<ValueId> ReshapeTo(ir::Builder& b, ValueId x, const Dims& dims);
// True where equal for every input size.
bool SameDims(const Dims& a, const Dims& b);

// Axes of an operator that takes them as an attribute before opset `since` and as input `index` from there on.
// Empty vector: absent or empty.
Result<std::vector<int64_t>> AxesOf(NodeContext& c, int index, int64_t since);

// For axes that are an input without a known value: the one set of axes (bit i of the mask: axis i of `rank`) that
// makes output 0 as large as the model declares it. Warns. `otherwise` where no set or more than one does.
Result<std::vector<int64_t>> AxesFromDeclared(NodeContext& c, int rank,
                                              const std::function<bool(uint32_t mask, const Dims& declared)>& fits,
                                              const Status& otherwise);

// Kernel, strides, dilations and padding in D, H, W order.
struct Window {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dim3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};
};
// Attributes kernel_shape, strides, dilations, pads, auto_pad. in: spatial sizes of the input. kernel: sizes that the
// weights have; empty: kernel_shape is required.
Result<Window> ReadWindow(NodeContext& c, const Dims& in, const std::vector<int64_t>& kernel);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_COMMON_H_
