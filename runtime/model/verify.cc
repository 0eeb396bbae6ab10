// VerifyGraph: what everything behind ModelFile relies on.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "runtime/model/fields.h"
#include "runtime/model/file_layout.h"
#include "runtime/model/model_file.h"
#include "runtime/model/shapes.h"

namespace fovea {
namespace {

constexpr int64_t kMaxAxisSize = int64_t{1} << 40;

uint64_t WeightTypeBytes(WeightType t) { return t == WeightType::kFloat32 ? 4 : 2; }

// Elements of constant dims; -1 when they are open, negative or too many.
int64_t ConstElements(const std::vector<DimExpr>& dims) {
  int64_t elements = 1;
  for (const DimExpr& d : dims) {
    if (!d.IsConst() || d.Const() < 0 || __builtin_mul_overflow(elements, d.Const(), &elements)) return -1;
  }
  return elements;
}

bool Inside(uint64_t offset, uint64_t bytes, uint64_t section) {
  return offset <= section && bytes <= section - offset;
}

// Calls check(expression) for every size among the parameters; false when one call says so.
template <class Check>
bool AllSizes(const OpParams& params, const Check& check) {
  bool good = true;
  const auto visit = [&](const char*, const auto& field, const auto&) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, Dim3> || std::is_same_v<Field, std::vector<DimExpr>>) {
      for (const DimExpr& e : field) good = good && check(e);
    }
  };
  std::visit([&visit](const auto& p) { ForEachField(p, visit); }, params);
  return good;
}

class Checker {
 public:
  Checker(const Graph& graph, uint64_t weight_bytes)
      : graph_(graph), weight_bytes_(weight_bytes), defined_(graph.values.size(), 0) {}

  Status Run() {
    if (graph_.inputs.empty() && graph_.outputs.empty()) return CorruptFile("the model has no inputs and no outputs");
    for (const Port& port : graph_.inputs) FOVEA_RETURN_IF_ERROR(InRange(port));
    for (const Port& port : graph_.outputs) FOVEA_RETURN_IF_ERROR(InRange(port));
    for (const Port& port : graph_.inputs) {
      const std::vector<DimExpr>& dims = DimsOf(port.value);
      ranks_.push_back(static_cast<int>(dims.size()));
      const int64_t elements = ConstElements(dims);
      elements_.push_back(!port.is_shape ? 0 : elements >= 0 ? elements : kMaxAxisSize);
    }
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      FOVEA_RETURN_IF_ERROR(CheckValue(i).Prefixed("value " + Quoted(graph_.values[i].name)));
    }
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      FOVEA_RETURN_IF_ERROR(CheckInput(i).Prefixed("input " + Quoted(graph_.inputs[i].name)));
    }
    for (const Node& node : graph_.nodes) {
      FOVEA_RETURN_IF_ERROR(
          CheckNode(node).Prefixed(std::string(OpKindName(KindOf(node.params))) + " node " + Quoted(node.name)));
    }
    for (size_t i = 0; i < defined_.size(); ++i) {
      if (defined_[i] == 0) return CorruptFile("value " + Quoted(graph_.values[i].name) + ": nothing produces it");
    }
    for (const Port& port : graph_.outputs) {
      FOVEA_RETURN_IF_ERROR(CheckPort(port).Prefixed("output " + Quoted(port.name)));
      if (DecidesSizes(port.value)) {
        return CorruptFile("output " + Quoted(port.name) + " is an input that only decides sizes");
      }
    }
    for (const SelfTest& test : graph_.self_tests) FOVEA_RETURN_IF_ERROR(CheckTest(test).Prefixed("self-test"));
    FOVEA_RETURN_IF_ERROR(CheckSteps(graph_.preprocessing, graph_.inputs, "input"));
    FOVEA_RETURN_IF_ERROR(CheckSteps(graph_.postprocessing, graph_.outputs, "output"));
    return OkStatus();
  }

 private:
  bool IsValue(int v) const { return v >= 0 && static_cast<size_t>(v) < graph_.values.size(); }
  const Value& At(int v) const { return graph_.values[static_cast<size_t>(v)]; }
  const std::vector<DimExpr>& DimsOf(int v) const { return At(v).dims; }

  bool DecidesSizes(int v) const {
    return std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                       [v](const Port& port) { return port.is_shape && port.value == v; });
  }

  Status InRange(const Port& port) const {
    if (IsValue(port.value)) return OkStatus();
    return CorruptFile("port " + Quoted(port.name) + ": there is no value " + std::to_string(port.value));
  }

  // Marks a value as having its one source.
  Status Define(int v) {
    if (!IsValue(v)) return CorruptFile("there is no value " + std::to_string(v));
    char& defined = defined_[static_cast<size_t>(v)];
    if (defined != 0) return CorruptFile("value " + Quoted(At(v).name) + " is produced twice");
    defined = 1;
    return OkStatus();
  }

  Status CheckValue(size_t index) {
    const Value& value = graph_.values[index];
    if (value.dims.size() > static_cast<size_t>(kMaxTensorRank)) {
      return CorruptFile("rank " + std::to_string(value.dims.size()) + "; the limit is " +
                         std::to_string(kMaxTensorRank));
    }
    for (const DimExpr& d : value.dims) {
      if (d.IsConst() && (d.Const() < 0 || d.Const() > kMaxAxisSize)) return CorruptFile("a size of " + d.ToString());
      if (!d.RefersOnlyTo(ranks_, elements_)) return CorruptFile("the size " + d.ToString() + " names no input's size");
    }
    if (!value.is_const) return OkStatus();
    const int64_t elements = ConstElements(value.dims);
    if (elements < 0) return CorruptFile("a constant's sizes are not numbers");
    if (!Inside(value.offset, value.bytes, weight_bytes_)) {
      return CorruptFile("bytes " + std::to_string(value.offset) + " to " + std::to_string(value.offset + value.bytes) +
                         " are not inside the weight section of " + std::to_string(weight_bytes_) + " bytes");
    }
    const uint64_t each = WeightTypeBytes(value.weight_type);
    if (value.bytes % each != 0 || value.bytes / each != static_cast<uint64_t>(elements)) {
      return CorruptFile(std::to_string(value.bytes) + " bytes for " + std::to_string(elements) + " elements");
    }
    return Define(static_cast<int>(index));
  }

  Status CheckPort(const Port& port) const {
    const size_t rank = DimsOf(port.value).size();
    std::vector<char> seen(rank, 0);
    for (const int axis : port.source_axes) {
      if (axis >= 0 && static_cast<size_t>(axis) < rank) seen[static_cast<size_t>(axis)] = 1;
    }
    if (port.source_axes.size() != rank || std::count(seen.begin(), seen.end(), 0) != 0) {
      return CorruptFile("its source axes are no permutation of " + std::to_string(rank) + " axes");
    }
    if (port.axes.size() != rank || port.axes.find_first_not_of("bczyxti") != std::string::npos) {
      return CorruptFile("axes " + Quoted(port.axes) + " for rank " + std::to_string(rank) +
                         "; one letter of b, c, z, y, x, t, i an axis is needed");
    }
    return OkStatus();
  }

  Status CheckInput(size_t index) {
    const Port& port = graph_.inputs[index];
    FOVEA_RETURN_IF_ERROR(CheckPort(port));
    FOVEA_RETURN_IF_ERROR(Define(port.value));
    const std::vector<DimExpr>& dims = DimsOf(port.value);
    if (port.rules.size() != dims.size()) {
      return CorruptFile(std::to_string(port.rules.size()) + " size rules for rank " + std::to_string(dims.size()));
    }
    if (port.is_shape && dims.size() > 1) return CorruptFile("an input that decides sizes has rank 0 or 1");
    for (size_t i = 0; i < dims.size(); ++i) {
      const AxisRule& rule = port.rules[i];
      if (rule.min < 0 || rule.min > kMaxAxisSize || rule.step < 0 || rule.step > kMaxAxisSize) {
        return CorruptFile("axis " + std::to_string(i) + " may have " + std::to_string(rule.min) + " + k " +
                           std::to_string(rule.step) + " elements");
      }
      const bool is_fixed = rule.step == 0 && dims[i] == DimExpr(rule.min);
      if (!is_fixed && !(dims[i] == DimExpr::InputDim(static_cast<int>(index), static_cast<int>(i)))) {
        return CorruptFile("the size " + dims[i].ToString() + " of axis " + std::to_string(i) +
                           " is neither open nor the one that its rule allows");
      }
    }
    return OkStatus();
  }

  Status CheckNode(const Node& node) {
    std::vector<const std::vector<DimExpr>*> inputs;
    const OpKind kind = KindOf(node.params);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int v = node.inputs[i];
      if (v != kNoValue && !IsValue(v)) return CorruptFile("there is no value " + std::to_string(v));
      if (v != kNoValue && defined_[static_cast<size_t>(v)] == 0) {
        return CorruptFile("reads value " + Quoted(At(v).name) + " before it is produced");
      }
      // Inputs that decide sizes are never in memory.
      if (v != kNoValue && DecidesSizes(v) && !(kind == OpKind::kResize && i == 1)) {
        return CorruptFile("reads " + Quoted(At(v).name) + ", an input that only decides sizes, as data");
      }
      inputs.push_back(v == kNoValue ? nullptr : &DimsOf(v));
    }
    if (!AllSizes(node.params, [this](const DimExpr& e) { return e.RefersOnlyTo(ranks_, elements_); })) {
      return CorruptFile("a parameter names no input's size");
    }
    if (const ResizeParams* p = std::get_if<ResizeParams>(&node.params)) {
      const bool is_known = p->scales_input >= 0 && static_cast<size_t>(p->scales_input) < graph_.inputs.size();
      if (p->scales_input >= 0 && !(is_known && graph_.inputs[static_cast<size_t>(p->scales_input)].is_shape)) {
        return CorruptFile("model input " + std::to_string(p->scales_input) + " holds no scales");
      }
    }
    FOVEA_RETURN_IF_ERROR(Define(node.output));
    const Result<std::vector<DimExpr>> inferred = InferShape<DimExpr>(node.params, inputs, nullptr);
    if (!inferred.ok()) return CorruptFile(inferred.status().message());
    const std::vector<DimExpr>& stated = DimsOf(node.output);
    bool agree = inferred->size() == stated.size();
    for (size_t i = 0; agree && i < stated.size(); ++i) agree = !(IsEqual((*inferred)[i], stated[i]) == DimExpr(0));
    if (!agree) return CorruptFile("its result " + Quoted(At(node.output).name) + " has other sizes than it gives");
    return OkStatus();
  }

  Status CheckTensors(const std::vector<SelfTest::Tensor>& tensors, const std::vector<Port>& ports) const {
    if (tensors.size() != ports.size()) {
      return CorruptFile(std::to_string(tensors.size()) + " tensors for " + std::to_string(ports.size()) + " ports");
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
      const SelfTest::Tensor& t = tensors[i];
      const int64_t elements = ConstElements(std::vector<DimExpr>(t.dims.begin(), t.dims.end()));
      if (t.dims.size() != DimsOf(ports[i].value).size() || elements < 0 || t.bytes % 4 != 0 ||
          t.bytes / 4 != static_cast<uint64_t>(elements) || !Inside(t.offset, t.bytes, weight_bytes_)) {
        return CorruptFile("the tensor for " + Quoted(ports[i].name) + " has a wrong size or place");
      }
    }
    return OkStatus();
  }

  Status CheckTest(const SelfTest& test) const {
    FOVEA_RETURN_IF_ERROR(CheckTensors(test.inputs, graph_.inputs));
    FOVEA_RETURN_IF_ERROR(CheckTensors(test.expected, graph_.outputs));
    const bool tolerances = std::isfinite(test.rtol) && test.rtol >= 0 && std::isfinite(test.atol) && test.atol >= 0 &&
                            std::isfinite(test.mismatches_per_million) && test.mismatches_per_million >= 0;
    return tolerances ? OkStatus() : CorruptFile("its tolerances are no numbers from 0 up");
  }

  static Status CheckSteps(const std::vector<Step>& steps, const std::vector<Port>& ports, const char* side) {
    const auto count = std::count_if(ports.begin(), ports.end(), [](const Port& port) { return !port.is_shape; });
    for (const Step& step : steps) {
      const Status form = CheckStepForm(step);
      if (!form.ok()) return CorruptFile(form.message());
      const auto named = [&step](const Port& port) { return port.name == step.tensor; };
      if (step.tensor.empty() && count == 1) continue;
      if (step.tensor.empty()) return CorruptFile("step " + step.name + " does not say of which " + side);
      if (std::none_of(ports.begin(), ports.end(), named)) {
        return CorruptFile("step " + step.name + ": there is no " + side + " " + Quoted(step.tensor));
      }
    }
    return OkStatus();
  }

  const Graph& graph_;
  const uint64_t weight_bytes_;
  std::vector<char> defined_;      // one a value
  std::vector<int> ranks_;         // one an input
  std::vector<int64_t> elements_;  // one an input: of those that decide sizes
};

}  // namespace

Status VerifyGraph(const Graph& graph, uint64_t weight_bytes) { return Checker(graph, weight_bytes).Run(); }

}  // namespace fovea
