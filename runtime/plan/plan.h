// Plan: how a network is run on images of one size within a budget: tiles, what each value's memory is, every offset.
//
// A pure function of its arguments; the fast executor follows it without deciding anything.
//
// Values that share memory form groups. A group has one root tensor; a member lies in it at a channel offset (a
// concatenation is a placement: its inputs are written into channel slices of its output) or in the same place (an
// elementwise operator works in place on an input that dies). Groups lie in buffers; a reshape's input and output are
// two groups in one buffer. A buffer is an input or output of the model, or a block of the arena.
#ifndef FOVEA_RUNTIME_PLAN_PLAN_H_
#define FOVEA_RUNTIME_PLAN_PLAN_H_

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "runtime/exec/operator.h"
#include "runtime/plan/regions.h"

namespace fovea::plan {

struct PlanOptions {
  kernels::Isa cap = kernels::Isa::kReference;
  int threads = 1;
  std::array<int64_t, 3> tile{0, 0, 0};  // D, H, W of output tiles as asked for; 0: whole axis
  uint64_t memory_bytes = 0;             // 0: no limit
  uint64_t fixed_bytes = 0;              // what the session needs besides: decoded constants
  bool exact_order = false;              // no Winograd
  bool approximate = false;              // tiles where the image is needed, see LoosenBarriers
  int64_t band_rows = 0;                 // > 0: bands of so many rows wherever possible; < 0: no bands; 0: as it pays
  bool streaming = false;                // inputs and outputs get buffers even when untiled
  // Of every value: constants that can be read where they lie. Only such weights can be packed when they are used.
  std::vector<uint8_t> in_place;
  bool smallest = false;                    // the plan that needs the fewest bytes, whatever the budget
  int lean = -1;                            // >= 0: this level of weights packed when used and no other (strategy.h)
  std::array<int64_t, 3> lattice{1, 1, 1};  // tiles are multiples of this, too
  uint64_t packed_limit = 0;                // > 0: larger packed weights of one node are packed when they are used
};

enum class Home : uint8_t { kInput, kOutput, kArena };

struct Buffer {
  Home home = Home::kArena;
  int port = -1;            // kInput, kOutput
  int first = 0, last = 0;  // steps; inputs are there at step -1, outputs until step nodes.size()
  uint64_t bytes = 0;       // the most over all tiles
  uint64_t offset = 0;      // kArena
};

struct Member {
  int value = kNoValue;
  int64_t channel = 0;  // offset along the root's last axis
};

struct Group {
  int root = kNoValue;
  int buffer = -1;
  bool placed = false;  // has channel slices: the root's last axis is always whole
  bool whole = false;   // memory of the caller: the root as a whole tensor
  // Segment whose bands move over this group's memory, a window of window_rows rows; -1: it holds all rows of a tile.
  int rolling = -1;
  int64_t window_rows = 0;
  // > 0: the window is a ring, row r lies at r modulo ring_rows. The other window_rows - ring_rows rows behind it
  // repeat its first ones, so that what is read or written across the end lies in one piece. 0: rows move up when it is
  // full.
  int64_t ring_rows = 0;
  std::vector<Member> members;
  // Row of the window where row `row` of the value lies.
  int64_t RingRow(int64_t row) const { return row - FloorDiv(row, ring_rows) * ring_rows; }
};

// In bands, a node makes rows up to multiples of `rows`, counted from `phase`, or to where its tile ends. See
// row_steps.h.
struct RowSteps {
  int64_t rows = 1, phase = 0;
  int64_t pace = 0;  // so many at once, where the band's share is less
  int64_t Down(int64_t row) const { return FloorDiv(row - phase, rows) * rows + phase; }
  int64_t Up(int64_t row) const { return CeilDiv(row - phase, rows) * rows + phase; }
  bool operator==(const RowSteps&) const = default;
};

// An input of a node whose rows decide rows of its output, and the value that it is.
struct RowRead {
  int value = kNoValue;
  size_t input = 0;
};

// Nodes [first, end), run band by band (see bands.h) or, with rows 0, one after another.
struct Segment {
  int first = 0, end = 0;
  int64_t rows = 0;  // of the last node's output in a band
  bool banded() const { return rows > 0; }
};

struct Slot {
  int group = -1;  // -1: a constant, or never computed
  int64_t channel = 0;
};

struct Temporary {
  uint64_t scratch_offset = 0, scratch_bytes = 0;  // bytes of one thread; threads follow one another
  uint64_t packed_offset = 0, packed_bytes = 0;    // weights that are packed when they are used, slice by slice
};

// Output tiles, D, H, W, of the first output; other outputs are cut in proportion.
struct TileGrid {
  std::array<int64_t, 3> size{1, 1, 1}, tile{1, 1, 1}, count{1, 1, 1};
  int64_t tiles() const { return count[0] * count[1] * count[2]; }
};

// What following a plan amounts to, over all tiles.
struct PlanWork {
  std::vector<double> made;  // value: elements computed, or read for inputs
  std::vector<double> runs;  // node: times that it makes something
  double moved_bytes = 0;    // by windows that slide, or repeat rows
};

// What was looked at besides, see Strategist.
struct Alternative {
  std::string strategy;
  uint64_t bytes = 0;
  double seconds = 0;
  bool fits = false;
};

struct Plan {
  ResolvedGraph graph;
  std::vector<NodeLinks> links;
  std::vector<exec::Operator> operators;
  std::vector<uint8_t> constant;      // value: stored, or known when planned
  std::vector<uint8_t> late;          // value: in bands, its rows are made when they are read; empty: none is
  std::vector<uint8_t> packable;      // node: a convolution whose weights and bias are constant
  std::vector<uint8_t> packed_ahead;  // node: packable, and packed when the session is created, not when it is used
  std::vector<RowSteps> row_steps;    // of every node, in bands
  std::vector<std::vector<RowRead>> row_reads;  // likewise
  std::vector<uint8_t> whole_channels;          // see Propagate
  bool tiled = false;
  bool approximate = false;  // statistics of the whole image are taken of each tile
  bool streaming = false;
  int recomputed = 0;  // sizes of image whose skip connections are computed twice (recompute.h)
  TileGrid grid;
  std::vector<Segment> segments;
  int64_t bands = 1;  // the most that a segment has
  PlanWork work;
  std::vector<Alternative> alternatives;
  std::vector<Slot> slots;  // of every value
  std::vector<Group> groups;
  std::vector<Buffer> buffers;
  std::vector<Temporary> temporaries;  // of every node
  std::vector<uint8_t> direct;         // output port: its buffer is written by the last node, not copied to
  std::vector<int> port_buffers[2];    // buffers of the input and of the output ports
  uint64_t packed_weight_bytes = 0, arena_bytes = 0, tile_buffer_bytes = 0, fixed_bytes = 0;
  // Of the model file, that are there at once during a run; while weights are packed ahead.
  uint64_t mapped_bytes = 0, loading_bytes = 0;
  int64_t multiply_adds = 0;

  // Inputs and outputs, or their tiles, lie in tile buffers and not in memory of the caller.
  bool has_tile_buffers() const { return tiled || streaming; }
  uint64_t total_bytes() const {
    return packed_weight_bytes + fixed_bytes + std::max(loading_bytes, arena_bytes + tile_buffer_bytes + mapped_bytes);
  }
  std::string Strategy() const;  // as PlanReport::strategy
  std::string Words() const;     // with tiles, rows and what is done against memory
  int64_t band_rows() const;     // of the last segment in bands; 0: there is none
  // One line a step: region, buffer, offset, bytes, kernel.
  std::string ToString() const;
};

// What all plans of a graph begin with: links, operators and where lattices begin. Nothing is laid out.
Plan PreparePlan(ResolvedGraph graph, const PlanOptions& options);

// kOverBudget: the message names the smallest budget that would do. kUnsupported: tiles are asked for and the network
// looks at the whole image, or its axes are not known.
Result<Plan> MakePlan(ResolvedGraph graph, const PlanOptions& options);

// Rows of a value, see bands.h: made before this band, made after it, first one that this band or a later one reads.
// outside: the segment reads and does not make it.
struct BandRows {
  int64_t made = 0, until = 0, keep = 0;
  bool outside = false;
  // In plans with late values: end of what readers ask for in this band, -1: all are outside the
  // segment; and whether one has rows left to make after it.
  int64_t wanted = -1;
  bool more = false;
};

// A group's window moves down: rows [first, first + count) become its first ones.
struct Slide {
  int group = -1;
  int64_t old_first = 0, first = 0, count = 0;
};

// What one tile, or one band of it, needs of every value, and the memory of every group.
struct TileState {
  std::vector<Region> regions;  // of every value: what is computed
  std::vector<Region> memory;   // of every group: what its buffer holds
  // Of a segment's bands; empty in plans without.
  std::vector<Interval> tile_rows;  // of every value: rows that the tile computes
  std::vector<BandRows> bands;      // of every value
  std::vector<Slide> slides;        // the first slide_count are of this band
  size_t slide_count = 0;
  int64_t band = 0;        // counted from 1
  int64_t band_total = 0;  // rows of the segment's last value in the tile
};
// A state with room for everything, so that LayOutTile allocates nothing.
TileState MakeTileState(const Plan& plan);
void LayOutTile(const Plan& plan, const std::array<int64_t, 3>& tile, TileState* state);
// Part of output `output` that belongs to the tile.
Region OutputTile(const Plan& plan, size_t output, const std::array<int64_t, 3>& tile);

// The value's region in its group's memory that begins at `buffer`.
exec::Operand OperandOf(const Plan& plan, const TileState& state, int value, float* buffer);
// The part of `held` that input `input` of node `node` reads for the node's region. data is null for inputs that only
// decide sizes.
exec::Operand NarrowToNeed(const Plan& plan, const TileState& state, size_t node, size_t input,
                           const exec::Operand& held);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_PLAN_H_
