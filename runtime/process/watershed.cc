#include "runtime/process/watershed.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <vector>

#include "runtime/process/morphology.h"

namespace fovea::process {
namespace {

constexpr double kDiagonal = 1.4142135623730951;
// Clockwise from above; direction d + 4 is opposite to d, odd ones are diagonal.
constexpr int64_t kDy[8] = {-1, -1, 0, 1, 1, 1, 0, -1}, kDx[8] = {0, 1, 1, 1, 0, -1, -1, -1};

class Watershed {
 public:
  Watershed(double tolerance, float* plane, int64_t rows, int64_t cols)
      : tolerance_(tolerance), plane_(plane), rows_(rows), cols_(cols) {}

  void Run() {
    height_ = DistanceToBackground(plane_, rows_, cols_);
    // A plane of objects alone has no distances.
    if (height_.empty() || std::isinf(height_[0])) return;
    label_.assign(height_.size(), 0);
    FindSeeds();
    Grow();
    for (size_t i = 0; i < label_.size(); ++i) {
      if (label_[i] == 0) plane_[i] = 0;
    }
  }

 private:
  bool Neighbour(int64_t i, int d, int64_t* j) const {
    const int64_t y = i / cols_ + kDy[d], x = i % cols_ + kDx[d];
    *j = y * cols_ + x;
    return y >= 0 && y < rows_ && x >= 0 && x < cols_;
  }
  double At(int64_t i) const { return static_cast<double>(height_[static_cast<size_t>(i)]); }

  // A peak between pixels is higher than they are: by what its opposite neighbours tell, at most half a diagonal.
  double TrueHeight(int64_t i) const {
    const int64_t y = i / cols_, x = i % cols_;
    const double here = At(i);
    if (here == 0 || y == 0 || x == 0 || y == rows_ - 1 || x == cols_ - 1) return here;
    double height = here + kDiagonal / 2;
    bool is_ridge = false;
    for (int d = 0; d < 4; ++d) {
      const double a = At(i + kDy[d] * cols_ + kDx[d]), b = At(i - kDy[d] * cols_ - kDx[d]);
      const bool above = here >= a && here >= b;
      is_ridge = is_ridge || above;
      height = std::min(height, (above ? (a + b) / 2 : std::min(a, b)) + (d % 2 == 0 ? 1 : kDiagonal));
    }
    return is_ridge ? height : here;
  }

  bool IsLocalMaximum(int64_t i, double height) const {
    for (int d = 0; d < 8; ++d) {
      int64_t j = 0;
      if (Neighbour(i, d, &j) && At(j) > At(i) && TrueHeight(j) > height) return false;
    }
    return true;
  }

  // From the highest local maximum down: all that is connected and no more than the tolerance lower belongs to it,
  // unless that leads to something higher or to pixels of a maximum before.
  void FindSeeds() {
    struct Peak {
      double height;
      int64_t at;
    };
    std::vector<Peak> peaks;
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      if (At(i) == 0) continue;
      const double height = TrueHeight(i);
      if (IsLocalMaximum(i, height)) peaks.push_back({height, i});
    }
    std::sort(peaks.begin(), peaks.end(),
              [](const Peak& a, const Peak& b) { return a.height != b.height ? a.height > b.height : a.at > b.at; });
    constexpr double kSortingError = 1.1 * 0.5 * kDiagonal;
    std::vector<char> processed(height_.size(), 0), listed(height_.size(), 0);
    std::vector<int64_t> list;
    for (const Peak& peak : peaks) {
      if (processed[static_cast<size_t>(peak.at)] != 0) continue;
      list = {peak.at};
      listed[static_cast<size_t>(peak.at)] = 1;
      bool is_maximum = true;
      for (size_t n = 0; n < list.size() && is_maximum; ++n) {
        for (int d = 0; d < 8 && is_maximum; ++d) {
          int64_t j = 0;
          if (!Neighbour(list[n], d, &j) || listed[static_cast<size_t>(j)] != 0 || At(j) == 0) continue;
          const double height = TrueHeight(j);
          if (processed[static_cast<size_t>(j)] != 0 || height > peak.height + kSortingError) {
            is_maximum = height < peak.height - tolerance_;
          } else if (height >= peak.height - tolerance_) {
            list.push_back(j);
            listed[static_cast<size_t>(j)] = 1;
          }
        }
      }
      if (is_maximum) ++seeds_;
      for (const int64_t i : list) {
        listed[static_cast<size_t>(i)] = 0;
        processed[static_cast<size_t>(i)] = 1;
        if (is_maximum) label_[static_cast<size_t>(i)] = seeds_;
      }
    }
  }

  // Highest pixels first, those that were reached earlier first among equals.
  void Grow() {
    struct Entry {
      float height;
      int64_t order, at;
      bool operator<(const Entry& other) const {
        return height != other.height ? height < other.height : order > other.order;
      }
    };
    std::priority_queue<Entry> queue;
    std::vector<char> reached(height_.size(), 0);
    int64_t order = 0;
    const auto reach = [&](int64_t i) {
      for (int d = 0; d < 8; ++d) {
        int64_t j = 0;
        if (!Neighbour(i, d, &j) || reached[static_cast<size_t>(j)] != 0 || label_[static_cast<size_t>(j)] != 0)
          continue;
        if (At(j) == 0) continue;
        reached[static_cast<size_t>(j)] = 1;
        queue.push({height_[static_cast<size_t>(j)], order++, j});
      }
    };
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      if (label_[static_cast<size_t>(i)] != 0) reach(i);
    }
    while (!queue.empty()) {
      const int64_t i = queue.top().at;
      queue.pop();
      int32_t own = 0;
      bool is_line = false;
      for (int d = 0; d < 8; ++d) {
        int64_t j = 0;
        if (!Neighbour(i, d, &j) || label_[static_cast<size_t>(j)] == 0) continue;
        is_line = is_line || (own != 0 && own != label_[static_cast<size_t>(j)]);
        own = label_[static_cast<size_t>(j)];
      }
      if (is_line) continue;
      label_[static_cast<size_t>(i)] = own;
      reach(i);
    }
  }

  double tolerance_;
  float* plane_;
  int64_t rows_, cols_;
  std::vector<float> height_;
  std::vector<int32_t> label_;
  int32_t seeds_ = 0;
};

}  // namespace

int64_t WatershedBytes(int64_t rows, int64_t cols) {
  // Heights, labels, two marks a pixel; peaks (16 bytes) and queue entries (24) of every pixel at worst.
  return rows * cols * (4 + 4 + 2 + 24 + 8);
}

void CutObjects(double tolerance, float* plane, int64_t rows, int64_t cols) {
  Watershed(tolerance, plane, rows, cols).Run();
}

}  // namespace fovea::process
