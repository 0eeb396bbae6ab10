#include "runtime/exec/accuracy.h"

#include <algorithm>
#include <cmath>

#include "runtime/exec/operator.h"
#include "runtime/exec/runner.h"

namespace fovea::exec {
namespace {

class Comparer {
 public:
  explicit Comparer(const Comparison& comparison) : c_(comparison) {}

  Result<AccuracyReport> Run(std::span<const float* const> inputs, std::span<float* const> outputs);

 private:
  const Graph& graph() const { return *c_.graph.graph; }
  Status Prepare(std::span<const float* const> inputs);
  Operand OperandOf(int value);
  // One operator with kernels up to `cap`, on the reference's inputs.
  Status Compute(const plan::ResolvedNode& node, kernels::Isa cap, bool doubles, const Operand& out,
                 std::string* kernel);
  Status Spread(const Call& call);
  StepAccuracy Compare(const float* got, int value) const;

  const Comparison& c_;
  Constants constants_;
  std::vector<Block> values_;        // of the reference, where one is alive
  std::vector<const float*> given_;  // inputs of the model
  std::vector<int> last_use_;        // node
};

Status Comparer::Prepare(std::span<const float* const> inputs) {
  const size_t count = c_.graph.dims.size();
  FOVEA_ASSIGN_OR_RETURN(constants_, Constants::Load(c_.file, c_.graph, {}, std::vector<uint8_t>(count, 0)));
  values_.resize(count);
  given_.resize(count, nullptr);
  last_use_.resize(count, -1);
  for (size_t i = 0; i < graph().inputs.size(); ++i) given_[static_cast<size_t>(graph().inputs[i].value)] = inputs[i];
  for (size_t n = 0; n < c_.graph.nodes.size(); ++n) {
    for (int input : c_.graph.nodes[n].node->inputs) {
      if (input != kNoValue) last_use_[static_cast<size_t>(input)] = static_cast<int>(n);
    }
  }
  for (const Port& port : graph().outputs) last_use_[static_cast<size_t>(port.value)] = INT32_MAX;
  return OkStatus();
}

Operand Comparer::OperandOf(int value) {
  const size_t v = static_cast<size_t>(value);
  const float* data = constants_.data(value) != nullptr ? constants_.data(value) : given_[v];
  if (data == nullptr) data = values_[v].floats();
  // Operands are one type for reading and writing; inputs are only ever read.
  return TightOperand(const_cast<float*>(data), c_.graph.dims[v], plan::WholeRegion(c_.graph.dims[v]));
}

Status Comparer::Spread(const Call& call) {
  const uint64_t scratch_floats = AlignUp(static_cast<uint64_t>(call.ScratchFloats()) * sizeof(float)) / sizeof(float);
  const uint64_t bytes = scratch_floats * sizeof(float) * static_cast<uint64_t>(c_.pool.threads());
  FOVEA_ASSIGN_OR_RETURN(const Block scratch, Block::Allocate({}, bytes));
  struct Context {
    const Call* call;
    float* scratch;
    uint64_t floats;
    int64_t units, tasks;
  } context{&call, scratch.floats(), scratch_floats, call.Units(), std::min<int64_t>(call.Units(), 64)};
  const auto body = [](void* argument, int64_t task, int thread) {
    const Context& x = *static_cast<const Context*>(argument);
    x.call->Run(x.units * task / x.tasks, x.units * (task + 1) / x.tasks,
                x.scratch + static_cast<uint64_t>(thread) * x.floats);
  };
  c_.pool.Run(context.tasks, body, &context);
  return OkStatus();
}

Status Comparer::Compute(const plan::ResolvedNode& node, kernels::Isa cap, bool doubles, const Operand& out,
                         std::string* kernel) {
  const Operator op(node, cap, doubles || c_.exact_order);
  *kernel = op.kernel_name();
  std::vector<Operand> in;
  for (int input : node.node->inputs) in.push_back(input == kNoValue ? Operand() : OperandOf(input));
  FOVEA_ASSIGN_OR_RETURN(const Block packed,
                         Block::Allocate({}, static_cast<uint64_t>(op.PackedFloats()) * sizeof(float)));
  if (op.PackedFloats() > 0) op.Pack(in[1].data, in.size() > 2 ? in[2].data : nullptr, packed.floats(), 0, 1);
  Call call;
  for (int64_t i = 0; i < op.CallCount(in, out); ++i) {
    op.Bind(i, in, out, packed.floats(), &call);
    if (auto* conv = std::get_if<ConvCall>(&call.any); doubles && conv != nullptr) {
      conv->row = &kernels::ConvKernelOfDoubles();
    }
    if (auto* conv = std::get_if<ConvTransposeCall>(&call.any); doubles && conv != nullptr) {
      conv->row = &kernels::ConvTransposeKernelOfDoubles();
    }
    if (c_.cancelled && c_.cancelled()) return Cancelled("the comparison was cancelled");
    FOVEA_RETURN_IF_ERROR(Spread(call));
  }
  return OkStatus();
}

StepAccuracy Comparer::Compare(const float* got, int value) const {
  StepAccuracy step;
  const int64_t count = plan::Elements(c_.graph.dims[static_cast<size_t>(value)]);
  const float* want = values_[static_cast<size_t>(value)].floats();
  if (count == 0 || want == nullptr) return step;
  float low = want[0], high = want[0];
  for (int64_t i = 0; i < count; ++i) {
    low = std::min(low, want[i]);
    high = std::max(high, want[i]);
    const double error = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
    const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
    if (!same && !(error <= step.error)) step.error = std::isnan(error) ? HUGE_VAL : error;
  }
  step.range = static_cast<double>(high) - static_cast<double>(low);
  return step;
}

Result<AccuracyReport> Comparer::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  AccuracyReport report;
  FOVEA_RETURN_IF_ERROR(Prepare(inputs));
  for (size_t n = 0; n < c_.graph.nodes.size(); ++n) {
    const plan::ResolvedNode& node = c_.graph.nodes[n];
    const int value = node.node->output;
    if (constants_.data(value) != nullptr) continue;
    const uint64_t bytes = static_cast<uint64_t>(plan::Elements(node.out)) * sizeof(float);
    FOVEA_ASSIGN_OR_RETURN(values_[static_cast<size_t>(value)], Block::Allocate({}, bytes));
    FOVEA_ASSIGN_OR_RETURN(const Block picked, Block::Allocate({}, bytes));
    std::string kernel;
    FOVEA_RETURN_IF_ERROR(Compute(node, kernels::Isa::kReference, true, OperandOf(value), &kernel));
    const Operand out = TightOperand(picked.floats(), node.out, plan::WholeRegion(node.out));
    FOVEA_RETURN_IF_ERROR(Compute(node, c_.cap, false, out, &kernel));
    StepAccuracy& step = report.steps.emplace_back(Compare(picked.floats(), value));
    step.node = node.node->name;
    step.kind = OpKindName(node.kind);
    step.kernel = kernel;
    step.in_double = node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose;
    for (int input : node.node->inputs) {
      if (input != kNoValue && last_use_[static_cast<size_t>(input)] == static_cast<int>(n)) {
        values_[static_cast<size_t>(input)] = Block();
      }
    }
  }
  for (size_t o = 0; o < graph().outputs.size(); ++o) {
    StepAccuracy& whole = report.outputs.emplace_back(Compare(outputs[o], graph().outputs[o].value));
    whole.node = graph().outputs[o].name;
    whole.kind = "network";
    whole.in_double = true;
  }
  return report;
}

}  // namespace

Result<AccuracyReport> CompareWithDouble(const Comparison& comparison, std::span<const float* const> inputs,
                                         std::span<float* const> outputs) {
  return Comparer(comparison).Run(inputs, outputs);
}

}  // namespace fovea::exec
