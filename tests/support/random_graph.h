// Small networks built directly as a Graph: a builder, and random ones for the tests of the planner and executors.
//
// Values are channels last, N [D] H W C. Weights are scaled so that activations keep a magnitude of about 1.
#ifndef FOVEA_TESTS_SUPPORT_RANDOM_GRAPH_H_
#define FOVEA_TESTS_SUPPORT_RANDOM_GRAPH_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"
#include "runtime/model/graph.h"
#include "runtime/model/model_file.h"
#include "runtime/model/model_writer.h"
#include "runtime/model/shapes.h"

namespace fovea::test {

inline std::string Numbered(char letter, size_t number) {
  std::string name(1, letter);
  return name += std::to_string(number);
}

class NetBuilder {
 public:
  explicit NetBuilder(uint32_t seed) : random_(seed) {}

  std::mt19937& random() { return random_; }
  int64_t Pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  bool Chance(double p) { return std::uniform_real_distribution<double>(0, 1)(random_) < p; }
  float Normal(float scale) { return std::normal_distribution<float>(0, scale)(random_); }

  int Input(const std::string& axes, std::vector<DimExpr> dims) {
    Value value;
    value.name = Numbered('x', graph_.inputs.size());
    value.dims = dims;
    Port port;
    port.name = value.name;
    port.value = AddValue(std::move(value));
    port.axes = axes;
    for (size_t a = 0; a < dims.size(); ++a) {
      port.source_axes.push_back(static_cast<int>(a));
      port.rules.push_back(dims[a].IsConst() ? AxisRule{dims[a].Const(), 0} : AxisRule{1, 1});
    }
    graph_.inputs.push_back(port);
    return port.value;
  }

  int Const(const std::vector<int64_t>& dims, const std::vector<float>& values) {
    weights_.resize((weights_.size() + 63) / 64 * 64);
    Value value;
    value.name = Numbered('c', graph_.values.size());
    value.dims.assign(dims.begin(), dims.end());
    value.is_const = true;
    value.offset = weights_.size();
    value.bytes = values.size() * sizeof(float);
    weights_.resize(weights_.size() + value.bytes);
    if (!values.empty()) std::memcpy(weights_.data() + value.offset, values.data(), value.bytes);
    return AddValue(std::move(value));
  }

  int RandomConst(const std::vector<int64_t>& dims, float scale, float offset = 0) {
    int64_t n = 1;
    for (int64_t d : dims) n *= d;
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = Normal(scale) + offset;
    return Const(dims, values);
  }

  // Adds a node; returns its output, or kNoValue when shapes do not fit (error() says why).
  int Add(OpParams params, std::vector<int> inputs) {
    std::vector<const std::vector<DimExpr>*> in;
    for (int v : inputs) in.push_back(v == kNoValue ? nullptr : &graph_.values[static_cast<size_t>(v)].dims);
    auto dims = InferShape<DimExpr>(params, in, nullptr);
    if (!dims.ok()) {
      error_ = dims.status().message();
      return kNoValue;
    }
    Node node;
    node.name = std::string(OpKindName(KindOf(params))) + "_" + std::to_string(graph_.nodes.size());
    node.params = std::move(params);
    node.inputs = std::move(inputs);
    Value value;
    value.name = node.name + ":0";
    value.dims = *std::move(dims);
    node.output = AddValue(std::move(value));
    graph_.nodes.push_back(std::move(node));
    return graph_.nodes.back().output;
  }

  const std::vector<DimExpr>& dims(int value) const { return graph_.values[static_cast<size_t>(value)].dims; }
  std::vector<int64_t> sizes(int value) const {
    std::vector<int64_t> out;
    for (const DimExpr& d : dims(value)) out.push_back(d.Const());
    return out;
  }
  int64_t channels(int value) const { return dims(value).back().Const(); }
  size_t rank(int value) const { return dims(value).size(); }

  static kernels::Activation Act(kernels::UnaryFn fn, float alpha = 0, float beta = 0) { return {fn, alpha, beta}; }

  // `kernel` etc. along the axes the tensor has; zero padding that keeps the size at stride 1.
  int Conv(int x, int64_t out_channels, int64_t kernel, int64_t stride = 1, int64_t dilation = 1, int64_t groups = 1,
           kernels::Activation act = {}, int residual = kNoValue) {
    ConvParams p;
    SetSpatial(x, kernel, &p.kernel), SetSpatial(x, stride, &p.stride), SetSpatial(x, dilation, &p.dilation);
    for (size_t s = 0; s < 3; ++s) p.pad_begin[s] = p.pad_end[s] = (p.kernel[s] - 1) * p.dilation[s] / 2;
    p.groups = groups;
    p.act = act;
    return Add(p,
               {x, Weights(p.kernel, channels(x) / groups, out_channels), RandomConst({out_channels}, 0.1f), residual});
  }
  int ConvTranspose(int x, int64_t out_channels, int64_t kernel, int64_t stride, kernels::Activation act = {}) {
    ConvTransposeParams p;
    SetSpatial(x, kernel, &p.kernel), SetSpatial(x, stride, &p.stride);
    for (size_t s = 0; s < 3; ++s) p.pad_end[s] = p.kernel[s] - p.stride[s];
    p.act = act;
    return Add(p, {x, Weights(p.kernel, channels(x), out_channels), RandomConst({out_channels}, 0.1f)});
  }
  int Pool(int x, kernels::PoolKind kind, int64_t kernel, int64_t stride, int64_t pad = 0, bool ceil = false) {
    PoolParams p;
    p.kind = kind;
    SetSpatial(x, kernel, &p.kernel), SetSpatial(x, stride, &p.stride);
    Int3 pads{0, 0, 0};
    SetSpatial(x, pad, &pads);
    for (size_t s = 0; s < 3; ++s) p.pad_begin[s] = p.pad_end[s] = pads[s];
    p.ceil_mode = ceil;
    p.count_include_pad = Chance(0.5);
    return Add(p, {x});
  }
  int Unary(int x, kernels::Activation fn) { return Add(UnaryParams{fn}, {x}); }
  int Binary(kernels::BinaryFn fn, int a, int b, kernels::Activation act = {}) {
    return Add(BinaryParams{fn, act}, {a, b});
  }
  int Concat(std::vector<int> parts) {
    const int64_t axis = static_cast<int64_t>(rank(parts[0])) - 1;
    return Add(ConcatParams{axis}, std::move(parts));
  }
  // To the sizes of `like`, channels kept.
  int ResizeLike(int x, const std::vector<DimExpr>& like, kernels::ResizeMode mode,
                 kernels::ResizeCoordinates coordinates) {
    ResizeParams p;
    p.mode = mode;
    p.coordinates = coordinates;
    p.sizes = like;
    p.sizes.front() = dims(x).front();
    p.sizes.back() = dims(x).back();
    return Add(p, {x});
  }
  int Upsample2(int x, kernels::ResizeMode mode, kernels::ResizeCoordinates coordinates) {
    std::vector<DimExpr> like = dims(x);
    for (size_t a = 1; a + 1 < like.size(); ++a) like[a] = like[a] * 2;
    return ResizeLike(x, like, mode, coordinates);
  }
  int Pad(int x, kernels::PadMode mode, int64_t begin, int64_t end) {
    PadParams p;
    p.mode = mode;
    p.value = 0.5f;
    p.begin.assign(rank(x), 0);
    p.end.assign(rank(x), 0);
    for (size_t a = 1; a + 1 < rank(x); ++a) p.begin[a] = begin, p.end[a] = end;
    return Add(p, {x});
  }
  // Cuts `margin` off every spatial border.
  int Crop(int x, int64_t margin) {
    SliceParams p;
    p.start.assign(rank(x), 0);
    p.size = dims(x);
    p.step.assign(rank(x), 1);
    for (size_t a = 1; a + 1 < rank(x); ++a) {
      p.start[a] = margin;
      p.size[a] = dims(x)[a] - 2 * margin;
    }
    return Add(p, {x});
  }
  void Output(int value) {
    Port port;
    port.name = Numbered('y', graph_.outputs.size());
    port.value = value;
    port.axes = rank(value) == graph_.inputs[0].axes.size() ? graph_.inputs[0].axes : std::string(rank(value), 'i');
    for (size_t a = 0; a < rank(value); ++a) port.source_axes.push_back(static_cast<int>(a));
    graph_.outputs.push_back(port);
  }

  Graph& graph() { return graph_; }
  const std::string& error() const { return error_; }
  Status Write(const std::string& path) const { return WriteModel(path, graph_, weights_); }
  Result<Model> Build() const {
    auto bytes = SerializeModel(graph_, weights_);
    if (!bytes.ok()) return bytes.status();
    return Model::FromBytes(*bytes, "built");
  }

 private:
  int AddValue(Value value) {
    graph_.values.push_back(std::move(value));
    return static_cast<int>(graph_.values.size()) - 1;
  }
  void SetSpatial(int x, int64_t n, Int3* to) const {
    for (size_t s = 3; s-- > 5 - rank(x);) (*to)[s] = n;
  }
  int Weights(const Int3& kernel, int64_t in, int64_t out) {
    const double taps = static_cast<double>(kernel[0] * kernel[1] * kernel[2] * in);
    return RandomConst({kernel[0], kernel[1], kernel[2], in, out}, static_cast<float>(1 / std::sqrt(taps)));
  }

  std::mt19937 random_;
  Graph graph_;
  std::vector<std::byte> weights_;
  std::string error_;
};

// A random network of `steps` operators on an image of `sizes` (N [D] H W C). Every operator is local, so that the
// network can be tiled; with `global` there are also norms, reductions and softmax over the image.
inline NetBuilder RandomNet(uint32_t seed, const std::vector<int64_t>& sizes, int steps, bool global = false) {
  using kernels::PadMode;
  using kernels::ResizeCoordinates;
  using kernels::ResizeMode;
  using kernels::UnaryFn;
  NetBuilder net(seed);
  const std::string axes = sizes.size() == 5 ? "bzyxc" : sizes.size() == 4 ? "byxc" : "bxc";
  int x = net.Input(axes, std::vector<DimExpr>(sizes.begin(), sizes.end()));
  std::vector<int> history{x};
  const kernels::Activation acts[] = {
      {}, {UnaryFn::kRelu}, {UnaryFn::kLeakyRelu, 0.1f}, {UnaryFn::kSigmoid}, {UnaryFn::kSin}, {UnaryFn::kElu, 1.0f}};
  const auto act = [&] { return acts[net.Pick(0, 5)]; };
  const auto alike = [&](bool channels) {
    std::vector<int> found;
    for (int v : history) {
      if (v == x || net.rank(v) != net.rank(x)) continue;
      std::vector<int64_t> a = net.sizes(v), b = net.sizes(x);
      if (!channels) a.back() = b.back() = 0;
      if (a == b) found.push_back(v);
    }
    return found.empty() ? kNoValue : found[static_cast<size_t>(net.Pick(0, static_cast<int64_t>(found.size()) - 1))];
  };
  for (int step = 0; step < steps; ++step) {
    const std::vector<int64_t> now = net.sizes(x);
    int64_t least = now[1], most = now[1], volume = 1;
    for (size_t a = 1; a + 1 < now.size(); ++a) {
      least = std::min(least, now[a]), most = std::max(most, now[a]);
      volume *= now[a];
    }
    const bool large = volume > 6000, small = least < 6;
    int y = kNoValue;
    switch (net.Pick(0, global ? 21 : 17)) {
      case 0:
      case 1:
      case 2: y = net.Conv(x, net.Pick(1, 9), net.Pick(0, 2) * 2 + 1, 1, net.Chance(0.3) ? 2 : 1, 1, act()); break;
      case 3: y = net.Conv(x, net.channels(x), 3, 1, 1, net.channels(x), act()); break;
      case 4: y = small ? kNoValue : net.Conv(x, net.Pick(2, 12), net.Pick(2, 3), 2, 1, 1, act()); break;
      case 5: y = small ? kNoValue : net.Pool(x, kernels::PoolKind::kMax, 2, 2, 0, net.Chance(0.5)); break;
      case 6: y = small ? kNoValue : net.Pool(x, kernels::PoolKind::kAverage, 3, net.Pick(1, 2), 1); break;
      case 7: y = large ? kNoValue : net.ConvTranspose(x, net.Pick(1, 8), net.Pick(2, 3), 2, act()); break;
      case 8:
        y = large ? kNoValue
                  : net.Upsample2(x, net.Chance(0.5) ? ResizeMode::kLinear : ResizeMode::kNearest,
                                  net.Chance(0.5) ? ResizeCoordinates::kHalfPixel : ResizeCoordinates::kAsymmetric);
        break;
      case 9: {
        const int like = history[static_cast<size_t>(net.Pick(0, static_cast<int64_t>(history.size()) - 1))];
        y = net.ResizeLike(x, net.dims(like), net.Chance(0.7) ? ResizeMode::kLinear : ResizeMode::kCubic,
                           net.Chance(0.5) ? ResizeCoordinates::kAlignCorners : ResizeCoordinates::kHalfPixel);
        break;
      }
      case 10:
        y = net.Pad(x, small ? PadMode::kConstant : static_cast<PadMode>(net.Pick(0, 4) % 5 == 3 ? 1 : net.Pick(0, 4)),
                    net.Pick(0, 3), net.Pick(0, 2));
        if (y != kNoValue && std::get<PadParams>(net.graph().nodes.back().params).mode == PadMode::kWrap) {
          std::get<PadParams>(net.graph().nodes.back().params).mode = PadMode::kSymmetric;
        }
        break;
      case 11: y = small ? kNoValue : net.Crop(x, 1); break;
      case 12:
      case 13: {
        const int other = alike(true);
        if (other == kNoValue) break;
        y = net.Chance(0.4) ? net.Conv(x, net.channels(x), 3, 1, 1, 1, act(), other)
                            : net.Binary(kernels::BinaryFn::kAdd, x, other, act());
        break;
      }
      case 14:
      case 15: {
        const int other = alike(false);
        if (other != kNoValue) y = net.Chance(0.5) ? net.Concat({other, x}) : net.Concat({x, other, x});
        break;
      }
      case 16:
        y = net.Chance(0.3) ? net.Add(DropoutParams{0.7f, 1.5f, 1, step, {1, 2}}, {x}) : net.Unary(x, act());
        break;
      case 17: {
        const std::vector<DimExpr>& d = net.dims(x);
        if (net.channels(x) % 2 != 0) break;
        std::vector<DimExpr> split(d.begin(), d.end() - 1);
        split.push_back(2);
        split.push_back(net.channels(x) / 2);
        const std::vector<DimExpr> back = d;
        y = net.Add(ReshapeParams{split}, {x});
        y = net.Add(SoftmaxParams{static_cast<int64_t>(split.size()) - 2, false}, {y});
        y = net.Add(ReshapeParams{back}, {y});
        break;
      }
      case 18: {
        GroupNormParams p;
        p.groups = net.Chance(0.5) ? 0 : 1;
        p.act = act();
        y = net.Add(p, {x, net.RandomConst({net.channels(x)}, 0.3f, 1), net.RandomConst({net.channels(x)}, 0.1f)});
        break;
      }
      case 19: {
        std::vector<int64_t> all;
        for (size_t a = 1; a + 1 < now.size(); ++a) all.push_back(static_cast<int64_t>(a));
        const int mean = net.Add(ReduceParams{kernels::ReduceFn::kMean, all, true}, {x});
        y = net.Binary(kernels::BinaryFn::kSub, x, mean);
        break;
      }
      case 20: y = net.Add(SoftmaxParams{1, false}, {x}); break;
      case 21: y = net.Add(LayerNormParams{static_cast<int64_t>(now.size()) - 1, 1e-5f}, {x}); break;
      default: break;
    }
    if (y == kNoValue) continue;
    x = y;
    history.push_back(x);
  }
  net.Output(x);
  if (net.Chance(0.3)) {
    const int other = alike(false);
    if (other != kNoValue && other != history.front()) net.Output(other);
  }
  return net;
}

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_RANDOM_GRAPH_H_
