#include <algorithm>
#include <chrono>
#include <cstring>

#include "runtime/exec/fast.h"
#include "runtime/exec/rectangles.h"
#include "runtime/exec/tracer.h"
#include "runtime/plan/bands.h"

namespace fovea::exec {
namespace {

using Clock = std::chrono::steady_clock;

// In multiply-adds or elements. A task of kLeastWork takes tens of microseconds, so that handing it out is worth it;
// one of kMostWork some milliseconds, so that cancelling is prompt.
constexpr int64_t kLeastWork = 200'000;
constexpr int64_t kMostWork = 50'000'000;
// Floats of packed weights that are worth packing on several threads.
constexpr int64_t kLeastPacking = 1 << 16;

void SetRegion(const plan::Region& region, size_t rank, TensorRegion* to) {
  to->begin.resize(rank);
  to->size.resize(rank);
  for (size_t a = 0; a < rank; ++a) {
    to->begin[a] = region.axis[a].begin;
    to->size[a] = region.axis[a].size();
  }
}

}  // namespace

float* FastRunner::BufferData(const plan::Buffer& buffer) {
  switch (buffer.home) {
    case plan::Home::kInput: return ports_[0][static_cast<size_t>(buffer.port)];
    case plan::Home::kOutput: return ports_[1][static_cast<size_t>(buffer.port)];
    case plan::Home::kArena: break;
  }
  return arena_.floats() + buffer.offset / sizeof(float);
}

Operand FastRunner::Held(int value) {
  const plan::Slot& slot = plan_.slots[static_cast<size_t>(value)];
  if (slot.group < 0) {
    // Operands are one type for reading and writing; constants are only ever read.
    return TightOperand(const_cast<float*>(constants_.data(value)), dims(value), plan::WholeRegion(dims(value)));
  }
  const plan::Group& group = plan_.groups[static_cast<size_t>(slot.group)];
  float* data = BufferData(plan_.buffers[static_cast<size_t>(group.buffer)]);
  return plan::OperandOf(plan_, state_, value, data);
}

bool FastRunner::RunCall(size_t n, int64_t work) {
  const int64_t units = call_.Units();
  if (units <= 0) return true;
  const plan::Temporary& temporary = plan_.temporaries[n];
  const int64_t wanted = std::max(std::min(work / kLeastWork, int64_t{8} * threads_), work / kMostWork);
  const int64_t tasks = std::max<int64_t>(1, std::min(units, wanted));
  char* scratch = reinterpret_cast<char*>(arena_.floats()) + temporary.scratch_offset;
  const uint64_t bytes = temporary.scratch_bytes;
  if (static_cast<uint64_t>(call_.ScratchFloats()) * sizeof(float) > bytes) {
    short_of_scratch_ = true;
    return false;
  }
  return Parallel(tasks, [&](int64_t task, int thread) {
    const TracedTask traced(hooks.tracer.get(), n, thread);
    call_.Run(units * task / tasks, units * (task + 1) / tasks,
              reinterpret_cast<float*>(scratch + static_cast<uint64_t>(thread) * bytes));
  });
}

bool FastRunner::PackAndRun(size_t n, std::span<const Operand> in, const Operand& out, int64_t work) {
  const Operator& op = plan_.operators[n];
  float* const memory = arena_.floats() + plan_.temporaries[n].packed_offset / sizeof(float);
  const float* const bias = in.size() > 2 ? in[2].data : nullptr;
  const int parts = op.SliceFloats() >= kLeastPacking ? threads_ : 1;
  for (int64_t slice = 0; slice < op.slices(); ++slice) {
    const auto gather = [&](int64_t part, int) {
      op.GatherSlice(slice, in[1].data, memory, static_cast<int>(part), parts);
    };
    const auto pack = [&](int64_t part, int) {
      op.PackSlice(slice, in[1].data, bias, memory, static_cast<int>(part), parts);
    };
    if (op.slices() > 1 && !Parallel(parts, gather)) return false;
    if (!Parallel(parts, pack)) return false;
    op.BindSlice(slice, in, out, memory, &call_);
    if (!RunCall(n, work / op.slices())) return false;
  }
  return true;
}

bool FastRunner::RunNode(size_t n) {
  const Operator& op = plan_.operators[n];
  const plan::ResolvedNode& node = op.node();
  const size_t value = static_cast<size_t>(node.node->output);
  if (plan_.constant[value] || plan::IsEmpty(state_.regions[value], node.out.size())) return true;
  const TracedStep traced(hooks.tracer.get(), n);
  const Clock::time_point start = hooks.profile ? Clock::now() : Clock::time_point();
  const Operand out = Held(node.node->output);
  int64_t read = 0;
  for (size_t i = 0; i < node.in.size(); ++i) {
    operands_[i] = Operand();
    if (!node.Has(i)) continue;
    const int input = node.node->inputs[i];
    const bool decides_sizes = plan_.slots[static_cast<size_t>(input)].group < 0 && constants_.data(input) == nullptr;
    // Weights that are packed are not looked at again, a shape input has no memory.
    if (decides_sizes || (packed_.at[n] != nullptr && (i == 1 || i == 2))) continue;
    operands_[i] = plan::NarrowToNeed(plan_, state_, n, i, Held(input));
    read += plan::RegionElements(operands_[i].region, operands_[i].rank);
  }
  const std::span<const Operand> in(operands_.data(), node.in.size());
  const int64_t made = plan::RegionElements(out.region, out.rank);
  // In double: the product of a large image's elements and multiply-adds does not fit 64 bits.
  const double share = static_cast<double>(made) / static_cast<double>(std::max<int64_t>(1, plan::Elements(node.out)));
  const int64_t work =
      std::max(made, read) + static_cast<int64_t>(share * static_cast<double>(profile_[n].multiply_adds));
  const bool packs = packed_.at[n] == nullptr && op.PackedFloats() > 0;
  if (packs && plan_.packable[n]) file_->Expect(graph().values[static_cast<size_t>(node.node->inputs[1])]);
  if (packs && !op.packs_when_run()) {
    if (!PackAndRun(n, in, out, work)) return false;
  } else {
    const int64_t calls = op.CallCount(in, out);
    for (int64_t c = 0; c < calls; ++c) {
      op.Bind(c, in, out, packed_.at[n], &call_);
      if (!RunCall(n, work)) return false;
    }
  }
  if (packs && plan_.packable[n]) file_->Release(graph().values[static_cast<size_t>(node.node->inputs[1])]);
  RepeatRows(node.node->output);
  NoteWork(share_[n] * static_cast<double>(made));
  if (hooks.profile) profile_[n].ms += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return true;
}

void FastRunner::CopyOutputs(const TileIndex& tile) {
  for (size_t o = 0; o < graph().outputs.size(); ++o) {
    if (plan_.direct[o]) continue;
    const int value = graph().outputs[o].value;
    const plan::Region wanted = plan::OutputTile(plan_, o, tile);
    const Operand to = TightOperand(ports_[1][o], dims(value), wanted);
    const kernels::View dst = AsView(to);
    call_.any = CopyCall{copy_, {}, {AsBroadcast(Held(value), to), dst}};
    const int64_t units = call_.Units();
    Parallel(std::min<int64_t>(units, dst.elements() / kLeastWork + 1), [&](int64_t task, int) {
      const int64_t tasks = std::min<int64_t>(units, dst.elements() / kLeastWork + 1);
      call_.Run(units * task / tasks, units * (task + 1) / tasks, nullptr);
    });
  }
}

void FastRunner::NoteWork(double share) {
  work_ = std::min(1.0, work_ + share);
  if (hooks.work) hooks.work(work_);
}

bool FastRunner::RunNodes(const plan::Segment& segment) {
  for (int n = segment.first; n < segment.end; ++n) {
    if (!Poll() || !RunNode(static_cast<size_t>(n))) return false;
  }
  return true;
}

Status FastRunner::RunBands(size_t s, TensorSource* source, TensorSink* sink) {
  plan::BeginBands(plan_, s, &state_);
  while (plan::NextBand(plan_, s, &state_)) {
    Parallel(static_cast<int64_t>(state_.slide_count),
             [&](int64_t i, int) { MoveRows(state_.slides[static_cast<size_t>(i)]); });
    if (source != nullptr) FOVEA_RETURN_IF_ERROR(ReadInputs(*source, static_cast<int>(s)));
    if (!RunNodes(plan_.segments[s])) return Stopped();
    if (sink != nullptr) FOVEA_RETURN_IF_ERROR(WriteOutputs(*sink, static_cast<int>(s), nullptr));
  }
  plan::EndBands(plan_, s, &state_);
  return OkStatus();
}

void FastRunner::MoveRows(const plan::Slide& slide) {
  const plan::Group& group = plan_.groups[static_cast<size_t>(slide.group)];
  const plan::Region& memory = state_.memory[static_cast<size_t>(slide.group)];
  int64_t row = 1;
  for (size_t a = 2; a < dims(group.root).size(); ++a) row *= memory.axis[a].size();
  float* data = BufferData(plan_.buffers[static_cast<size_t>(group.buffer)]);
  std::memmove(data, data + (slide.first - slide.old_first) * row,
               static_cast<size_t>(slide.count * row) * sizeof(float));
}

// The rows that a ring holds twice, after a node has made some of them in one of the two places.
void FastRunner::RepeatRows(int value) {
  const int g = plan_.slots[static_cast<size_t>(value)].group;
  const plan::Group& group = plan_.groups[static_cast<size_t>(g)];
  if (group.ring_rows == 0) return;
  const plan::Region& made = state_.regions[static_cast<size_t>(value)];
  const plan::Region& memory = state_.memory[static_cast<size_t>(g)];
  int64_t row = 1;
  for (size_t a = 2; a < dims(value).size(); ++a) row *= memory.axis[a].size();
  float* data = BufferData(plan_.buffers[static_cast<size_t>(group.buffer)]);
  const auto copy = [&](int64_t from, int64_t to, int64_t rows) {
    if (rows <= 0) return;
    const int64_t tasks = rows * row >= 2 * kLeastWork ? rows : 1;
    Parallel(tasks, [&](int64_t task, int) {
      const int64_t first = rows * task / tasks, count = rows * (task + 1) / tasks - first;
      std::memcpy(data + (to + first) * row, data + (from + first) * row,
                  static_cast<size_t>(count * row) * sizeof(float));
    });
  };
  const int64_t begin = group.RingRow(made.axis[1].begin), end = begin + made.axis[1].size();
  copy(group.ring_rows, 0, end - group.ring_rows);
  copy(begin, group.ring_rows + begin, std::min(end, group.window_rows - group.ring_rows) - begin);
}

Status FastRunner::RunTile(const TileIndex& tile, TensorSource* source, TensorSink* sink) {
  plan::LayOutTile(plan_, tile, &state_);
  if (source != nullptr) FOVEA_RETURN_IF_ERROR(ReadInputs(*source, -1));
  for (size_t s = 0; s < plan_.segments.size(); ++s) {
    if (plan_.segments[s].banded()) {
      FOVEA_RETURN_IF_ERROR(RunBands(s, source, sink));
    } else if (!RunNodes(plan_.segments[s])) {
      return Stopped();
    }
  }
  CopyOutputs(tile);
  if (stop_) return Stopped();
  return sink == nullptr ? OkStatus() : WriteOutputs(*sink, -1, &tile);
}

Status FastRunner::Stopped() const {
  if (!short_of_scratch_) return Cancelled("the run was cancelled");
  return Internal("a kernel asks for more scratch than was planned");
}

Status FastRunner::ReadInputs(TensorSource& source, int segment) {
  for (size_t i = 0; i < graph().inputs.size(); ++i) {
    const Port& port = graph().inputs[i];
    const plan::Slot& slot = plan_.slots[static_cast<size_t>(port.value)];
    if (slot.group < 0 || plan_.groups[static_cast<size_t>(slot.group)].rolling != segment) continue;
    const plan::Region& memory = state_.memory[static_cast<size_t>(slot.group)];
    plan::Region region = memory;
    float* to = tile_ports_[0][i];
    const size_t rank = dims(port.value).size();
    if (segment >= 0) {
      region.axis[1] = state_.regions[static_cast<size_t>(port.value)].axis[1];
      int64_t skip = region.axis[1].begin - memory.axis[1].begin;
      for (size_t a = 2; a < rank; ++a) skip *= memory.axis[a].size();
      to += skip;
    }
    if (plan::IsEmpty(region, rank)) continue;
    SetRegion(region, rank, &region_);
    FOVEA_RETURN_IF_ERROR(source.Read(static_cast<int>(i), region_, to));
  }
  return OkStatus();
}

Status FastRunner::WriteOutputs(TensorSink& sink, int segment, const TileIndex* tile) {
  for (size_t o = 0; o < graph().outputs.size(); ++o) {
    const int value = graph().outputs[o].value;
    const size_t rank = dims(value).size();
    const int group = plan_.slots[static_cast<size_t>(value)].group;
    const bool rolls = plan_.direct[o] && plan_.groups[static_cast<size_t>(group)].rolling >= 0;
    const float* from = tile_ports_[1][o];
    plan::Region region;
    if (segment < 0) {
      if (rolls) continue;
      region = plan::OutputTile(plan_, o, *tile);
    } else {
      if (!rolls || plan_.groups[static_cast<size_t>(group)].rolling != segment) continue;
      const plan::Region& memory = state_.memory[static_cast<size_t>(group)];
      region = memory;
      region.axis[1] = state_.regions[static_cast<size_t>(value)].axis[1];
      int64_t skip = region.axis[1].begin - memory.axis[1].begin;
      for (size_t a = 2; a < rank; ++a) skip *= memory.axis[a].size();
      from += skip;
    }
    if (plan::IsEmpty(region, rank)) continue;
    SetRegion(region, rank, &region_);
    FOVEA_RETURN_IF_ERROR(sink.Write(static_cast<int>(o), region_, from));
  }
  return OkStatus();
}

Status FastRunner::Run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  if (plan_.has_tile_buffers()) {
    MemorySource source(port_dims_[0], inputs);
    MemorySink sink(port_dims_[1], outputs);
    return Run(source, sink);
  }
  stop_ = false;
  work_ = 0;
  if (hooks.tracer != nullptr) hooks.tracer->Begin();
  for (StepProfile& step : profile_) step.ms = 0;
  for (size_t i = 0; i < inputs.size(); ++i) ports_[0][i] = const_cast<float*>(inputs[i]);
  for (size_t o = 0; o < outputs.size(); ++o) ports_[1][o] = outputs[o];
  FOVEA_RETURN_IF_ERROR(RunTile({0, 0, 0}, nullptr, nullptr));
  if (hooks.progress) hooks.progress(1, 1);
  return OkStatus();
}

void FastRunner::DescribeTile(int64_t index, const TileIndex& tile) {
  plan::LayOutTile(plan_, tile, &state_);
  tile_info_.index = index;
  tile_info_.count = plan_.grid.tiles();
  tile_info_.shape_class = tile_classes_.ClassOf(plan_, state_, tile);
  for (size_t i = 0; i < graph().inputs.size(); ++i) {
    const size_t value = static_cast<size_t>(graph().inputs[i].value);
    SetRegion(state_.regions[value], plan_.graph.dims[value].size(), &tile_info_.inputs[i]);
  }
  for (size_t o = 0; o < graph().outputs.size(); ++o) {
    SetRegion(plan::OutputTile(plan_, o, tile), dims(graph().outputs[o].value).size(), &tile_info_.outputs[o]);
  }
}

Status FastRunner::Run(TensorSource& source, TensorSink& sink) {
  if (!plan_.has_tile_buffers() && tile_buffers_.bytes() == 0) FOVEA_RETURN_IF_ERROR(AllocateTileBuffers());
  stop_ = false;
  work_ = 0;
  if (hooks.tracer != nullptr) hooks.tracer->Begin();
  for (StepProfile& step : profile_) step.ms = 0;
  for (size_t side = 0; side < 2; ++side) ports_[side] = tile_ports_[side];
  const TileIndex& count = plan_.grid.count;
  const int64_t tiles = plan_.grid.tiles();
  for (int64_t t = 0; t < tiles; ++t) {
    const TileIndex tile = {t / (count[1] * count[2]), t / count[2] % count[1], t % count[2]};
    DescribeTile(t, tile);
    FOVEA_ASSIGN_OR_RETURN(const bool skip, source.SkipTile(tile_info_));
    if (skip) {
      work_ += 1.0 / static_cast<double>(tiles);
    } else {
      FOVEA_RETURN_IF_ERROR(RunTile(tile, &source, &sink));
    }
    if (hooks.progress) hooks.progress(t + 1, tiles);
  }
  return OkStatus();
}

}  // namespace fovea::exec
