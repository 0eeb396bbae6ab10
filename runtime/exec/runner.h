// Runner: what a Session holds, one of the executors.
#ifndef FOVEA_RUNTIME_EXEC_RUNNER_H_
#define FOVEA_RUNTIME_EXEC_RUNNER_H_

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "runtime/exec/memory.h"
#include "runtime/include/fovea/session.h"
#include "runtime/model/model_file.h"
#include "runtime/plan/resolve.h"

namespace fovea::exec {

class Tracer;

struct Hooks {
  std::function<bool()> cancelled;
  std::function<void(int64_t, int64_t)> progress;
  std::function<void(double)> work;
  std::function<Status(std::span<const uint8_t>)> pass_done;
  bool profile = false;
  std::shared_ptr<Tracer> tracer;  // null: nobody asks when each step and task ran
};

class Runner {
 public:
  virtual ~Runner() = default;
  // As Session::Run.
  virtual Status Run(std::span<const float* const> inputs, std::span<float* const> outputs) = 0;
  virtual Status Run(TensorSource& source, TensorSink& sink) = 0;
  virtual std::vector<StepProfile> Profile() const = 0;
  // As Session::SkipPasses; runners of one pass have none to skip.
  virtual Status SkipPasses(std::span<const uint8_t>) { return OkStatus(); }

  Hooks hooks;
  PlanReport report;
};

// The float32 elements of every constant and of every value that is known when planned.
class Constants {
 public:
  // `skip[v]`: not wanted (weights that live on in packed form), unless it costs nothing.
  static Result<Constants> Load(const ModelFile& file, const plan::ResolvedGraph& graph, const Allocator& allocator,
                                const std::vector<uint8_t>& skip);
  // Those of another graph's values, which keep their memory elsewhere.
  static Constants Of(std::vector<const float*> data);
  // Null for values that are computed.
  const float* data(int value) const { return data_[static_cast<size_t>(value)]; }
  uint64_t bytes() const { return block_.bytes(); }  // outside the mapped file

  // Of every value: 1 where data() is, or would be, a view into the mapped file.
  static std::vector<uint8_t> InPlaceValues(const ModelFile& file);
  // What Load would allocate.
  static uint64_t Bytes(const ModelFile& file, const plan::ResolvedGraph& graph, const std::vector<uint8_t>& skip);

 private:
  std::vector<const float*> data_;
  Block block_;
};

// Whole rectangle of a tensor.
TensorRegion WholeTensor(const plan::Dims& dims);

Result<std::unique_ptr<Runner>> CreateReferenceRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                      const SessionOptions& options);
// xnnpack/runner.cc, or xnnpack/absent.cc in builds without FOVEA_XNNPACK: kUnsupported, with how to get it.
Result<std::unique_ptr<Runner>> CreateXnnpackRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                    const SessionOptions& options, kernels::Isa cap);
Result<std::unique_ptr<Runner>> CreateFastRunner(std::shared_ptr<const ModelFile> file, plan::ResolvedGraph graph,
                                                 const SessionOptions& options, kernels::Isa cap);

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_RUNNER_H_
