#include "tools/fovea/tile_results.h"

#include <algorithm>
#include <cstring>

namespace fovea::cli {
namespace {

// Longer periods are not looked for. Strides, times what Winograd makes at once, are 16 to 128 in practice.
constexpr size_t kMostPeriod = 512;
constexpr size_t kBlockFloats = size_t{1} << 14;

bool SameBits(const float* a, const float* b, size_t floats) { return std::memcmp(a, b, floats * sizeof(float)) == 0; }

// The fewest floats, a multiple of unit, that repeated give the row; all of them when there are none.
size_t Period(const float* row, size_t floats, size_t unit) {
  for (size_t period = unit; period <= std::min(kMostPeriod * unit, floats / 2); period += unit) {
    if (SameBits(row, row + period, floats - period)) return period;
  }
  return floats;
}

size_t Product(const std::vector<int64_t>& sizes, size_t first, size_t end) {
  size_t product = 1;
  for (size_t a = first; a < end; ++a) product *= static_cast<size_t>(sizes[a]);
  return product;
}

}  // namespace

bool TileResults::Key::operator==(const Key& other) const {
  return shape_class >= 0 && shape_class == other.shape_class && values.size() == other.values.size() &&
         SameBits(values.data(), other.values.data(), values.size());
}

int64_t TileResults::Output::bytes() const {
  return static_cast<int64_t>(values.capacity() * sizeof(float) + rows.capacity() * sizeof(Row) +
                              row_at.capacity() * sizeof(uint32_t));
}

int64_t TileResults::Kept::bytes() const {
  int64_t bytes = 0;
  for (const Output& output : outputs) bytes += output.bytes();
  return bytes;
}

int64_t TileResults::bytes() const {
  int64_t bytes = coming_.bytes();
  for (const Kept& kept : kept_) bytes += kept.bytes();
  return bytes;
}

size_t TileResults::RowAxes(size_t output) const {
  const std::string& axes = axes_[output];
  return std::min<size_t>(axes.size(), !axes.empty() && axes.back() == 'c' ? 2 : 1);
}

bool TileResults::MakeRoom(int64_t more) {
  while (bytes() + more > limit_bytes_) {
    if (kept_.empty()) return false;
    kept_.pop_front();
  }
  return true;
}

void TileResults::Begin(const Key& key, const std::vector<TensorRegion>& outputs) {
  coming_ = {};
  for (size_t o = 0; o < outputs.size(); ++o) {
    const size_t rank = outputs[o].size.size();
    if (rank != axes_[o].size()) return;
    const size_t rows = Product(outputs[o].size, 0, rank - RowAxes(o));
    if (!MakeRoom(static_cast<int64_t>(rows * sizeof(uint32_t)))) {
      coming_ = {};
      return;
    }
    Output& output = coming_.outputs.emplace_back();
    output.region = outputs[o];
    output.row_at.resize(rows);
  }
  coming_.key = key;
}

bool TileResults::AddRow(Output* output, size_t at, const float* row, size_t floats, size_t unit) {
  const size_t period = Period(row, floats, unit);
  // Rows repeat soon, so the last ones are looked at first.
  for (size_t r = output->rows.size(); r-- > 0;) {
    const Row& known = output->rows[r];
    if (known.floats != period || !SameBits(row, output->values.data() + known.first, period)) continue;
    output->row_at[at] = static_cast<uint32_t>(r + 1);
    return true;
  }
  // Grown by hand: a vector that doubles itself would hold three times the limit for a moment.
  if (output->values.size() + period > output->values.capacity()) {
    const size_t capacity = output->values.capacity() + std::max<size_t>(period, kBlockFloats / 4);
    if (!MakeRoom(static_cast<int64_t>(capacity * sizeof(float)))) return false;
    output->values.reserve(capacity);
  }
  if (output->rows.size() == output->rows.capacity()) output->rows.reserve(output->rows.size() + 64);
  output->rows.push_back({output->values.size(), period});
  output->values.insert(output->values.end(), row, row + period);
  output->row_at[at] = static_cast<uint32_t>(output->rows.size());
  return true;
}

void TileResults::Add(int output, const TensorRegion& region, const float* src) {
  if (coming_.key.shape_class < 0) return;
  const auto o = static_cast<size_t>(output);
  Output& to = coming_.outputs[o];
  const size_t rank = region.size.size(), outer = rank - RowAxes(o);
  bool good = true;
  for (size_t a = outer; a < rank; ++a) good = good && region.size[a] == to.region.size[a];
  const size_t rows = Product(region.size, 0, outer), floats = Product(region.size, outer, rank);
  const size_t unit = RowAxes(o) == 2 ? static_cast<size_t>(region.size[rank - 1]) : 1;
  for (size_t row = 0; good && row < rows; ++row) {
    size_t at = 0, rest = row, below = rows;
    for (size_t a = 0; a < outer; ++a) {
      below /= static_cast<size_t>(region.size[a]);
      const auto index = static_cast<int64_t>(rest / below) + region.begin[a] - to.region.begin[a];
      rest %= below;
      at = at * static_cast<size_t>(to.region.size[a]) + static_cast<size_t>(index);
    }
    good = AddRow(&to, at, src + row * floats, floats, unit);
  }
  if (!good) coming_ = {};
}

void TileResults::End() {
  const auto whole = [](const Output& output) {
    return std::find(output.row_at.begin(), output.row_at.end(), 0u) == output.row_at.end();
  };
  if (coming_.key.shape_class >= 0 && std::all_of(coming_.outputs.begin(), coming_.outputs.end(), whole)) {
    kept_.push_back(std::move(coming_));
  }
  coming_ = {};
}

Result<bool> TileResults::Replay(const Key& key, const std::vector<TensorRegion>& outputs, TensorSink* sink) {
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.key == key; });
  if (found == kept_.end()) return false;
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].size != found->outputs[o].region.size) return false;
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    FOVEA_RETURN_IF_ERROR(Write(static_cast<int>(o), found->outputs[o], outputs[o], sink));
  }
  return true;
}

// A few rows at a time, along the last axis that is not of a row.
Status TileResults::Write(int output, const Output& kept, const TensorRegion& place, TensorSink* sink) {
  const size_t rank = place.size.size(), outer = rank - RowAxes(static_cast<size_t>(output));
  const size_t floats = Product(place.size, outer, rank);
  const size_t down = outer > 0 ? static_cast<size_t>(place.size[outer - 1]) : 1;
  const size_t step = std::clamp<size_t>(kBlockFloats / std::max<size_t>(1, floats), 1, down);
  TensorRegion part = place;
  for (size_t a = 0; a + 1 < outer; ++a) part.size[a] = 1;
  for (size_t first = 0; first < kept.row_at.size(); first += std::min(step, down - first % down)) {
    const size_t rows = std::min(step, down - first % down);
    block_.resize(rows * floats);
    for (size_t r = 0; r < rows; ++r) {
      const Row& row = kept.rows[kept.row_at[first + r] - 1];
      float* const to = block_.data() + r * floats;
      for (size_t at = 0; at < floats; at += row.floats) {
        std::copy_n(kept.values.data() + row.first, std::min(row.floats, floats - at), to + at);
      }
    }
    size_t rest = first;
    for (size_t a = outer; a-- > 0;) {
      const auto size = static_cast<size_t>(place.size[a]);
      part.begin[a] = place.begin[a] + static_cast<int64_t>(rest % size);
      rest /= size;
    }
    if (outer > 0) part.size[outer - 1] = static_cast<int64_t>(rows);
    FOVEA_RETURN_IF_ERROR(sink->Write(output, part, block_.data()));
  }
  return OkStatus();
}

}  // namespace fovea::cli
