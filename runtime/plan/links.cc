// LinkNode: the table of operators' regions, see regions.h.
#include <algorithm>

#include "runtime/plan/regions.h"

namespace fovea::plan {
namespace {

AxisLink Same(int out_axis, int64_t in_size, int64_t out_size, int64_t offset = 0) {
  AxisLink link;
  link.kind = LinkKind::kSame;
  link.out_axis = out_axis;
  link.in_size = in_size;
  link.out_size = out_size;
  link.offset = offset;
  return link;
}

AxisLink Whole(int64_t in_size) {
  AxisLink link;
  link.in_size = in_size;
  return link;
}

std::vector<AxisLink> AllWhole(const Dims& dims) {
  std::vector<AxisLink> links;
  for (int64_t d : dims) links.push_back(Whole(d));
  return links;
}

std::vector<AxisLink> AllSame(const Dims& dims) {
  std::vector<AxisLink> links;
  for (size_t a = 0; a < dims.size(); ++a) links.push_back(Same(static_cast<int>(a), dims[a], dims[a]));
  return links;
}

// numpy's rule: axes aligned at the right, size 1 repeats.
std::vector<AxisLink> Broadcast(const Dims& in, const Dims& out, size_t in_axes, size_t out_axes) {
  std::vector<AxisLink> links;
  for (size_t a = 0; a < in_axes; ++a) {
    const size_t to = out_axes - in_axes + a;
    links.push_back(Same(static_cast<int>(to), in[a], out[to]));
    if (in[a] == 1) links.back().kind = LinkKind::kBroadcast;
  }
  return links;
}

template <class Params>
std::vector<AxisLink> Window(const ResolvedNode& node, const Params& params, LinkKind kind) {
  std::vector<AxisLink> links = AllSame(node.in[0]);
  const int rank = static_cast<int>(links.size());
  for (int s = 0; s < 3; ++s) {
    const int axis = SpatialAxis(s, rank);
    if (axis < 1) continue;
    const size_t a = static_cast<size_t>(axis), k = static_cast<size_t>(s);
    links[a].kind = kind;
    links[a].out_size = node.out[a];
    links[a].stride = params.stride[k];
    links[a].dilation = params.dilation[k];
    links[a].kernel = params.kernel[k];
    links[a].offset = node.pad_begin[k];
  }
  return links;
}

template <class Params>
void LinkConv(const ResolvedNode& node, const Params& params, LinkKind kind, NodeLinks* links) {
  links->inputs[0] = Window(node, params, kind);
  const int rank = static_cast<int>(node.out.size());
  for (int s = 0; s < 3; ++s) {
    const int axis = SpatialAxis(s, rank);
    if (axis >= 1) links->inputs[0][static_cast<size_t>(axis)].factor = node.upsample[static_cast<size_t>(s)];
  }
  links->inputs[0].back() = Whole(node.in[0].back());
  links->align.back() = 0;
  for (size_t i = 1; i < node.in.size(); ++i) {
    links->inputs[i] = i == 3 ? AllSame(node.in[i]) : AllWhole(node.in[i]);
  }
}

void LinkBlocks(const ResolvedNode& node, const Int3& block, LinkKind kind, NodeLinks* links) {
  links->inputs[0] = AllSame(node.in[0]);
  const int rank = static_cast<int>(node.out.size());
  for (int s = 0; s < 3; ++s) {
    const int axis = SpatialAxis(s, rank);
    if (axis < 1) continue;
    const size_t a = static_cast<size_t>(axis);
    links->inputs[0][a].kind = kind;
    links->inputs[0][a].factor = block[static_cast<size_t>(s)];
    links->inputs[0][a].out_size = node.out[a];
    if (kind == LinkKind::kShrink) links->align[a] = block[static_cast<size_t>(s)];
  }
  links->inputs[0].back() = Whole(node.in[0].back());
  links->align.back() = 0;
}

// What single positions read: in order, or even whole numbers of times each (nearest neighbour by a whole factor).
void SimplifyResize(const kernels::ResizeLayer& layer, AxisLink* link) {
  const int64_t factor = link->in_size > 0 && link->out_size % link->in_size == 0 ? link->out_size / link->in_size : 0;
  bool repeats = factor > 0;
  link->monotone = true;
  int64_t begin = 0, end = 0;
  for (int64_t o = 0; o < link->out_size; ++o) {
    const auto read = kernels::ResizeAxisSupport(layer, link->in_size, link->out_size, link->scale, link->roi_begin,
                                                 link->roi_end, o, o + 1);
    link->monotone &= read.begin >= begin && read.end >= end;
    repeats = repeats && read.begin == o / factor && read.end == read.begin + 1;
    begin = read.begin;
    end = read.end;
  }
  if (!repeats) return;
  link->kind = LinkKind::kShrink;
  link->factor = factor;
}

void LinkResize(const ResolvedNode& node, const ResizeParams& params, NodeLinks* links) {
  links->resize = {params.mode,      params.coordinates,        params.rounding, params.cubic_a, params.exclude_outside,
                   params.antialias, params.extrapolation_value};
  const size_t rank = node.out.size();
  for (size_t a = 0; a < rank; ++a) {
    AxisLink link = Same(static_cast<int>(a), node.in[0][a], node.out[a]);
    link.kind = LinkKind::kResize;
    link.scale = node.scale[a];
    if (params.roi.size() == 2 * rank) {
      link.roi_begin = params.roi[a];
      link.roi_end = params.roi[rank + a];
    }
    SimplifyResize(links->resize, &link);
    links->inputs[0].push_back(link);
  }
  if (node.Has(1)) {
    links->inputs[1] = AllWhole(node.in[1]);
    for (AxisLink& link : links->inputs[1]) link.kind = LinkKind::kUnused;
  }
}

// Axes are grouped so that the products of both sides agree. A group of one axis on one side is exact; otherwise the
// leading axis is followed (split: in = lead * factor + rest; merge: the reverse) or the whole group is read.
void LinkReshape(const ResolvedNode& node, NodeLinks* links) {
  const Dims& in = node.in[0];
  const Dims& out = node.out;
  std::vector<AxisLink>& axes = links->inputs[0];
  axes = AllWhole(in);
  if (Elements(out) == 0) return;
  size_t i = 0, o = 0;
  while (i < in.size() || o < out.size()) {
    if (i < in.size() && in[i] == 1 && !(o < out.size() && out[o] == 1)) {
      axes[i++].kind = LinkKind::kBroadcast;
      continue;
    }
    if (o < out.size() && out[o] == 1 && !(i < in.size() && in[i] == 1)) {
      ++o;
      continue;
    }
    const size_t i0 = i, o0 = o;
    if (i >= in.size() || o >= out.size()) break;
    int64_t pi = in[i++], po = out[o++];
    while (pi != po && (pi < po ? i < in.size() : o < out.size())) {
      if (pi < po) {
        pi *= in[i++];
      } else {
        po *= out[o++];
      }
    }
    const size_t ni = i - i0, no = o - o0;
    const int lead = static_cast<int>(o0);
    if (ni == 1 && no == 1) {
      axes[i0] = Same(lead, in[i0], out[o0]);
    } else if (ni == 1) {
      axes[i0] = Same(lead, in[i0], out[o0]);
      axes[i0].kind = LinkKind::kExpand;
      axes[i0].factor = in[i0] / out[o0];
      for (size_t a = o0 + 1; a < o; ++a) links->align[a] = 0;
    } else if (no == 1) {
      axes[i0] = Same(lead, in[i0], out[o0]);
      axes[i0].kind = LinkKind::kShrink;
      axes[i0].factor = out[o0] / in[i0];
      links->align[o0] = axes[i0].factor;
    } else {
      for (size_t a = o0; a < o; ++a) links->align[a] = 0;
    }
  }
}

void LinkMatMul(const ResolvedNode& node, NodeLinks* links) {
  const Dims& a = node.in[0];
  const Dims& b = node.in[1];
  const size_t m = a.size() > 1 ? 1 : 0, n = b.size() > 1 ? 1 : 0;
  const size_t batch = node.out.size() - m - n;
  const size_t batch_a = a.size() > 2 ? a.size() - 2 : 0, batch_b = b.size() > 2 ? b.size() - 2 : 0;
  links->inputs[0] = Broadcast(a, node.out, batch_a, batch);
  if (m > 0) links->inputs[0].push_back(Same(static_cast<int>(batch), a[a.size() - 2], node.out[batch]));
  links->inputs[0].push_back(Whole(a.back()));
  links->inputs[1] = Broadcast(b, node.out, batch_b, batch);
  links->inputs[1].push_back(Whole(b.size() > 1 ? b[b.size() - 2] : b[0]));
  if (n > 0) links->inputs[1].push_back(Same(static_cast<int>(batch + m), b.back(), node.out.back()));
}

void LinkReduced(const ResolvedNode& node, uint32_t axes, bool keep_dims, NodeLinks* links) {
  int to = 0;
  for (size_t a = 0; a < node.in[0].size(); ++a) {
    const bool reduced = (axes >> a & 1) != 0;
    links->inputs[0].push_back(reduced ? Whole(node.in[0][a])
                                       : Same(to, node.in[0][a], node.out[static_cast<size_t>(to)]));
    if (!reduced || keep_dims) ++to;
  }
}

// Axes [begin, end) are read and written as one.
void LinkCoupled(const ResolvedNode& node, size_t begin, size_t end, NodeLinks* links) {
  links->inputs[0] = AllSame(node.in[0]);
  for (size_t a = begin; a < end; ++a) {
    links->inputs[0][a] = Whole(node.in[0][a]);
    links->align[a] = 0;
  }
  for (size_t i = 1; i < node.in.size(); ++i) links->inputs[i] = AllWhole(node.in[i]);
}

void LinkConcat(const ResolvedNode& node, NodeLinks* links) {
  const size_t axis = static_cast<size_t>(std::get<ConcatParams>(node.node->params).axis);
  int64_t begin = 0;
  for (size_t i = 0; i < node.in.size(); ++i) {
    links->inputs[i] = AllSame(node.in[i]);
    links->inputs[i][axis].out_size = node.out[axis];
    links->inputs[i][axis].offset = -begin;
    begin += node.in[i][axis];
  }
}

void LinkGather(const ResolvedNode& node, NodeLinks* links) {
  const size_t axis = static_cast<size_t>(std::get<GatherParams>(node.node->params).axis);
  const size_t indices = node.in[1].size();
  for (size_t a = 0; a < node.in[0].size(); ++a) {
    const size_t to = a < axis ? a : a + indices - 1;
    links->inputs[0].push_back(a == axis ? Whole(node.in[0][a])
                                         : Same(static_cast<int>(to), node.in[0][a], node.out[to]));
  }
  links->inputs[1] = AllWhole(node.in[1]);
  for (size_t a = axis; a < axis + indices; ++a) links->align[a] = 0;
}

}  // namespace

NodeLinks LinkNode(const ResolvedNode& node) {
  NodeLinks links;
  links.inputs.resize(node.in.size());
  links.align.assign(node.out.size(), 1);
  links.phase.assign(node.out.size(), 0);
  const OpParams& params = node.node->params;
  const size_t rank = node.in.empty() ? 0 : node.in[0].size();
  switch (node.kind) {
    case OpKind::kConv: LinkConv(node, std::get<ConvParams>(params), LinkKind::kWindow, &links); break;
    case OpKind::kConvTranspose:
      LinkConv(node, std::get<ConvTransposeParams>(params), LinkKind::kTransposed, &links);
      break;
    case OpKind::kPool: links.inputs[0] = Window(node, std::get<PoolParams>(params), LinkKind::kWindow); break;
    case OpKind::kResize: LinkResize(node, std::get<ResizeParams>(params), &links); break;
    case OpKind::kPad:
      links.pad_mode = std::get<PadParams>(params).mode;
      links.inputs[0] = AllSame(node.in[0]);
      for (size_t a = 0; a < rank; ++a) {
        links.inputs[0][a].kind = LinkKind::kPad;
        links.inputs[0][a].out_size = node.out[a];
        links.inputs[0][a].offset = node.begin[a];
      }
      if (node.Has(1)) links.inputs[1] = AllWhole(node.in[1]);
      break;
    case OpKind::kDepthToSpace:
      LinkBlocks(node, std::get<DepthToSpaceParams>(params).block, LinkKind::kShrink, &links);
      break;
    case OpKind::kSpaceToDepth:
      LinkBlocks(node, std::get<SpaceToDepthParams>(params).block, LinkKind::kExpand, &links);
      break;
    case OpKind::kConcat: LinkConcat(node, &links); break;
    case OpKind::kSlice:
      links.inputs[0] = AllSame(node.in[0]);
      for (size_t a = 0; a < rank; ++a) {
        links.inputs[0][a].kind = LinkKind::kSlice;
        links.inputs[0][a].out_size = node.out[a];
        links.inputs[0][a].offset = node.begin[a];
        links.inputs[0][a].stride = std::get<SliceParams>(params).step[a];
      }
      break;
    case OpKind::kTranspose: {
      const auto& perm = std::get<TransposeParams>(params).perm;
      links.inputs[0].resize(rank);
      for (size_t a = 0; a < rank; ++a) {
        const size_t from = static_cast<size_t>(perm[a]);
        links.inputs[0][from] = Same(static_cast<int>(a), node.in[0][from], node.out[a]);
      }
      break;
    }
    case OpKind::kReshape: LinkReshape(node, &links); break;
    case OpKind::kExpand: links.inputs[0] = Broadcast(node.in[0], node.out, rank, node.out.size()); break;
    case OpKind::kTile:
      links.inputs[0] = AllSame(node.in[0]);
      for (size_t a = 0; a < rank; ++a) {
        if (node.begin[a] == 1) continue;
        links.inputs[0][a].kind = LinkKind::kRepeat;
        links.inputs[0][a].out_size = node.out[a];
        links.align[a] = node.in[0][a];
      }
      break;
    case OpKind::kGather: LinkGather(node, &links); break;
    case OpKind::kUnary:
    case OpKind::kDropout:
    case OpKind::kCast: links.inputs[0] = AllSame(node.in[0]); break;
    case OpKind::kBinary:
    case OpKind::kSelect:
      for (size_t i = 0; i < node.in.size(); ++i) {
        links.inputs[i] = Broadcast(node.in[i], node.out, node.in[i].size(), node.out.size());
      }
      break;
    case OpKind::kSoftmax: {
      const size_t axis = static_cast<size_t>(std::get<SoftmaxParams>(params).axis);
      LinkCoupled(node, axis, axis + 1, &links);
      break;
    }
    case OpKind::kReduce: {
      uint32_t axes = 0;
      for (int64_t a : std::get<ReduceParams>(params).axes) axes |= 1u << a;
      LinkReduced(node, axes, std::get<ReduceParams>(params).keep_dims, &links);
      break;
    }
    case OpKind::kArgReduce:
      LinkReduced(node, 1u << std::get<ArgReduceParams>(params).axis, std::get<ArgReduceParams>(params).keep_dims,
                  &links);
      break;
    case OpKind::kGroupNorm: LinkCoupled(node, 1, rank, &links); break;
    case OpKind::kLayerNorm:
      LinkCoupled(node, static_cast<size_t>(std::get<LayerNormParams>(params).axis), rank, &links);
      break;
    case OpKind::kLrn: LinkCoupled(node, rank - 1, rank, &links); break;
    case OpKind::kMatMul: LinkMatMul(node, &links); break;
    case OpKind::kDims: break;
  }
  return links;
}

}  // namespace fovea::plan
