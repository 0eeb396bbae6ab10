// Convolutions, their transposes, and bias. Weights arrive as [k..., Cin/g, Cout] (transposed ones as [k..., Cout,
// Cin], depthwise ones as [k..., C, multiplier]) and leave as [kd, kh, kw, Cin/g, Cout].
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

Result<std::vector<int64_t>> WeightDims(NodeContext& c, ValueId w, size_t rank) {
  std::vector<int64_t> dims;
  for (const DimExpr& dim : c.b.dims(w)) {
    if (!dim.IsConst()) return Unsupported("weights whose size depends on the image");
    dims.push_back(dim.Const());
  }
  if (dims.size() != rank) {
    return CorruptFile("weights with " + std::to_string(dims.size()) + " axes for an image with " +
                       std::to_string(rank));
  }
  if (!FollowsFromConstants(c.b, w))
    return Unsupported("weights that depend on the image; only constants are supported");
  return dims;
}

Int3 Kernel(const std::vector<int64_t>& dims) {
  Int3 kernel{1, 1, 1};
  const size_t spatial = dims.size() - 2;
  for (size_t i = 0; i < spatial; ++i) kernel[3 - spatial + i] = dims[i];
  return kernel;
}

// [k..., a, b] with three axes of the kernel.
Result<ValueId> RankFive(ir::Builder& b, ValueId w, const Int3& kernel, int64_t in, int64_t out) {
  return ReshapeTo(b, w, {kernel[0], kernel[1], kernel[2], in, out});
}

// The window over an image in blocks: a dilated one over the image.
Result<Window> BlockedWindow(NodeContext& c, const Blocked& blocked, const Int3& kernel) {
  const size_t spatial = blocked.block.size(), first = 3 - spatial;
  Window w;
  w.kernel = kernel;
  Int3 stride{1, 1, 1}, dilation{1, 1, 1};
  FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "strides", c.Ints("strides"), spatial, &stride));
  FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "dilations", c.Ints("dilations"), spatial, &dilation));
  FOVEA_ASSIGN_OR_RETURN(const bool channels_first, ChannelsFirst(c));
  if (channels_first) return Unsupported("channels first between SpaceToBatchND and BatchToSpaceND");
  const std::string padding = c.String("padding", "VALID");
  if (padding == "EXPLICIT") return Unsupported("explicit_paddings between SpaceToBatchND and BatchToSpaceND");
  for (size_t i = 0; i < spatial; ++i) {
    const size_t a = first + i;
    if (stride[a] != 1) return Unsupported("strides between SpaceToBatchND and BatchToSpaceND");
    w.dilation[a] = dilation[a] * blocked.block[i];
    const int64_t total = padding == "SAME" ? (kernel[a] - 1) * dilation[a] : 0;
    w.pad_begin[a] = blocked.pad_begin[i] + total / 2 * blocked.block[i];
    w.pad_end[a] = blocked.pad_end[i] + (total - total / 2) * blocked.block[i];
  }
  return w;
}

Status Convolve(NodeContext& c, int spatial, bool depthwise) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId w, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, WeightDims(c, w, static_cast<size_t>(spatial) + 2));
  const size_t last = dims.size() - 1;
  const Int3 kernel = Kernel(dims);
  const std::optional<Blocked> blocked = c.Input(0).blocked;
  const Status status = Spatial(c, 0, spatial, [&](ValueId x) -> Result<ValueId> {
    const Result<Window> window =
        blocked ? BlockedWindow(c, *blocked, kernel) : ReadWindow(c, SpatialSizes(c.b.dims(x)), kernel);
    if (!window.ok()) return window.status();
    ConvParams p{window->kernel, window->stride, window->dilation, window->pad_begin, window->pad_end, 1, {}};
    int64_t in = dims[last - 1], out = dims[last];
    if (depthwise) {
      p.groups = in;
      out = in * out;
      in = 1;
    } else if (const DimExpr channels = c.b.dims(x).back(); channels.IsConst()) {
      if (in < 1 || channels.Const() % in != 0) {
        return CorruptFile("weights for " + std::to_string(in) + " channels, an image of " + channels.ToString());
      }
      p.groups = channels.Const() / in;
    }
    FOVEA_ASSIGN_OR_RETURN(const ValueId weights, RankFive(c.b, w, kernel, in, out));
    return c.b.Add(std::move(p), {x, weights});
  });
  if (!status.ok() || !blocked) return status;
  const size_t axes = static_cast<size_t>(spatial);
  return c.Out(0, Tensor{c.OutValue(0), false, {}, Blocked{blocked->block, Dims(axes, 0), Dims(axes, 0)}});
}

Status Conv3d(NodeContext& c) { return Convolve(c, 3, false); }

// Inputs: sizes of the result, weights, x. The result is the image whose convolution with these attributes has the size
// of x; its padding is the convolution's.
Status Transposed(NodeContext& c, int spatial) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId w, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, WeightDims(c, w, static_cast<size_t>(spatial) + 2));
  const size_t last = dims.size() - 1, axes = static_cast<size_t>(spatial);
  const Int3 kernel = Kernel(dims);
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  FOVEA_ASSIGN_OR_RETURN(const Dims sizes, c.SizesAt(0));
  if (sizes.size() != axes && sizes.size() != axes + 2) return CorruptFile("a size of the result of the wrong length");
  const size_t begin = sizes.size() == axes ? 0 : first ? 2 : 1;
  const Dims out(sizes.begin() + static_cast<ptrdiff_t>(begin), sizes.begin() + static_cast<ptrdiff_t>(begin + axes));
  return Spatial(c, 2, spatial, [&](ValueId x) -> Result<ValueId> {
    const Dims in = SpatialSizes(c.b.dims(x));
    FOVEA_ASSIGN_OR_RETURN(Window window, ReadWindow(c, out, kernel));
    ConvTransposeParams p{window.kernel, window.stride, window.dilation, {0, 0, 0}, {0, 0, 0}, 1, {}};
    for (size_t i = 0; i < axes; ++i) {
      const size_t a = 3 - axes + i;
      const DimExpr reach = (p.kernel[a] - 1) * p.dilation[a] + 1;
      if (c.String("padding", "VALID") == "SAME") {
        // Written with the size of x, which equals that of the convolution's result: the sum is then a number.
        const DimExpr total = Max(0, (in[i] - 1) * p.stride[a] + reach - out[i]);
        window.pad_begin[a] = FloorDiv(total, 2);
      }
      p.pad_begin[a] = window.pad_begin[a];
      p.pad_end[a] = (in[i] - 1) * p.stride[a] + reach - out[i] - p.pad_begin[a];
    }
    std::vector<int64_t> swap;
    for (size_t i = 0; i < axes; ++i) swap.push_back(static_cast<int64_t>(i));
    swap.push_back(static_cast<int64_t>(last));
    swap.push_back(static_cast<int64_t>(last) - 1);
    FOVEA_ASSIGN_OR_RETURN(const ValueId swapped, c.b.Transpose(w, swap));
    FOVEA_ASSIGN_OR_RETURN(const ValueId weights, RankFive(c.b, swapped, kernel, dims[last], dims[last - 1]));
    return c.b.Add(std::move(p), {x, weights});
  });
}

Status Transposed2d(NodeContext& c) { return Transposed(c, 2); }
Status Transposed3d(NodeContext& c) { return Transposed(c, 3); }

Status BiasAdd(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId bias, c.Need(1));
  return AddBias(c, x, bias);
}

constexpr OpRow kOps[] = {{"Conv2D", Conv2d},
                          {"Conv3D", Conv3d},
                          {"DepthwiseConv2dNative", DepthwiseConv2d},
                          {"DepthwiseConv2d", DepthwiseConv2d},
                          {"Conv2DBackpropInput", Transposed2d},
                          {"Conv3DBackpropInputV2", Transposed3d},
                          {"BiasAdd", BiasAdd},
                          {"BiasAddV1", BiasAdd}};

}  // namespace

Status Conv2d(NodeContext& c) { return Convolve(c, 2, false); }
Status DepthwiseConv2d(NodeContext& c) { return Convolve(c, 2, true); }

Status AddBias(NodeContext& c, ValueId x, ValueId bias) {
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  const int rank = c.b.rank(x);
  if (c.b.rank(bias) != 1 || rank < 2) return CorruptFile("a bias that is no vector of the channels");
  if (first && rank > 2) {
    Dims dims(static_cast<size_t>(rank) - 1, 1);
    dims[0] = c.b.dims(bias)[0];
    FOVEA_ASSIGN_OR_RETURN(bias, ReshapeTo(c.b, bias, dims));
  }
  return c.Out(0, c.b.Binary(kernels::BinaryFn::kAdd, x, bias));
}

std::span<const OpRow> ConvOps() { return kOps; }

}  // namespace fovea::converter::tf
