// Operator::Bind and CallCount for spatial, elementwise and coupled operators. Positions: an operand's region says
// where its part lies in the whole image; kernels get paddings and origins relative to the views.
#include "runtime/exec/operator.h"

namespace fovea::exec {

using kernels::View;

namespace {

// The part of `in` (same dims as out) that out's region names.
Operand Narrow(const Operand& in, const Operand& out) {
  Operand narrow = in;
  for (size_t a = 0; a < out.rank; ++a) narrow.data += (out.begin(a) - in.begin(a)) * in.strides[a];
  narrow.region = out.region;
  return narrow;
}

// Axes [0, end) of two operands over the same region: the trailing ones are merged into one where both nest, the
// leading ones are walked, one call a position.
struct Outer {
  int64_t calls = 1;
  int64_t offset[2] = {0, 0};  // of call `call`
  int64_t size = 1, stride[2] = {0, 0};
};

Outer MergeOuter(const Operand& a, const Operand& b, size_t end, int64_t call) {
  Outer outer;
  size_t axis = end;
  while (axis > 0) {
    const size_t at = axis - 1;
    if (a.size(at) != 1) {
      if (outer.size == 1) {
        outer.stride[0] = a.strides[at];
        outer.stride[1] = b.strides[at];
      } else if (a.strides[at] != outer.stride[0] * outer.size || b.strides[at] != outer.stride[1] * outer.size) {
        break;
      }
      outer.size *= a.size(at);
    }
    axis = at;
  }
  while (axis-- > 0) {
    const int64_t n = a.size(axis);
    outer.calls *= n;
    outer.offset[0] += call % n * a.strides[axis];
    outer.offset[1] += call % n * b.strides[axis];
    call /= n;
  }
  return outer;
}

View RowView(float* data, const Outer& outer, int which, int64_t inner, int64_t inner_stride) {
  View view;
  view.data = data + outer.offset[which];
  AddAxis(outer.size, outer.stride[which], &view);
  AddAxis(inner, inner_stride, &view);
  return view;
}

// Window operators: first tap of output 0 in the view's coordinates, negated.
int64_t WindowPad(const Operand& in, const Operand& out, size_t axis, int64_t stride, int64_t pad_begin) {
  return in.begin(axis) + pad_begin - out.begin(axis) * stride;
}

}  // namespace

int64_t Operator::CallCount(std::span<const Operand> in, const Operand& out) const {
  switch (node_->kind) {
    case OpKind::kConcat: return static_cast<int64_t>(in.size());
    case OpKind::kLayerNorm: {
      const size_t axis = static_cast<size_t>(std::get<LayerNormParams>(node_->node->params).axis);
      return MergeOuter(Narrow(in[0], out), out, axis, 0).calls;
    }
    case OpKind::kLrn: return MergeOuter(Narrow(in[0], out), out, out.rank - 1, 0).calls;
    case OpKind::kTile: return TileCalls();
    case OpKind::kGather: return GatherCalls(in, out);
    case OpKind::kDims: return 0;
    default: return 1;
  }
}

void Operator::Bind(int64_t call, std::span<const Operand> in, const Operand& out, const float* packed,
                    Call* bound) const {
  switch (node_->kind) {
    case OpKind::kConv:
    case OpKind::kConvTranspose: BindConv(conv_layer_, in, out, packed, bound); break;
    case OpKind::kPool: BindPool(in, out, bound); break;
    case OpKind::kResize: BindResize(in, out, bound); break;
    case OpKind::kPad: BindPad(in, out, bound); break;
    case OpKind::kConcat: BindConcat(call, in, out, bound); break;
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth: BindBlocks(in, out, bound); break;
    case OpKind::kSlice:
    case OpKind::kTranspose:
    case OpKind::kReshape:
    case OpKind::kExpand: BindMoved(in, out, bound); break;
    case OpKind::kTile: BindTile(call, in, out, bound); break;
    case OpKind::kGather: BindGather(call, in, out, bound); break;
    case OpKind::kUnary: bound->any = UnaryCall{unary_, unary_layer_, {AsBroadcast(in[0], out), AsView(out)}}; break;
    case OpKind::kCast:
      bound->any = CastCall{
          &TheCastKernel(), std::get<CastParams>(node_->node->params).to, {AsBroadcast(in[0], out), AsView(out)}};
      break;
    case OpKind::kBinary:
      bound->any = BinaryCall{binary_, binary_layer_, {AsBroadcast(in[0], out), AsBroadcast(in[1], out), AsView(out)}};
      break;
    case OpKind::kSelect:
      bound->any = SelectCall{
          select_, {}, {AsBroadcast(in[0], out), AsBroadcast(in[1], out), AsBroadcast(in[2], out), AsView(out)}};
      break;
    case OpKind::kSoftmax:
      bound->any = SoftmaxCall{softmax_, softmax_layer_, {AsBroadcast(in[0], out), AsView(out)}};
      break;
    case OpKind::kReduce:
    case OpKind::kArgReduce: BindReduced(in, out, bound); break;
    case OpKind::kGroupNorm:
    case OpKind::kLayerNorm:
    case OpKind::kLrn: BindNorm(call, in, out, bound); break;
    case OpKind::kMatMul: BindMatMul(in, out, bound); break;
    case OpKind::kDims: bound->any = std::monostate(); break;
    case OpKind::kDropout: BindDropout(in[0], out, bound); break;
  }
}

void Operator::BindConv(const kernels::ConvTransposeLayer& layer, std::span<const Operand> in, const Operand& out,
                        const float* packed, Call* bound) const {
  kernels::ConvArgs args;
  args.src = AsSpatial(in[0]);
  args.dst = AsSpatial(out);
  args.packed = packed;
  if (packed == nullptr) {
    args.weights = in[1].data;
    args.bias = in.size() > 2 ? in[2].data : nullptr;
    args.threads = threads_;
  }
  if (layer.has_residual) args.residual = AsSpatial(Narrow(in[3], out));
  for (int s = 0; s < 3; ++s) {
    const int axis = plan::SpatialAxis(s, static_cast<int>(out.rank));
    if (axis < 1) continue;
    const size_t a = static_cast<size_t>(axis);
    const int64_t pad = node_->pad_begin[static_cast<size_t>(s)];
    args.dst_origin[s] = out.begin(a) - phase_[a];
    // Transposed: position of dst's first element in the result scattered from the view's first element.
    args.pad[s] = conv_transpose_ != nullptr
                      ? out.begin(a) + pad - in[0].begin(a) * layer.stride[s]
                      : WindowPad(in[0], out, a, layer.stride[s], pad) + in[0].begin(a) * (layer.upsample[s] - 1);
  }
  if (conv_transpose_ != nullptr) {
    bound->any = ConvTransposeCall{conv_transpose_, layer, args};
  } else {
    bound->any = ConvCall{conv_, layer, args};
  }
}

void Operator::BindPool(std::span<const Operand> in, const Operand& out, Call* bound) const {
  kernels::PoolArgs args;
  Operand src = in[0];  // channels one to one
  const size_t c = out.rank - 1;
  src.data += (out.begin(c) - src.begin(c)) * src.strides[c];
  src.region.axis[c] = out.region.axis[c];
  args.src = AsSpatial(src);
  args.dst = AsSpatial(out);
  for (int s = 0; s < 3; ++s) {
    const int axis = plan::SpatialAxis(s, static_cast<int>(out.rank));
    args.padded_end[s] = 1;
    if (axis < 1) continue;
    const size_t a = static_cast<size_t>(axis), k = static_cast<size_t>(s);
    args.pad[s] = WindowPad(src, out, a, pool_layer_.stride[s], node_->pad_begin[k]);
    args.padded_begin[s] = -node_->pad_begin[k] - src.begin(a);
    args.padded_end[s] = src.dims[a] + node_->pad_end[k] - src.begin(a);
  }
  bound->any = PoolCall{pool_, pool_layer_, args};
}

void Operator::BindResize(std::span<const Operand> in, const Operand& out, Call* bound) const {
  const auto& params = std::get<ResizeParams>(node_->node->params);
  kernels::ResizeArgs args;
  args.src = AsView(in[0]);
  args.dst = AsView(out);
  for (size_t a = 0; a < out.rank; ++a) {
    args.in_size[a] = in[0].dims[a];
    args.out_size[a] = out.dims[a];
    args.src_origin[a] = in[0].begin(a);
    args.dst_origin[a] = out.begin(a);
    args.scale[a] = node_->scale[a];
    const bool roi = params.roi.size() == 2 * out.rank;
    args.roi_begin[a] = roi ? params.roi[a] : 0;
    args.roi_end[a] = roi ? params.roi[out.rank + a] : 1;
  }
  bound->any = ResizeCall{resize_, resize_layer_, args};
}

void Operator::BindPad(std::span<const Operand> in, const Operand& out, Call* bound) const {
  const auto& params = std::get<PadParams>(node_->node->params);
  kernels::PadArgs args;
  args.src = AsView(in[0]);
  args.dst = AsView(out);
  // A value that the network computes is there by the time that this step is bound.
  args.value = in.size() > 1 && in[1].data != nullptr ? *in[1].data : params.value;
  for (size_t a = 0; a < out.rank; ++a) {
    args.begin[a] = node_->begin[a];
    args.in_size[a] = in[0].dims[a];
    args.src_origin[a] = in[0].begin(a);
    args.dst_origin[a] = out.begin(a);
  }
  bound->any = PadCall{pad_, {params.mode}, args};
}

void Operator::BindNorm(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const {
  const Operand src = Narrow(in[0], out);
  const float* scale = in.size() > 1 ? in[1].data : nullptr;
  const float* bias = in.size() > 2 ? in[2].data : nullptr;
  if (node_->kind == OpKind::kGroupNorm) {
    kernels::GroupNormArgs args{AsSpatial(src), AsSpatial(out), scale, bias};
    if (in.size() > 3) {
      args.moments = reinterpret_cast<const double*>(in[3].data);
      args.positions = out.dims[1];
      for (size_t a = 2; a + 1 < out.rank; ++a) args.positions *= out.dims[a];
    }
    bound->any = GroupNormCall{group_norm_, group_norm_layer_, args};
    return;
  }
  if (node_->kind == OpKind::kLayerNorm) {
    const size_t axis = static_cast<size_t>(std::get<LayerNormParams>(node_->node->params).axis);
    const Outer outer = MergeOuter(src, out, axis, call);
    int64_t inner = 1;
    for (size_t a = axis; a < out.rank; ++a) inner *= out.dims[a];
    bound->any =
        LayerNormCall{layer_norm_,
                      layer_norm_layer_,
                      {RowView(src.data, outer, 0, inner, 1), RowView(out.data, outer, 1, inner, 1), scale, bias}};
    return;
  }
  const size_t last = out.rank - 1;
  const Outer outer = MergeOuter(src, out, last, call);
  bound->any = LrnCall{lrn_,
                       lrn_layer_,
                       {RowView(src.data, outer, 0, src.size(last), src.strides[last]),
                        RowView(out.data, outer, 1, out.size(last), out.strides[last])}};
}

void Operator::BindDropout(const Operand& in, const Operand& out, Call* bound) const {
  kernels::DropoutArgs args;
  args.src = AsBroadcast(in, out);
  args.dst = AsView(out);
  const auto& axes = std::get<DropoutParams>(node_->node->params).axes;
  int64_t stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    const size_t a = static_cast<size_t>(axes[i]);
    args.place_strides[a] = stride;
    args.place += static_cast<uint64_t>(out.begin(a) * stride);
    stride *= out.dims[a];
  }
  bound->any = DropoutCall{dropout_, dropout_layer_, args};
}

void Operator::BindReduced(std::span<const Operand> in, const Operand& out, Call* bound) const {
  kernels::ReduceArgs args;
  View src;
  src.data = in[0].data;
  args.dst.data = out.data;
  const bool keep = out.rank == in[0].rank;
  size_t to = 0;
  for (size_t a = 0; a < in[0].rank; ++a) {
    if ((reduce_layer_.axes >> a & 1) != 0) {
      AddAxis(in[0].size(a), in[0].strides[a], &src);
      AddAxis(1, 0, &args.dst);
      if (keep) ++to;
      continue;
    }
    src.data += (out.begin(to) - in[0].begin(a)) * in[0].strides[a];
    AddAxis(out.size(to), in[0].strides[a], &src);
    AddAxis(out.size(to), out.strides[to], &args.dst);
    ++to;
  }
  args.src = src;
  if (node_->kind == OpKind::kReduce) {
    bound->any = ReduceCall{reduce_, reduce_layer_, args};
  } else {
    bound->any = ArgReduceCall{arg_reduce_, arg_reduce_layer_, args};
  }
}

}  // namespace fovea::exec
