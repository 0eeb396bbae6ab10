#include "converter/tensorflow/common.h"

#include <algorithm>
#include <set>

namespace fovea::converter::tf {
namespace {

constexpr int64_t kMaxWindow = 1 << 20;  // kernels, strides, pads: beyond it sizes overflow long before memory does

Status ReadExplicit(NodeContext& c, size_t spatial, bool channels_first, Window* w) {
  const std::vector<int64_t> pads = c.Ints("explicit_paddings");
  const size_t rank = spatial + 2, first_axis = channels_first ? 2 : 1;
  if (pads.size() != 2 * rank) return CorruptFile("explicit_paddings of the wrong length");
  for (size_t axis = 0; axis < rank; ++axis) {
    for (const int64_t pad : {pads[2 * axis], pads[2 * axis + 1]}) {
      if (pad < 0 || pad > kMaxWindow) return CorruptFile("explicit_paddings has the number " + std::to_string(pad));
      const bool is_spatial = axis >= first_axis && axis < first_axis + spatial;
      if (!is_spatial && pad != 0) return CorruptFile("explicit_paddings of an axis that is not spatial");
    }
    if (axis < first_axis || axis >= first_axis + spatial) continue;
    w->pad_begin[3 - spatial + axis - first_axis] = pads[2 * axis];
    w->pad_end[3 - spatial + axis - first_axis] = pads[2 * axis + 1];
  }
  return OkStatus();
}

}  // namespace

Result<int64_t> NormalAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    return CorruptFile("axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) + " axes");
  }
  return axis < 0 ? axis + rank : axis;
}

Result<std::vector<int64_t>> NormalAxes(const std::vector<int64_t>& axes, int rank) {
  std::set<int64_t> out;
  for (const int64_t axis : axes) {
    FOVEA_ASSIGN_OR_RETURN(const int64_t normal, NormalAxis(axis, rank));
    out.insert(normal);
  }
  return std::vector<int64_t>(out.begin(), out.end());
}

DimExpr Product(const Dims& dims) {
  DimExpr product = 1;
  for (const DimExpr& dim : dims) product = product * dim;
  return product;
}

bool SameDims(const Dims& a, const Dims& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

Result<ValueId> ReshapeTo(ir::Builder& b, ValueId x, const Dims& dims) {
  if (SameDims(b.dims(x), dims)) return x;
  return b.Reshape(x, dims);
}

Result<ValueId> ExpandTo(ir::Builder& b, ValueId x, const Dims& dims) {
  if (SameDims(b.dims(x), dims)) return x;
  return b.Add(ExpandParams{dims}, {x});
}

Result<bool> ChannelsFirst(NodeContext& c) {
  const std::string format = c.String("data_format", "NHWC");
  if (format == "NHWC" || format == "NDHWC" || format == "NWC" || format == "channels_last") return false;
  if (format == "NCHW" || format == "NCDHW" || format == "NCW" || format == "channels_first") return true;
  return Unsupported("data_format " + format + "; NHWC, NDHWC, NCHW and NCDHW are supported");
}

Result<ValueId> ToChannelsLast(ir::Builder& b, ValueId x, bool channels_first) {
  const int rank = b.rank(x);
  if (!channels_first || rank < 3) return x;
  std::vector<int64_t> perm{0};
  for (int i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return b.Transpose(x, perm);
}

Result<ValueId> FromChannelsLast(ir::Builder& b, ValueId x, bool channels_first) {
  const int rank = b.rank(x);
  if (!channels_first || rank < 3) return x;
  std::vector<int64_t> perm{0, rank - 1};
  for (int i = 1; i + 1 < rank; ++i) perm.push_back(i);
  return b.Transpose(x, perm);
}

Status Spatial(NodeContext& c, int index, int spatial_axes, const std::function<Result<ValueId>(ValueId)>& f) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(index));
  const int rank = c.b.rank(x);
  if (spatial_axes != 0 && rank != spatial_axes + 2) {
    return CorruptFile("a tensor with " + std::to_string(rank) + " axes; " + std::to_string(spatial_axes + 2) +
                       " are asked for");
  }
  if (rank < 3 || rank > 5) return Unsupported("a tensor with " + std::to_string(rank) + " axes; 3 to 5 are supported");
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(c.b, x, first));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, f(last));
  return c.Out(0, FromChannelsLast(c.b, y, first));
}

Dims SpatialSizes(const Dims& channels_last) { return {channels_last.begin() + 1, channels_last.end() - 1}; }

Status ReadSpatialList(NodeContext& c, const char* name, const std::vector<int64_t>& list, size_t spatial, Int3* out) {
  if (list.empty()) return OkStatus();
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  const bool only_spatial = list.size() == spatial;
  if (!only_spatial && list.size() != spatial + 2) return CorruptFile(std::string(name) + " of the wrong length");
  const size_t offset = only_spatial ? 0 : first ? 2 : 1;
  for (size_t i = 0; i < list.size(); ++i) {
    const bool is_spatial = i >= offset && i < offset + spatial;
    if (!is_spatial && list[i] != 1) return Unsupported(std::string(name) + " along batch or channels");
    if (!is_spatial) continue;
    if (list[i] < 1 || list[i] > kMaxWindow) {
      return CorruptFile(std::string(name) + " has the number " + std::to_string(list[i]));
    }
    (*out)[3 - spatial + i - offset] = list[i];
  }
  return OkStatus();
}

Result<Window> ReadWindow(NodeContext& c, const Dims& in, const Int3& kernel, const Int3& stride) {
  const size_t spatial = in.size(), first = 3 - spatial;
  Window w;
  w.kernel = kernel;
  w.stride = stride;
  if (kernel[2] == 0) {
    w.kernel = {1, 1, 1};
    if (c.Ints("ksize").empty()) return CorruptFile("the attribute ksize is missing");
    FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "ksize", c.Ints("ksize"), spatial, &w.kernel));
  }
  FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "strides", c.Ints("strides"), spatial, &w.stride));
  FOVEA_RETURN_IF_ERROR(ReadSpatialList(c, "dilations", c.Ints("dilations"), spatial, &w.dilation));
  const std::string padding = c.String("padding", "VALID");
  if (padding == "VALID") return w;
  if (padding == "EXPLICIT") {
    FOVEA_ASSIGN_OR_RETURN(const bool channels_first, ChannelsFirst(c));
    FOVEA_RETURN_IF_ERROR(ReadExplicit(c, spatial, channels_first, &w));
    return w;
  }
  if (padding != "SAME") return CorruptFile("padding " + padding);
  bool open = false;
  for (size_t i = 0; i < spatial; ++i) {
    const size_t a = first + i;
    open = open || (w.stride[a] > 1 && !in[i].IsConst());
    const DimExpr out = CeilDiv(in[i], w.stride[a]);
    const DimExpr reach = (w.kernel[a] - 1) * w.dilation[a] + 1;
    const DimExpr total = Max(0, (out - 1) * w.stride[a] + reach - in[i]);
    w.pad_begin[a] = FloorDiv(total, 2);
    w.pad_end[a] = total - w.pad_begin[a];
  }
  if (open) c.b.graph()->Recognised("SAME padding that depends on the image's size");
  return w;
}

bool FollowsFromConstants(const ir::Builder& b, ValueId v) {
  const ir::Graph& graph = *const_cast<ir::Builder&>(b).graph();
  std::vector<ValueId> open{v};
  std::set<ValueId> seen{v};
  while (!open.empty()) {
    const ir::Value& value = graph.values[static_cast<size_t>(open.back())];
    open.pop_back();
    if (value.is_const()) continue;
    if (value.producer < 0) return false;
    for (const ValueId in : graph.nodes[static_cast<size_t>(value.producer)].inputs) {
      if (in != ir::kNoValue && seen.insert(in).second) open.push_back(in);
    }
  }
  return true;
}

}  // namespace fovea::converter::tf
