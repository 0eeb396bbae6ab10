#include "runtime/process/watershed.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "runtime/process/morphology.h"

namespace fovea::process {
namespace {

constexpr float kDiagonal = 1.4142135624f;
// Clockwise from above; direction d + 4 is opposite to d, odd ones are diagonal.
constexpr int64_t kDy[8] = {-1, -1, 0, 1, 1, 1, 0, -1}, kDx[8] = {0, 1, 1, 1, 0, -1, -1, -1};

// What is known of a pixel.
constexpr uint8_t kMaximum = 1, kListed = 2, kProcessed = 4, kInSeed = 8, kEliminated = 16;
constexpr int kSeed = 255;  // the level of pixels that belong to an object

// For each set of neighbours that belong to objects (bit d: direction d), the directions, as bits, in which an object
// may grow into the pixel: away from a neighbour, unless that would join objects that the pixel parts.
std::array<uint8_t, 256> MakeGrowthTable() {
  std::array<uint8_t, 256> table{};
  for (unsigned set = 0; set < 256; ++set) {
    bool is_set[8];
    unsigned directions = 0;
    for (unsigned d = 0; d < 8; ++d) {
      is_set[d] = (set >> d & 1) != 0;
      if ((set >> ((d + 4) % 8) & 1) != 0) directions |= 1u << d;
    }
    // A neighbour beside the pixel touches those at its corners.
    for (unsigned d = 0; d < 8; d += 2) {
      if (is_set[d]) is_set[(d + 1) % 8] = is_set[(d + 7) % 8] = true;
    }
    int changes = 0;
    for (unsigned d = 0; d < 8; ++d) changes += is_set[d] != is_set[(d + 1) % 8] ? 1 : 0;
    table[set] = static_cast<uint8_t>(changes >= 4 ? 0 : directions);
  }
  return table;
}

class Watershed {
 public:
  Watershed(double tolerance, float* plane, int64_t rows, int64_t cols)
      : tolerance_(static_cast<float>(tolerance)), plane_(plane), rows_(rows), cols_(cols) {}

  void Run() {
    height_ = DistanceToBackground(plane_, rows_, cols_);
    // A plane of objects alone has no distances.
    if (height_.empty() || std::isinf(height_[0])) return;
    highest_ = *std::max_element(height_.begin(), height_.end());
    if (highest_ == 0) return;
    const size_t pixels = height_.size();
    peak_height_.resize(pixels);
    for (int64_t i = 0; i < rows_ * cols_; ++i) peak_height_[static_cast<size_t>(i)] = PeakHeight(i);
    type_.assign(pixels, 0);
    level_.resize(pixels);
    list_.reserve(pixels);
    FindPeaks();
    FindSeeds();
    MakeLevels();
    LevelOtherPeaks();
    Grow();
    for (size_t i = 0; i < pixels; ++i) {
      if (level_[i] != kSeed) plane_[i] = 0;
    }
  }

 private:
  bool Neighbour(int64_t i, int d, int64_t* j) const {
    const int64_t y = i / cols_ + kDy[d], x = i % cols_ + kDx[d];
    *j = y * cols_ + x;
    return y >= 0 && y < rows_ && x >= 0 && x < cols_;
  }
  float Height(int64_t i) const { return height_[static_cast<size_t>(i)]; }
  float& Peak(int64_t i) { return peak_height_[static_cast<size_t>(i)]; }
  uint8_t& Type(int64_t i) { return type_[static_cast<size_t>(i)]; }
  uint8_t& Level(int64_t i) { return level_[static_cast<size_t>(i)]; }

  // A peak between pixels is higher than they are: by what its opposite neighbours tell, at most half a diagonal.
  float PeakHeight(int64_t i) const {
    const int64_t y = i / cols_, x = i % cols_;
    const float here = Height(i);
    if (here == 0 || y == 0 || x == 0 || y == rows_ - 1 || x == cols_ - 1) return here;
    float height = here + 0.5f * kDiagonal;
    bool is_ridge = false;
    for (int d = 0; d < 4; ++d) {
      const float a = Height(i + kDy[d] * cols_ + kDx[d]), b = Height(i - kDy[d] * cols_ - kDx[d]);
      const bool above = here >= a && here >= b;
      is_ridge = is_ridge || above;
      height = std::min(height, (above ? (a + b) / 2 : std::min(a, b)) + (d % 2 == 0 ? 1 : kDiagonal));
    }
    return is_ridge ? height : here;
  }

  bool IsLocalMaximum(int64_t i) {
    for (int d = 0; d < 8; ++d) {
      int64_t j = 0;
      if (Neighbour(i, d, &j) && Height(j) > Height(i) && Peak(j) > Peak(i)) return false;
    }
    return true;
  }

  // All local maxima, the highest (the last one of equal ones) first.
  void FindPeaks() {
    size_t count = 0;
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      if (Height(i) == 0 || !IsLocalMaximum(i)) continue;
      Type(i) = kMaximum;
      ++count;
    }
    peaks_.reserve(count);
    // ImageJ sorts by whole numbers: heights in 2e9 steps of the highest pixel's, no more than fit 32 bits.
    const auto factor = static_cast<float>(2e9 / static_cast<double>(highest_));
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      if (Type(i) != kMaximum) continue;
      const double key = static_cast<double>(Peak(i) * factor);
      peaks_.push_back({static_cast<int32_t>(std::min(key, 2147483647.0)), i});
    }
    std::sort(peaks_.begin(), peaks_.end(),
              [](const PeakAt& a, const PeakAt& b) { return a.key != b.key ? a.key > b.key : a.pixel > b.pixel; });
  }

  // From the highest peak down: all that is connected and no more than the tolerance lower belongs to it, unless that
  // leads to something higher or to pixels of a peak before.
  void FindSeeds() {
    for (const PeakAt& peak : peaks_) {
      if ((Type(peak.pixel) & kProcessed) != 0) continue;
      int64_t start = peak.pixel;
      bool is_seed = false;
      // A pixel that turns out to be a little higher should have come first: once more from there.
      while (!ListAround(&start, &is_seed)) {
        for (const int64_t i : list_) Type(i) = 0;
      }
      for (const int64_t i : list_) {
        Type(i) = static_cast<uint8_t>((Type(i) & ~kListed) | kProcessed | (is_seed ? kInSeed : 0));
      }
    }
  }

  // False, and another start, when there is a higher pixel.
  bool ListAround(int64_t* start, bool* is_seed) {
    constexpr float kSortingError = 1.1f * (kDiagonal / 2);
    bool is_highest = true;
    float top = Peak(*start);
    *is_seed = true;
    list_.assign(1, *start);
    Type(*start) |= kListed;
    for (size_t n = 0; n < list_.size(); ++n) {
      for (int d = 0; d < 8; ++d) {
        int64_t j = 0;
        if (!Neighbour(list_[n], d, &j) || (Type(j) & kListed) != 0 || Height(j) == 0) continue;
        if ((Type(j) & kProcessed) != 0 || Peak(j) > top + kSortingError) {
          *is_seed = false;
          break;
        }
        if (Peak(j) < top - tolerance_) continue;
        if (Peak(j) > top) {
          is_highest = false;
          *start = j;
          top = Peak(j);
        }
        list_.push_back(j);
        Type(j) |= kListed;
      }
    }
    return is_highest;
  }

  // Heights as whole numbers: 0 background, 1 .. 254, seeds. One step is a pixel, or less than that where 253 steps are
  // too few for the highest.
  void MakeLevels() {
    const double range = static_cast<double>(highest_) - 1;
    const double offset = 1 - range * (1.0 / 253 / 2 - 1e-6), factor = range > 253 ? 253 / range : 1;
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      const double level = 1 + std::floor((static_cast<double>(Height(i)) - offset) * factor + 0.5);
      const bool seed = (Type(i) & kInSeed) != 0;
      Level(i) = static_cast<uint8_t>(Height(i) < 0.5f ? 0 : seed ? kSeed : std::clamp(level, 1.0, 254.0));
    }
  }

  // Peaks that are no seeds are cut off at the level of the saddle that leads to a seed, so that nothing is left that
  // growing would have to go up to.
  void LevelOtherPeaks() {
    for (const PeakAt& peak : peaks_) {
      if ((Type(peak.pixel) & (kInSeed | kEliminated)) != 0) continue;
      int low = Level(peak.pixel) + 1;
      list_.assign(1, peak.pixel);
      Type(peak.pixel) |= kListed;
      size_t above = 1;  // of the list, higher than the saddle
      bool found = false;
      while (!found && low > 0) {
        --low;
        above = list_.size();
        for (size_t n = 0; n < list_.size() && !found; ++n) found = ListFrom(list_[n], low);
      }
      for (const int64_t i : list_) Type(i) = static_cast<uint8_t>(Type(i) & ~kListed);
      for (size_t n = 0; n < above; ++n) {
        Level(list_[n]) = static_cast<uint8_t>(low);
        Type(list_[n]) |= kEliminated;
      }
    }
  }

  // Lists the neighbours of at least level `low`; true when one leads to a seed.
  bool ListFrom(int64_t i, int low) {
    for (int d = 0; d < 8; ++d) {
      int64_t j = 0;
      if (!Neighbour(i, d, &j) || (Type(j) & kListed) != 0) continue;
      const bool high = Level(j) >= low, eliminated = (Type(j) & kEliminated) != 0;
      if ((Type(j) & kInSeed) != 0 || (eliminated && high)) return true;
      if (!high || eliminated) continue;
      list_.push_back(j);
      Type(j) |= kListed;
    }
    return false;
  }

  // Level by level from the top, seeds grow into the pixels of the level, a pixel's breadth at a time and each
  // direction in turn.
  void Grow() {
    std::array<int64_t, 256> count{}, begin{};
    for (const uint8_t level : level_) ++count[level];
    int64_t end = 0;
    for (size_t v = 1; v < kSeed; ++v) {
      begin[v] = end;
      end += count[v];
    }
    waiting_.resize(static_cast<size_t>(end));
    std::array<int64_t, 256> filled = begin;
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      const size_t v = Level(i);
      if (v > 0 && v < kSeed) waiting_[static_cast<size_t>(filled[v]++)] = i;
    }
    for (size_t v = kSeed - 1; v >= 1; --v) {
      const int64_t left = GrowInto(begin[v], count[v]);
      size_t next = v - 1;
      while (next > 1 && count[next] == 0) --next;
      if (left == 0 || v == 1 || next == 0) continue;
      // What was not reached gets another chance on the next level where it lies at a border.
      int64_t to = begin[next] + count[next];
      for (int64_t n = begin[v]; n < begin[v] + left; ++n) {
        const int64_t i = waiting_[static_cast<size_t>(n)];
        if (IsAtBorder(i)) waiting_[static_cast<size_t>(to++)] = i;
      }
      count[next] = to - begin[next];
    }
  }

  bool IsAtBorder(int64_t i) {
    for (int d = 0; d < 8; ++d) {
      int64_t j = 0;
      if (!Neighbour(i, d, &j) || Level(j) == 0) return true;
    }
    return false;
  }

  // Of `count` waiting pixels from `begin` on; those that were not reached are first there afterwards: their number.
  int64_t GrowInto(int64_t begin, int64_t count) {
    constexpr int kTurns[8] = {7, 3, 1, 5, 0, 4, 2, 6};
    int64_t left = count;
    int idle = 0;
    while (left > 0 && idle < 8) {
      int turn = 0;
      do {
        const int64_t reached = GrowTowards(kTurns[turn % 8], begin, left);
        left -= reached;
        if (reached > 0) idle = 0;
        ++turn;
      } while (left > 0 && idle++ < 8);
    }
    return left;
  }

  int64_t GrowTowards(int direction, int64_t begin, int64_t count) {
    static const std::array<uint8_t, 256> kGrowth = MakeGrowthTable();
    list_.clear();
    int64_t left = 0;
    for (int64_t n = begin; n < begin + count; ++n) {
      const int64_t i = waiting_[static_cast<size_t>(n)];
      size_t set = 0;
      for (int d = 0; d < 8; ++d) {
        int64_t j = 0;
        if (Neighbour(i, d, &j) && Level(j) == kSeed) set |= size_t{1} << d;
      }
      if ((kGrowth[set] >> direction & 1) != 0) {
        list_.push_back(i);
      } else {
        waiting_[static_cast<size_t>(begin + left++)] = i;
      }
    }
    for (const int64_t i : list_) Level(i) = kSeed;
    return count - left;
  }

  struct PeakAt {
    int32_t key;
    int64_t pixel;
  };

  const float tolerance_;
  float* plane_;
  int64_t rows_, cols_;
  float highest_ = 0;
  std::vector<float> height_, peak_height_;  // distance to the background; of a peak between the pixels
  std::vector<uint8_t> type_, level_;
  std::vector<PeakAt> peaks_;
  std::vector<int64_t> list_, waiting_;
};

}  // namespace

int64_t WatershedBytes(int64_t rows, int64_t cols) {
  // Two heights and two marks a pixel; peaks (16 bytes) and entries of two lists of every pixel at worst.
  return rows * cols * (4 + 4 + 2 + 16 + 8 + 8);
}

void CutObjects(double tolerance, float* plane, int64_t rows, int64_t cols) {
  Watershed(tolerance, plane, rows, cols).Run();
}

}  // namespace fovea::process
