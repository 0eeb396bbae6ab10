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
  RandomTensor flag = r;
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
  c.b.graph()->Recognised(r.kind == Kind::kFlag ? "live dropout" : "random noise");
  char text[200];
  if (r.kind == Kind::kFlag) {
    std::snprintf(text, sizeof text,
                  "dropout that is active in inference (it keeps %.3g %% of the values at random) is "
                  "replaced by its mean, so that results are reproducible; --dropout=seed:N keeps it",
                  100 * r.keep);
  } else {
    std::snprintf(text, sizeof text, "random noise is replaced by its mean, so that results are reproducible");
  }
  c.Warn(text);
}

// The axes of x along which the decisions of a random tensor of `dims` differ; numpy's broadcasting.
Result<std::vector<int64_t>> AxesOfDecisions(const Dims& x, const std::optional<Dims>& dims) {
  if (!dims || dims->size() > x.size()) {
    return Unsupported("dropout whose random numbers have a shape that is not known; leave out --dropout");
  }
  std::vector<int64_t> axes;
  for (size_t i = 0; i < dims->size(); ++i) {
    const size_t axis = x.size() - dims->size() + i;
    if ((*dims)[i] == x[axis]) {
      axes.push_back(static_cast<int64_t>(axis));
    } else if (!((*dims)[i] == DimExpr(1))) {
      return Unsupported("dropout whose random numbers have " + (*dims)[i].ToString() + " elements along axis " +
                         std::to_string(axis) + ", where the image has " + x[axis].ToString() +
                         "; leave out --dropout");
    }
  }
  return axes;
}

Status KeepDropout(NodeContext& c, const RandomTensor& r, ValueId x, uint64_t seed) {
  DropoutParams p;
  p.keep = static_cast<float>(r.keep);
  p.scale = static_cast<float>(r.value);
  p.seed = static_cast<int64_t>(seed);
  p.stream = r.source;
  FOVEA_ASSIGN_OR_RETURN(p.axes, AxesOfDecisions(c.b.dims(x), r.dims));
  c.b.graph()->Recognised("live dropout");
  char text[120];
  std::snprintf(text, sizeof text, "dropout stays: it keeps %.3g %% of the values, decided by seed %llu", 100 * r.keep,
                static_cast<unsigned long long>(seed));
  c.Warn(text);
  return c.Out(0, c.b.Add(std::move(p), {x}));
}

// x times the random tensor.
Status Multiply(NodeContext& c, const RandomTensor& r, ValueId x, const RandomOptions& options) {
  if (options.dropout_seed && r.kind == Kind::kFlag) return KeepDropout(c, r, x, *options.dropout_seed);
  WarnOfDropout(c, r);
  const double mean = r.Mean();
  const auto [source, factor] = Unscaled(c.b, x);
  if (std::fabs(factor * mean - 1) < kSameProduct) return c.Out(0, source);
  return c.Out(0, c.b.Binary(BinaryFn::kMul, x, c.b.Scalar(static_cast<float>(mean))));
}

Status Refuse() {
  return Unsupported("it computes with random numbers in a way that is neither dropout nor noise added to the image");
}

Status Arithmetic(NodeContext& c, const RandomOptions& options) {
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
  if (op == "Mul") return Multiply(c, r, x, options);
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

Status Select(NodeContext& c, const RandomOptions& options) {
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
    return Multiply(c, flag, c.In(3 - zero), options);
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

Status ImportRandom(NodeContext& c, const RandomOptions& options) {
  const std::string& op = c.op();
  if (IsRandomSource(op)) {
    RandomTensor r;
    r.source = options.node;
    if (const auto dims = c.SizesAt(0); dims.ok()) r.dims = *dims;
    if (op.find("Uniform") == std::string::npos) r.kind = Kind::kNormal;
    return OutRandom(c, r);
  }
  if (IsOneOf(op, {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div"}) && c.input_count() == 2)
    return Arithmetic(c, options);
  if (IsOneOf(op, {"Greater", "GreaterEqual", "Less", "LessEqual"}) && c.input_count() == 2) return Comparison(c);
  if (IsOneOf(op, {"Select", "SelectV2"})) return Select(c, options);
  if (!c.Input(0).random) return Refuse();
  RandomTensor r = *c.Input(0).random;
  if (op == "Reshape") {
    r.dims.reset();
    if (const auto dims = c.SizesAt(1); dims.ok()) r.dims = *dims;
    return OutRandom(c, r);
  }
  if (IsOneOf(op, {"Identity", "Cast", "StopGradient"})) return OutRandom(c, r);
  if (op == "Floor" && r.kind == Kind::kUniform && r.low >= 0 && r.high <= 2) return OutRandom(c, Reaches(r, 1));
  if (op == "LogicalNot" && r.kind == Kind::kFlag) {
    r.keep = 1 - r.keep;
    return OutRandom(c, r);
  }
  return Refuse();
}

}  // namespace fovea::converter::tf
