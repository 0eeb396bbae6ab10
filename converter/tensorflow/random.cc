#include "converter/tensorflow/random.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "converter/tensorflow/common.h"

namespace fovea::converter::tf {
namespace {

using Kind = RandomTensor::Kind;
using kernels::BinaryFn;

constexpr double kSameProduct = 1e-5;  // a float32 1 / keep times keep is 1 within a few ulp; 1e-5 is far from any rate

bool IsOneOf(const std::string& op, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* name) { return op == name; });
}

std::optional<double> Number(NodeContext& c, int i) {
  if (c.Input(i).random || c.In(i) == ir::kNoValue) return std::nullopt;
  const auto numbers = c.b.ConstFloats(c.In(i));
  if (!numbers || numbers->size() != 1) return std::nullopt;
  return static_cast<double>((*numbers)[0]);
}

Status OutRandom(NodeContext& c, RandomTensor random) { return c.Out(0, Tensor{ir::kNoValue, false, random, {}}); }

// factor x + offset of a random tensor.
std::optional<RandomTensor> Affine(RandomTensor r, double factor, double offset) {
  if (r.kind == Kind::kFlag) {
    if (offset != 0) return std::nullopt;
    r.value *= factor;
    return r;
  }
  if (factor == 0) return std::nullopt;
  r.mean = factor * r.mean + offset;
  r.low = factor * r.low + offset;
  r.high = factor * r.high + offset;
  if (r.low > r.high) std::swap(r.low, r.high);
  return r;
}

// The probability that a uniform number reaches the threshold.
RandomTensor Reaches(const RandomTensor& r, double threshold) {
  RandomTensor flag;
  flag.kind = Kind::kFlag;
  flag.keep = std::clamp((r.high - threshold) / (r.high - r.low), 0.0, 1.0);
  return flag;
}

// What x was before it was multiplied by or divided by a number, and the factor; the value itself and 1 otherwise.
std::pair<ValueId, double> Unscaled(const ir::Builder& b, ValueId x) {
  const int producer = b.value(x).producer;
  if (producer < 0) return {x, 1};
  const ir::Node& node = const_cast<ir::Builder&>(b).graph()->nodes[static_cast<size_t>(producer)];
  const BinaryParams* p = std::get_if<BinaryParams>(&node.params);
  if (p == nullptr || (p->fn != BinaryFn::kMul && p->fn != BinaryFn::kDiv)) return {x, 1};
  for (const size_t i : {size_t{1}, size_t{0}}) {
    const auto number = b.ConstFloats(node.inputs[i]);
    const bool divides = p->fn == BinaryFn::kDiv;
    if (!number || number->size() != 1 || (*number)[0] == 0 || (divides && i == 0)) continue;
    if (b.rank(node.inputs[1 - i]) != b.rank(x)) continue;
    const double factor = static_cast<double>((*number)[0]);
    return {node.inputs[1 - i], divides ? 1 / factor : factor};
  }
  return {x, 1};
}

void WarnOfDropout(NodeContext& c, const RandomTensor& r) {
  char text[160];
  if (r.kind == Kind::kFlag) {
    std::snprintf(text, sizeof text,
                  "dropout that is active in inference (it keeps %.3g %% of the values at random) is "
                  "replaced by its mean, so that results are reproducible",
                  100 * r.keep);
  } else {
    std::snprintf(text, sizeof text, "random noise is replaced by its mean, so that results are reproducible");
  }
  c.Warn(text);
}

// x times the random tensor.
Status Multiply(NodeContext& c, const RandomTensor& r, ValueId x) {
  WarnOfDropout(c, r);
  const double mean = r.Mean();
  const auto [source, factor] = Unscaled(c.b, x);
  if (std::fabs(factor * mean - 1) < kSameProduct) return c.Out(0, source);
  return c.Out(0, c.b.Binary(BinaryFn::kMul, x, c.b.Scalar(static_cast<float>(mean))));
}

Status Refuse() {
  return Unsupported("it computes with random numbers in a way that is neither dropout nor noise added to the image");
}

Status Arithmetic(NodeContext& c) {
  const int at = c.Input(0).random ? 0 : 1;
  if (c.Input(1 - at).random) return Refuse();
  const RandomTensor& r = *c.Input(at).random;
  const std::optional<double> number = Number(c, 1 - at);
  const std::string& op = c.op();
  std::optional<RandomTensor> result;
  if (IsOneOf(op, {"Add", "AddV2"})) {
    if (number) result = Affine(r, 1, *number);
  } else if (op == "Sub") {
    if (number) result = at == 0 ? Affine(r, 1, -*number) : Affine(r, -1, *number);
  } else if (op == "Mul") {
    if (number) result = Affine(r, *number, 0);
  } else if (number && at == 0 && *number != 0) {  // RealDiv, Div
    result = Affine(r, 1 / *number, 0);
  }
  if (result) return OutRandom(c, *result);
  if (number || c.In(1 - at) == ir::kNoValue) return Refuse();
  const ValueId x = c.In(1 - at);
  if (op == "Mul") return Multiply(c, r, x);
  if (IsOneOf(op, {"Add", "AddV2", "Sub"}) && r.kind == Kind::kNormal && (op != "Sub" || at == 1)) {
    WarnOfDropout(c, r);
    if (r.mean == 0) return c.Out(0, x);
    return c.Out(0,
                 c.b.Binary(op == "Sub" ? BinaryFn::kSub : BinaryFn::kAdd, x, c.b.Scalar(static_cast<float>(r.mean))));
  }
  return Refuse();
}

Status Comparison(NodeContext& c) {
  const int at = c.Input(0).random ? 0 : 1;
  if (c.Input(1 - at).random) return Refuse();
  const RandomTensor& r = *c.Input(at).random;
  const std::optional<double> threshold = Number(c, 1 - at);
  if (!threshold) {
    return Unsupported("a dropout rate that is no constant: give it with --set, for instance --set keep_prob=1");
  }
  if (r.kind != Kind::kUniform) return Refuse();
  RandomTensor flag = Reaches(r, *threshold);
  const bool is_greater = IsOneOf(c.op(), {"Greater", "GreaterEqual"});
  if (is_greater != (at == 0)) flag.keep = 1 - flag.keep;
  return OutRandom(c, flag);
}

Status Select(NodeContext& c) {
  if (!c.Input(0).random || c.Input(0).random->kind != Kind::kFlag || c.input_count() != 3) return Refuse();
  RandomTensor flag = *c.Input(0).random;
  for (const int zero : {2, 1}) {
    const auto numbers = c.b.ConstFloats(c.In(zero));
    const bool is_zero = numbers && std::all_of(numbers->begin(), numbers->end(), [](float v) { return v == 0; });
    const int producer = c.b.value(c.In(zero)).producer;
    const bool is_zeros = !is_zero && producer >= 0 && [&] {
      // ZerosLike of an image of open size: a constant, expanded.
      const ir::Node& node = c.b.graph()->nodes[static_cast<size_t>(producer)];
      if (!std::holds_alternative<ExpandParams>(node.params)) return false;
      const auto one = c.b.ConstFloats(node.inputs[0]);
      return one && one->size() == 1 && (*one)[0] == 0;
    }();
    if (!is_zero && !is_zeros) continue;
    if (zero == 1) flag.keep = 1 - flag.keep;
    return Multiply(c, flag, c.In(3 - zero));
  }
  return Refuse();
}

}  // namespace

double RandomTensor::Mean() const {
  switch (kind) {
    case Kind::kUniform: return (low + high) / 2;
    case Kind::kNormal: return mean;
    case Kind::kFlag: return keep * value;
  }
  return 0;
}

bool IsRandomSource(const std::string& op) {
  return IsOneOf(op, {"RandomUniform", "RandomStandardNormal", "TruncatedNormal", "StatelessRandomUniform",
                      "StatelessRandomUniformV2", "StatelessRandomNormal", "StatelessRandomNormalV2"});
}

Status ImportRandom(NodeContext& c, bool keep_random) {
  const std::string& op = c.op();
  if (IsRandomSource(op)) {
    if (keep_random) {
      return Unsupported(
          "dropout that stays random (--dropout=seed:N) is not available; without that option it is "
          "replaced by its mean");
    }
    RandomTensor r;
    if (op.find("Uniform") == std::string::npos) r.kind = Kind::kNormal;
    return OutRandom(c, r);
  }
  if (IsOneOf(op, {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div"}) && c.input_count() == 2) return Arithmetic(c);
  if (IsOneOf(op, {"Greater", "GreaterEqual", "Less", "LessEqual"}) && c.input_count() == 2) return Comparison(c);
  if (IsOneOf(op, {"Select", "SelectV2"})) return Select(c);
  if (!c.Input(0).random) return Refuse();
  RandomTensor r = *c.Input(0).random;
  if (IsOneOf(op, {"Identity", "Cast", "StopGradient", "Reshape"})) return OutRandom(c, r);
  if (op == "Floor" && r.kind == Kind::kUniform && r.low >= 0 && r.high <= 2) return OutRandom(c, Reaches(r, 1));
  if (op == "LogicalNot" && r.kind == Kind::kFlag) {
    r.keep = 1 - r.keep;
    return OutRandom(c, r);
  }
  return Refuse();
}

}  // namespace fovea::converter::tf
