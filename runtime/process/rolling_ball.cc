#include "runtime/process/rolling_ball.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::process {
namespace {

struct Plane {
  int64_t rows = 0, cols = 0;
  std::vector<float> pixels;
};

// Mean of three along a line, its ends repeated; in float, as ImageJ.
void MeanOfThree(float* line, int64_t n, int64_t step) {
  float before, here = line[0], next = line[0];
  for (int64_t i = 0; i < n; ++i) {
    before = here;
    here = next;
    if (i + 1 < n) next = line[(i + 1) * step];
    line[i * step] = (before + here + next) * 0.33333333f;
  }
}

Plane Shrunk(const Plane& in, int64_t factor) {
  Plane out{(in.rows + factor - 1) / factor, (in.cols + factor - 1) / factor, {}};
  out.pixels.assign(static_cast<size_t>(out.rows * out.cols), std::numeric_limits<float>::max());
  for (int64_t y = 0; y < in.rows; ++y) {
    for (int64_t x = 0; x < in.cols; ++x) {
      float& least = out.pixels[static_cast<size_t>(y / factor * out.cols + x / factor)];
      least = std::min(least, in.pixels[static_cast<size_t>(y * in.cols + x)]);
    }
  }
  return out;
}

// The highest place of the ball's centre plane under which no pixel of the image lies, for all centres that touch the
// image; then, for each pixel, the highest surface of all balls.
void Roll(const RollingBall& ball, Plane* plane) {
  const int64_t r = ball.half_width, width = 2 * r + 1;
  const int64_t rows = plane->rows, cols = plane->cols, centre_cols = cols + 2 * r;
  std::vector<float> centre(static_cast<size_t>((rows + 2 * r) * centre_cols), std::numeric_limits<float>::max());
  for (int64_t cy = -r; cy < rows + r; ++cy) {
    float* const line = centre.data() + (cy + r) * centre_cols + r;
    for (int64_t y = std::max<int64_t>(0, cy - r); y <= std::min(rows - 1, cy + r); ++y) {
      const float* const cap = ball.height.data() + (y - cy + r) * width + r;
      const float* const row = plane->pixels.data() + y * cols;
      for (int64_t cx = -r; cx < cols + r; ++cx) {
        float least = line[cx];
        const int64_t end = std::min(cols - 1, cx + r);
        for (int64_t x = std::max<int64_t>(0, cx - r); x <= end; ++x) least = std::min(least, row[x] - cap[x - cx]);
        line[cx] = least;
      }
    }
  }
  for (int64_t y = 0; y < rows; ++y) {
    float* const row = plane->pixels.data() + y * cols;
    std::fill(row, row + cols, -std::numeric_limits<float>::max());
    for (int64_t cy = y - r; cy <= y + r; ++cy) {
      const float* const line = centre.data() + (cy + r) * centre_cols + r;
      const float* const cap = ball.height.data() + (y - cy + r) * width + r;
      for (int64_t x = 0; x < cols; ++x) {
        float most = row[x];
        for (int64_t cx = x - r; cx <= x + r; ++cx) most = std::max(most, line[cx] + cap[x - cx]);
        row[x] = most;
      }
    }
  }
}

// For each pixel of the large axis: the small pixel before it and its weight.
struct Between {
  std::vector<int64_t> index;
  std::vector<float> weight;
};
Between Interpolation(int64_t large, int64_t small, int64_t factor) {
  Between between;
  for (int64_t i = 0; i < large; ++i) {
    const int64_t index = std::max<int64_t>(0, std::min((i - factor / 2) / factor, small - 2));
    const float distance =
        (static_cast<float>(i) + 0.5f) / static_cast<float>(factor) - (static_cast<float>(index) + 0.5f);
    between.index.push_back(index);
    between.weight.push_back(small > 1 ? 1.0f - distance : 1.0f);
  }
  return between;
}

Plane Enlarged(const Plane& small, int64_t rows, int64_t cols, int64_t factor) {
  const Between ys = Interpolation(rows, small.rows, factor), xs = Interpolation(cols, small.cols, factor);
  Plane out{rows, cols, std::vector<float>(static_cast<size_t>(rows * cols))};
  const auto at = [&small](int64_t y, size_t x, const Between& b) {
    const float* const row = small.pixels.data() + std::min(y, small.rows - 1) * small.cols;
    const int64_t right = std::min(b.index[x] + 1, small.cols - 1);
    return row[b.index[x]] * b.weight[x] + row[right] * (1.0f - b.weight[x]);
  };
  for (size_t y = 0; y < static_cast<size_t>(rows); ++y) {
    for (size_t x = 0; x < static_cast<size_t>(cols); ++x) {
      out.pixels[y * static_cast<size_t>(cols) + x] =
          at(ys.index[y], x, xs) * ys.weight[y] + at(ys.index[y] + 1, x, xs) * (1.0f - ys.weight[y]);
    }
  }
  return out;
}

}  // namespace

RollingBall MakeRollingBall(double radius) {
  RollingBall ball;
  int64_t trim_percent = 24;
  if (radius > 100) {
    ball.shrink = 8;
    trim_percent = 40;
  } else if (radius > 30) {
    ball.shrink = 4;
    trim_percent = 32;
  } else if (radius > 10) {
    ball.shrink = 2;
  }
  const double small = std::max(1.0, radius / static_cast<double>(ball.shrink));
  const double trim =
      std::floor(static_cast<double>(static_cast<int64_t>(static_cast<double>(trim_percent) * small)) / 100);
  ball.half_width = static_cast<int64_t>(std::floor(small - trim + 0.5));
  for (int64_t y = -ball.half_width; y <= ball.half_width; ++y) {
    for (int64_t x = -ball.half_width; x <= ball.half_width; ++x) {
      const double square = small * small - static_cast<double>(x * x + y * y);
      ball.height.push_back(square > 0 ? static_cast<float>(std::sqrt(square)) : 0.0f);
    }
  }
  return ball;
}

int64_t RollingBallBytes(const RollingBall& ball, int64_t rows, int64_t cols) {
  const int64_t small_rows = rows / ball.shrink + 1 + 2 * ball.half_width;
  const int64_t small_cols = cols / ball.shrink + 1 + 2 * ball.half_width;
  const auto cap = static_cast<int64_t>(ball.height.size());
  return (2 * rows * cols + 2 * small_rows * small_cols + cap) * 4 + (rows + cols) * 12;
}

void SubtractBackground(const RollingBall& ball, bool light, bool smooth, float* plane, int64_t rows, int64_t cols) {
  Plane background{rows, cols, std::vector<float>(plane, plane + rows * cols)};
  if (light) {
    for (float& v : background.pixels) v = -v;
  }
  if (smooth) {
    for (int64_t y = 0; y < rows; ++y) MeanOfThree(background.pixels.data() + y * cols, cols, 1);
    for (int64_t x = 0; x < cols; ++x) MeanOfThree(background.pixels.data() + x, rows, cols);
  }
  if (ball.shrink > 1) {
    Plane small = Shrunk(background, ball.shrink);
    Roll(ball, &small);
    background = Enlarged(small, rows, cols, ball.shrink);
  } else {
    Roll(ball, &background);
  }
  for (int64_t i = 0; i < rows * cols; ++i) {
    const float value = background.pixels[static_cast<size_t>(i)];
    plane[i] -= light ? -value : value;
  }
}

}  // namespace fovea::process
