// Activations written out in arithmetic:
//
//   max(x, 0)                              Relu
//   min(max(x, a), b), max(min(x, b), a)   Clip
//   max(x, a x), 0 < a < 1                 LeakyRelu
//   relu(x) - a relu(-x)                   LeakyRelu, PRelu
//   relu(x) + a (x - |x|) / 2              LeakyRelu, PRelu
//   log(1 + exp(x))                        Softplus
//   x sigmoid(x)                           Silu
//   select(x > 0, x, a (exp(x) - 1))       Elu
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"
#include "converter/tensorflow/idioms.h"

namespace fovea::converter::tf {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

class Matcher {
 public:
  explicit Matcher(ir::Graph* graph) : graph_(graph), b_(graph) {}

  // The value to read instead of the node's, kNoValue where it is none of these.
  Result<ir::ValueId> At(const ir::Node& node) {
    b_.SetSource(node.name, node.source);
    if (const UnaryParams* unary = std::get_if<UnaryParams>(&node.params)) {
      return unary->fn.fn == UnaryFn::kLog ? Softplus(node) : ir::ValueId{kNoValue};
    }
    if (std::holds_alternative<SelectParams>(node.params)) return Elu(node);
    const BinaryParams* p = std::get_if<BinaryParams>(&node.params);
    if (p == nullptr || !IsIdentity(p->act)) return ir::ValueId{kNoValue};
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const ir::ValueId a = node.inputs[i], b = node.inputs[1 - i];
      ir::ValueId y = kNoValue;
      if (p->fn == BinaryFn::kMax || p->fn == BinaryFn::kMin) {
        FOVEA_ASSIGN_OR_RETURN(y, Extreme(p->fn, a, b));
      } else if (p->fn == BinaryFn::kMul && IsUnary(b, UnaryFn::kSigmoid) && Source(b) == a) {
        FOVEA_ASSIGN_OR_RETURN(y, b_.Unary(UnaryFn::kSilu, a, 1));
      } else if (p->fn == BinaryFn::kAdd || (p->fn == BinaryFn::kSub && i == 0)) {
        FOVEA_ASSIGN_OR_RETURN(y, TwoSides(a, b, p->fn == BinaryFn::kSub));
      }
      if (y != kNoValue) return y;
    }
    return ir::ValueId{kNoValue};
  }

 private:
  const ir::Node* Binary(ir::ValueId v, BinaryFn fn) {
    const ir::Node* node = Producer<BinaryParams>(graph_, v);
    if (node == nullptr) return nullptr;
    const BinaryParams& p = std::get<BinaryParams>(node->params);
    return p.fn == fn && IsIdentity(p.act) ? node : nullptr;
  }
  const ir::Node* Unary(ir::ValueId v, UnaryFn fn) {
    const ir::Node* node = Producer<UnaryParams>(graph_, v);
    return node != nullptr && std::get<UnaryParams>(node->params).fn.fn == fn ? node : nullptr;
  }
  bool IsUnary(ir::ValueId v, UnaryFn fn) { return Unary(v, fn) != nullptr; }
  ir::ValueId Source(ir::ValueId v) { return ProducerNode(graph_, v)->inputs[0]; }

  // v = constant * rest; true where there is such a factor.
  bool Factor(ir::ValueId v, ir::ValueId* constant, ir::ValueId* rest) {
    const ir::Node* product = Binary(v, BinaryFn::kMul);
    if (product == nullptr) return false;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (!IsConst(*graph_, product->inputs[i])) continue;
      *constant = product->inputs[i];
      *rest = product->inputs[1 - i];
      return true;
    }
    return false;
  }

  Result<ir::ValueId> Extreme(BinaryFn fn, ir::ValueId a, ir::ValueId b) {
    const std::optional<float> bound = ConstScalar(*graph_, b);
    if (bound && SizeStays(a, b)) {
      const ir::Node* inner = Binary(a, fn == BinaryFn::kMax ? BinaryFn::kMin : BinaryFn::kMax);
      for (const size_t i : {size_t{0}, size_t{1}}) {
        const std::optional<float> other = inner == nullptr ? std::nullopt : ConstScalar(*graph_, inner->inputs[i]);
        if (!other || !SizeStays(inner->inputs[1 - i], inner->inputs[i])) continue;
        const float low = fn == BinaryFn::kMax ? *bound : *other, high = fn == BinaryFn::kMax ? *other : *bound;
        if (low <= high) return b_.Unary(UnaryFn::kClip, inner->inputs[1 - i], low, high);
      }
      if (fn == BinaryFn::kMin && IsUnary(a, UnaryFn::kRelu) && *bound >= 0) {
        return b_.Unary(UnaryFn::kClip, Source(a), 0, *bound);
      }
      if (fn == BinaryFn::kMax && *bound == 0) return b_.Unary(UnaryFn::kRelu, a);
    }
    ir::ValueId slope = kNoValue, rest = kNoValue;
    if (fn == BinaryFn::kMax && Factor(b, &slope, &rest) && rest == a) {
      const std::optional<float> alpha = ConstScalar(*graph_, slope);
      if (alpha && *alpha > 0 && *alpha < 1 && SizeStays(a, slope)) return b_.Unary(UnaryFn::kLeakyRelu, a, *alpha);
    }
    return ir::ValueId{kNoValue};
  }

  // The constant's rank does not make the result larger.
  bool SizeStays(ir::ValueId x, ir::ValueId constant) { return b_.rank(constant) <= b_.rank(x); }

  // relu(x) and a second term that is 0 for x > 0 and a multiple of x elsewhere; `minus`: the term is subtracted.
  Result<ir::ValueId> TwoSides(ir::ValueId a, ir::ValueId b, bool minus) {
    if (!IsUnary(a, UnaryFn::kRelu)) return ir::ValueId{kNoValue};
    const ir::ValueId x = Source(a);
    ir::ValueId term = b;
    double sign = minus ? -1 : 1;
    std::vector<ir::ValueId> factors;
    for (ir::ValueId constant = kNoValue, rest = kNoValue;;) {
      if (Factor(term, &constant, &rest)) {
        factors.push_back(constant);
        term = rest;
      } else if (IsUnary(term, UnaryFn::kNeg)) {
        sign = -sign;
        term = Source(term);
      } else {
        break;
      }
    }
    if (IsUnary(term, UnaryFn::kRelu) && IsUnary(Source(term), UnaryFn::kNeg) && Source(Source(term)) == x) {
      sign = -sign;  // relu(-x) is -x there
    } else if (const ir::Node* difference = Binary(term, BinaryFn::kSub);
               difference != nullptr && difference->inputs[0] == x && IsUnary(difference->inputs[1], UnaryFn::kAbs) &&
               Source(difference->inputs[1]) == x) {
      sign *= 2;  // x - |x| is 2 x there
    } else {
      return ir::ValueId{kNoValue};
    }
    ir::ValueId slope = b_.Scalar(static_cast<float>(sign));
    for (const ir::ValueId factor : factors) {
      FOVEA_ASSIGN_OR_RETURN(slope, b_.Binary(BinaryFn::kMul, slope, factor));
    }
    if (!IsConst(*graph_, slope) || !SizeStays(x, slope)) return ir::ValueId{kNoValue};
    if (const std::optional<float> alpha = ConstScalar(*graph_, slope)) {
      return b_.Unary(UnaryFn::kLeakyRelu, x, *alpha);
    }
    return b_.Binary(BinaryFn::kPRelu, x, slope);
  }

  Result<ir::ValueId> Softplus(const ir::Node& log) {
    const ir::Node* sum = Binary(log.inputs[0], BinaryFn::kAdd);
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (sum == nullptr || ConstScalar(*graph_, sum->inputs[i]) != 1.0f) continue;
      const ir::ValueId power = sum->inputs[1 - i];
      if (IsUnary(power, UnaryFn::kExp) && SizeStays(power, sum->inputs[i])) {
        return b_.Unary(UnaryFn::kSoftplus, Source(power));
      }
    }
    return ir::ValueId{kNoValue};
  }

  Result<ir::ValueId> Elu(const ir::Node& select) {
    const ir::ValueId x = select.inputs[1];
    const ir::Node* condition = Producer<BinaryParams>(graph_, select.inputs[0]);
    if (condition == nullptr) return ir::ValueId{kNoValue};
    const BinaryFn fn = std::get<BinaryParams>(condition->params).fn;
    if ((fn != BinaryFn::kGreater && fn != BinaryFn::kGreaterOrEqual) || condition->inputs[0] != x ||
        ConstScalar(*graph_, condition->inputs[1]) != 0.0f) {
      return ir::ValueId{kNoValue};
    }
    float alpha = 1;
    ir::ValueId term = select.inputs[2], constant = kNoValue, rest = kNoValue;
    if (Factor(term, &constant, &rest)) {
      const std::optional<float> number = ConstScalar(*graph_, constant);
      if (!number) return ir::ValueId{kNoValue};
      alpha = *number;
      term = rest;
    }
    const ir::Node* difference = Binary(term, BinaryFn::kSub);
    if (difference == nullptr || ConstScalar(*graph_, difference->inputs[1]) != 1.0f ||
        !IsUnary(difference->inputs[0], UnaryFn::kExp) || Source(difference->inputs[0]) != x) {
      return ir::ValueId{kNoValue};
    }
    return b_.Unary(UnaryFn::kElu, x, alpha);
  }

  ir::Graph* graph_;
  ir::Builder b_;
};

}  // namespace

Status FuseActivationSpellings(ir::Graph* graph) {
  const size_t count = graph->nodes.size();
  for (size_t n = 0; n < count; ++n) {
    const ir::Node node = graph->nodes[n];
    if (node.removed || !IsFloat(ValueOf(*graph, node.output).dtype)) continue;
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId y, Matcher(graph).At(node));
    if (y == kNoValue || !SameDims(*graph, y, node.output)) continue;
    const ir::Node* made = ProducerNode(graph, y);
    const UnaryParams* unary = made == nullptr ? nullptr : std::get_if<UnaryParams>(&made->params);
    graph->Recognised((unary == nullptr ? "prelu" : kernels::UnaryFnName(unary->fn.fn)) +
                      std::string(" from arithmetic"));
    Replace(graph, &graph->nodes[n], y);
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter::tf
