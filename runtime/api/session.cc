#include "runtime/include/fovea/session.h"

#include "runtime/api/cap.h"
#include "runtime/api/guard.h"
#include "runtime/api/ports.h"
#include "runtime/exec/choice.h"
#include "runtime/exec/runner.h"
#include "runtime/exec/tracer.h"

namespace fovea {

struct Session::Impl {
  std::vector<std::vector<int64_t>> input_dims, output_dims;
  std::unique_ptr<exec::Runner> runner;
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::Create(const Model& model, const std::vector<std::vector<int64_t>>& input_dims,
                                const SessionOptions& options, const std::vector<std::vector<double>>& shape_values) {
  return api::WithHeap([&]() -> Result<Session> {
    if (options.threads < 1) return InvalidArgument("a session needs at least one thread");
    for (int64_t tile : options.tile) {
      if (tile < 0) return InvalidArgument("tile sizes must not be negative");
    }
    if (options.tiling != Tiling::kExact && options.executor != Executor::kFast) {
      return InvalidArgument("approximate tiling is for the fast executor; the others run whole images");
    }
    FOVEA_ASSIGN_OR_RETURN(const kernels::Isa cap, api::IsaCap(options.isa));
    const Graph& graph = model.file()->graph();
    FOVEA_RETURN_IF_ERROR(api::CheckSizes(graph, input_dims));
    FOVEA_ASSIGN_OR_RETURN(plan::ResolvedGraph resolved, plan::Resolve(graph, input_dims, shape_values));
    auto impl = std::make_unique<Impl>();
    impl->input_dims = input_dims;
    for (const Port& port : graph.outputs) {
      impl->output_dims.push_back(resolved.dims[static_cast<size_t>(port.value)]);
    }
    const auto create = options.executor == Executor::kXnnpack ? exec::CreateXnnpackRunner : exec::CreateFastRunner;
    auto runner = options.executor == Executor::kReference
                      ? exec::CreateReferenceRunner(model.file(), std::move(resolved), options)
                      : create(model.file(), std::move(resolved), options, cap);
    if (!runner.ok()) return runner.status();
    impl->runner = *std::move(runner);
    return Session(std::move(impl));
  });
}

Result<PlanReport> Session::Plan(const Model& model, const std::vector<std::vector<int64_t>>& input_dims,
                                 const SessionOptions& options, const MachineSpeed& speed, Goal goal) {
  return api::WithHeap([&]() -> Result<PlanReport> {
    if (options.threads < 1) return InvalidArgument("a session needs at least one thread");
    FOVEA_ASSIGN_OR_RETURN(const kernels::Isa cap, api::IsaCap(options.isa));
    const Graph& graph = model.file()->graph();
    FOVEA_RETURN_IF_ERROR(api::CheckSizes(graph, input_dims));
    FOVEA_ASSIGN_OR_RETURN(plan::ResolvedGraph resolved, plan::Resolve(graph, input_dims, {}));
    return exec::PlanReportOf(*model.file(), resolved, options, cap, options.threads, speed, goal == Goal::kSmallest);
  });
}

const std::vector<std::vector<int64_t>>& Session::input_dims() const { return impl_->input_dims; }
const std::vector<std::vector<int64_t>>& Session::output_dims() const { return impl_->output_dims; }
const PlanReport& Session::report() const { return impl_->runner->report; }

Status Session::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  if (inputs.size() != impl_->input_dims.size() || outputs.size() != impl_->output_dims.size()) {
    return InvalidArgument("Run takes one pointer for each input and output of the model");
  }
  return impl_->runner->Run(inputs, outputs);
}

Status Session::Run(TensorSource& source, TensorSink& sink) { return impl_->runner->Run(source, sink); }

void Session::SetCancel(std::function<bool()> cancelled) { impl_->runner->hooks.cancelled = std::move(cancelled); }
void Session::SetProgress(std::function<void(int64_t, int64_t)> progress) {
  impl_->runner->hooks.progress = std::move(progress);
}
void Session::SetWork(std::function<void(double)> work) { impl_->runner->hooks.work = std::move(work); }
void Session::SetPassDone(std::function<Status(std::span<const uint8_t>)> done) {
  impl_->runner->hooks.pass_done = std::move(done);
}
Status Session::SkipPasses(std::span<const uint8_t> statistics) { return impl_->runner->SkipPasses(statistics); }
void Session::EnableProfile(bool on) { impl_->runner->hooks.profile = on; }
void Session::EnableTrace(size_t most_events) {
  impl_->runner->hooks.tracer = std::make_shared<exec::Tracer>(report().threads, most_events);
}
std::vector<TraceEvent> Session::Trace() const {
  const auto& tracer = impl_->runner->hooks.tracer;
  return tracer == nullptr ? std::vector<TraceEvent>() : tracer->Events();
}
std::vector<StepProfile> Session::Profile() const { return impl_->runner->Profile(); }

}  // namespace fovea
