#include "converter/onnx/common.h"

#include <algorithm>
#include <numeric>

namespace fovea::converter {

namespace {

constexpr int64_t kMaxWindow = 1 << 20;  // kernels, strides, pads: beyond it sizes overflow long before memory does

Status ReadThree(NodeContext& c, const char* name, size_t spatial, int64_t least, Int3* out) {
  const std::vector<int64_t> list = c.Ints(name);
  if (list.empty()) return OkStatus();
  if (list.size() != spatial) {
    return CorruptFile(std::string(name) + " has " + std::to_string(list.size()) + " numbers for " +
                       std::to_string(spatial) + " spatial axes");
  }
  for (size_t i = 0; i < spatial; ++i) {
    if (list[i] < least || list[i] > kMaxWindow) {
      return CorruptFile(std::string(name) + " has the number " + std::to_string(list[i]));
    }
    (*out)[3 - spatial + i] = list[i];
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
  std::vector<int64_t> out;
  for (const int64_t axis : axes) {
    FOVEA_ASSIGN_OR_RETURN(const int64_t normal, NormalAxis(axis, rank));
    out.push_back(normal);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<ValueId> ToChannelsLast(ir::Builder& b, ValueId x) {
  const int rank = b.rank(x);
  if (rank < 3) return x;
  std::vector<int64_t> perm{0};
  for (int i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return b.Transpose(x, perm);
}

Result<ValueId> ToChannelsFirst(ir::Builder& b, ValueId x) {
  const int rank = b.rank(x);
  if (rank < 3) return x;
  std::vector<int64_t> perm{0, rank - 1};
  for (int i = 1; i + 1 < rank; ++i) perm.push_back(i);
  return b.Transpose(x, perm);
}

Status Spatial(NodeContext& c, const std::function<Result<ValueId>(ValueId)>& f) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const int rank = c.b.rank(x);
  if (rank < 3 || rank > 5) {
    return Unsupported("a tensor with " + std::to_string(rank) +
                       " axes; 3 to 5 (N, C and 1 to 3 spatial) are supported");
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(c.b, x));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, f(last));
  return c.Out(0, ToChannelsFirst(c.b, y));
}

DimExpr Product(const Dims& dims, size_t begin, size_t end) {
  DimExpr product = 1;
  for (size_t i = begin; i < end; ++i) product = product * dims[i];
  return product;
}

bool SameDims(const Dims& a, const Dims& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

Result<ValueId> ReshapeTo(ir::Builder& b, ValueId x, const Dims& dims) {
  if (SameDims(b.dims(x), dims)) return x;
  return b.Reshape(x, dims);
}

Result<std::vector<int64_t>> AxesOf(NodeContext& c, int index, int64_t since) {
  if (c.opset < since) return c.Ints("axes");
  if (!c.Has(index)) return std::vector<int64_t>();
  return c.IntegersAt(index);
}

Result<std::vector<int64_t>> AxesFromDeclared(NodeContext& c, int rank,
                                              const std::function<bool(uint32_t mask, const Dims& declared)>& fits,
                                              const Status& otherwise) {
  const auto sizes = c.DeclaredDims(0);
  if (!sizes || rank > static_cast<int>(kMaxTensorRank)) return otherwise;
  const Dims declared(sizes->begin(), sizes->end());
  std::vector<int64_t> axes;
  int found = 0;
  for (uint32_t mask = 0; mask < (1u << rank); ++mask) {
    if (!fits(mask, declared)) continue;
    if (++found > 1) return otherwise;
    for (int i = 0; i < rank; ++i) {
      if ((mask >> i & 1u) != 0) axes.push_back(i);
    }
  }
  if (found == 0) return otherwise;
  c.Warn("its axes are an input; they are taken from the declared size of the output");
  return axes;
}

Result<Window> ReadWindow(NodeContext& c, const Dims& in, const std::vector<int64_t>& kernel) {
  const size_t spatial = in.size(), first = 3 - spatial;
  Window w;
  for (size_t i = 0; i < kernel.size(); ++i) {
    if (kernel[i] < 1 || kernel[i] > kMaxWindow) return CorruptFile("weights of size " + std::to_string(kernel[i]));
    w.kernel[first + i] = kernel[i];
  }
  const Int3 of_weights = w.kernel;
  FOVEA_RETURN_IF_ERROR(ReadThree(c, "kernel_shape", spatial, 1, &w.kernel));
  if (!kernel.empty() && w.kernel != of_weights) return CorruptFile("kernel_shape is not that of the weights");
  if (kernel.empty() && c.Ints("kernel_shape").empty()) return CorruptFile("kernel_shape is missing");
  FOVEA_RETURN_IF_ERROR(ReadThree(c, "strides", spatial, 1, &w.stride));
  FOVEA_RETURN_IF_ERROR(ReadThree(c, "dilations", spatial, 1, &w.dilation));

  const std::string auto_pad = c.String("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    for (size_t i = 0; i < spatial; ++i) {
      const size_t a = first + i;
      const DimExpr out = CeilDiv(in[i], w.stride[a]);
      const DimExpr reach = (w.kernel[a] - 1) * w.dilation[a] + 1;
      const DimExpr total = Max(0, (out - 1) * w.stride[a] + reach - in[i]);
      const DimExpr half = FloorDiv(total, 2);
      w.pad_begin[a] = auto_pad == "SAME_UPPER" ? half : total - half;
      w.pad_end[a] = total - w.pad_begin[a];
    }
    return w;
  }
  if (auto_pad == "VALID") return w;
  if (auto_pad != "NOTSET" && !auto_pad.empty()) return CorruptFile("auto_pad " + auto_pad);
  const std::vector<int64_t> pads = c.Ints("pads");
  if (pads.empty()) return w;
  if (pads.size() != 2 * spatial) {
    return CorruptFile("pads has " + std::to_string(pads.size()) + " numbers for " + std::to_string(spatial) +
                       " spatial axes");
  }
  for (size_t i = 0; i < spatial; ++i) {
    for (const int64_t pad : {pads[i], pads[spatial + i]}) {
      if (pad < -kMaxWindow || pad > kMaxWindow) return CorruptFile("pads has the number " + std::to_string(pad));
    }
    w.pad_begin[first + i] = pads[i];
    w.pad_end[first + i] = pads[spatial + i];
  }
  return w;
}

}  // namespace fovea::converter
