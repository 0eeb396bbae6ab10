#include "kernels/conv_transpose/rows.h"

namespace fovea::kernels {
namespace {

bool Accepts(const ConvTransposeLayer&) { return true; }

// A unit is one row of outputs.
int64_t Units(const ConvTransposeLayer&, const ConvArgs& args) {
  return args.dst.dims[kN] * args.dst.dims[kD] * args.dst.dims[kH];
}

// The sums of one pixel.
template <class Sum>
int64_t ScratchFloats(const ConvTransposeLayer& layer, const ConvArgs&) {
  return layer.out_channels * static_cast<int64_t>(sizeof(Sum) / sizeof(float));
}

// Bias, then the weights as they come.
int64_t PackedFloats(const ConvTransposeLayer& layer) {
  const int64_t taps = layer.kernel[0] * layer.kernel[1] * layer.kernel[2];
  return layer.out_channels * (1 + taps * (layer.in_channels / layer.groups));
}

void Pack(const ConvTransposeLayer& layer, const float* weights, const float* bias, float* packed, int part, int) {
  if (part != 0) return;
  for (int64_t co = 0; co < layer.out_channels; ++co) packed[co] = bias == nullptr ? 0.0f : bias[co];
  const int64_t count = PackedFloats(layer) - layer.out_channels;
  for (int64_t i = 0; i < count; ++i) packed[layer.out_channels + i] = weights[i];
}

// The source position that tap k of output position `out` (both along axis a) gathers from; false where there is none.
bool SourceOf(const ConvTransposeLayer& layer, const ConvArgs& args, int a, int64_t out, int64_t k, int64_t* position) {
  const int64_t scattered = out + args.pad[a] - k * layer.dilation[a];
  *position = scattered / layer.stride[a];
  return scattered >= 0 && scattered % layer.stride[a] == 0 && *position < args.src.dims[a + 1];
}

// Adds one tap's channels, in order, to the sums of all outputs, which are innermost as their weights are neighbours.
template <class Sum>
void AddTap(const ConvTransposeLayer& layer, const float* pixel, const float* weights, Sum* sums) {
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

// One pixel: every sum is one chain in the order kd, kh, kw, ci, started at the bias.
template <class Sum>
void Pixel(const ConvTransposeLayer& layer, const ConvArgs& args, const int64_t (&out)[4], Sum* sums) {
  const int64_t group_in = layer.in_channels / layer.groups;
  const float* weights = args.packed + layer.out_channels;
  const ConstView& src = args.src;
  int64_t d = 0;
  int64_t h = 0;
  int64_t w = 0;
  for (int64_t co = 0; co < layer.out_channels; ++co) sums[co] = static_cast<Sum>(args.packed[co]);
  for (int64_t kd = 0; kd < layer.kernel[0]; ++kd) {
    if (!SourceOf(layer, args, 0, out[kD], kd, &d)) continue;
    for (int64_t kh = 0; kh < layer.kernel[1]; ++kh) {
      if (!SourceOf(layer, args, 1, out[kH], kh, &h)) continue;
      for (int64_t kw = 0; kw < layer.kernel[2]; ++kw) {
        if (!SourceOf(layer, args, 2, out[kW], kw, &w)) continue;
        const int64_t tap = (kd * layer.kernel[1] + kh) * layer.kernel[2] + kw;
        AddTap(layer,
               src.data + out[kN] * src.strides[kN] + d * src.strides[kD] + h * src.strides[kH] + w * src.strides[kW],
               weights + tap * group_in * layer.out_channels, sums);
      }
    }
  }
}

template <class Sum>
void Run(const ConvTransposeLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  Sum* const sums = reinterpret_cast<Sum*>(scratch);
  const View& dst = args.dst;
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    int64_t at[4] = {unit / dst.dims[kH] / dst.dims[kD], unit / dst.dims[kH] % dst.dims[kD], unit % dst.dims[kH], 0};
    for (at[kW] = 0; at[kW] < dst.dims[kW]; ++at[kW]) {
      int64_t offset = 0;
      for (int a = 0; a < 4; ++a) offset += at[a] * dst.strides[a];
      Pixel(layer, args, at, sums);
      for (int64_t co = 0; co < layer.out_channels; ++co)
        dst.data[offset + co] = ApplyUnary(layer.act, static_cast<float>(sums[co]));
    }
  }
}

constexpr ConvTransposeKernel kRows[] = {
    {{Isa::kReference, "conv_transpose/reference", Accepts, Units, ScratchFloats<float>, Run<float>},
     PackedFloats,
     Pack},
};

constexpr ConvTransposeKernel kDoubleSums = {
    {Isa::kReference, "conv_transpose/reference/double", Accepts, Units, ScratchFloats<double>, Run<double>},
    PackedFloats,
    Pack};

}  // namespace

const ConvTransposeKernel& ConvTransposeKernelOfDoubles() { return kDoubleSums; }

std::span<const ConvTransposeKernel> ReferenceConvTransposeKernels() { return kRows; }

}  // namespace fovea::kernels
