// The reference executor: whole image, every value in a tight buffer of its own, reference kernels, one thread, nodes
// in order. Slow and obvious; what it computes is right by definition.
#include <algorithm>
#include <chrono>

#include "runtime/exec/operator.h"
#include "runtime/exec/runner.h"

namespace fovea::exec {
namespace {

class ReferenceRunner : public Runner {
 public:
  Status Prepare(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph, const SessionOptions& options);
  Status Run(std::span<const float* const> inputs, std::span<float* const> outputs) override;
  Status Run(TensorSource& source, TensorSink& sink) override;
  std::vector<StepProfile> Profile() const override { return profile_; }

 private:
  Operand OperandOf(int value) const {
    const size_t v = static_cast<size_t>(value);
    // Operands are one type for reading and writing; constants are only ever read.
    float* data = data_[v] != nullptr ? data_[v] : const_cast<float*>(constants_.data(value));
    return TightOperand(data, graph_.dims[v], plan::WholeRegion(graph_.dims[v]));
  }
  Status RunNodes();

  std::shared_ptr<const ModelFile> file_;
  plan::ResolvedGraph graph_;
  Constants constants_;
  Block values_, packed_, scratch_;
  std::vector<float*> data_;  // of each value that is computed or given
  std::vector<Operator> operators_;
  std::vector<std::vector<Operand>> inputs_;  // of each node
  std::vector<StepProfile> profile_;
};

Status ReferenceRunner::Prepare(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                const SessionOptions& options) {
  file_ = std::move(file);
  graph_ = std::move(graph);
  FOVEA_ASSIGN_OR_RETURN(
      constants_, Constants::Load(*file_, graph_, options.allocator, std::vector<uint8_t>(graph_.dims.size(), 0)));
  uint64_t floats = 0;
  std::vector<uint64_t> offset(graph_.dims.size(), 0);
  for (size_t v = 0; v < graph_.dims.size(); ++v) {
    if (constants_.data(static_cast<int>(v)) != nullptr) continue;
    offset[v] = floats;
    floats += AlignUp(static_cast<uint64_t>(plan::Elements(graph_.dims[v])) * sizeof(float)) / sizeof(float);
  }
  FOVEA_ASSIGN_OR_RETURN(values_, Block::Allocate(options.allocator, floats * sizeof(float)));
  data_.resize(graph_.dims.size(), nullptr);
  for (size_t v = 0; v < graph_.dims.size(); ++v) {
    if (constants_.data(static_cast<int>(v)) == nullptr) data_[v] = values_.floats() + offset[v];
  }
  int64_t packed = 0, scratch = 0;
  Call call;
  for (const plan::ResolvedNode& node : graph_.nodes) {
    const Operator& op = operators_.emplace_back(node, kernels::Isa::kReference, true);
    std::vector<Operand>& in = inputs_.emplace_back();
    for (int input : node.node->inputs) in.push_back(input == kNoValue ? Operand() : OperandOf(input));
    const Operand out = OperandOf(node.node->output);
    packed = std::max(packed, op.PackedFloats());
    for (int64_t c = 0; c < op.CallCount(in, out); ++c) {
      op.Bind(c, in, out, nullptr, &call);
      scratch = std::max(scratch, call.ScratchFloats());
    }
    profile_.push_back({node.node->name, OpKindName(node.kind), op.kernel_name(), 0, plan::MultiplyAdds(node), 0});
    for (const Operand& operand : in) {
      if (operand.data != nullptr)
        profile_.back().bytes_moved += 4 * plan::RegionElements(operand.region, operand.rank);
    }
    profile_.back().bytes_moved += 4 * plan::Elements(node.out);
    report.multiply_adds += plan::MultiplyAdds(node);
  }
  FOVEA_ASSIGN_OR_RETURN(packed_, Block::Allocate(options.allocator, static_cast<uint64_t>(packed) * sizeof(float)));
  FOVEA_ASSIGN_OR_RETURN(scratch_, Block::Allocate(options.allocator, static_cast<uint64_t>(scratch) * sizeof(float)));
  report.weight_bytes = constants_.bytes();
  report.packed_weight_bytes = packed_.bytes();
  report.arena_bytes = values_.bytes() + scratch_.bytes();
  report.strategy = "whole image";
  report.isa = kernels::IsaName(kernels::Isa::kReference);
  return OkStatus();
}

Status ReferenceRunner::RunNodes() {
  Call call;
  for (size_t n = 0; n < operators_.size(); ++n) {
    if (hooks.cancelled && hooks.cancelled()) return Cancelled("the run was cancelled");
    const auto start = std::chrono::steady_clock::now();
    const Operator& op = operators_[n];
    const std::span<const Operand> in = inputs_[n];
    const Operand out = OperandOf(op.node().node->output);
    if (op.PackedFloats() > 0) op.Pack(in[1].data, in.size() > 2 ? in[2].data : nullptr, packed_.floats(), 0, 1);
    for (int64_t c = 0; c < op.CallCount(in, out); ++c) {
      op.Bind(c, in, out, packed_.floats(), &call);
      call.Run(0, call.Units(), scratch_.floats());
    }
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
    profile_[n].ms = ms.count();
  }
  if (hooks.progress) hooks.progress(1, 1);
  return OkStatus();
}

Status ReferenceRunner::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  const Graph& graph = *graph_.graph;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const size_t v = static_cast<size_t>(graph.inputs[i].value);
    if (graph.inputs[i].is_shape) continue;
    std::copy_n(inputs[i], plan::Elements(graph_.dims[v]), data_[v]);
  }
  FOVEA_RETURN_IF_ERROR(RunNodes());
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const Operand from = OperandOf(graph.outputs[o].value);
    std::copy_n(from.data, plan::RegionElements(from.region, from.rank), outputs[o]);  // may be none, nowhere
  }
  return OkStatus();
}

Status ReferenceRunner::Run(TensorSource& source, TensorSink& sink) {
  FOVEA_ASSIGN_OR_RETURN(const bool skip, source.SkipTile({}));
  if (skip) return OkStatus();
  const Graph& graph = *graph_.graph;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const size_t v = static_cast<size_t>(graph.inputs[i].value);
    if (graph.inputs[i].is_shape) continue;
    FOVEA_RETURN_IF_ERROR(source.Read(static_cast<int>(i), WholeTensor(graph_.dims[v]), data_[v]));
  }
  FOVEA_RETURN_IF_ERROR(RunNodes());
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const Operand from = OperandOf(graph.outputs[o].value);
    const plan::Dims& dims = graph_.dims[static_cast<size_t>(graph.outputs[o].value)];
    FOVEA_RETURN_IF_ERROR(sink.Write(static_cast<int>(o), WholeTensor(dims), from.data));
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<Runner>> CreateReferenceRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                      const SessionOptions& options) {
  auto runner = std::make_unique<ReferenceRunner>();
  FOVEA_RETURN_IF_ERROR(runner->Prepare(std::move(file), std::move(graph), options));
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace fovea::exec
