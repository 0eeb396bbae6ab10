// Session: one model laid out for one size of image, ready to run again and again.
//
//   auto model = fovea::Model::Load("nuclei.fov");
//   auto session = fovea::Session::Create(*model, {{1, 512, 512, 1}}, {.threads = 2});
//   session->Run(inputs, outputs);
//
// Create plans (shapes, order, memory, kernels), packs the weights and allocates everything. Run allocates nothing
// (see SessionOptions::streaming) and can only fail by being cancelled. The same input gives the same bits for every
// thread count and tiling, within one instruction set.
#ifndef FOVEA_SESSION_H_
#define FOVEA_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fovea/model.h"
#include "fovea/status.h"

namespace fovea {

// Where large blocks (weights, arena) come from. Blocks are 64-byte aligned. allocate returns null when it can't.
struct Allocator {
  void* context = nullptr;
  void* (*allocate)(void* context, size_t bytes) = nullptr;
  void (*release)(void* context, void* block, size_t bytes) = nullptr;
};

// Runs body(task, thread) for every task in [0, tasks), thread in [0, threads); returns when all are done. thread
// numbers of tasks that run at the same time differ.
struct ParallelFor {
  void* context = nullptr;
  void (*run)(void* context, int64_t tasks, void (*body)(void* body_context, int64_t task, int thread),
              void* body_context) = nullptr;
};

enum class Executor : uint8_t {
  kFast,       // picked kernels, placement, tiles, threads
  kReference,  // reference kernels, whole image, one thread: the definition of the right answer
  kXnnpack,    // XNNPACK's operators, whole 2-D image; kUnsupported in builds without FOVEA_XNNPACK
};

enum class Tiling : uint8_t {
  kExact,  // the bits of the whole image, or a refusal
  // Where the whole image does not keep to the budget, or tiles are asked for: norms and means over the image take what
  // a tile, with its halo, holds, as programs do that cut an image into tiles. Results depend on the tiles.
  kApproximate,
};

struct SessionOptions {
  int threads = 1;       // 1 ..; the calling thread is one of them
  std::string isa = {};  // cap: "", "reference", "sse4", "avx2", "avx512", "neon"; FOVEA_ISA caps it further
  Executor executor = Executor::kFast;
  // Spatial size of the output tiles in D, H, W, 0: the whole axis. Rounded up to what the network's strides allow.
  // Networks with norms or means over the image take several passes; others that look at all of it refuse to be tiled
  // (kUnsupported).
  int64_t tile[3] = {0, 0, 0};
  Tiling tiling = Tiling::kExact;  // another than kExact is for the fast executor only
  // Rows (planes in 3-D) of a band: parts of the network that make rows from rows run band by band, so that little
  // memory goes out of the caches. 0: bands where they pay; -1: none; more: bands of so many rows wherever they are
  // possible.
  int64_t band_rows = 0;
  // Bytes that weights, packed weights, arena and tile buffers may take together; 0: no limit. What fits is chosen by
  // predicted time: bands, tiles (with `tile` all zero), weights that are packed when they are used. The bits are the
  // same. kOverBudget names the smallest budget that would do.
  uint64_t memory_bytes = 0;
  // > 0: convolutions whose weights take more than this in packed form pack them each time they are used. 0: as the
  // budget asks. Only for weights that the file stores as float32.
  uint64_t packed_weight_limit = 0;
  // Run(TensorSource&, TensorSink&) will be used: its buffers are planned, counted in memory_bytes and allocated by
  // Create. Without it that Run works too, but an untiled session allocates whole-image buffers on the first such call.
  bool streaming = false;
  bool exact_convolution = false;  // never Winograd, whose sums round differently (about 1e-6 of the output's range)
  // Folder where packed weights are kept between processes ("": nowhere), so that a model that was loaded before is
  // mapped instead of packed again. Made when it is not there; its files may be deleted at any time.
  std::string cache_directory = {};
  Allocator allocator = {};       // null functions: the C++ heap
  ParallelFor parallel_for = {};  // null function: a pool of the session's own with `threads` threads
};

// What a machine does at best; decides predicted seconds. 0: nominal figures of a current processor.
struct MachineSpeed {
  double multiply_adds = 0;  // a second, float32, one thread, in registers
  double memory_bytes = 0;   // a second, all threads together, read from or written to memory
};

// A way to run that was looked at and not taken.
struct PlanAlternative {
  std::string strategy;  // as PlanReport::strategy, with its tiles, rows and weights
  uint64_t total_bytes = 0;
  double seconds = 0;
  bool fits = false;  // it keeps to the budget and is slower; otherwise it needs more than the budget
  int passes = 1;     // over the image; several are taken only where they are much faster, see PlanReport::passes
};

// What a session uses, known after Create and before the first Run.
struct PlanReport {
  uint64_t weight_bytes = 0;  // constants decoded or kept outside the mapped file
  uint64_t packed_weight_bytes = 0;
  uint64_t arena_bytes = 0;        // intermediate tensors and scratch
  uint64_t tile_buffer_bytes = 0;  // inputs and outputs of one tile when tiled, of the whole image when streaming
  // Of the model file: weights of a convolution that packs them when it uses them, or what loading takes beyond the
  // run.
  uint64_t mapped_bytes = 0;
  uint64_t statistics_bytes = 0;  // sums of several passes, and what is known from them
  uint64_t kept_bytes = 0;        // whole tensors that one of several passes makes and later ones read
  uint64_t provider_bytes = 0;    // inside XNNPACK (packed weights, indirection buffers), measured while it was set up
  uint64_t total_bytes() const {
    return weight_bytes + packed_weight_bytes + arena_bytes + tile_buffer_bytes + mapped_bytes + statistics_bytes +
           kept_bytes + provider_bytes;
  }
  // Networks with statistics of the image (norms, means) that do not fit, or would be much slower: passes over it, of
  // which the last makes the outputs. Tiles, bands and halo are of that one.
  int passes = 1;
  int64_t tiles = 1;
  int64_t tile_size[3] = {0, 0, 0};  // D, H, W of the largest output tile
  int64_t bands = 1;                 // of a tile, in the part of the network with most of them
  int64_t band_rows = 0;             // rows (planes in 3-D) of a band of the last node that runs in bands; 0: none
  int64_t halo[3] = {0, 0, 0};   // D, H, W: pixels of the first input that a tile in the middle reads beyond it, a side
  int64_t multiply_adds = 0;     // of one whole image, recomputed halos not counted
  uint64_t rolling_bytes = 0;    // of the arena: windows of rows that bands move over
  double seconds = 0;            // predicted for one run
  double redundant_percent = 0;  // of seconds: computed more than once, in halos and for skip connections
  double packing_percent = 0;    // of seconds: weights packed when they are used
  std::vector<PlanAlternative> alternatives;
  std::vector<std::vector<int64_t>> output_dims;  // stored order
  // "whole image", "bands", "tiles", "tiles in bands" or "whole image through XNNPACK"
  std::string strategy;
  // Sizes of image, largest first, whose skip connections are computed a second time when they are read, instead of
  // being kept.
  int recomputed_skips = 0;
  bool approximate = false;  // Tiling::kApproximate, and it had to be
  std::string isa;
  int threads = 1;
  std::string weight_cache;  // with cache_directory: "read", "written", or why it could not be written
};

// A rectangle of a tensor in stored axis order.
struct TensorRegion {
  std::vector<int64_t> begin, size;
};

// A tile that is about to run.
struct TileInfo {
  int64_t index = 0, count = 1;  // in row-major order
  // Tiles of equal class give equal results for equal inputs, bit for bit, wherever they lie; -1: like no other.
  int64_t shape_class = -1;
  std::vector<TensorRegion> inputs, outputs;  // what it reads and makes, one a port
};

// Whole tensors that are larger than memory: the caller fills and takes rectangles. dst and src are row-major and
// tight. Calls come from the thread that called Run, one at a time, tiles in row-major order.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // Before each tile, when everything of the earlier ones is written. True leaves the tile out: nothing is read or
  // written for it.
  virtual Result<bool> SkipTile(const TileInfo&) { return false; }
  virtual Status Read(int input, const TensorRegion& region, float* dst) = 0;
};
class TensorSink {
 public:
  virtual ~TensorSink() = default;
  virtual Status Write(int output, const TensorRegion& region, const float* src) = 0;
};

struct StepProfile {
  std::string node, kind, kernel;  // source node, operator, picked row: "conv/direct/avx512/12x32"
  double ms = 0;                   // of the last Run
  int64_t multiply_adds = 0, bytes_moved = 0;
};

// When a step, or one task of it on one thread, ran. A step that runs in bands or tiles has an event for each.
struct TraceEvent {
  int step = 0;                     // index in Profile()
  int thread = -1;                  // -1: the whole step; the caller's thread is 0
  double begin_ms = 0, end_ms = 0;  // from the begin of the last Run
};

class Session {
 public:
  // input_dims: stored order, one an input. shape_values: values of the inputs whose spec says is_shape (others empty);
  // may be left out when there are none. Errors: kInvalidArgument (sizes the model does not allow), kOverBudget,
  // kOutOfMemory.
  static Result<Session> Create(const Model& model, const std::vector<std::vector<int64_t>>& input_dims,
                                const SessionOptions& options = {},
                                const std::vector<std::vector<double>>& shape_values = {});
  // What Create would do, without packing or allocating. speed decides `seconds` and nothing else. kSmallest: the plan
  // that needs the fewest bytes, whatever options.memory_bytes; otherwise the one that Create takes.
  enum class Goal : uint8_t { kFastest, kSmallest };
  static Result<PlanReport> Plan(const Model& model, const std::vector<std::vector<int64_t>>& input_dims,
                                 const SessionOptions& options = {}, const MachineSpeed& speed = {},
                                 Goal goal = Goal::kFastest);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::vector<std::vector<int64_t>>& input_dims() const;  // stored order
  const std::vector<std::vector<int64_t>>& output_dims() const;
  const PlanReport& report() const;

  // Whole tensors in memory, float32, stored order, tight. Outputs must not overlap inputs. Errors: kCancelled.
  Status Run(std::span<const float* const> inputs, std::span<float* const> outputs);
  // Tensors by rectangles; works for untiled sessions too (one rectangle). Errors: kCancelled, those of source and
  // sink, kOutOfMemory when buffers are allocated here (see SessionOptions::streaming).
  Status Run(TensorSource& source, TensorSink& sink);

  // Polled between steps and, within long ones, between units; called from the running threads. Return true to stop.
  void SetCancel(std::function<bool()> cancelled);
  // After each tile: tiles done, tiles in all.
  void SetProgress(std::function<void(int64_t, int64_t)> progress);
  // After each step, fast executor: how much of the run's predicted time is done, 0 .. 1, tiles left out and passes
  // skipped included.
  void SetWork(std::function<void(double)> work);

  // Runs in several passes (PlanReport::passes), for those who want to go on after an interruption. Called after each
  // pass but the last with what is known so far, which SkipPasses of a session of the same model, sizes, instruction
  // set and exact_convolution takes, whatever its tiles and budget. An error ends the run.
  void SetPassDone(std::function<Status(std::span<const uint8_t>)> done);
  // The next Run leaves out the passes whose statistics these are. Sessions of one pass need none and ignore them.
  // kCorruptFile: they are not of such a session.
  Status SkipPasses(std::span<const uint8_t> statistics);

  void EnableProfile(bool on);
  std::vector<StepProfile> Profile() const;

  // Notes when each task ran (fast executor). Memory for `most_events` a thread is taken here; what comes later is not
  // noted.
  void EnableTrace(size_t most_events = 1 << 16);
  std::vector<TraceEvent> Trace() const;  // of the last Run, by begin

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fovea

#endif  // FOVEA_SESSION_H_
