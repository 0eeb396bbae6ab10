#include "kernels/conv/rows.h"

namespace fovea::kernels {
namespace {

bool Accepts(const ConvLayer&) { return true; }

// A unit is one row of outputs.
int64_t Units(const ConvLayer&, const ConvArgs& args) {
  return args.dst.dims[kN] * args.dst.dims[kD] * args.dst.dims[kH];
}

// The sums of one pixel.
template <class Sum>
int64_t ScratchFloats(const ConvLayer& layer, const ConvArgs&) {
  return layer.out_channels * static_cast<int64_t>(sizeof(Sum) / sizeof(float));
}

int64_t TapCount(const ConvLayer& layer) { return layer.kernel[0] * layer.kernel[1] * layer.kernel[2]; }

// Bias, then the weights as they come.
int64_t PackedFloats(const ConvLayer& layer) {
  return layer.out_channels * (1 + TapCount(layer) * (layer.in_channels / layer.groups));
}

void Pack(const ConvLayer& layer, const float* weights, const float* bias, float* packed, int part, int) {
  if (part != 0) return;
  for (int64_t co = 0; co < layer.out_channels; ++co) packed[co] = bias == nullptr ? 0.0f : bias[co];
  const int64_t count = PackedFloats(layer) - layer.out_channels;
  for (int64_t i = 0; i < count; ++i) packed[layer.out_channels + i] = weights[i];
}

// Adds one tap's channels, in order, to the sums of all outputs. Outputs are innermost because their weights are next
// to each other; that changes no sum.
template <class Sum>
void AddTap(const ConvLayer& layer, const float* pixel, const float* weights, Sum* sums) {
  const int64_t group_in = layer.in_channels / layer.groups;
  const int64_t group_out = layer.out_channels / layer.groups;
  for (int64_t ci = 0; ci < group_in; ++ci, weights += layer.out_channels) {
    for (int64_t group = 0; group < layer.groups; ++group) {
      const Sum x = pixel[group * group_in + ci];
      const int64_t end = (group + 1) * group_out;
      for (int64_t co = group * group_out; co < end; ++co) sums[co] += x * static_cast<Sum>(weights[co]);
    }
  }
}

// One pixel: every sum is the chain of the contract, in the order kd, kh, kw, ci, started at the bias.
template <class Sum>
void Pixel(const ConvLayer& layer, const ConvArgs& args, const int64_t (&out)[4], Sum* sums) {
  const int64_t group_in = layer.in_channels / layer.groups;
  const float* weights = args.packed + layer.out_channels;
  const ConstView& src = args.src;
  int64_t begin[3];
  for (int a = 0; a < 3; ++a) begin[a] = out[a + 1] * layer.stride[a] - args.pad[a];
  for (int64_t co = 0; co < layer.out_channels; ++co) sums[co] = static_cast<Sum>(args.packed[co]);
  for (int64_t kd = 0; kd < layer.kernel[0]; ++kd) {
    const int64_t d = begin[0] + kd * layer.dilation[0];
    if (d < 0 || d >= src.dims[kD] * layer.upsample[0]) continue;
    for (int64_t kh = 0; kh < layer.kernel[1]; ++kh) {
      const int64_t h = begin[1] + kh * layer.dilation[1];
      if (h < 0 || h >= src.dims[kH] * layer.upsample[1]) continue;
      for (int64_t kw = 0; kw < layer.kernel[2]; ++kw) {
        const int64_t w = begin[2] + kw * layer.dilation[2];
        if (w < 0 || w >= src.dims[kW] * layer.upsample[2]) continue;
        const int64_t tap = (kd * layer.kernel[1] + kh) * layer.kernel[2] + kw;
        AddTap(layer,
               src.data + out[kN] * src.strides[kN] + d / layer.upsample[0] * src.strides[kD] +
                   h / layer.upsample[1] * src.strides[kH] + w / layer.upsample[2] * src.strides[kW],
               weights + tap * group_in * layer.out_channels, sums);
      }
    }
  }
}

template <class Sum>
void Run(const ConvLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  Sum* const sums = reinterpret_cast<Sum*>(scratch);
  const View& dst = args.dst;
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    int64_t at[4] = {unit / dst.dims[kH] / dst.dims[kD], unit / dst.dims[kH] % dst.dims[kD], unit % dst.dims[kH], 0};
    for (at[kW] = 0; at[kW] < dst.dims[kW]; ++at[kW]) {
      int64_t offset = 0;
      int64_t residual_offset = 0;
      for (int a = 0; a < 4; ++a) {
        offset += at[a] * dst.strides[a];
        residual_offset += at[a] * args.residual.strides[a];
      }
      Pixel(layer, args, at, sums);
      for (int64_t co = 0; co < layer.out_channels; ++co) {
        Sum value = sums[co];
        if (layer.has_residual) value += static_cast<Sum>(args.residual.data[residual_offset + co]);
        dst.data[offset + co] = ApplyUnary(layer.act, static_cast<float>(value));
      }
    }
  }
}

constexpr ConvKernel kRows[] = {
    {{{Isa::kReference, "conv/reference", Accepts, Units, ScratchFloats<float>, Run<float>}, PackedFloats, Pack}},
};

constexpr ConvKernel kDoubleSums = {
    {{Isa::kReference, "conv/reference/double", Accepts, Units, ScratchFloats<double>, Run<double>},
     PackedFloats,
     Pack}};

}  // namespace

const ConvKernel& ConvKernelOfDoubles() { return kDoubleSums; }

std::span<const ConvKernel> ReferenceConvKernels() { return kRows; }

}  // namespace fovea::kernels
