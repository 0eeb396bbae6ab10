// Operators that move elements and leave them as they are: layout, joining, repeating, blocks.
#include <algorithm>
#include <numeric>

#include "converter/ir/symbolic.h"
#include "converter/onnx/common.h"
#include "converter/onnx/importer.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

Status Identity(NodeContext& c) { return c.Out(0, c.Need(0)); }

// Dropout in training mode is random in inference too.
Status SeededDropout(NodeContext& c, ValueId x, uint64_t seed) {
  if (c.Wants(1)) return Unsupported("the mask of dropout that stays; leave out --dropout");
  float ratio = 0.5f;
  if (c.Has(1)) {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<float> numbers, c.FloatsAt(1));
    if (numbers.size() != 1 || !(numbers[0] >= 0 && numbers[0] <= 1)) return CorruptFile("a ratio outside 0 to 1");
    ratio = numbers[0];
  }
  std::vector<int64_t> axes(c.b.dims(x).size());
  std::iota(axes.begin(), axes.end(), 0);
  return c.Out(0, c.b.Dropout(x, 1 - ratio, std::move(axes), seed));
}

Status Dropout(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  if (c.Has(2)) {
    const auto training = c.b.ConstFloats(c.In(2));
    if (!training) return Unsupported("a training_mode that is no constant; give it with --set");
    if (training->size() == 1 && (*training)[0] != 0) {
      if (const auto seed = c.importer().options().dropout_seed) return SeededDropout(c, x, *seed);
      c.Warn("dropout in training_mode is left out, so that results are reproducible; --dropout=seed:N keeps it");
    }
  }
  FOVEA_RETURN_IF_ERROR(c.Out(0, x));
  if (!c.Wants(1)) return OkStatus();
  const DType dtype = c.opset < 10 ? c.b.value(x).dtype : DType::kBool;
  const ValueId one = c.b.Constant("kept", dtype, {}, std::vector<float>{1});
  return c.Out(1, c.b.Add(ExpandParams{c.b.dims(x)}, {one}, dtype));
}

Status Transpose(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const int rank = c.b.rank(x);
  std::vector<int64_t> perm = c.Ints("perm");
  if (perm.empty()) {
    perm.resize(static_cast<size_t>(rank));
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> sorted, NormalAxes(perm, rank));
  if (static_cast<int>(sorted.size()) != rank || static_cast<int>(perm.size()) != rank) {
    return CorruptFile("perm is not a permutation of the axes");
  }
  for (int64_t& axis : perm) axis = axis < 0 ? axis + rank : axis;
  return c.Out(0, c.b.Transpose(x, perm));
}

// ONNX's requested sizes to real ones: 0 copies (unless allow_zero), -1 takes what is left. A size that is the element
// of a shape input is resolved when the session is planned, by the same rules written as arithmetic: with one size of
// -1 the product of all is minus the product of the others.
Result<Dims> ResolveReshape(NodeContext& c, const Dims& in, const Dims& wanted, bool allow_zero) {
  Dims dims = wanted, is_rest(wanted.size(), 0);
  size_t rests = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].IsConst()) {
      const int64_t value = wanted[i].Const();
      if (value < -1) return CorruptFile("a size of " + std::to_string(value));
      if (value == 0 && !allow_zero) {
        if (i >= in.size()) return CorruptFile("size 0 copies an axis that the input does not have");
        dims[i] = in[i];
      }
      is_rest[i] = value == -1 ? 1 : 0;
      rests += value == -1;
    } else if (!ir::OnlyInputSizes(*c.b.graph(), wanted[i])) {
      if (!allow_zero && i < in.size()) dims[i] = wanted[i] + IsEqual(wanted[i], 0) * in[i];
      is_rest[i] = IsEqual(wanted[i], -1);
    }
  }
  if (rests > 1) return CorruptFile("more than one size of -1");
  const DimExpr product = Product(dims, 0, dims.size());
  const DimExpr rest = FloorDiv(Product(in, 0, in.size()), 0 - product);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (is_rest[i] == DimExpr(1)) {
      dims[i] = rest;
    } else if (!(is_rest[i] == DimExpr(0))) {
      dims[i] = dims[i] + is_rest[i] * (rest + 1);
    }
  }
  return dims;
}

Status Reshape(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  Dims wanted;
  if (c.opset < 5) {
    for (const int64_t size : c.Ints("shape")) wanted.emplace_back(size);
  } else {
    FOVEA_ASSIGN_OR_RETURN(wanted, c.SizesAt(1));
  }
  FOVEA_ASSIGN_OR_RETURN(const Dims dims, ResolveReshape(c, c.b.dims(x), wanted, c.Int("allowzero", 0) != 0));
  return c.Out(0, ReshapeTo(c.b, x, dims));
}

Status Flatten(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims dims = c.b.dims(x);
  const int64_t rank = static_cast<int64_t>(dims.size()), given = c.Int("axis", 1);
  if (given < -rank || given > rank) return CorruptFile("axis " + std::to_string(given));
  const size_t axis = static_cast<size_t>(given < 0 ? given + rank : given);
  return c.Out(0, ReshapeTo(c.b, x, {Product(dims, 0, axis), Product(dims, axis, dims.size())}));
}

Status Squeeze(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims dims = c.b.dims(x);
  const int rank = static_cast<int>(dims.size());
  Result<std::vector<int64_t>> given = AxesOf(c, 1, 13);
  if (!given.ok()) {
    given = AxesFromDeclared(
        c, rank,
        [&](uint32_t mask, const Dims& declared) {
          Dims left;
          for (int i = 0; i < rank; ++i) {
            const DimExpr& dim = dims[static_cast<size_t>(i)];
            if ((mask >> i & 1u) == 0) left.push_back(dim);
            if ((mask >> i & 1u) != 0 && !(dim == DimExpr(1))) return false;
          }
          return SameDims(left, declared);
        },
        given.status());
  }
  if (!given.ok()) return given.status();
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, NormalAxes(*given, rank));
  Dims left;
  for (int i = 0; i < rank; ++i) {
    const DimExpr& dim = dims[static_cast<size_t>(i)];
    const bool listed = std::binary_search(axes.begin(), axes.end(), i);
    if (listed && dim.IsConst() && dim.Const() != 1) {
      return CorruptFile("axis " + std::to_string(i) + " has the size " + dim.ToString() + ", not 1");
    }
    const bool drop = axes.empty() ? dim == DimExpr(1) : listed;
    if (!drop) left.push_back(dim);
  }
  return c.Out(0, ReshapeTo(c.b, x, left));
}

Status Unsqueeze(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const Dims dims = c.b.dims(x);
  Result<std::vector<int64_t>> given = AxesOf(c, 1, 13);
  if (!given.ok()) {
    const auto declared_dims = c.DeclaredDims(0);
    given = AxesFromDeclared(
        c, declared_dims ? static_cast<int>(declared_dims->size()) : 0,
        [&](uint32_t mask, const Dims& declared) {
          Dims left;
          for (size_t i = 0; i < declared.size(); ++i) {
            if ((mask >> i & 1u) == 0) left.push_back(declared[i]);
            if ((mask >> i & 1u) != 0 && !(declared[i] == DimExpr(1))) return false;
          }
          return SameDims(left, dims);
        },
        given.status());
  }
  if (!given.ok()) return given.status();
  const int rank = c.b.rank(x) + static_cast<int>(given->size());
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, NormalAxes(*given, rank));
  if (axes.size() != given->size()) return CorruptFile("axes name an axis twice");
  Dims out;
  size_t next = 0;
  for (int i = 0; i < rank; ++i) {
    const bool added = std::binary_search(axes.begin(), axes.end(), i);
    out.push_back(added ? DimExpr(1) : dims[next++]);
  }
  return c.Out(0, ReshapeTo(c.b, x, out));
}

Status Concat(NodeContext& c) {
  std::vector<ValueId> inputs;
  for (int i = 0; i < c.input_count(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
    inputs.push_back(x);
  }
  if (inputs.empty()) return CorruptFile("it has no inputs");
  if (c.opset >= 4 && !c.HasAttr("axis")) return CorruptFile("the attribute 'axis' is missing");
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", 1), c.b.rank(inputs[0])));
  if (inputs.size() == 1) return c.Out(0, inputs[0]);
  return c.Out(0, c.b.Add(ConcatParams{axis}, std::move(inputs)));
}

// Both shapes count: numpy's broadcasting of x with the requested sizes.
Status Expand(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const Dims wanted, c.SizesAt(1));
  const Dims& in = c.b.dims(x);
  Dims dims(std::max(in.size(), wanted.size()), 1);
  for (size_t i = 0; i < dims.size(); ++i) {
    const size_t from_end = dims.size() - i;
    const DimExpr a = from_end <= in.size() ? in[in.size() - from_end] : DimExpr(1);
    const DimExpr b = from_end <= wanted.size() ? wanted[wanted.size() - from_end] : DimExpr(1);
    dims[i] = a == DimExpr(1) ? b : (b == DimExpr(1) || a == b) ? a : a.IsConst() ? a : b.IsConst() ? b : Max(a, b);
  }
  if (dims.size() > kMaxTensorRank) return Unsupported("a result with more than 6 axes");
  if (SameDims(dims, in)) return c.Out(0, x);
  return c.Out(0, c.b.Add(ExpandParams{dims}, {x}));
}

Status Tile(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(Dims repeats, c.SizesAt(1));
  if (c.opset < 6) {  // inputs: one count and one axis
    FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> axis, c.IntegersAt(2));
    if (axis.size() != 1 || repeats.size() != 1) return CorruptFile("tiles and axis must be one number each");
    FOVEA_ASSIGN_OR_RETURN(const int64_t at, NormalAxis(axis[0], c.b.rank(x)));
    Dims all(c.b.dims(x).size(), 1);
    all[static_cast<size_t>(at)] = repeats[0];
    repeats = all;
  }
  if (repeats.size() != c.b.dims(x).size()) return CorruptFile("repeats of the wrong length");
  return c.Out(0, c.b.Add(TileParams{std::move(repeats)}, {x}));
}

Result<Int3> ReadBlock(NodeContext& c, ValueId x) {
  const int64_t size = c.Int("blocksize", 0);
  if (size < 1 || size > 4096) return CorruptFile("blocksize " + std::to_string(size));
  if (c.b.rank(x) != 4) return CorruptFile("a tensor with " + std::to_string(c.b.rank(x)) + " axes; 4 are asked for");
  return Int3{1, size, size};
}

Status DepthToSpace(NodeContext& c) {
  const std::string mode = c.String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return CorruptFile("mode " + mode);
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const Int3 block, ReadBlock(c, x));
    return c.b.Add(DepthToSpaceParams{block, mode == "DCR" ? BlockOrder::kDcr : BlockOrder::kCrd}, {x});
  });
}

Status SpaceToDepth(NodeContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const Int3 block, ReadBlock(c, x));
    return c.b.Add(SpaceToDepthParams{block, BlockOrder::kDcr}, {x});
  });
}

constexpr OpRow kOps[] = {
    {"Identity", Identity}, {"Dropout", Dropout}, {"Transpose", Transpose},       {"Reshape", Reshape},
    {"Flatten", Flatten},   {"Squeeze", Squeeze}, {"Unsqueeze", Unsqueeze},       {"Concat", Concat},
    {"Expand", Expand},     {"Tile", Tile},       {"DepthToSpace", DepthToSpace}, {"SpaceToDepth", SpaceToDepth}};

}  // namespace

std::span<const OpRow> ShapeOps() { return kOps; }

}  // namespace fovea::converter
