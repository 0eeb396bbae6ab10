// Convolution and pooling sizes against counting the windows one by one.
#include <gtest/gtest.h>

#include "tests/runtime/model/shapes_testing.h"

namespace fovea {
namespace {

using testing::Error;
using testing::Infer;
using testing::Ints;
using testing::Shape;

struct Window {
  int64_t in, kernel, stride, dilation, begin, end;
  int64_t span() const { return (kernel - 1) * dilation + 1; }
  int64_t padded() const { return begin + in + end; }
};

// Every combination of small windows.
template <class F>
void ForAllWindows(const F& f) {
  for (int64_t in = 0; in <= 9; ++in) {
    for (int64_t kernel = 1; kernel <= 4; ++kernel) {
      for (int64_t stride = 1; stride <= 3; ++stride) {
        for (int64_t dilation = 1; dilation <= 2; ++dilation) {
          for (int64_t begin = -1; begin <= 2; ++begin) {
            for (int64_t end = -1; end <= 2; ++end) f(Window{in, kernel, stride, dilation, begin, end});
          }
        }
      }
    }
  }
}

// Along width, of a tensor of rank 3.
template <class P>
P ParamsOf(const Window& w) {
  P p;
  p.kernel[2] = w.kernel;
  p.stride[2] = w.stride;
  p.dilation[2] = w.dilation;
  p.pad_begin[2] = w.begin;
  p.pad_end[2] = w.end;
  return p;
}

TEST(ShapesWindow, ConvolutionCountsWholeWindows) {
  ForAllWindows([](const Window& w) {
    int64_t windows = 0;
    for (int64_t start = -w.begin; start + w.span() <= w.in + w.end; start += w.stride) ++windows;
    const Ints y = Shape(ParamsOf<ConvParams>(w), {Ints{2, w.in, 3}, Ints{1, 1, w.kernel, 3, 5}});
    const Ints expected = windows == 0 || w.in == 0 ? Ints{-1} : Ints{2, windows, 5};
    ASSERT_EQ(y, expected) << w.in << " " << w.kernel << " " << w.stride << " " << w.dilation << " " << w.begin << " "
                           << w.end;
    ASSERT_EQ(Shape(ParamsOf<PoolParams>(w), {Ints{2, w.in, 3}}), y[0] < 0 ? y : (Ints{2, windows, 3}));
  });
}

TEST(ShapesWindow, CeilModeAddsTheWindowThatStartsInsideTheImage) {
  ForAllWindows([](const Window& w) {
    if (w.padded() < w.span() || w.in == 0) return;
    int64_t windows = 0;
    for (int64_t start = -w.begin; start < w.in; start += w.stride) {
      ++windows;
      if (start + w.span() >= w.in + w.end) break;  // the padded image is covered
    }
    PoolParams p = ParamsOf<PoolParams>(w);
    p.ceil_mode = true;
    ASSERT_EQ(Shape(p, {Ints{1, w.in, 1}}), windows == 0 ? Ints{-1} : (Ints{1, windows, 1}))
        << w.in << " " << w.kernel << " " << w.stride << " " << w.dilation << " " << w.begin << " " << w.end;
  });
}

TEST(ShapesWindow, TransposedConvolutionSpansWhatItsWindowsWrite) {
  ForAllWindows([](const Window& w) {
    int64_t written = 0;  // positions [0, written) before the padding is cut off
    for (int64_t i = 0; i < w.in; ++i) {
      for (int64_t k = 0; k < w.kernel; ++k) written = std::max(written, i * w.stride + k * w.dilation + 1);
    }
    const int64_t left = written - w.begin - w.end;
    const Ints expected = w.in == 0 || left < 1 ? Ints{-1} : Ints{1, left, 4};
    ASSERT_EQ(Shape(ParamsOf<ConvTransposeParams>(w), {Ints{1, w.in, 3}, Ints{1, 1, w.kernel, 3, 4}}), expected);
  });
}

TEST(ShapesWindow, AxesOfEachRankTakeTheLastEntries) {
  ConvParams p;
  p.kernel = {2, 3, 4};
  p.stride = {1, 2, 3};
  EXPECT_EQ(Shape(p, {Ints{1, 5, 9, 10, 2}, Ints{2, 3, 4, 2, 7}}), (Ints{1, 4, 4, 3, 7}));
  EXPECT_EQ(Error(p, {Ints{1, 9, 10, 2}, Ints{2, 3, 4, 2, 7}}), "kernel 2 along the depth, which x does not have");
  p.kernel[0] = 1;
  EXPECT_EQ(Shape(p, {Ints{1, 9, 10, 2}, Ints{1, 3, 4, 2, 7}}), (Ints{1, 4, 3, 7}));
  p.pad_end[0] = 1;
  EXPECT_EQ(Error(p, {Ints{1, 9, 10, 2}, Ints{1, 3, 4, 2, 7}}), "padding along the depth, which x does not have");
  EXPECT_EQ(Error(p, {Ints{1, 2}, Ints{1, 3, 4, 2, 7}}),
            "x has rank 2; batch, 1 to 3 spatial axes and channels are needed");
}

TEST(ShapesWindow, MismatchesAreNamed) {
  ConvParams p;
  p.kernel = {1, 3, 3};
  const Ints x{1, 8, 8, 32}, w{1, 3, 3, 64, 16};
  EXPECT_EQ(Error(p, {x, w}), "channels 32 of x against 64 of the weights");
  EXPECT_EQ(Error(p, {x, Ints{1, 5, 3, 32, 16}}), "kernel 3 against 5 of the weights along the height");
  EXPECT_EQ(Error(p, {x, Ints{3, 3, 32, 16}}), "weights of rank 4 instead of 5");
  EXPECT_EQ(Error(p, {x, Ints{1, 3, 3, 32, 16}, Ints{8}}), "bias of 8 for 16 channels of y");
  EXPECT_EQ(Error(p, {x, Ints{1, 3, 3, 32, 16}, std::nullopt, Ints{1, 8, 8, 16}}),
            "a residual of 1x8x8x16 for a result of 1x6x6x16");
  EXPECT_EQ(Shape(p, {x, Ints{1, 3, 3, 32, 16}, std::nullopt, Ints{1, 6, 6, 16}}), (Ints{1, 6, 6, 16}));
  EXPECT_EQ(Error(p, {Ints{1, 2, 8, 32}, Ints{1, 3, 3, 32, 16}}),
            "a window of 3 does not fit into 2 (padding included) along the height");
  EXPECT_EQ(Error(p, {x}), "1 inputs instead of 2 to 4");
  EXPECT_EQ(Error(p, {x, std::nullopt}), "input 1 is missing");
  p.groups = 3;
  EXPECT_EQ(Error(p, {Ints{1, 8, 8, 6}, Ints{1, 3, 3, 2, 4}}), "channels 4 of y are not a multiple of 3 groups");
  EXPECT_EQ(Shape(p, {Ints{1, 8, 8, 6}, Ints{1, 3, 3, 2, 9}}), (Ints{1, 6, 6, 9}));
  p.groups = 1;
  p.stride[1] = 0;
  EXPECT_EQ(Error(p, {x, Ints{1, 3, 3, 32, 16}}), "stride 0 along the height is not between 1 and 1048576");
}

TEST(ShapesWindow, AnEmptyBatchStaysEmpty) {
  ConvParams p;
  EXPECT_EQ(Shape(p, {Ints{0, 8, 8, 2}, Ints{1, 1, 1, 2, 3}}), (Ints{0, 8, 8, 3}));
}

TEST(ShapesWindow, Blocks) {
  DepthToSpaceParams d;
  d.block = {2, 3, 4};
  EXPECT_EQ(Shape(d, {Ints{1, 5, 6, 7, 48}}), (Ints{1, 10, 18, 28, 2}));
  EXPECT_EQ(Error(d, {Ints{1, 5, 6, 7, 25}}), "channels 25 are not a multiple of the 24 positions of a block");
  SpaceToDepthParams s;
  s.block = {2, 3, 4};
  EXPECT_EQ(Shape(s, {Ints{1, 10, 18, 28, 2}}), (Ints{1, 5, 6, 7, 48}));
  EXPECT_EQ(Error(s, {Ints{1, 10, 17, 28, 2}}), "the height 17 is not a multiple of the block 3");
}

TEST(ShapesWindow, GroupNorm) {
  GroupNormParams p;
  EXPECT_EQ(Shape(p, {Ints{1, 4, 4, 6}, Ints{6}, Ints{6}}), (Ints{1, 4, 4, 6}));
  p.groups = 4;
  EXPECT_EQ(Error(p, {Ints{1, 4, 4, 6}}), "channels 6 are not a multiple of 4 groups");
  p.groups = 3;
  EXPECT_EQ(Error(p, {Ints{1, 4, 4, 6}, std::nullopt, Ints{3}}), "a bias of 3 for 6 channels");
}

}  // namespace
}  // namespace fovea
