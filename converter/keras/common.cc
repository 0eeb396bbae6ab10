#include "converter/keras/common.h"

#include <algorithm>
#include <numeric>

namespace fovea::converter::keras {

namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 20;

}  // namespace

int SpatialAxes(const std::string& class_name) {
  for (size_t i = 0; i + 1 < class_name.size(); ++i) {
    if (class_name[i + 1] == 'D' && class_name[i] >= '1' && class_name[i] <= '3') return class_name[i] - '0';
  }
  return 0;
}

Result<int64_t> NormalAxis(int64_t axis, int rank) {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  return CorruptFile("axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) + " axes");
}

DimExpr Product(const Dims& dims, size_t begin, size_t end) {
  DimExpr product = 1;
  for (size_t i = begin; i < end; ++i) product = product * dims[i];
  return product;
}

Result<ValueId> WithAxisLast(ir::Builder& b, ValueId x, int64_t axis,
                             const std::function<Result<ValueId>(ValueId)>& f) {
  const int rank = b.rank(x);
  if (axis == rank - 1) return f(x);
  std::vector<int64_t> forth, back;
  for (int64_t i = 0; i < rank; ++i) {
    if (i != axis) forth.push_back(i);
    back.push_back(i < axis ? i : i == axis ? rank - 1 : i - 1);
  }
  forth.push_back(axis);
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, b.Transpose(x, forth));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, f(last));
  return b.Transpose(y, back);
}

Result<ValueId> Spatial(LayerContext& c, const std::function<Result<ValueId>(ValueId)>& f) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const int axes = SpatialAxes(c.class_name());
  if (c.b.rank(x) != axes + 2) {
    return CorruptFile("an input with " + std::to_string(c.b.rank(x)) + " axes where " + std::to_string(axes + 2) +
                       " are needed");
  }
  return c.ChannelsFirst() ? WithAxisLast(c.b, x, 1, f) : f(x);
}

Dims SpatialSizes(const Dims& channels_last) { return {channels_last.begin() + 1, channels_last.end() - 1}; }

Result<Window> MakeWindow(const Dims& in, const std::vector<int64_t>& kernel, const std::vector<int64_t>& stride,
                          const std::vector<int64_t>& dilation, const std::string& padding) {
  if (padding != "valid" && padding != "same" && padding != "causal") return Unsupported("padding " + padding);
  Window w;
  const size_t n = in.size();
  for (size_t i = 0; i < n; ++i) {
    const size_t a = 3 - n + i;
    for (const int64_t size : {kernel[i], stride[i], dilation[i]}) {
      if (size < 1 || size > kMaxWindow) return CorruptFile("a window, stride or dilation of " + std::to_string(size));
    }
    w.kernel[a] = kernel[i], w.stride[a] = stride[i], w.dilation[a] = dilation[i];
    const int64_t reach = (kernel[i] - 1) * dilation[i];
    if (padding == "causal") w.pad_begin[a] = reach;
    if (padding != "same") continue;
    const DimExpr total = stride[i] == 1
                              ? DimExpr(reach)
                              : Max((CeilDiv(in[i], stride[i]) - 1) * stride[i] + reach + 1 - in[i], DimExpr(0));
    w.pad_begin[a] = FloorDiv(total, 2);
    w.pad_end[a] = total - w.pad_begin[a];
  }
  return w;
}

void Permute(Weight* weight, const std::vector<int>& perm) {
  const size_t rank = perm.size();
  std::vector<int64_t> dims(rank);
  std::vector<size_t> stride(rank, 1), step(rank), index(rank, 0);
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * static_cast<size_t>(weight->dims[i]);
  for (size_t i = 0; i < rank; ++i) {
    dims[i] = weight->dims[static_cast<size_t>(perm[i])];
    step[i] = stride[static_cast<size_t>(perm[i])];
  }
  std::vector<float> moved(weight->data.size());
  size_t from = 0;
  for (float& value : moved) {
    value = weight->data[from];
    for (size_t i = rank; i-- > 0;) {
      from += step[i];
      if (++index[i] < static_cast<size_t>(dims[i])) break;
      from -= step[i] * index[i];
      index[i] = 0;
    }
  }
  weight->dims = std::move(dims);
  weight->data = std::move(moved);
}

void Flip(Weight* weight, int axes) {
  size_t blocks = 1;
  for (int i = 0; i < axes; ++i) blocks *= static_cast<size_t>(weight->dims[static_cast<size_t>(i)]);
  if (blocks == 0) return;
  const size_t size = weight->data.size() / blocks;
  for (size_t low = 0, high = blocks - 1; low < high; ++low, --high) {
    std::swap_ranges(weight->data.begin() + static_cast<ptrdiff_t>(low * size),
                     weight->data.begin() + static_cast<ptrdiff_t>((low + 1) * size),
                     weight->data.begin() + static_cast<ptrdiff_t>(high * size));
  }
}

std::function<Status(Weight*)> Vector() {
  return [](Weight* weight) -> Status {
    if (weight->dims.size() == 1) return OkStatus();
    return CorruptFile("it has " + std::to_string(weight->dims.size()) + " axes instead of one");
  };
}

}  // namespace fovea::converter::keras
