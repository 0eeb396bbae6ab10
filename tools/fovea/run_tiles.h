// What happens before each tile of a sample: tiles that an earlier run completed are left out, tiles of constant input
// (empty background) take the values of an earlier one, progress is recorded.
//
// A tile whose input has one value a channel, bit for bit, gives the same output as any other tile of its class (see
// TileInfo) with the same values, so it is computed once.
#ifndef FOVEA_TOOLS_FOVEA_RUN_TILES_H_
#define FOVEA_TOOLS_FOVEA_RUN_TILES_H_

#include <functional>
#include <vector>

#include "runtime/include/fovea/session.h"
#include "tools/fovea/tile_results.h"

namespace fovea::cli {

class TileFilter : public TensorSource, public TensorSink {
 public:
  // source, sink: of whole samples; kept by reference.
  TileFilter(TensorSource* source, TensorSink* sink, const Model& model, const PlanReport& plan, bool reuse);

  // Bytes that are held while tiles of such a session run: kept results, and blocks. row_floats: the most that a row of
  // a tile has, with its channels.
  static int64_t WorkingBytes(uint64_t session_bytes, int64_t row_floats);

  // The next tiles are of another sample; those before `first` are done already. `before`: called before each tile that
  // is not.
  void BeginSample(int64_t first, std::function<Status(const TileInfo&)> before);
  int64_t reused() const { return reused_; }

  Result<bool> SkipTile(const TileInfo& tile) override;
  Status Read(int input, const TensorRegion& region, float* dst) override { return source_.Read(input, region, dst); }
  Status Write(int output, const TensorRegion& region, const float* src) override;

 private:
  // False as soon as two pixels differ.
  Result<bool> ReadConstant(const TensorRegion& region, std::vector<float>* values);

  TensorSource& source_;
  TensorSink& sink_;
  const std::string axes_;
  const bool reuse_;
  int64_t first_ = 0, reused_ = 0;
  std::function<Status(const TileInfo&)> before_;
  bool running_ = false;  // a tile of constant input, whose result is wanted
  TileResults results_;
  std::vector<float> block_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_TILES_H_
