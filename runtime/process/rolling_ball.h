// Background as the surface that a ball reaches which rolls under the image (Sternberg 1983, "Biomedical image
// processing", Computer 16(1)), in the form of ImageJ's BackgroundSubtracter: a grey opening by a ball cap, of an image
// that large balls let shrink first.
#ifndef FOVEA_RUNTIME_PROCESS_ROLLING_BALL_H_
#define FOVEA_RUNTIME_PROCESS_ROLLING_BALL_H_

#include <cstdint>
#include <vector>

namespace fovea::process {

struct RollingBall {
  int64_t shrink = 1;         // pixels of an axis that become one: 1, 2 (radius over 10), 4 (over 30), 8 (over 100)
  int64_t half_width = 1;     // of the cap that is used; the rim, 24 to 40 % of the radius, is cut away
  std::vector<float> height;  // (2 half_width + 1)^2
};

RollingBall MakeRollingBall(double radius);
int64_t RollingBallBytes(const RollingBall& ball, int64_t rows, int64_t cols);
// plane - background, in place. light: the background is bright, the ball rolls on top. smooth: the background is that
// of the plane after a 3x3 mean.
void SubtractBackground(const RollingBall& ball, bool light, bool smooth, float* plane, int64_t rows, int64_t cols);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_ROLLING_BALL_H_
