// Networks with statistics of the whole image, run exactly in several passes over its tiles (plan/passes.h).
//
// Every pass is a FastRunner on a graph of its own; constants, packed weights and the block for arenas and tile buffers
// are shared. The tensors that statistics are taken of go to a sink that adds them up and keeps nothing else.
#ifndef FOVEA_RUNTIME_EXEC_PASSES_H_
#define FOVEA_RUNTIME_EXEC_PASSES_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/exec/fast.h"
#include "runtime/plan/passes.h"

namespace fovea::exec {

// A plan in words, of which `last` says how the last pass goes.
std::string Words(const plan::PassPlan& plan, const std::string& last);
// As ReportOf of one plan.
PlanReport ReportOf(const plan::PassPlan& plan, kernels::Isa cap, int threads, const MachineSpeed& speed);

class PassRunner : public Runner {
 public:
  // Errors: kOutOfMemory.
  Status Prepare(std::shared_ptr<const ModelFile> file, plan::PassPlan plan, const SessionOptions& options,
                 kernels::Isa cap, Threads threads);
  Status Run(std::span<const float* const> inputs, std::span<float* const> outputs) override;
  Status Run(TensorSource& source, TensorSink& sink) override;
  std::vector<StepProfile> Profile() const override;
  Status SkipPasses(std::span<const uint8_t> statistics) override;

 private:
  // The inputs of the model, then kept values.
  class Source;
  // Sums what tiles of one output of a pass add to each statistic that is taken of it, and keeps what is to be kept.
  class Adder;
  // Takes the outputs of a pass that makes values.
  class Keeper;

  Status RunPass(size_t p, TensorSource& source, TensorSink& sink);
  // Of each pass before `first`: whether it makes kept values that are needed from pass `first` on.
  std::vector<uint8_t> NeededFor(size_t first) const;
  void BeginStatistics(const plan::Pass& pass);
  void Add(const plan::Pass& pass, int output, const TensorRegion& region, const float* src);
  void EndStatistics(const plan::Pass& pass);
  double* Known(int value);
  // Calls use(values, bytes) for what passes [0, passes) made known, in order.
  template <class Use>
  void ForEachKnown(size_t passes, const Use& use);
  // What SkipPasses takes, after pass p.
  Status TellStatistics(size_t p);

  std::shared_ptr<const ModelFile> file_;
  std::unique_ptr<ThreadPool> pool_;
  ParallelFor parallel_for_;
  int threads_ = 1;
  plan::PassPlan plan_;
  Constants constants_;
  PackedWeights packed_;
  Block block_, known_block_, kept_block_, state_block_;
  std::vector<float*> known_;    // of each value of the pass graphs; null: not known by a pass
  std::vector<float*> kept_;     // of each value of the whole graph; null: not kept
  std::vector<double*> states_;  // of each statistic, during its pass
  std::vector<const plan::Dims*> port_dims_[2];
  std::vector<std::unique_ptr<FastRunner>> runners_;
  const kernels::MomentsKernel* moments_ = nullptr;
  int64_t tiles_ = 0, tiles_before_ = 0;  // over all passes; of those that are done
  double work_before_ = 0;                // part of the predicted time, of passes that are done
  size_t skipped_ = 0;                    // passes that the next run leaves out
  std::vector<uint8_t> told_;             // for pass_done
  TileInfo tile_;                         // of the last pass, as the caller sees it
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_PASSES_H_
