// Blocks of pixels and channels: DepthToSpace and SpaceToDepth; SpaceToBatchND and BatchToSpaceND around convolutions,
// which is how dilated convolutions are spelled.
#include "converter/ir/size_ratio.h"
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

Result<Int3> ReadBlock(NodeContext& c) {
  const int64_t size = c.Int("block_size", 0);
  if (size < 1 || size > 4096) return CorruptFile("block_size " + std::to_string(size));
  return Int3{1, size, size};
}

Status DepthToSpace(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const Int3 block, ReadBlock(c));
  return Spatial(c, 0, 2, [&](ValueId x) { return c.b.Add(DepthToSpaceParams{block, BlockOrder::kDcr}, {x}); });
}

Status SpaceToDepth(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const Int3 block, ReadBlock(c));
  return Spatial(c, 0, 2, [&](ValueId x) { return c.b.Add(SpaceToDepthParams{block, BlockOrder::kDcr}, {x}); });
}

// The pairs of input `index` (paddings or crops), one an entry of the block.
Status ReadPairs(NodeContext& c, int index, size_t count, Dims* begin, Dims* end) {
  FOVEA_ASSIGN_OR_RETURN(const Dims pairs, c.SizesAt(index));
  if (pairs.size() != 2 * count) return CorruptFile("input " + std::to_string(index) + " of the wrong length");
  for (size_t i = 0; i < count; ++i) {
    begin->push_back(pairs[2 * i]);
    end->push_back(pairs[2 * i + 1]);
  }
  return OkStatus();
}

Status SpaceToBatch(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  Blocked blocked;
  FOVEA_ASSIGN_OR_RETURN(blocked.block, c.IntegersAt(1));
  const size_t count = blocked.block.size();
  if (static_cast<int>(count) + 2 != c.b.rank(x)) {
    return Unsupported("blocks of some axes only; all axes between batch and channels are supported");
  }
  for (const int64_t size : blocked.block) {
    if (size < 1 || size > 4096) return CorruptFile("a block of " + std::to_string(size));
  }
  FOVEA_RETURN_IF_ERROR(ReadPairs(c, 2, count, &blocked.pad_begin, &blocked.pad_end));
  return c.Out(0, Tensor{x, false, {}, blocked});
}

bool IsNeverNegative(const ir::Graph& graph, const DimExpr& x) { return ir::SampleSign(graph, x).value_or(-1) >= 0; }

// The image without the crops: a convolution right before it gets so much less padding, otherwise they are cut off.
Result<ValueId> Cropped(NodeContext& c, ValueId x, const Dims& begin, const Dims& end) {
  const int producer = c.b.value(x).producer;
  if (producer >= 0) {
    const ir::Node node = c.b.graph()->nodes[static_cast<size_t>(producer)];
    if (const ConvParams* conv = std::get_if<ConvParams>(&node.params)) {
      ConvParams p = *conv;
      bool fits = true;
      for (size_t i = 0; i < begin.size(); ++i) {
        const size_t a = 3 - begin.size() + i;
        p.pad_begin[a] = p.pad_begin[a] - begin[i];
        p.pad_end[a] = p.pad_end[a] - end[i];
        fits = fits && p.stride[a] == 1 && IsNeverNegative(*c.b.graph(), p.pad_begin[a]) &&
               IsNeverNegative(*c.b.graph(), p.pad_end[a]);
      }
      if (fits) return c.b.Add(std::move(p), node.inputs);
    }
  }
  SliceParams p;
  p.size = c.b.dims(x);
  p.start.assign(p.size.size(), 0);
  p.step.assign(p.size.size(), 1);
  for (size_t i = 0; i < begin.size(); ++i) {
    p.start[i + 1] = begin[i];
    p.size[i + 1] = p.size[i + 1] - begin[i] - end[i];
  }
  if (SameDims(p.size, c.b.dims(x))) return x;
  return c.b.Add(std::move(p), {x});
}

Status BatchToSpace(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const std::optional<Blocked> blocked = c.Input(0).blocked;
  if (!blocked) return Unsupported("without a SpaceToBatchND before it; the pair around convolutions is supported");
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> block, c.IntegersAt(1));
  if (block != blocked->block) return Unsupported("blocks of another size than those of the SpaceToBatchND before it");
  Dims begin, end;
  FOVEA_RETURN_IF_ERROR(ReadPairs(c, 2, block.size(), &begin, &end));
  for (size_t i = 0; i < block.size(); ++i) {
    if (!(blocked->pad_begin[i] == DimExpr(0)) || !(blocked->pad_end[i] == DimExpr(0))) {
      return Unsupported("no convolution between it and SpaceToBatchND");
    }
  }
  c.b.graph()->Recognised("dilated convolution from SpaceToBatchND");
  return c.Out(0, Cropped(c, x, begin, end));
}

constexpr OpRow kOps[] = {{"DepthToSpace", DepthToSpace},
                          {"SpaceToDepth", SpaceToDepth},
                          {"SpaceToBatchND", SpaceToBatch},
                          {"BatchToSpaceND", BatchToSpace}};

}  // namespace

std::span<const OpRow> BlockOps() { return kOps; }

}  // namespace fovea::converter::tf
