// Results of tiles whose input is constant, kept small: a constant input gives an output that repeats itself with the
// strides of the network, so that few rows differ, and each is a few pixels again and again.
//
// Results that do not repeat themselves (at the image's border) are kept, too, while there is room; the oldest go
// first.
#ifndef FOVEA_TOOLS_FOVEA_TILE_RESULTS_H_
#define FOVEA_TOOLS_FOVEA_TILE_RESULTS_H_

#include <deque>
#include <string>
#include <vector>

#include "runtime/include/fovea/session.h"

namespace fovea::cli {

class TileResults {
 public:
  // What makes tiles equal: their class (see TileInfo), and the bits of the input's channels.
  struct Key {
    int64_t shape_class = -1;
    std::vector<float> values;
    bool operator==(const Key& other) const;  // bit for bit; never of class -1
  };

  // output_axes: letters of each output's axes. Never holds more than limit_bytes.
  TileResults(std::vector<std::string> output_axes, int64_t limit_bytes)
      : axes_(std::move(output_axes)), limit_bytes_(limit_bytes) {}

  // The next Add calls bring the outputs of this tile, in rectangles that are as wide as the tile, in any order.
  void Begin(const Key& key, const std::vector<TensorRegion>& outputs);
  void Add(int output, const TensorRegion& region, const float* src);
  // All was added: the result can be found. Without it, Begin forgets what came.
  void End();

  // Writes the result that has this key to the sink, in its place `outputs`. False: there is none.
  Result<bool> Replay(const Key& key, const std::vector<TensorRegion>& outputs, TensorSink* sink);

  int64_t bytes() const;  // held now

 private:
  struct Row {
    size_t first = 0, floats = 0;  // of Values: repeated over the row
  };
  struct Output {
    TensorRegion region;
    std::vector<float> values;
    std::vector<Row> rows;         // different ones
    std::vector<uint32_t> row_at;  // of the tile, over all axes but those of a row: index into rows, from 1
    int64_t bytes() const;
  };
  struct Kept {
    Key key;
    std::vector<Output> outputs;
    int64_t bytes() const;
  };

  // Axes at the end that make a row: columns, and channels when they are last.
  size_t RowAxes(size_t output) const;
  bool AddRow(Output* output, size_t at, const float* row, size_t floats, size_t unit);
  // Makes room for the tile that comes; false when it is too large.
  bool MakeRoom(int64_t more);
  Status Write(int output, const Output& kept, const TensorRegion& place, TensorSink* sink);

  const std::vector<std::string> axes_;
  const int64_t limit_bytes_;
  std::deque<Kept> kept_;
  Kept coming_;  // class -1: none
  std::vector<float> block_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_TILE_RESULTS_H_
