// What the importers of several layers share: layouts, windows, weights' layouts, activations by name.
#ifndef FOVEA_CONVERTER_KERAS_COMMON_H_
#define FOVEA_CONVERTER_KERAS_COMMON_H_

#include <functional>
#include <string>
#include <vector>

#include "converter/keras/layer_context.h"

namespace fovea::converter::keras {

// Number of spatial axes in a class name: 2 of "Conv2DTranspose".
int SpatialAxes(const std::string& class_name);

// axis in [-rank, rank) to [0, rank). kCorruptFile otherwise.
Result<int64_t> NormalAxis(int64_t axis, int rank);
DimExpr Product(const Dims& dims, size_t begin, size_t end);

// f(channels-last x), brought back to the layer's data_format: the frame of every spatial layer. Checks x's rank
// against the class name.
Result<ValueId> Spatial(LayerContext& c, const std::function<Result<ValueId>(ValueId)>& f);
// f(x with `axis` last), the axis then put back.
Result<ValueId> WithAxisLast(ir::Builder& b, ValueId x, int64_t axis, const std::function<Result<ValueId>(ValueId)>& f);

// Kernel, strides, dilations and padding in D, H, W order.
struct Window {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dim3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};
};
// in: spatial sizes. kernel: of the weights, or pool_size. padding: "valid", "same" (TensorFlow's: output ceil(in /
// stride), the odd element at the end) or "causal".
Result<Window> MakeWindow(const Dims& in, const std::vector<int64_t>& kernel, const std::vector<int64_t>& stride,
                          const std::vector<int64_t>& dilation, const std::string& padding);
Dims SpatialSizes(const Dims& channels_last);

// Axis i of the result is axis perm[i] of the weight.
void Permute(Weight* weight, const std::vector<int>& perm);
// Reversed along the first `axes` axes.
void Flip(Weight* weight, int axes);
// A vector of this size; kCorruptFile otherwise.
std::function<Status(Weight*)> Vector();

// The activation that a member of the configuration names ("activation"), applied to x. Absent: x.
Result<ValueId> Activate(LayerContext& c, ValueId x, const char* key = "activation");
// By name: "relu".
Result<ValueId> ActivateByName(LayerContext& c, const std::string& name, ValueId x);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_COMMON_H_
