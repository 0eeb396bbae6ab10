#include "tools/fovea/run_tiles.h"

#include <algorithm>
#include <cstring>

namespace fovea::cli {
namespace {

constexpr int64_t kBlockFloats = int64_t{1} << 16;

size_t Elements(const TensorRegion& region) {
  size_t elements = 1;
  for (const int64_t size : region.size) elements *= static_cast<size_t>(size);
  return elements;
}

}  // namespace

int64_t TileFilter::WorkingBytes(const PlanReport& plan, int64_t output_channels) {
  if (plan.tiles == 1) return 0;
  const int64_t pixels = plan.tile_size[0] * plan.tile_size[1] * plan.tile_size[2];
  return (pixels * output_channels + kBlockFloats) * static_cast<int64_t>(sizeof(float));
}

bool TileFilter::Key::SameAs(const Key& other) const {
  return shape_class >= 0 && shape_class == other.shape_class && values.size() == other.values.size() &&
         std::memcmp(values.data(), other.values.data(), values.size() * sizeof(float)) == 0;
}

void TileFilter::BeginSample(int64_t first, std::function<Status(const TileInfo&)> before) {
  first_ = first;
  before_ = std::move(before);
  if (running_.shape_class >= 0) kept_ = running_;
  running_ = {};
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
  if (running_.shape_class >= 0) kept_ = running_;  // the tile that was constant is whole now
  running_ = {};
  if (tile.index < first_) return true;
  if (before_) FOVEA_RETURN_IF_ERROR(before_(tile));
  if (!reuse_ || tile.count == 1 || tile.shape_class < 0 || tile.inputs.size() != 1) return false;
  Key key;
  key.shape_class = tile.shape_class;
  FOVEA_ASSIGN_OR_RETURN(const bool constant, ReadConstant(tile.inputs[0], &key.values));
  if (!constant) return false;
  if (key.SameAs(kept_)) {
    for (size_t o = 0; o < tile.outputs.size(); ++o) {
      FOVEA_RETURN_IF_ERROR(sink_.Write(static_cast<int>(o), tile.outputs[o], kept_values_[o].data()));
    }
    ++reused_;
    return true;
  }
  kept_ = {};  // its values are about to be overwritten
  running_ = key;
  running_outputs_ = tile.outputs;
  kept_values_.resize(tile.outputs.size());
  for (size_t o = 0; o < tile.outputs.size(); ++o) kept_values_[o].resize(Elements(tile.outputs[o]));
  return false;
}

Status TileFilter::Write(int output, const TensorRegion& region, const float* src) {
  if (running_.shape_class >= 0) {
    // The part of the tile, which may come in bands, to its place among the kept values.
    const auto o = static_cast<size_t>(output);
    const TensorRegion& whole = running_outputs_[o];
    const size_t rank = region.size.size();
    const size_t row = static_cast<size_t>(region.size[rank - 1]);
    std::vector<int64_t> at(rank, 0);
    for (size_t done = 0; done < Elements(region); done += row) {
      size_t offset = 0;
      for (size_t a = 0; a < rank; ++a) {
        offset =
            offset * static_cast<size_t>(whole.size[a]) + static_cast<size_t>(region.begin[a] + at[a] - whole.begin[a]);
      }
      std::copy_n(src + done, row, kept_values_[o].data() + offset);
      for (size_t a = rank - 1; a-- > 0;) {
        if (++at[a] < region.size[a]) break;
        at[a] = 0;
      }
    }
  }
  return sink_.Write(output, region, src);
}

}  // namespace fovea::cli
