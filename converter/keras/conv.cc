// Convolutions and their kin. Keras' kernels are [k..., Cin / groups, Cout]; transposed ones [k..., Cout, Cin];
// depthwise ones [k..., C, multiplier].
#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

std::string AxesText(const Weight& weight) {
  std::string text;
  for (const int64_t dim : weight.dims) text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text;
}

// What the writer's version and backend mean for a kernel: brought into [k..., a, b] as Keras 2 with TensorFlow stores
// it.
Status Modernise(LayerContext& c, int axes, bool transposed, Weight* weight) {
  if (c.writer.major <= 1) {
    // Keras 1 stored 1-D kernels as [k, 1, in, out], before that as [out, in, k, 1], and those of channels-first layers
    // as [out, in, k...].
    if (axes == 1 && weight->dims.size() == 4) {
      const int64_t k = c.Ints("kernel_size", 1, 1)[0];
      if (weight->dims[0] != k || weight->dims[1] != 1) Permute(weight, {2, 3, 1, 0});
      if (weight->dims[0] != k || weight->dims[1] != 1) return CorruptFile(AxesText(*weight) + " is not a 1-D kernel");
      weight->dims = {weight->dims[0], weight->dims[2], weight->dims[3]};
    } else if (c.ChannelsFirst() && static_cast<int>(weight->dims.size()) == axes + 2) {
      std::vector<int> perm;
      for (int i = 0; i < axes; ++i) perm.push_back(i + 2);
      perm.push_back(transposed ? 0 : 1);
      perm.push_back(transposed ? 1 : 0);
      Permute(weight, perm);
    } else if (transposed && static_cast<int>(weight->dims.size()) == axes + 2) {
      std::vector<int> perm;
      for (int i = 0; i < axes; ++i) perm.push_back(i);
      perm.push_back(axes + 1);
      perm.push_back(axes);
      Permute(weight, perm);
    }
  }
  if (static_cast<int>(weight->dims.size()) != axes + 2) {
    return CorruptFile(AxesText(*weight) + " does not suit " + std::to_string(axes) + " spatial axes");
  }
  // Theano convolves, everybody else correlates.
  if (c.writer.backend == "theano") Flip(weight, axes);
  return OkStatus();
}

// [k..., a, b] to [kd, kh, kw, a, b].
void AddAxes(Weight* weight) { weight->dims.insert(weight->dims.begin(), 5 - weight->dims.size(), 1); }

std::vector<int64_t> KernelSizes(ir::Builder& b, ValueId weights, size_t n) {
  std::vector<int64_t> sizes;
  for (size_t i = 3 - n; i < 3; ++i) sizes.push_back(b.dims(weights)[i].Const());
  return sizes;
}

Result<ValueId> WithBias(LayerContext& c, std::vector<ValueId> operands, const OpParams& params) {
  if (c.Bool("use_bias", true)) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId bias, c.Param("bias", Vector()));
    operands.push_back(bias);
  }
  return c.b.Add(params, operands);
}

Result<Window> ReadWindow(LayerContext& c, ValueId x, const std::vector<int64_t>& kernel) {
  const size_t n = kernel.size();
  return MakeWindow(SpatialSizes(c.b.dims(x)), kernel, c.Ints("strides", n, 1), c.Ints("dilation_rate", n, 1),
                    c.String("padding", "valid"));
}

Result<ValueId> Conv(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(
      const ValueId y, Spatial(c, [&](ValueId x) -> Result<ValueId> {
        const int n = SpatialAxes(c.class_name());
        FOVEA_ASSIGN_OR_RETURN(const ValueId weights, c.Param("kernel", [&](Weight* weight) -> Status {
          FOVEA_RETURN_IF_ERROR(Modernise(c, n, false, weight));
          AddAxes(weight);
          return OkStatus();
        }));
        FOVEA_ASSIGN_OR_RETURN(const Window w, ReadWindow(c, x, KernelSizes(c.b, weights, static_cast<size_t>(n))));
        const int64_t groups = c.Int("groups", 1);
        return WithBias(c, {x, weights},
                        ConvParams{w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, groups, {}});
      }));
  return Activate(c, y);
}

// [k..., C, multiplier] to [k..., 1, C multiplier]: the output channel of input c and multiplier m is c multiplier + m.
Result<ValueId> DepthwiseKernel(LayerContext& c, int n) {
  return c.Param("depthwise_kernel", [&](Weight* weight) -> Status {
    FOVEA_RETURN_IF_ERROR(Modernise(c, n, false, weight));
    const size_t last = weight->dims.size() - 1;
    weight->dims[last] *= weight->dims[last - 1];
    weight->dims[last - 1] = 1;
    AddAxes(weight);
    return OkStatus();
  });
}

Result<ValueId> Depthwise(LayerContext& c, ValueId x, bool with_bias) {
  const int n = SpatialAxes(c.class_name());
  FOVEA_ASSIGN_OR_RETURN(const ValueId weights, DepthwiseKernel(c, n));
  FOVEA_ASSIGN_OR_RETURN(const Window w, ReadWindow(c, x, KernelSizes(c.b, weights, static_cast<size_t>(n))));
  const DimExpr channels = c.b.dims(x).back();
  if (!channels.IsConst()) return Unsupported("an input whose number of channels is open");
  const ConvParams params{w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, channels.Const(), {}};
  return with_bias ? WithBias(c, {x, weights}, params) : c.b.Add(params, {x, weights});
}

Result<ValueId> DepthwiseConv(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, Spatial(c, [&](ValueId x) { return Depthwise(c, x, true); }));
  return Activate(c, y);
}

Result<ValueId> SeparableConv(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, Spatial(c, [&](ValueId x) -> Result<ValueId> {
                           FOVEA_ASSIGN_OR_RETURN(const ValueId middle, Depthwise(c, x, false));
                           FOVEA_ASSIGN_OR_RETURN(
                               const ValueId weights, c.Param("pointwise_kernel", [&](Weight* weight) -> Status {
                                 FOVEA_RETURN_IF_ERROR(Modernise(c, SpatialAxes(c.class_name()), false, weight));
                                 AddAxes(weight);
                                 return OkStatus();
                               }));
                           return WithBias(c, {middle, weights}, ConvParams{});
                         }));
  return Activate(c, y);
}

// Cuts and extends the full result to the size that Keras says: deconv_output_length in keras/utils/conv_utils.py, and
// where the cut lies as TensorFlow's Conv2DBackpropInput has it (the forward convolution's SAME padding).
Result<Window> TransposedWindow(LayerContext& c, const Dims& in, const std::vector<int64_t>& kernel) {
  const size_t n = kernel.size();
  const std::vector<int64_t> stride = c.Ints("strides", n, 1), dilation = c.Ints("dilation_rate", n, 1);
  const std::string padding = c.String("padding", "valid");
  if (padding == "causal") return Unsupported("padding causal");
  FOVEA_ASSIGN_OR_RETURN(Window w, MakeWindow(in, kernel, stride, dilation, padding));
  const bool same = padding == "same", given = c.Has("output_padding");
  const std::vector<int64_t> extra = c.Ints("output_padding", n, 0);
  for (size_t i = 0; i < n; ++i) {
    const size_t a = 3 - n + i;
    const int64_t reach = (kernel[i] - 1) * dilation[i] + 1;
    if (extra[i] < 0 || (given && extra[i] >= stride[i] && extra[i] != 0)) {
      return CorruptFile("output_padding " + std::to_string(extra[i]) + " for a stride of " +
                         std::to_string(stride[i]));
    }
    // The result's size minus (in - 1) stride.
    const int64_t rest = given  ? reach - (same ? 2 * (reach / 2) : 0) + extra[i]
                         : same ? stride[i]
                                : reach + std::max<int64_t>(stride[i] - reach, 0);
    const int64_t cut = reach - rest;
    const int64_t begin = same ? std::max<int64_t>(cut, 0) / 2 : 0;
    w.pad_begin[a] = begin;
    w.pad_end[a] = cut - begin;
  }
  return w;
}

Result<ValueId> ConvTranspose(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(
      const ValueId y, Spatial(c, [&](ValueId x) -> Result<ValueId> {
        const int n = SpatialAxes(c.class_name());
        FOVEA_ASSIGN_OR_RETURN(const ValueId weights, c.Param("kernel", [&](Weight* weight) -> Status {
          FOVEA_RETURN_IF_ERROR(Modernise(c, n, true, weight));
          AddAxes(weight);
          Permute(weight, {0, 1, 2, 4, 3});
          return OkStatus();
        }));
        if (c.Int("groups", 1) != 1) return Unsupported("groups in a transposed convolution");
        FOVEA_ASSIGN_OR_RETURN(const Window w, TransposedWindow(c, SpatialSizes(c.b.dims(x)),
                                                                KernelSizes(c.b, weights, static_cast<size_t>(n))));
        return WithBias(c, {x, weights},
                        ConvTransposeParams{w.kernel, w.stride, w.dilation, w.pad_begin, w.pad_end, 1, {}});
      }));
  return Activate(c, y);
}

bool UsesBias(const Json& config) {
  const Json* use = Find(config, "use_bias");
  return use == nullptr || !use->is_boolean() || use->get<bool>();
}

std::vector<Role> WithBiasRole(std::vector<Role> roles, const Json& config) {
  if (UsesBias(config)) roles.push_back({"bias|b"});
  return roles;
}
std::vector<Role> KernelRoles(const Json& config) { return WithBiasRole({{"kernel|W"}}, config); }
std::vector<Role> DepthwiseRoles(const Json& config) { return WithBiasRole({{"depthwise_kernel|kernel"}}, config); }
std::vector<Role> SeparableRoles(const Json& config) {
  return WithBiasRole({{"depthwise_kernel"}, {"pointwise_kernel"}}, config);
}

constexpr LayerRow kLayers[] = {{"Conv1D", Conv, KernelRoles},
                                {"Conv2D", Conv, KernelRoles},
                                {"Conv3D", Conv, KernelRoles},
                                {"Conv1DTranspose", ConvTranspose, KernelRoles},
                                {"Conv2DTranspose", ConvTranspose, KernelRoles},
                                {"Conv3DTranspose", ConvTranspose, KernelRoles},
                                {"DepthwiseConv1D", DepthwiseConv, DepthwiseRoles},
                                {"DepthwiseConv2D", DepthwiseConv, DepthwiseRoles},
                                {"SeparableConv1D", SeparableConv, SeparableRoles},
                                {"SeparableConv2D", SeparableConv, SeparableRoles}};

}  // namespace

std::span<const LayerRow> ConvLayers() { return kLayers; }

}  // namespace fovea::converter::keras
