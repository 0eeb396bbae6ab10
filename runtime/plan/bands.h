// Bands: consecutive nodes run together, a few rows at a time, so that what one makes the next reads while it is hot,
// and values that live only among them need memory for a window of rows instead of all.
//
// A band is a run of positions along axis 1 of the tensors, the slowest spatial one: rows of planes, planes of volumes.
// No row is computed twice: in each band, a few more rows of the values from outside come into view, every node makes
// what can be made of the rows that are there (late ones, see row_steps.h, what is asked of them), and a row is dropped
// once no later row of any consumer reads it.
//
// Bands end, whatever is late: once all rows from outside are there, the first node that is neither late nor done finds
// all that it reads done, but for late values, and those are made as far as it asks; when only late nodes are left,
// nobody has rows to make later, so that all of theirs are asked for at once.
#ifndef FOVEA_RUNTIME_PLAN_BANDS_H_
#define FOVEA_RUNTIME_PLAN_BANDS_H_

#include "runtime/plan/plan.h"

namespace fovea::plan {

// How ChooseSegments cuts.
struct BandPolicy {
  int64_t rows = 0;            // > 0: bands of so many rows of a segment's last node, wherever bands are possible
  uint64_t large_bytes = 0;    // rows == 0: only around values of at least so many bytes
  uint64_t weight_bytes = 0;   // nodes with more packed weights stay out: every band reads them all again
  uint64_t working_bytes = 0;  // rows == 0: what the values of a band may take together
};

// Sets Plan::row_reads, which all that follows needs.
void FindRowReads(Plan* plan);

// True when node n makes rows from rows: in order, a bounded number of them from a bounded number.
bool MakesRowsFromRows(const Plan& plan, size_t n);

// Segments in order, covering all nodes. Needs graph, links, operators and packed_ahead.
std::vector<Segment> ChooseSegments(const Plan& plan, const BandPolicy& policy);

// Walks the bands of segment s of the tile that LayOutTile laid out: Begin, then NextBand until it returns false, then
// EndBands. After NextBand the regions of the segment's values are the rows that the band makes (perhaps none), and
// memory is right for all groups; state->slides lists what has to be moved before the band is run. Allocate nothing.
void BeginBands(const Plan& plan, size_t s, TileState* state);
bool NextBand(const Plan& plan, size_t s, TileState* state);
void EndBands(const Plan& plan, size_t s, TileState* state);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_BANDS_H_
