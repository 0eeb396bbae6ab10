#include "tools/fovea/run_tiles.h"

#include <algorithm>
#include <cstring>

namespace fovea::cli {
namespace {

constexpr int64_t kBlockFloats = int64_t{1} << 14;

size_t Elements(const TensorRegion& region) {
  size_t elements = 1;
  for (const int64_t size : region.size) elements *= static_cast<size_t>(size);
  return elements;
}

// A result that repeats itself takes some kilobytes.
int64_t KeptBytes(uint64_t session_bytes) {
  return std::clamp<int64_t>(static_cast<int64_t>(session_bytes / 256), 64 << 10, 4 << 20);
}

std::vector<std::string> OutputAxes(const Model& model) {
  std::vector<std::string> axes;
  for (const TensorSpec& spec : model.outputs()) axes.push_back(spec.axes);
  return axes;
}

}  // namespace

int64_t TileFilter::WorkingBytes(uint64_t session_bytes, int64_t row_floats) {
  return KeptBytes(session_bytes) + 2 * std::max(kBlockFloats, row_floats) * static_cast<int64_t>(sizeof(float));
}

TileFilter::TileFilter(TensorSource* source, TensorSink* sink, const Model& model, const PlanReport& plan, bool reuse)
    : source_(*source),
      sink_(*sink),
      axes_(model.inputs()[0].axes),
      reuse_(reuse && model.inputs().size() == 1),
      results_(OutputAxes(model), KeptBytes(plan.total_bytes())) {}

void TileFilter::BeginSample(int64_t first, std::function<Status(const TileInfo&)> before) {
  first_ = first;
  before_ = std::move(before);
  results_.End();
  running_ = false;
}

Result<bool> TileFilter::ReadConstant(const TensorRegion& region, std::vector<float>* values) {
  // Channels are compared one by one where they are the last axis, and must all be equal elsewhere.
  const size_t rank = region.size.size();
  const bool channels_last = !axes_.empty() && axes_.back() == 'c' && rank == axes_.size();
  const auto period = static_cast<size_t>(channels_last ? region.size[rank - 1] : 1);
  // Slabs along the first axis that is not the batch, then along the next one.
  const auto size_of = [&](size_t axis) { return axis < rank ? region.size[axis] : 1; };
  size_t outer = 0;
  while (outer + 1 < rank && size_of(outer) == 1) ++outer;
  int64_t inside = 1;
  for (size_t a = outer + 2; a < rank; ++a) inside *= region.size[a];
  const int64_t step = std::clamp<int64_t>(kBlockFloats / std::max<int64_t>(1, inside), 1, size_of(outer + 1));
  TensorRegion part = region;
  values->clear();
  for (int64_t i = 0; i < size_of(outer); ++i) {
    for (int64_t j = 0; j < size_of(outer + 1); j += step) {
      part.begin[outer] = region.begin[outer] + i;
      part.size[outer] = 1;
      if (outer + 1 < rank) {
        part.begin[outer + 1] = region.begin[outer + 1] + j;
        part.size[outer + 1] = std::min(step, region.size[outer + 1] - j);
      }
      block_.resize(Elements(part));
      FOVEA_RETURN_IF_ERROR(source_.Read(0, part, block_.data()));
      if (block_.size() % period != 0 || block_.empty()) return false;
      if (values->empty()) values->assign(block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(period));
      for (size_t at = 0; at < block_.size(); at += period) {
        if (std::memcmp(block_.data() + at, values->data(), period * sizeof(float)) != 0) return false;
      }
    }
  }
  return true;
}

Result<bool> TileFilter::SkipTile(const TileInfo& tile) {
  if (running_) results_.End();  // the tile that was constant is whole now
  running_ = false;
  if (tile.index < first_) return true;
  if (before_) FOVEA_RETURN_IF_ERROR(before_(tile));
  if (!reuse_ || tile.shape_class < 0) return false;
  TileResults::Key key;
  key.shape_class = tile.shape_class;
  FOVEA_ASSIGN_OR_RETURN(const bool constant, ReadConstant(tile.inputs[0], &key.values));
  if (!constant) return false;
  FOVEA_ASSIGN_OR_RETURN(const bool known, results_.Replay(key, tile.outputs, &sink_));
  if (known) {
    ++reused_;
    return true;
  }
  results_.Begin(key, tile.outputs);
  running_ = true;
  return false;
}

Status TileFilter::Write(int output, const TensorRegion& region, const float* src) {
  if (running_) results_.Add(output, region, src);
  return sink_.Write(output, region, src);
}

}  // namespace fovea::cli
