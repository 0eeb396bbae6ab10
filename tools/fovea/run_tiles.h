// What happens before each tile of a sample: tiles that an earlier run completed are left out, tiles of constant input
// (empty background) take the values of an earlier one, progress is recorded.
//
// A tile whose input has one value a channel, bit for bit, gives the same output as any other tile of its class (see
// TileInfo) with the same values, so it is computed once. One such result is kept at a time.
#ifndef FOVEA_TOOLS_FOVEA_RUN_TILES_H_
#define FOVEA_TOOLS_FOVEA_RUN_TILES_H_

#include <functional>
#include <vector>

#include "runtime/include/fovea/session.h"

namespace fovea::cli {

class TileFilter : public TensorSource, public TensorSink {
 public:
  // source, sink: of whole samples. axes: of the input tensor. All are kept by reference.
  TileFilter(TensorSource* source, TensorSink* sink, std::string axes, bool reuse)
      : source_(*source), sink_(*sink), axes_(std::move(axes)), reuse_(reuse) {}

  // Bytes that are held while tiles of this plan run: a kept result, and a block of the input.
  static int64_t WorkingBytes(const PlanReport& plan, int64_t output_channels);

  // The next tiles are of another sample; those before `first` are done already. `before`: called before each tile that
  // is not.
  void BeginSample(int64_t first, std::function<Status(const TileInfo&)> before);
  int64_t reused() const { return reused_; }

  Result<bool> SkipTile(const TileInfo& tile) override;
  Status Read(int input, const TensorRegion& region, float* dst) override { return source_.Read(input, region, dst); }
  Status Write(int output, const TensorRegion& region, const float* src) override;

 private:
  // What makes tiles equal: their class, and the bits of the input's channels.
  struct Key {
    int64_t shape_class = -1;
    std::vector<float> values;
    bool SameAs(const Key& other) const;
  };

  // False as soon as two pixels differ.
  Result<bool> ReadConstant(const TensorRegion& region, std::vector<float>* values);

  TensorSource& source_;
  TensorSink& sink_;
  const std::string axes_;
  const bool reuse_;
  int64_t first_ = 0, reused_ = 0;
  std::function<Status(const TileInfo&)> before_;
  Key kept_, running_;  // of kept_values_; of the tile that runs, class -1 when it is not constant
  std::vector<TensorRegion> running_outputs_;
  std::vector<std::vector<float>> kept_values_;  // one an output
  std::vector<float> block_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_TILES_H_
