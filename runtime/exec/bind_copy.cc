// Operator::Bind for operators that move elements: all are the copy kernel (or gather, matmul) on suitable views.
#include <algorithm>

#include "runtime/exec/operator.h"

namespace fovea::exec {

using kernels::View;

void Operator::BindCopy(const View& src, const View& dst, Call* bound) const {
  bound->any = CopyCall{copy_, {}, {src, dst}};
}

void Operator::BindConcat(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const {
  const size_t axis = static_cast<size_t>(std::get<ConcatParams>(node_->node->params).axis);
  const size_t which = static_cast<size_t>(call);
  const Operand& part = in[which];
  int64_t first = 0;  // position of the part in the output
  for (size_t i = 0; i < which; ++i) first += node_->in[i][axis];
  const int64_t begin = std::max(out.begin(axis), first);
  const int64_t end = std::min(out.begin(axis) + out.size(axis), first + node_->in[which][axis]);
  bound->any = std::monostate();
  if (begin >= end) return;
  View src, dst;
  src.data = part.data;
  dst.data = out.data;
  for (size_t a = 0; a < out.rank; ++a) {
    const int64_t n = a == axis ? end - begin : out.size(a);
    src.data += ((a == axis ? begin - first : out.begin(a)) - part.begin(a)) * part.strides[a];
    if (a == axis) dst.data += (begin - out.begin(a)) * out.strides[a];
    AddAxis(n, part.strides[a], &src);
    AddAxis(n, out.strides[a], &dst);
  }
  if (src.data == dst.data) return;  // placed: the producer wrote it here
  BindCopy(src, dst, bound);
}

void Operator::BindBlocks(std::span<const Operand> in, const Operand& out, Call* bound) const {
  const bool up = node_->kind == OpKind::kDepthToSpace;
  const OpParams& params = node_->node->params;
  const Int3& block = up ? std::get<DepthToSpaceParams>(params).block : std::get<SpaceToDepthParams>(params).block;
  const bool dcr = (up ? std::get<DepthToSpaceParams>(params).order : std::get<SpaceToDepthParams>(params).order) ==
                   BlockOrder::kDcr;
  // `coarse` has the blocks in its channels, `fine` in its pixels.
  const Operand& coarse = up ? in[0] : out;
  const Operand& fine = up ? out : in[0];
  const size_t last = out.rank - 1;
  const int64_t channels = fine.dims[last];
  const int64_t blocks = block[0] * block[1] * block[2];
  int64_t step[3];  // channels between neighbouring block positions
  step[2] = dcr ? channels : 1;
  step[1] = step[2] * block[2];
  step[0] = step[1] * block[1];
  View of_coarse, of_fine;
  of_coarse.data = coarse.data;
  of_fine.data = fine.data;
  const int64_t batch_skip = (out.begin(0) - in[0].begin(0)) * in[0].strides[0];
  (up ? of_coarse : of_fine).data += batch_skip;
  AddAxis(out.size(0), coarse.strides[0], &of_coarse);
  AddAxis(out.size(0), fine.strides[0], &of_fine);
  for (int s = 0; s < 3; ++s) {
    const int axis = plan::SpatialAxis(s, static_cast<int>(out.rank));
    if (axis < 1) continue;
    const size_t a = static_cast<size_t>(axis);
    const int64_t b = block[static_cast<size_t>(s)];
    // The output's region in blocks; a fine one is aligned to whole blocks.
    const int64_t begin = up ? out.begin(a) / b : out.begin(a);
    const int64_t n = up ? out.size(a) / b : out.size(a);
    if (up) {
      of_coarse.data += (begin - coarse.begin(a)) * coarse.strides[a];
    } else {
      of_fine.data += (begin * b - fine.begin(a)) * fine.strides[a];
    }
    AddAxis(n, coarse.strides[a], &of_coarse);
    AddAxis(n, fine.strides[a] * b, &of_fine);
    AddAxis(b, step[s] * coarse.strides[last], &of_coarse);
    AddAxis(b, fine.strides[a], &of_fine);
  }
  AddAxis(channels, (dcr ? 1 : blocks) * coarse.strides[last], &of_coarse);
  AddAxis(channels, fine.strides[last], &of_fine);
  BindCopy(up ? of_coarse : of_fine, up ? of_fine : of_coarse, bound);
}

void Operator::BindMoved(std::span<const Operand> in, const Operand& out, Call* bound) const {
  const OpParams& params = node_->node->params;
  const Operand& x = in[0];
  View src = AsView(x);
  View dst = AsView(out);
  bound->any = std::monostate();
  if (node_->kind == OpKind::kExpand) {
    src = AsBroadcast(x, out);
  } else if (node_->kind == OpKind::kReshape) {
    // Both regions hold the same elements in the same order, and out is tight.
    if (x.data == out.data) return;
    dst = AsView(TightOperand(out.data, node_->in[0], x.region));
  } else if (node_->kind == OpKind::kTranspose) {
    const auto& perm = std::get<TransposeParams>(params).perm;
    for (size_t a = 0; a < out.rank; ++a) {
      const size_t from = static_cast<size_t>(perm[a]);
      src.data += (out.begin(a) - x.begin(from)) * x.strides[from];
      src.dims[a] = out.size(a);
      src.strides[a] = x.strides[from];
    }
  } else {
    const auto& step = std::get<SliceParams>(params).step;
    for (size_t a = 0; a < out.rank; ++a) {
      src.data += (node_->begin[a] + out.begin(a) * step[a] - x.begin(a)) * x.strides[a];
      src.dims[a] = out.size(a);
      src.strides[a] = x.strides[a] * step[a];
    }
  }
  BindCopy(src, dst, bound);
}

// A repeated axis becomes two axes of the view, repeats and positions. Where that is more than a view has axes, the
// leading repeats are walked by calls.
size_t Operator::TileWalked() const {
  size_t axes = node_->out.size();
  for (int64_t repeats : node_->begin) axes += repeats > 1 ? 1 : 0;
  return axes > kernels::kMaxRank ? axes - kernels::kMaxRank : 0;
}

int64_t Operator::TileCalls() const {
  int64_t calls = 1;
  size_t walked = TileWalked();
  for (size_t a = 0; a < node_->begin.size() && walked > 0; ++a) {
    if (node_->begin[a] <= 1) continue;
    calls *= node_->begin[a];
    --walked;
  }
  return calls;
}

void Operator::BindTile(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const {
  View src, dst;
  src.data = in[0].data;
  dst.data = out.data;
  size_t walked = TileWalked();
  bound->any = std::monostate();
  for (size_t a = 0; a < out.rank; ++a) {
    if (node_->begin[a] <= 1) {
      src.data += (out.begin(a) - in[0].begin(a)) * in[0].strides[a];
      AddAxis(out.size(a), in[0].strides[a], &src);
      AddAxis(out.size(a), out.strides[a], &dst);
      continue;
    }
    // The region is aligned to whole repeats.
    const int64_t n = in[0].dims[a], repeats = out.size(a) / n;
    if (walked > 0) {
      const int64_t at = call % node_->begin[a];
      call /= node_->begin[a];
      --walked;
      if (at >= repeats) return;  // fewer repeats are wanted in this region
      dst.data += at * n * out.strides[a];
    } else {
      AddAxis(repeats, 0, &src);
      AddAxis(repeats, n * out.strides[a], &dst);
    }
    AddAxis(n, in[0].strides[a], &src);
    AddAxis(n, out.strides[a], &dst);
  }
  BindCopy(src, dst, bound);
}

// [outer][axis][inner]: the last outer axis and the last inner axis are the kernel's, the others are walked by calls.
int64_t Operator::GatherCalls(std::span<const Operand> in, const Operand& out) const {
  const size_t axis = static_cast<size_t>(std::get<GatherParams>(node_->node->params).axis);
  int64_t calls = 1;
  for (size_t a = 0; a + 1 < axis; ++a) calls *= out.size(a);
  for (size_t a = axis + in[1].rank; a + 1 < out.rank; ++a) calls *= out.size(a);
  return calls;
}

void Operator::BindGather(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const {
  const size_t axis = static_cast<size_t>(std::get<GatherParams>(node_->node->params).axis);
  const size_t shift = in[1].rank;  // axis a > axis of x is axis a + shift - 1 of out
  View src, dst, indices;
  src.data = in[0].data;
  dst.data = out.data;
  int64_t outer[2] = {0, 0}, inner[2] = {0, 0};  // stride of x, of out
  int64_t outer_size = 1, inner_size = 1;
  for (size_t a = 0; a < in[0].rank; ++a) {
    if (a == axis) continue;
    const size_t to = a < axis ? a : a + shift - 1;
    src.data += (out.begin(to) - in[0].begin(a)) * in[0].strides[a];
    const bool last = a + 1 == axis || a + 1 == in[0].rank;
    if (!last) {
      const int64_t at = call % out.size(to);
      call /= out.size(to);
      src.data += at * in[0].strides[a];
      dst.data += at * out.strides[to];
      continue;
    }
    (a < axis ? outer_size : inner_size) = out.size(to);
    (a < axis ? outer : inner)[0] = in[0].strides[a];
    (a < axis ? outer : inner)[1] = out.strides[to];
  }
  int64_t count = 1;
  for (size_t a = 0; a < in[1].rank; ++a) count *= in[1].dims[a];
  indices.data = in[1].data;
  AddAxis(count, 1, &indices);
  AddAxis(outer_size, outer[0], &src);
  AddAxis(in[0].dims[axis], in[0].strides[axis], &src);
  AddAxis(inner_size, inner[0], &src);
  AddAxis(outer_size, outer[1], &dst);
  AddAxis(count, shift == 0 ? 0 : out.strides[axis + shift - 1], &dst);
  AddAxis(inner_size, inner[1], &dst);
  bound->any = GatherCall{gather_, {}, {src, indices, dst}};
}

void Operator::BindMatMul(std::span<const Operand> in, const Operand& out, Call* bound) const {
  const Operand& a = in[0];
  const Operand& b = in[1];
  const size_t m = a.rank > 1 ? 1 : 0, n = b.rank > 1 ? 1 : 0;
  const size_t batch = out.rank - m - n;
  View va, vb, dst;
  va.data = a.data;
  vb.data = b.data;
  dst.data = out.data;
  const auto add_batch = [&](const Operand& x, size_t x_batch, size_t axis, View* view) {
    const bool here = axis + x_batch >= batch;
    const size_t from = axis + x_batch - batch;
    if (!here || (x.dims[from] == 1 && out.dims[axis] != 1)) {
      AddAxis(out.size(axis), 0, view);
      return;
    }
    view->data += (out.begin(axis) - x.begin(from)) * x.strides[from];
    AddAxis(out.size(axis), x.strides[from], view);
  };
  for (size_t axis = 0; axis < batch; ++axis) {
    add_batch(a, a.rank > 2 ? a.rank - 2 : 0, axis, &va);
    add_batch(b, b.rank > 2 ? b.rank - 2 : 0, axis, &vb);
    AddAxis(out.size(axis), out.strides[axis], &dst);
  }
  if (m > 0) {
    va.data += (out.begin(batch) - a.begin(a.rank - 2)) * a.strides[a.rank - 2];
    AddAxis(out.size(batch), a.strides[a.rank - 2], &va);
    AddAxis(out.size(batch), out.strides[batch], &dst);
  } else {
    AddAxis(1, 0, &va);
    AddAxis(1, 0, &dst);
  }
  AddAxis(a.size(a.rank - 1), a.strides[a.rank - 1], &va);
  AddAxis(b.size(b.rank - 1 - n), b.strides[b.rank - 1 - n], &vb);
  if (n > 0) {
    vb.data += (out.begin(out.rank - 1) - b.begin(b.rank - 1)) * b.strides[b.rank - 1];
    AddAxis(out.size(out.rank - 1), b.strides[b.rank - 1], &vb);
    AddAxis(out.size(out.rank - 1), out.strides[out.rank - 1], &dst);
  } else {
    AddAxis(1, 0, &vb);
    AddAxis(1, 0, &dst);
  }
  bound->any = MatMulCall{mat_mul_, {}, {va, vb, dst}};
}

}  // namespace fovea::exec
