#include "runtime/exec/passes.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "runtime/exec/rectangles.h"
#include "runtime/plan/cost.h"

namespace fovea::exec {
namespace {

using kernels::MomentFn;

size_t Index(int v) { return static_cast<size_t>(v); }

// A tight rectangle of a tensor with axes N, [D,] [H,] W, C as N, D, H, W, C; where it begins along D, H, W.
kernels::ConstView PartView(const TensorRegion& region, size_t rank, const float* src, int64_t (&origin)[3]) {
  kernels::ConstView view;
  view.data = src;
  view.rank = 5;
  int64_t stride = 1;
  for (size_t a = 5; a-- > 0;) {
    const bool here = a == 0 || a + rank >= 6;
    const size_t from = a == 0 ? 0 : a + rank - 5;
    view.dims[a] = here ? region.size[from] : 1;
    view.strides[a] = stride;
    stride *= view.dims[a];
    if (a >= 1 && a <= 3) origin[a - 1] = here ? region.begin[from] : 0;
  }
  return view;
}

}  // namespace

class PassRunner::Source : public TensorSource {
 public:
  Source(PassRunner& runner, const plan::Pass& pass, TensorSource& source)
      : runner_(runner), pass_(pass), source_(source) {}
  Status Read(int input, const TensorRegion& region, float* dst) override {
    const size_t own = runner_.plan_.whole.graph.graph->inputs.size();
    if (Index(input) < own) return source_.Read(input, region, dst);
    const int value = pass_.graph->inputs[Index(input)].value;
    const float* from = runner_.kept_[Index(value)];
    ForEachRun(runner_.plan_.whole.graph.dims[Index(value)], region, [&](int64_t whole, int64_t tight, int64_t n) {
      std::memcpy(dst + tight, from + whole, static_cast<size_t>(n) * sizeof(float));
    });
    return OkStatus();
  }
  // Tiles are left out in the last pass only: the statistics are of the whole image. What follows from kept values is
  // like no other: the caller does not see what it follows from.
  Result<bool> SkipTile(const TileInfo& tile) override {
    if (!pass_.is_last()) return false;
    const size_t own = runner_.plan_.whole.graph.graph->inputs.size();
    if (tile.inputs.size() == own) return source_.SkipTile(tile);
    TileInfo& seen = runner_.tile_;
    seen.index = tile.index;
    seen.count = tile.count;
    seen.inputs.assign(tile.inputs.begin(), tile.inputs.begin() + static_cast<std::ptrdiff_t>(own));
    seen.outputs = tile.outputs;
    return source_.SkipTile(seen);
  }

 private:
  PassRunner& runner_;
  const plan::Pass& pass_;
  TensorSource& source_;
};

class PassRunner::Adder : public TensorSink {
 public:
  Adder(PassRunner* runner, const plan::Pass& pass) : runner_(*runner), pass_(pass) {}
  Status Write(int output, const TensorRegion& region, const float* src) override {
    runner_.Add(pass_, output, region, src);
    if (pass_.keeps.empty() || !pass_.keeps[Index(output)]) return OkStatus();
    const int value = pass_.graph->outputs[Index(output)].value;
    float* to = runner_.kept_[Index(value)];
    ForEachRun(runner_.plan_.whole.graph.dims[Index(value)], region, [&](int64_t whole, int64_t tight, int64_t n) {
      std::memcpy(to + whole, src + tight, static_cast<size_t>(n) * sizeof(float));
    });
    return OkStatus();
  }

 private:
  PassRunner& runner_;
  const plan::Pass& pass_;
};

class PassRunner::Keeper : public TensorSink {
 public:
  Keeper(PassRunner* runner, const plan::Pass& pass) : runner_(*runner), pass_(pass) {}
  Status Write(int output, const TensorRegion& region, const float* src) override {
    int64_t floats = 1;
    for (size_t a = 0; a < runner_.plan_.whole.graph.dims[Index(pass_.known[Index(output)])].size(); ++a) {
      floats *= region.size[a];
    }
    std::memcpy(runner_.known_[Index(pass_.known[Index(output)])], src, static_cast<size_t>(floats) * sizeof(float));
    return OkStatus();
  }

 private:
  PassRunner& runner_;
  const plan::Pass& pass_;
};

std::string Words(const plan::PassPlan& plan, const std::string& last) {
  return std::to_string(plan.passes.size()) + " passes, " + last;
}

PlanReport ReportOf(const plan::PassPlan& plan, kernels::Isa cap, int threads, const MachineSpeed& speed) {
  const plan::Plan& last = plan.passes.back().plan;
  PlanReport report = ReportOf(last, cap, threads, speed);
  report.weight_bytes = plan.whole.fixed_bytes;
  report.packed_weight_bytes = plan.whole.packed_weight_bytes;
  report.statistics_bytes = plan.known_bytes + plan.state_bytes;
  report.kept_bytes = plan.kept_bytes;
  report.tile_buffer_bytes = std::min(report.tile_buffer_bytes, plan.block_bytes);
  report.arena_bytes = plan.block_bytes - report.tile_buffer_bytes;
  report.mapped_bytes = 0;
  const uint64_t counted = report.total_bytes(), total = plan.total_bytes();
  report.mapped_bytes = total > counted ? total - counted : 0;
  report.multiply_adds = plan.whole.multiply_adds;
  const double last_seconds = report.seconds;
  double packing = last_seconds * report.packing_percent / 100, seconds = last_seconds;
  uint64_t earlier_bytes = 0;
  for (const plan::Pass& pass : plan.passes) {
    if (pass.is_last()) continue;
    const PlanReport earlier = ReportOf(pass.plan, cap, threads, speed);
    seconds += earlier.seconds;
    packing += earlier.seconds * earlier.packing_percent / 100;
    earlier_bytes = std::max(earlier_bytes, pass.plan.total_bytes());
  }
  report.seconds = seconds;
  report.redundant_percent = plan.seconds > 0 ? 100 * plan.redundant / plan.seconds : 0;
  report.packing_percent = seconds > 0 ? 100 * packing / seconds : 0;
  report.passes = static_cast<int>(plan.passes.size());
  report.strategy = Words(plan, report.strategy);
  // Other ways for the last pass, with the same passes before it.
  for (PlanAlternative& other : report.alternatives) {
    other.strategy = Words(plan, other.strategy);
    other.seconds += seconds - last_seconds;
    other.total_bytes = std::max(other.total_bytes, earlier_bytes);
    other.passes = report.passes;
  }
  return report;
}

Status PassRunner::Prepare(std::shared_ptr<const ModelFile> file, plan::PassPlan plan, const SessionOptions& options,
                           kernels::Isa cap, Threads threads) {
  file_ = std::move(file);
  threads_ = threads.count;
  parallel_for_ = threads.parallel_for;
  pool_ = std::move(threads.pool);
  plan_ = std::move(plan);
  const plan::Plan& whole = plan_.whole;
  moments_ = kernels::Pick(kernels::MomentsKernels(), kernels::MomentsLayer{}, cap);
  FOVEA_ASSIGN_OR_RETURN(constants_, Constants::Load(*file_, whole.graph, options.allocator, OnlyPacked(whole.graph)));
  FOVEA_ASSIGN_OR_RETURN(packed_, PackWeights(*file_, whole, constants_, options, cap, parallel_for_, threads_));
  FOVEA_ASSIGN_OR_RETURN(known_block_, Block::Allocate(options.allocator, plan_.known_bytes));
  FOVEA_ASSIGN_OR_RETURN(kept_block_, Block::Allocate(options.allocator, plan_.kept_bytes));
  FOVEA_ASSIGN_OR_RETURN(state_block_, Block::Allocate(options.allocator, plan_.state_bytes));
  FOVEA_ASSIGN_OR_RETURN(block_, Block::Allocate(options.allocator, plan_.block_bytes));
  report = ReportOf(plan_, cap, threads_, {});
  report.weight_cache = packed_.cache;

  const std::vector<plan::Dims> dims = plan_.passes[0].plan.graph.dims;
  known_.assign(dims.size(), nullptr);
  float* next = known_block_.floats();
  const auto place = [&](int value) {
    known_[Index(value)] = next;
    next += plan::KnownBytes(dims[Index(value)]) / sizeof(float);
  };
  for (const plan::Statistic& s : plan_.statistics) place(s.value);
  for (const plan::Pass& pass : plan_.passes) {
    for (int value : pass.known) place(value);
  }
  kept_.assign(whole.graph.dims.size(), nullptr);
  for (const plan::KeptValue& kept : plan_.kept) {
    kept_[Index(kept.value)] = kept_block_.floats() + kept.offset / sizeof(float);
  }
  states_.resize(plan_.statistics.size());
  for (const plan::Pass& pass : plan_.passes) {
    float* state = state_block_.floats();
    for (int s : pass.statistics) {
      states_[Index(s)] = reinterpret_cast<double*>(state);
      state += AlignUp(plan::StateBytes(plan_.statistics[Index(s)])) / sizeof(float);
    }
  }
  const Graph& model = *whole.graph.graph;
  for (size_t side = 0; side < 2; ++side) {
    for (const Port& port : side == 0 ? model.inputs : model.outputs) {
      port_dims_[side].push_back(&whole.graph.dims[Index(port.value)]);
    }
  }
  for (plan::Pass& pass : plan_.passes) {
    std::vector<const float*> data(dims.size(), nullptr);
    for (size_t v = 0; v < data.size(); ++v) {
      data[v] = v < model.values.size() && constants_.data(static_cast<int>(v)) != nullptr
                    ? constants_.data(static_cast<int>(v))
                    : known_[v];
    }
    std::vector<const float*> packed;
    for (int n : pass.nodes) packed.push_back(packed_.at[Index(n)]);
    tiles_ += pass.plan.grid.tiles();
    auto& runner = runners_.emplace_back(std::make_unique<FastRunner>());
    runner->PreparePass(file_, std::move(pass.plan), Constants::Of(std::move(data)), std::move(packed), block_.floats(),
                        parallel_for_, threads_, cap);
    runner->hooks.cancelled = [this] { return hooks.cancelled && hooks.cancelled(); };
    runner->hooks.progress = [this](int64_t done, int64_t) {
      if (hooks.progress) hooks.progress(tiles_before_ + done, tiles_);
    };
    runner->hooks.work = [this, part = pass.seconds / plan_.seconds](double done) {
      if (hooks.work) hooks.work(work_before_ + part * done);
    };
  }
  return OkStatus();
}

double* PassRunner::Known(int value) { return reinterpret_cast<double*>(known_[Index(value)]); }

void PassRunner::BeginStatistics(const plan::Pass& pass) {
  for (int i : pass.statistics) {
    const plan::Statistic& s = plan_.statistics[Index(i)];
    std::fill_n(states_[Index(i)], plan::StateBytes(s) / sizeof(double), kernels::MomentStart(s.layer.fn));
  }
}

void PassRunner::Add(const plan::Pass& pass, int output, const TensorRegion& region, const float* src) {
  for (size_t i = 0; i < pass.statistics.size(); ++i) {
    if (pass.outputs[i] != output) continue;
    const plan::Statistic& s = plan_.statistics[Index(pass.statistics[i])];
    const size_t rank = s.dims.size();
    kernels::MomentsArgs args;
    args.src = PartView(region, rank, src, args.origin);
    for (size_t a = 0; a < 3; ++a) {
      const int axis = plan::SpatialAxis(static_cast<int>(a), static_cast<int>(rank));
      if (axis >= 1) args.image[a] = s.dims[Index(axis)];
    }
    args.state = states_[Index(pass.statistics[i])];
    if (s.layer.fn == MomentFn::kSquares) {
      const int64_t channels = s.dims.back(), padded = kernels::MomentChannels(channels);
      // Behind the sums and the squares of each sample: the first values, which the first tile brings.
      double* known = Known(s.value);
      const bool begins = args.origin[0] == 0 && args.origin[1] == 0 && args.origin[2] == 0;
      for (int64_t n = 0; begins && n < s.dims[0]; ++n) {
        std::fill_n(known + 3 * n * padded, 3 * padded, 0.0);
        for (int64_t c = 0; c < channels; ++c) {
          known[(3 * n + 2) * padded + c] = static_cast<double>(args.src.data[n * args.src.strides[0] + c]);
        }
      }
      args.first = known + 2 * padded;
      args.first_stride = 3 * padded;
    }
    struct Context {
      const kernels::MomentsKernel* row;
      kernels::MomentsLayer layer;
      kernels::MomentsArgs args;
      int64_t units, tasks;
    } context{moments_, s.layer, args, moments_->units(s.layer, args), 0};
    if (context.units == 0) continue;
    constexpr int64_t kLeastElements = 1 << 16;
    context.tasks =
        std::clamp<int64_t>(args.src.elements() / kLeastElements, 1, std::min(context.units, int64_t{8} * threads_));
    const auto body = [](void* argument, int64_t task, int) {
      const Context& c = *static_cast<const Context*>(argument);
      c.row->run(c.layer, c.args, c.units * task / c.tasks, c.units * (task + 1) / c.tasks, nullptr);
    };
    parallel_for_.run(parallel_for_.context, context.tasks, body, &context);
  }
}

void PassRunner::EndStatistics(const plan::Pass& pass) {
  for (int i : pass.statistics) {
    const plan::Statistic& s = plan_.statistics[Index(i)];
    const int64_t channels = s.dims.back(), padded = kernels::MomentChannels(channels);
    const int64_t stride = kernels::MomentFields(s.layer.fn) * padded;
    int64_t positions = 1;
    for (size_t a = 1; a + 1 < s.dims.size(); ++a) positions *= s.dims[a];
    const int64_t doubles = static_cast<int64_t>(plan::StateBytes(s) / sizeof(double)) / s.dims[0];
    for (int64_t n = 0; n < s.dims[0]; ++n) {
      double* state = states_[Index(i)] + n * doubles;
      if (s.layer.fn == MomentFn::kSquares) {
        double* to = Known(s.value) + 3 * n * padded;
        kernels::FoldMoments(s.layer.fn, state, doubles / stride, stride, channels, to);
        kernels::FoldMoments(s.layer.fn, state + padded, doubles / stride, stride, channels, to + padded);
        continue;
      }
      kernels::FoldMoments(s.layer.fn, state, doubles / stride, stride, channels, state);
      const auto& params = std::get<ReduceParams>(plan_.whole.graph.nodes[Index(s.node)].node->params);
      const double count = params.fn == kernels::ReduceFn::kMean ? static_cast<double>(positions) : 1;
      float* to = known_[Index(s.value)] + n * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] = static_cast<float>(state[c] / count);
    }
  }
}

Status PassRunner::RunPass(size_t p, TensorSource& source, TensorSink& sink) {
  const plan::Pass& pass = plan_.passes[p];
  FastRunner& runner = *runners_[p];
  runner.hooks.profile = hooks.profile;
  runner.hooks.tracer = pass.is_last() ? hooks.tracer : nullptr;
  Source inputs(*this, pass, source);
  if (pass.is_last()) return runner.Run(inputs, sink);
  if (!pass.known.empty()) {
    Keeper keeper(this, pass);
    return runner.Run(inputs, keeper);
  }
  BeginStatistics(pass);
  Adder adder(this, pass);
  FOVEA_RETURN_IF_ERROR(runner.Run(inputs, adder));
  EndStatistics(pass);
  return OkStatus();
}

template <class Use>
void PassRunner::ForEachKnown(size_t passes, const Use& use) {
  const std::vector<plan::Dims>& dims = runners_[0]->plan().graph.dims;
  const auto one = [&](int value) {
    use(known_[Index(value)], static_cast<size_t>(plan::Elements(dims[Index(value)])) * sizeof(float));
  };
  for (size_t p = 0; p < passes; ++p) {
    for (int s : plan_.passes[p].statistics) one(plan_.statistics[Index(s)].value);
    for (int value : plan_.passes[p].known) one(value);
  }
}

Status PassRunner::TellStatistics(size_t p) {
  if (!hooks.pass_done) return OkStatus();
  const uint64_t head[2] = {plan_.passes.size(), p + 1};
  told_.resize(sizeof(head));
  std::memcpy(told_.data(), head, sizeof(head));
  ForEachKnown(p + 1, [&](const float* values, size_t bytes) {
    const auto* begin = reinterpret_cast<const uint8_t*>(values);
    told_.insert(told_.end(), begin, begin + bytes);
  });
  return hooks.pass_done(told_);
}

Status PassRunner::SkipPasses(std::span<const uint8_t> statistics) {
  const Status others = CorruptFile("statistics that are to be gone on with are not of this network and image");
  uint64_t head[2];
  if (statistics.size() < sizeof(head)) return others;
  std::memcpy(head, statistics.data(), sizeof(head));
  if (head[0] != plan_.passes.size() || head[1] >= head[0]) return others;
  size_t wanted = sizeof(head);
  ForEachKnown(head[1], [&](float*, size_t bytes) { wanted += bytes; });
  if (statistics.size() != wanted) return others;
  const uint8_t* next = statistics.data() + sizeof(head);
  ForEachKnown(head[1], [&](float* values, size_t bytes) {
    std::memcpy(values, next, bytes);
    next += bytes;
  });
  skipped_ = head[1];
  return OkStatus();
}

std::vector<uint8_t> PassRunner::NeededFor(size_t first) const {
  std::vector<uint8_t> needed(first, 0);
  const size_t own = plan_.whole.graph.graph->inputs.size();
  for (size_t p = plan_.passes.size(); p-- > 0;) {
    if (p < first && !needed[p]) continue;
    const std::vector<Port>& inputs = plan_.passes[p].graph->inputs;
    for (size_t i = own; i < inputs.size(); ++i) {
      for (const plan::KeptValue& kept : plan_.kept) {
        if (kept.value == inputs[i].value && Index(kept.first) < first) needed[Index(kept.first)] = 1;
      }
    }
  }
  return needed;
}

Status PassRunner::Run(TensorSource& source, TensorSink& sink) {
  const size_t first = std::exchange(skipped_, 0);
  const std::vector<uint8_t> again = NeededFor(first);
  tiles_before_ = 0;
  work_before_ = 0;
  for (size_t p = 0; p < runners_.size(); ++p) {
    if (p >= first || again[p]) FOVEA_RETURN_IF_ERROR(RunPass(p, source, sink));
    if (p >= first && p + 1 < runners_.size()) FOVEA_RETURN_IF_ERROR(TellStatistics(p));
    tiles_before_ += runners_[p]->plan().grid.tiles();
    work_before_ += plan_.passes[p].seconds / plan_.seconds;
  }
  return OkStatus();
}

Status PassRunner::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  MemorySource source(port_dims_[0], inputs);
  MemorySink sink(port_dims_[1], outputs);
  return Run(source, sink);
}

// Of the last pass, where each node is; with the time that earlier passes spent on it, then nodes of those alone.
std::vector<StepProfile> PassRunner::Profile() const {
  std::vector<StepProfile> steps = runners_.back()->Profile();
  std::vector<int> nodes = plan_.passes.back().nodes;
  for (size_t p = 0; p + 1 < runners_.size(); ++p) {
    const std::vector<StepProfile> earlier = runners_[p]->Profile();
    for (size_t i = 0; i < earlier.size(); ++i) {
      const auto same = std::find(nodes.begin(), nodes.end(), plan_.passes[p].nodes[i]);
      if (same == nodes.end()) {
        nodes.push_back(plan_.passes[p].nodes[i]);
        steps.push_back(earlier[i]);
      } else {
        steps[static_cast<size_t>(same - nodes.begin())].ms += earlier[i].ms;
      }
    }
  }
  return steps;
}

}  // namespace fovea::exec
