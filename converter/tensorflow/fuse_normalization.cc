// Instance, group and whole-image normalisation built from means become GroupNorm:
//
//   m = mean(x), v = mean((x - m)^2)   or   v = mean(x^2) - m^2
//   (x - m) rsqrt(v + e) [g]     (x - m) / sqrt(v + e)     x f + (b - m f) with f = rsqrt(v + e) [g]
//
// with means over the spatial axes (one group a channel), over all but the batch (one group), or, x being an image
// [N,..,C] reshaped to [N,..,G,C/G], over all but N and G. The scale g and the offset b stay multiplication and
// addition, which fold_batch_norm takes in.
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"
#include "converter/tensorflow/idioms.h"

namespace fovea::converter::tf {
namespace {

using kernels::BinaryFn;
using kernels::ReduceFn;
using kernels::UnaryFn;
using Dims = std::vector<DimExpr>;

class Matcher {
 public:
  explicit Matcher(ir::Graph* graph) : graph_(graph) {}

  struct Found {
    ir::ValueId x = kNoValue;
    std::vector<int64_t> axes;
    float epsilon = 0;
    ir::ValueId scale = kNoValue, offset = kNoValue;
  };

  std::optional<Found> At(const ir::Node& node) {
    const BinaryParams* p = std::get_if<BinaryParams>(&node.params);
    if (p == nullptr || !IsIdentity(p->act)) return std::nullopt;
    Found found;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const ir::ValueId a = node.inputs[i], b = node.inputs[1 - i];
      ir::ValueId mean = kNoValue;
      if (p->fn == BinaryFn::kMul && Difference(a, &found.x, &mean) && Inverse(b, mean, &found)) return found;
      if (p->fn == BinaryFn::kDiv && i == 0 && Difference(a, &found.x, &mean) && Deviation(b, mean, &found)) {
        return found;
      }
      if (p->fn == BinaryFn::kAdd && Affine(a, b, &found)) return found;
      found = Found();
    }
    return std::nullopt;
  }

 private:
  const ir::Node* Binary(ir::ValueId v, BinaryFn fn) {
    const ir::Node* node = v == kNoValue ? nullptr : Producer<BinaryParams>(graph_, v);
    if (node == nullptr) return nullptr;
    const BinaryParams& p = std::get<BinaryParams>(node->params);
    return p.fn == fn && IsIdentity(p.act) ? node : nullptr;
  }
  const ir::Node* Unary(ir::ValueId v, UnaryFn fn) {
    const ir::Node* node = v == kNoValue ? nullptr : Producer<UnaryParams>(graph_, v);
    return node != nullptr && std::get<UnaryParams>(node->params).fn.fn == fn ? node : nullptr;
  }
  // mean(x) with the reduced axes kept.
  const ir::Node* Mean(ir::ValueId v) {
    const ir::Node* node = v == kNoValue ? nullptr : Producer<ReduceParams>(graph_, v);
    if (node == nullptr) return nullptr;
    const ReduceParams& p = std::get<ReduceParams>(node->params);
    return p.fn == ReduceFn::kMean && p.keep_dims ? node : nullptr;
  }

  bool Difference(ir::ValueId v, ir::ValueId* x, ir::ValueId* mean) {
    const ir::Node* node = Binary(v, BinaryFn::kSub);
    if (node == nullptr) return false;
    const ir::Node* m = Mean(node->inputs[1]);
    if (m == nullptr || m->inputs[0] != node->inputs[0]) return false;
    *x = node->inputs[0];
    *mean = node->inputs[1];
    return true;
  }

  bool SquareOf(ir::ValueId v, ir::ValueId* base) {
    if (const ir::Node* square = Unary(v, UnaryFn::kSquare)) {
      *base = square->inputs[0];
      return true;
    }
    const ir::Node* product = Binary(v, BinaryFn::kMul);
    if (product != nullptr && product->inputs[0] == product->inputs[1]) {
      *base = product->inputs[0];
      return true;
    }
    const ir::Node* power = Binary(v, BinaryFn::kPow);
    if (power == nullptr || ConstScalar(*graph_, power->inputs[1]) != 2.0f) return false;
    *base = power->inputs[0];
    return true;
  }

  // v is the variance of x around its mean, over the same axes.
  bool Variance(ir::ValueId v, ir::ValueId mean, Found* found) {
    const ir::Node* m = Mean(mean);
    if (m == nullptr) return false;
    found->x = m->inputs[0];
    found->axes = std::get<ReduceParams>(m->params).axes;
    ir::ValueId base = kNoValue, x = kNoValue, of = kNoValue;
    if (const ir::Node* difference = Binary(v, BinaryFn::kSub)) {  // mean(x^2) - m^2
      const ir::Node* of_squares = Mean(difference->inputs[0]);
      return of_squares != nullptr && std::get<ReduceParams>(of_squares->params).axes == found->axes &&
             SquareOf(of_squares->inputs[0], &x) && x == found->x && SquareOf(difference->inputs[1], &base) &&
             base == mean;
    }
    const ir::Node* outer = Mean(v);
    if (outer == nullptr || std::get<ReduceParams>(outer->params).axes != found->axes) return false;
    if (const ir::Node* squared = Binary(outer->inputs[0], BinaryFn::kSquaredDifference)) {
      const ir::ValueId a = squared->inputs[0], b = squared->inputs[1];
      return (a == found->x && b == mean) || (a == mean && b == found->x);
    }
    return SquareOf(outer->inputs[0], &base) && Difference(base, &x, &of) && x == found->x && of == mean;
  }

  // v + epsilon
  bool Shifted(ir::ValueId v, ir::ValueId mean, Found* found) {
    const ir::Node* sum = Binary(v, BinaryFn::kAdd);
    if (sum == nullptr) return false;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const std::optional<float> epsilon = ConstScalar(*graph_, sum->inputs[i]);
      if (!epsilon || !(*epsilon > 0) || !Variance(sum->inputs[1 - i], mean, found)) continue;
      found->epsilon = *epsilon;
      return true;
    }
    return false;
  }

  bool Deviation(ir::ValueId v, ir::ValueId mean, Found* found) {
    const ir::Node* root = Unary(v, UnaryFn::kSqrt);
    return root != nullptr && Shifted(root->inputs[0], mean, found);
  }

  // rsqrt(v + epsilon), 1 / sqrt(v + epsilon), times a constant scale.
  bool Inverse(ir::ValueId v, ir::ValueId mean, Found* found) {
    if (const ir::Node* product = Binary(v, BinaryFn::kMul)) {
      for (const size_t i : {size_t{0}, size_t{1}}) {
        if (!IsConst(*graph_, product->inputs[i]) || !Inverse(product->inputs[1 - i], mean, found)) continue;
        if (found->scale != kNoValue) return false;
        found->scale = product->inputs[i];
        return true;
      }
      return false;
    }
    if (const ir::Node* root = Unary(v, UnaryFn::kRsqrt)) return Shifted(root->inputs[0], mean, found);
    if (const ir::Node* inverse = Unary(v, UnaryFn::kReciprocal)) return Deviation(inverse->inputs[0], mean, found);
    const ir::Node* quotient = Binary(v, BinaryFn::kDiv);
    return quotient != nullptr && ConstScalar(*graph_, quotient->inputs[0]) == 1.0f &&
           Deviation(quotient->inputs[1], mean, found);
  }

  // x f + (b - m f)
  bool Affine(ir::ValueId a, ir::ValueId b, Found* found) {
    const ir::Node *scaled = Binary(a, BinaryFn::kMul), *rest = Binary(b, BinaryFn::kSub);
    const ir::Node* shift = rest == nullptr ? nullptr : Binary(rest->inputs[1], BinaryFn::kMul);
    if (scaled == nullptr || shift == nullptr || !IsConst(*graph_, rest->inputs[0])) return false;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      for (const size_t k : {size_t{0}, size_t{1}}) {
        if (scaled->inputs[1 - i] != shift->inputs[1 - k]) continue;
        const ir::ValueId x = scaled->inputs[i], mean = shift->inputs[k];
        const ir::Node* m = Mean(mean);
        if (m == nullptr || m->inputs[0] != x) continue;
        *found = Found();
        if (!Inverse(scaled->inputs[1 - i], mean, found)) continue;
        found->offset = rest->inputs[0];
        return true;
      }
    }
    return false;
  }

  ir::Graph* graph_;
};

struct Image {
  ir::ValueId value = kNoValue;
  int64_t groups = 0;
  bool reshaped = false;
};

// The image whose group normalisation this is.
std::optional<Image> ImageOf(ir::Graph* graph, ir::ValueId x, std::vector<int64_t> axes) {
  const Dims& dims = ValueOf(*graph, x).dims;
  const int64_t rank = static_cast<int64_t>(dims.size());
  if (!axes.empty() && axes[0] == 0) {
    if (!(dims[0] == DimExpr(1))) return std::nullopt;
    axes.erase(axes.begin());
  }
  std::vector<int64_t> spatial;
  for (int64_t i = 1; i + 1 < rank; ++i) spatial.push_back(i);
  if (rank >= 3 && rank <= 5 && axes == spatial) return Image{x, 0, false};
  std::vector<int64_t> all = spatial;
  all.push_back(rank - 1);
  if (rank >= 3 && rank <= 5 && axes == all) return Image{x, 1, false};
  // [N,..,G,K] of [N,..,C]
  const ir::Node* split = Producer<ReshapeParams>(graph, x);
  if (split == nullptr || rank < 4 || spatial.size() < 2) return std::nullopt;
  all.erase(all.end() - 2);
  const Dims& in = ValueOf(*graph, split->inputs[0]).dims;
  const size_t groups = dims.size() - 2;
  if (axes != all || in.size() + 1 != dims.size() || !dims[groups].IsConst() ||
      !(in.back() == dims[groups] * dims[groups + 1])) {
    return std::nullopt;
  }
  for (size_t i = 0; i + 1 < in.size(); ++i) {
    if (!(in[i] == dims[i])) return std::nullopt;
  }
  return Image{split->inputs[0], dims[groups].Const(), true};
}

// A constant that is broadcast over x, as numbers of the image's channels.
Result<ir::ValueId> OfChannels(ir::Builder* b, ir::ValueId v, const Image& image, ir::ValueId x) {
  if (!image.reshaped) return v;
  const Dims dims = b->dims(x), own = b->dims(v);
  const DimExpr& groups = dims[dims.size() - 2];
  const DimExpr& each = dims.back();
  const size_t rank = own.size();
  const Dims last_two{rank > 1 ? own[rank - 2] : DimExpr(1), rank > 0 ? own[rank - 1] : DimExpr(1)};
  FOVEA_ASSIGN_OR_RETURN(const ir::ValueId matrix, b->Reshape(v, last_two));
  FOVEA_ASSIGN_OR_RETURN(const ir::ValueId wide, b->Add(ExpandParams{{groups, each}}, {matrix}));
  return b->Reshape(wide, {groups * each});
}

// Broadcasting over [G, K] only.
bool IsOfChannels(const ir::Graph& graph, ir::ValueId v, const Image& image) {
  if (v == kNoValue || !image.reshaped) return true;
  const Dims& dims = ValueOf(graph, v).dims;
  return dims.size() <= 2 ||
         std::all_of(dims.begin(), dims.end() - 2, [](const DimExpr& d) { return d == DimExpr(1); });
}

Result<ir::ValueId> Build(ir::Graph* graph, const ir::Node& node, const Matcher::Found& found, const Image& image) {
  ir::Builder b(graph);
  b.SetSource(node.name, node.source);
  const Dims out = b.dims(found.x);
  FOVEA_ASSIGN_OR_RETURN(ir::ValueId y,
                         b.Add(GroupNormParams{image.groups, found.epsilon, {}}, {image.value, kNoValue, kNoValue}));
  if (found.scale != kNoValue) {
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId scale, OfChannels(&b, found.scale, image, found.x));
    FOVEA_ASSIGN_OR_RETURN(y, b.Binary(BinaryFn::kMul, y, scale));
  }
  if (found.offset != kNoValue) {
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId offset, OfChannels(&b, found.offset, image, found.x));
    FOVEA_ASSIGN_OR_RETURN(y, b.Binary(BinaryFn::kAdd, y, offset));
  }
  if (!image.reshaped) return y;
  return b.Reshape(y, out);
}

}  // namespace

Status FuseNormalization(ir::Graph* graph) {
  const size_t count = graph->nodes.size();
  for (size_t n = 0; n < count; ++n) {
    const ir::Node node = graph->nodes[n];
    if (node.removed) continue;
    const std::optional<Matcher::Found> found = Matcher(graph).At(node);
    if (!found || !SameDims(*graph, found->x, node.output)) continue;
    const std::optional<Image> image = ImageOf(graph, found->x, found->axes);
    if (!image || !IsOfChannels(*graph, found->scale, *image) || !IsOfChannels(*graph, found->offset, *image)) continue;
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId y, Build(graph, node, *found, *image));
    Replace(graph, &graph->nodes[n], y);
    graph->Recognised(image->groups == 0 ? "instance normalisation from means" : "group normalisation from means");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter::tf
