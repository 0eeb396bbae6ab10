// The executor on XNNPACK: 2-D networks, whole images, as a second opinion beside our own kernels.
//
// Each node becomes operators of XNNPACK where it has them (express.h) and a call of our best kernels where it has not;
// Profile() names which. Values live in one block, each for as long as it is needed. Like the fast executor, Run
// allocates nothing: operators are made and set up when the session is created.
#include "runtime/exec/runner.h"

#include <chrono>
#include <cstring>

#include "runtime/exec/operator.h"
#include "runtime/exec/packing.h"
#include "runtime/exec/tracer.h"
#include "runtime/exec/xnnpack/express.h"
#include "runtime/plan/arena.h"

namespace fovea::exec {
namespace {

using Clock = std::chrono::steady_clock;

// What a Call's tasks share.
struct CallTasks {
  const Call* call;
  int64_t units;
  size_t tasks;
  float* scratch;
  int64_t scratch_stride;
};

void RunCallTask(void* context, size_t task) {
  const CallTasks& c = *static_cast<const CallTasks*>(context);
  const auto at = [&](size_t t) { return c.units * static_cast<int64_t>(t) / static_cast<int64_t>(c.tasks); };
  c.call->Run(at(task), at(task + 1), c.scratch + static_cast<int64_t>(task) * c.scratch_stride);
}

class XnnpackRunner : public Runner {
 public:
  Status Prepare(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph, const SessionOptions& options,
                 kernels::Isa cap);
  Status Run(std::span<const float* const> inputs, std::span<float* const> outputs) override;
  Status Run(TensorSource& source, TensorSink& sink) override;
  std::vector<StepProfile> Profile() const override { return profile_; }

 private:
  struct Step {
    bool expressed = false;  // by XNNPACK; otherwise by `op`
    XnnStep xnn;
    Call rest;                    // what XNNPACK leaves of the activation
    float* packed = nullptr;      // of a convolution that is ours
    bool packs_each_run = false;  // its weights are computed
    std::vector<Operand> in;      // absent ones and packed weights are empty
  };

  bool IsConstant(int value) const { return graph_.graph->values[static_cast<size_t>(value)].is_const; }
  Status Choose();
  Status LayOut(const SessionOptions& options);
  void FillOperands(size_t n);
  Status PackOurs(const SessionOptions& options);
  Status ExpressAll();
  Status AllocateScratch(const SessionOptions& options);
  void FillReport(kernels::Isa cap, int64_t provider_bytes);
  Operand OperandOf(int value) const;
  Status RunNodes();
  void RunStep(size_t n);
  void RunCall(const Call& call);

  std::shared_ptr<const ModelFile> file_;
  plan::ResolvedGraph graph_;
  Constants constants_;
  Block values_, packed_, scratch_;
  std::vector<float*> data_;  // of each value that has a place in values_
  std::vector<Operator> operators_;
  std::vector<Step> steps_;
  std::vector<StepProfile> profile_;
  Pthreadpool pool_;  // null: one thread
  size_t threads_ = 1;
  int64_t scratch_stride_ = 0;
  kernels::Isa cap_ = kernels::Isa::kReference;
};

Status CheckOptions(const SessionOptions& options) {
  if (!options.isa.empty()) return InvalidArgument("XNNPACK chooses its instruction set itself; it can't be capped");
  if (options.tile[0] > 0 || options.tile[1] > 0 || options.tile[2] > 0 || options.band_rows > 0) {
    return Unsupported("XNNPACK runs whole images; tiles and bands are the fast executor's");
  }
  if (!options.cache_directory.empty()) return Unsupported("XNNPACK's packed weights can't be kept in a folder");
  if (options.parallel_for.run != nullptr) return Unsupported("XNNPACK brings threads of its own");
  return OkStatus();
}

Status CheckTwoDimensional(const plan::ResolvedGraph& graph) {
  for (const plan::ResolvedNode& node : graph.nodes) {
    const bool window = node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose || node.kind == OpKind::kPool;
    if (window && node.out.size() == 5) {
      return Unsupported("XNNPACK has no 3-D operators, and '" + node.node->name + "' is a 3-D " +
                         OpKindName(node.kind));
    }
  }
  return OkStatus();
}

Status XnnpackRunner::Prepare(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                              const SessionOptions& options, kernels::Isa cap) {
  FOVEA_RETURN_IF_ERROR(CheckOptions(options));
  FOVEA_RETURN_IF_ERROR(CheckTwoDimensional(graph));
  FOVEA_RETURN_IF_ERROR(StartXnnpack());
  file_ = std::move(file);
  graph_ = std::move(graph);
  cap_ = cap;
  threads_ = static_cast<size_t>(options.threads);
  if (threads_ > 1) {
    pool_.reset(pthreadpool_create(threads_));
    if (pool_ == nullptr) return OutOfMemory("no memory for XNNPACK's threads");
    threads_ = pthreadpool_get_threads_count(pool_.get());
  }
  steps_.resize(graph_.nodes.size());
  for (size_t n = 0; n < steps_.size(); ++n) {
    operators_.emplace_back(graph_.nodes[n], cap, options.exact_convolution);
  }
  FOVEA_RETURN_IF_ERROR(Choose());
  FOVEA_RETURN_IF_ERROR(LayOut(options));
  for (size_t n = 0; n < steps_.size(); ++n) FillOperands(n);
  FOVEA_RETURN_IF_ERROR(PackOurs(options));
  FOVEA_RETURN_IF_ERROR(AllocateScratch(options));
  const int64_t before = XnnpackBytes();
  FOVEA_RETURN_IF_ERROR(ExpressAll());
  FillReport(cap, XnnpackBytes() - before);
  if (options.memory_bytes != 0 && report.total_bytes() > options.memory_bytes) {
    return OverBudget("XNNPACK needs " + std::to_string(report.total_bytes()) + " bytes for this image (" +
                      std::to_string(report.provider_bytes) + " of them inside the library); the budget leaves " +
                      std::to_string(options.memory_bytes) + ". Only the fast executor can tile");
  }
  return OkStatus();
}

// Which nodes XNNPACK makes.
Status XnnpackRunner::Choose() {
  for (size_t n = 0; n < steps_.size(); ++n) {
    const plan::ResolvedNode& node = graph_.nodes[n];
    bool constant[8] = {};
    for (size_t i = 0; i < std::min<size_t>(8, node.in.size()); ++i) {
      constant[i] = node.Has(i) && IsConstant(node.node->inputs[i]);
    }
    steps_[n].expressed = CanExpress(node, constant);
  }
  return OkStatus();
}

// A place for every value that is given or computed, and for constants that XNNPACK reads: it may read past their end.
Status XnnpackRunner::LayOut(const SessionOptions& options) {
  const Graph& graph = *graph_.graph;
  const int end = static_cast<int>(graph_.nodes.size());
  std::vector<plan::ArenaBlock> blocks(graph_.dims.size());
  std::vector<uint8_t> only_packed = OnlyPacked(graph_);
  std::vector<uint8_t> placed(graph_.dims.size(), 0);
  for (const Port& port : graph.inputs) placed[static_cast<size_t>(port.value)] = 1;
  for (size_t n = 0; n < steps_.size(); ++n) {
    const plan::ResolvedNode& node = graph_.nodes[n];
    const size_t out = static_cast<size_t>(node.node->output);
    const bool convolves = node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose;
    if (node.kind != OpKind::kDims) {
      placed[out] = 1;
      blocks[out].first = blocks[out].last = static_cast<int>(n);
    }
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const size_t v = static_cast<size_t>(node.node->inputs[i]);
      const bool weights = convolves && (i == 1 || i == 2);
      if (weights && !steps_[n].expressed) only_packed[v] = 0;
      const bool known = graph.values[v].is_const || !placed[v];
      if (known && steps_[n].expressed && !weights) placed[v] = 2;  // copied once, alive for ever
      blocks[v].last = placed[v] == 2 ? end : std::max(blocks[v].last, static_cast<int>(n));
    }
  }
  for (const Port& port : graph.outputs) blocks[static_cast<size_t>(port.value)].last = end;
  FOVEA_ASSIGN_OR_RETURN(constants_, Constants::Load(*file_, graph_, options.allocator, only_packed));
  for (size_t v = 0; v < blocks.size(); ++v) {
    if (placed[v] == 2) blocks[v].first = 0, blocks[v].last = end;
    if (placed[v] == 0) continue;
    blocks[v].bytes = AlignUp(static_cast<uint64_t>(plan::Elements(graph_.dims[v])) * sizeof(float) + XNN_EXTRA_BYTES);
  }
  FOVEA_ASSIGN_OR_RETURN(values_, Block::Allocate(options.allocator, plan::PlaceBlocks(blocks)));
  data_.resize(blocks.size(), nullptr);
  for (size_t v = 0; v < blocks.size(); ++v) {
    if (placed[v] == 0) continue;
    data_[v] = values_.floats() + blocks[v].offset / sizeof(float);
    const float* known = constants_.data(static_cast<int>(v));
    if (known != nullptr) std::memcpy(data_[v], known, static_cast<size_t>(plan::Elements(graph_.dims[v])) * 4);
  }
  return OkStatus();
}

Operand XnnpackRunner::OperandOf(int value) const {
  const size_t v = static_cast<size_t>(value);
  // Operands are one type for reading and writing; constants are only ever read.
  float* data = data_[v] != nullptr ? data_[v] : const_cast<float*>(constants_.data(value));
  return TightOperand(data, graph_.dims[v], plan::WholeRegion(graph_.dims[v]));
}

void XnnpackRunner::FillOperands(size_t n) {
  for (int input : graph_.nodes[n].node->inputs) {
    steps_[n].in.push_back(input == kNoValue ? Operand() : OperandOf(input));
  }
}

// Convolutions that XNNPACK does not make.
Status XnnpackRunner::PackOurs(const SessionOptions& options) {
  uint64_t floats = 0;
  const auto size = [&](size_t n) {
    const int64_t wanted = steps_[n].expressed ? 0 : operators_[n].PackedFloats();
    return AlignUp(static_cast<uint64_t>(wanted) * sizeof(float)) / sizeof(float);
  };
  for (size_t n = 0; n < steps_.size(); ++n) floats += size(n);
  FOVEA_ASSIGN_OR_RETURN(packed_, Block::Allocate(options.allocator, floats * sizeof(float)));
  float* next = packed_.floats();
  for (size_t n = 0; n < steps_.size(); ++n) {
    if (size(n) == 0) continue;
    Step& step = steps_[n];
    step.packed = next;
    next += size(n);
    const auto& inputs = graph_.nodes[n].node->inputs;
    step.packs_each_run = !IsConstant(inputs[1]) || (graph_.nodes[n].Has(2) && !IsConstant(inputs[2]));
    if (step.packs_each_run) continue;
    operators_[n].Pack(step.in[1].data, step.in.size() > 2 ? step.in[2].data : nullptr, step.packed, 0, 1);
  }
  return OkStatus();
}

Status XnnpackRunner::ExpressAll() {
  std::vector<float> weights, bias;
  std::vector<float*> in;
  for (size_t n = 0; n < steps_.size(); ++n) {
    Step& step = steps_[n];
    const plan::ResolvedNode& node = graph_.nodes[n];
    if (!step.expressed) continue;
    in.clear();
    for (const Operand& operand : step.in) in.push_back(operand.data);
    const Operand out = OperandOf(node.node->output);
    XnnPlace place{in, out.data, pool_.get()};
    if (node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose) {
      const auto value = [&](size_t i) -> const Value& {
        return graph_.graph->values[static_cast<size_t>(node.node->inputs[i])];
      };
      place.weights = file_->Floats(value(1), &weights).data();
      if (node.Has(2)) place.bias = file_->Floats(value(2), &bias).data();
    }
    FOVEA_ASSIGN_OR_RETURN(step.xnn, ExpressNode(node, place));
    const kernels::Activation& rest = step.xnn.rest;
    if (rest.fn == kernels::UnaryFn::kIdentity) continue;
    step.rest.any = UnaryCall{kernels::Pick(kernels::UnaryKernels(), rest, cap_), rest, {AsView(out), AsView(out)}};
  }
  return OkStatus();
}

Status XnnpackRunner::AllocateScratch(const SessionOptions& options) {
  int64_t most = 0;
  Call call;
  for (size_t n = 0; n < steps_.size(); ++n) {
    if (steps_[n].expressed) continue;
    const Operand out = OperandOf(graph_.nodes[n].node->output);
    for (int64_t c = 0; c < operators_[n].CallCount(steps_[n].in, out); ++c) {
      operators_[n].Bind(c, steps_[n].in, out, steps_[n].packed, &call);
      most = std::max(most, call.ScratchFloats());
    }
  }
  scratch_stride_ = static_cast<int64_t>(AlignUp(static_cast<uint64_t>(most) * sizeof(float)) / sizeof(float));
  FOVEA_ASSIGN_OR_RETURN(
      scratch_, Block::Allocate(options.allocator, threads_ * static_cast<uint64_t>(scratch_stride_) * sizeof(float)));
  return OkStatus();
}

void XnnpackRunner::FillReport(kernels::Isa cap, int64_t provider_bytes) {
  report.weight_bytes = constants_.bytes();
  report.packed_weight_bytes = packed_.bytes();
  report.arena_bytes = values_.bytes() + scratch_.bytes();
  report.provider_bytes = static_cast<uint64_t>(std::max<int64_t>(0, provider_bytes));
  report.strategy = "whole image through XNNPACK";
  report.isa = kernels::IsaName(cap);
  report.threads = static_cast<int>(threads_);
  for (size_t n = 0; n < steps_.size(); ++n) {
    const plan::ResolvedNode& node = graph_.nodes[n];
    const std::string kind = OpKindName(node.kind);
    StepProfile& step = profile_.emplace_back();
    step.node = node.node->name;
    step.kind = kind;
    step.kernel = steps_[n].expressed ? kind + "/xnnpack" : operators_[n].kernel_name();
    step.multiply_adds = plan::MultiplyAdds(node);
    int64_t elements = plan::Elements(node.out);
    for (size_t i = 0; i < node.in.size(); ++i) elements += node.Has(i) ? plan::Elements(node.in[i]) : 0;
    step.bytes_moved = elements * static_cast<int64_t>(sizeof(float));
    report.multiply_adds += step.multiply_adds;
  }
}

void XnnpackRunner::RunCall(const Call& call) {
  const int64_t units = call.Units();
  if (units == 0) return;
  CallTasks tasks{&call, units, std::min(threads_, static_cast<size_t>(units)), scratch_.floats(), scratch_stride_};
  pthreadpool_parallelize_1d(pool_.get(), RunCallTask, &tasks, tasks.tasks, 0);
}

void XnnpackRunner::RunStep(size_t n) {
  Step& step = steps_[n];
  if (step.expressed) {
    // It can only fail when it was not set up.
    for (const XnnOperator& op : step.xnn.operators) xnn_run_operator(op.get(), pool_.get());
    RunCall(step.rest);
    return;
  }
  const Operator& op = operators_[n];
  const Operand out = OperandOf(op.node().node->output);
  if (step.packs_each_run) {
    op.Pack(step.in[1].data, step.in.size() > 2 ? step.in[2].data : nullptr, step.packed, 0, 1);
  }
  Call call;
  for (int64_t c = 0; c < op.CallCount(step.in, out); ++c) {
    op.Bind(c, step.in, out, step.packed, &call);
    RunCall(call);
  }
}

Status XnnpackRunner::RunNodes() {
  if (hooks.tracer != nullptr) hooks.tracer->Begin();
  for (size_t n = 0; n < steps_.size(); ++n) {
    if (hooks.cancelled && hooks.cancelled()) return Cancelled("the run was cancelled");
    const TracedStep traced(hooks.tracer.get(), n);
    const Clock::time_point start = Clock::now();
    RunStep(n);
    profile_[n].ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }
  if (hooks.progress) hooks.progress(1, 1);
  return OkStatus();
}

Status XnnpackRunner::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  const Graph& graph = *graph_.graph;
  const auto bytes = [&](int value) {
    return static_cast<size_t>(plan::Elements(graph_.dims[static_cast<size_t>(value)])) * sizeof(float);
  };
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const int value = graph.inputs[i].value;
    if (!graph.inputs[i].is_shape) std::memcpy(data_[static_cast<size_t>(value)], inputs[i], bytes(value));
  }
  FOVEA_RETURN_IF_ERROR(RunNodes());
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const int value = graph.outputs[o].value;
    std::memcpy(outputs[o], OperandOf(value).data, bytes(value));
  }
  return OkStatus();
}

Status XnnpackRunner::Run(TensorSource& source, TensorSink& sink) {
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
    const int value = graph.outputs[o].value;
    const plan::Dims& dims = graph_.dims[static_cast<size_t>(value)];
    FOVEA_RETURN_IF_ERROR(sink.Write(static_cast<int>(o), WholeTensor(dims), OperandOf(value).data));
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<Runner>> CreateXnnpackRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                    const SessionOptions& options, kernels::Isa cap) {
  auto runner = std::make_unique<XnnpackRunner>();
  FOVEA_RETURN_IF_ERROR(runner->Prepare(std::move(file), std::move(graph), options, cap));
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace fovea::exec
