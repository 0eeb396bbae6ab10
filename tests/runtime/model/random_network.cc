#include "tests/runtime/model/random_network.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "runtime/model/fields.h"
#include "runtime/model/shapes.h"

namespace fovea::testing {
namespace {

using Dims = std::vector<DimExpr>;

class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  RandomNetwork Run(int nodes) {
    Graph& g = network_.graph;
    const int channels = Uniform(1, 4) * 4;
    AddInput("image", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), channels}, {0, 2, 3, 1}, "byxc");
    AddInput("sizes", {2}, {0}, "i");
    g.inputs[1].is_shape = true;
    const int first = 0;
    int current = first;
    while (static_cast<int>(g.nodes.size()) < nodes) {
      const int made = TryNode(current);
      if (made == kNoValue) continue;
      // Mostly on from the newest value, sometimes from an older one.
      current = Uniform(0, 4) > 0 ? made : AnyValue();
    }
    Port output;
    output.name = "result";
    output.value = g.nodes.back().output;
    const size_t rank = At(output.value).dims.size();
    output.source_axes.resize(rank);
    std::iota(output.source_axes.begin(), output.source_axes.end(), 0);
    output.axes = std::string(rank, 'i');
    g.outputs.push_back(output);
    g.preprocessing = {{"clip", {{"min", 0.25}, {"texts", std::vector<std::string>{"a", ""}}, {"flag", true}}, "image"},
                       {"named", {{"text", std::string("x y")}, {"numbers", std::vector<double>{1, -2}}}, ""}};
    g.postprocessing = {{"sigmoid", {}, ""}};
    g.metadata.name = "random";
    g.metadata.licence = "CC0-1.0";
    g.metadata.properties = {{"key", "value"}, {"", "of nothing"}};
    return std::move(network_);
  }

 private:
  int Uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  template <class E>
  E Any() {
    return static_cast<E>(Uniform(0, EnumTraits<E>::kCount - 1));
  }
  const Value& At(int v) const { return network_.graph.values[static_cast<size_t>(v)]; }

  int AnyValue() {
    for (;;) {
      const int v = Uniform(0, static_cast<int>(network_.graph.values.size()) - 1);
      if (!At(v).is_const && v != 1) return v;
    }
  }

  void AddInput(const char* name, Dims dims, std::vector<int> source_axes, const char* axes) {
    Port port;
    port.name = name;
    port.value = static_cast<int>(network_.graph.values.size());
    port.source_axes = std::move(source_axes);
    port.axes = axes;
    for (const DimExpr& d : dims) port.rules.push_back(d.IsConst() ? AxisRule{d.Const(), 0} : AxisRule{8, 4});
    network_.graph.values.push_back({name, std::move(dims)});
    network_.graph.inputs.push_back(std::move(port));
  }

  int AddConst(const std::vector<int64_t>& dims) {
    Value v;
    v.name = "const" + std::to_string(network_.graph.values.size());
    v.dims.assign(dims.begin(), dims.end());
    v.is_const = true;
    v.weight_type = static_cast<WeightType>(Uniform(0, 2));
    v.offset = network_.weights.size();
    v.bytes = v.weight_type == WeightType::kFloat32 ? 4 : 2;
    for (const int64_t d : dims) v.bytes *= static_cast<uint64_t>(d);
    for (uint64_t i = 0; i < v.bytes; ++i) network_.weights.push_back(static_cast<std::byte>(Uniform(0, 255)));
    network_.weights.resize((network_.weights.size() + 63) / 64 * 64);
    network_.graph.values.push_back(std::move(v));
    return static_cast<int>(network_.graph.values.size()) - 1;
  }

  // Adds the node when its shape infers; otherwise takes back what was added for it.
  int Add(OpParams params, std::vector<int> inputs, size_t values_before, size_t weights_before) {
    std::vector<const Dims*> dims;
    for (const int v : inputs) dims.push_back(v == kNoValue ? nullptr : &At(v).dims);
    const Result<Dims> y = InferShape<DimExpr>(params, dims, nullptr);
    if (!y.ok()) {
      network_.graph.values.resize(values_before);
      network_.weights.resize(weights_before);
      return kNoValue;
    }
    Node node;
    node.name = "node" + std::to_string(network_.graph.nodes.size());
    node.params = std::move(params);
    node.inputs = std::move(inputs);
    node.output = static_cast<int>(network_.graph.values.size());
    network_.graph.values.push_back({node.name + ":0", *y});
    network_.graph.nodes.push_back(std::move(node));
    return network_.graph.nodes.back().output;
  }

  kernels::Activation AnyActivation() { return {Any<kernels::UnaryFn>(), 0.5f, 2.0f}; }

  template <class P>
  void FillWindow(P* p, const Dims& x) {
    const size_t spatial = x.size() - 2;
    for (size_t i = 3 - std::min<size_t>(3, spatial); i < 3; ++i) {
      p->kernel[i] = Uniform(1, 3);
      p->stride[i] = Uniform(1, 2);
      p->dilation[i] = Uniform(1, 2);
      p->pad_begin[i] = Uniform(0, 2);
      p->pad_end[i] = Uniform(0, 2);
      if (Uniform(0, 2) == 0) {  // SAME
        const DimExpr& in = x[i + 1 + spatial - 3];
        const DimExpr window = (p->kernel[i] - 1) * p->dilation[i] + 1;
        const DimExpr total = Max((CeilDiv(in, p->stride[i]) - 1) * p->stride[i] + window - in, 0);
        p->pad_begin[i] = FloorDiv(total, 2);
        p->pad_end[i] = total - p->pad_begin[i];
      }
    }
  }

  int TryNode(int xv) {
    const Dims x = At(xv).dims;
    const int rank = static_cast<int>(x.size());
    const size_t values = network_.graph.values.size(), weights = network_.weights.size();
    const auto add = [&](OpParams p, std::vector<int> inputs) { return Add(std::move(p), inputs, values, weights); };
    const bool spatial = rank >= 3 && rank <= 5 && x.back().IsConst();
    const int64_t channels = rank > 0 && x.back().IsConst() ? x.back().Const() : 0;
    const int64_t axis = rank > 0 ? Uniform(0, rank - 1) : 0;
    const DimExpr last = rank > 0 ? x[static_cast<size_t>(axis)] : DimExpr(1);
    const OpKind kind = static_cast<OpKind>(Uniform(1, 27));
    const bool windowed = kind <= OpKind::kPool || kind == OpKind::kDepthToSpace || kind == OpKind::kSpaceToDepth ||
                          kind == OpKind::kGroupNorm;
    if (windowed && (!spatial || channels < 1 || channels > 64)) return kNoValue;
    switch (kind) {
      case OpKind::kConv: {
        ConvParams p;
        FillWindow(&p, x);
        p.groups = channels % 4 == 0 && Uniform(0, 3) == 0 ? 2 : 1;
        p.act = AnyActivation();
        const int64_t out = 4 * Uniform(1, 3);
        const int w = AddConst({p.kernel[0], p.kernel[1], p.kernel[2], channels / p.groups, out});
        return add(p, {xv, w, Uniform(0, 1) == 0 ? kNoValue : AddConst({out})});
      }
      case OpKind::kConvTranspose: {
        ConvTransposeParams p;
        FillWindow(&p, x);
        const int w = AddConst({p.kernel[0], p.kernel[1], p.kernel[2], channels, 8});
        return add(p, {xv, w});
      }
      case OpKind::kPool: {
        PoolParams p;
        FillWindow(&p, x);
        p.kind = Any<kernels::PoolKind>();
        p.ceil_mode = Uniform(0, 1) == 1;
        return add(p, {xv});
      }
      case OpKind::kResize: {
        ResizeParams p;
        p.mode = Any<kernels::ResizeMode>();
        p.coordinates = Any<kernels::ResizeCoordinates>();
        const double scales[] = {1, 2, 0.5, 1.5, 1.0 / 3};
        for (const DimExpr& d : x) {
          const int which = Uniform(-1, 4);
          p.scales.push_back(which < 0 ? 1 : scales[which]);
          p.sizes.push_back(which < 0 ? ScaleFloorByInput(d, 1, 0) : ScaleFloor(d, scales[which]));
        }
        return add(p, {xv});
      }
      case OpKind::kPad: {
        PadParams p;
        p.mode = Any<kernels::PadMode>();
        for (const DimExpr& d : x) {
          p.begin.push_back(Uniform(-1, 2));
          p.end.push_back(d.IsConst() || Uniform(0, 1) == 0 ? DimExpr(Uniform(-1, 2)) : Mod(0 - d, 8));
        }
        return add(p, {xv});
      }
      case OpKind::kDepthToSpace: {
        DepthToSpaceParams p;
        p.block = {1, rank >= 4 ? 2 : 1, 2};
        p.order = Any<BlockOrder>();
        return add(p, {xv});
      }
      case OpKind::kSpaceToDepth: {
        SpaceToDepthParams p;
        p.block = {1, rank >= 4 ? 2 : 1, 2};
        return add(p, {xv});
      }
      case OpKind::kConcat: {
        ConcatParams p;
        p.axis = axis;
        return add(p, {xv, AnyValue(), xv});
      }
      case OpKind::kSlice: {
        SliceParams p;
        for (const DimExpr& d : x) {
          p.step.push_back(Uniform(0, 3) == 0 ? -1 : Uniform(1, 2));
          p.start.push_back(p.step.back() < 0 ? d - 1 : DimExpr(Uniform(0, 1)));
          p.size.push_back(p.step.back() < 0 ? d : FloorDiv(d - p.start.back(), p.step.back()));
        }
        return add(p, {xv});
      }
      case OpKind::kTranspose: {
        TransposeParams p;
        p.perm.resize(x.size());
        std::iota(p.perm.begin(), p.perm.end(), 0);
        std::shuffle(p.perm.begin(), p.perm.end(), random_);
        return add(p, {xv});
      }
      case OpKind::kReshape: {
        ReshapeParams p;
        DimExpr all = 1;
        for (const DimExpr& d : x) all = all * d;
        if (rank > 0 && Uniform(0, 1) == 0) {  // two axes become one, or one axis two, and the rest is what is left
          p.dims = {last, FloorDiv(all, last)};
        } else {
          p.dims = {1, FloorDiv(all, 4), 4};
        }
        return add(p, {xv});
      }
      case OpKind::kExpand: {
        ExpandParams p;
        for (const DimExpr& d : x) p.dims.push_back(d.IsConst() && d.Const() == 1 ? DimExpr(Uniform(1, 3)) : d);
        if (rank < 5) p.dims.insert(p.dims.begin(), 2);
        return add(p, {xv});
      }
      case OpKind::kTile: {
        TileParams p;
        for (int i = 0; i < rank; ++i) p.repeats.push_back(Uniform(1, 2));
        return add(p, {xv});
      }
      case OpKind::kGather: {
        GatherParams p;
        p.axis = axis;
        return rank > 0 ? add(p, {xv, AddConst({3})}) : kNoValue;
      }
      case OpKind::kUnary: {
        UnaryParams p;
        p.fn = AnyActivation();
        return add(p, {xv});
      }
      case OpKind::kBinary: {
        BinaryParams p;
        p.fn = Any<kernels::BinaryFn>();
        return add(p, {xv, AnyValue()});
      }
      case OpKind::kSelect: return add(SelectParams{}, {AnyValue(), xv, xv});
      case OpKind::kSoftmax: {
        SoftmaxParams p;
        p.axis = axis;
        return add(p, {xv});
      }
      case OpKind::kReduce: {
        ReduceParams p;
        p.fn = Any<kernels::ReduceFn>();
        for (int i = 0; i < rank; ++i) {
          if (Uniform(0, 3) == 0) p.axes.push_back(i);
        }
        p.keep_dims = Uniform(0, 2) > 0;
        return add(p, {xv});
      }
      case OpKind::kArgReduce: {
        ArgReduceParams p;
        p.axis = axis;
        return add(p, {xv});
      }
      case OpKind::kGroupNorm: {
        GroupNormParams p;
        p.groups = Uniform(0, 2);
        return add(p, {xv, AddConst({channels}), AddConst({channels})});
      }
      case OpKind::kLayerNorm: {
        LayerNormParams p;
        p.axis = rank - 1;
        return channels > 0 ? add(p, {xv, AddConst({channels})}) : kNoValue;
      }
      case OpKind::kLrn: {
        LrnParams p;
        p.size = 3;
        return add(p, {xv});
      }
      case OpKind::kMatMul:
        return channels > 0 && channels < 100 ? add(MatMulParams{}, {xv, AddConst({channels, 4})}) : kNoValue;
      case OpKind::kCast: {
        CastParams p;
        p.to = Any<DType>();
        return add(p, {xv});
      }
      case OpKind::kDropout: {
        DropoutParams p;
        p.keep = 0.25f * static_cast<float>(Uniform(0, 4));
        p.seed = Uniform(0, 9);
        for (int i = 0; i < rank; ++i) {
          if (Uniform(0, 3) > 0) p.axes.push_back(i);
        }
        return add(p, {xv});
      }
      case OpKind::kDims: {
        DimsParams p;
        p.dims = x;
        p.dims.push_back(DimExpr::InputValue(1, 1));
        return add(p, {});
      }
    }
    return kNoValue;
  }

  std::mt19937 random_;
  RandomNetwork network_;
};

}  // namespace

RandomNetwork MakeRandomNetwork(uint32_t seed, int nodes) { return Maker(seed).Run(nodes); }

}  // namespace fovea::testing
