#include "kernels/moments/moments.h"

#include "kernels/reduce/reduce.h"
#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

struct Image {
  int spatial;
  std::vector<int64_t> dims;  // N, D, H, W, C
};

Image RandomImage(Random& random) {
  Image image{static_cast<int>(random.Int(1, 3)), {random.Int(1, 2), 1, 1, random.Int(1, 100), random.Int(1, 40)}};
  if (image.spatial > 1) image.dims[2] = random.Int(1, 20);
  if (image.spatial > 2) image.dims[1] = random.Int(1, 4), image.dims[2] = random.Int(1, 70);
  return image;
}

std::vector<int64_t> Cuts(Random& random, int64_t size, bool cells) {
  std::vector<int64_t> cuts{0};
  while (cuts.back() < size) {
    const int64_t next = cuts.back() + (cells ? kMomentCell * random.Int(1, 2) : random.Int(1, 5));
    cuts.push_back(std::min(size, next));
  }
  return cuts;
}

class State {
 public:
  State(const MomentsLayer& layer, const Image& image) : layer_(layer), image_(image), channels_(image.dims[4]) {
    padded_ = MomentChannels(channels_);
    cells_ = MomentRowCells(layer.spatial, image.dims[2]) * MomentColumnCells(layer.spatial, image.dims[3]);
    values_.assign(static_cast<size_t>(image.dims[0] * cells_ * MomentFields(layer.fn) * padded_),
                   MomentStart(layer.fn));
    first_.assign(static_cast<size_t>(image.dims[0] * padded_), 0.0);
  }
  void SetFirst(const Tensor& src) {
    const int64_t sample = image_.dims[1] * image_.dims[2] * image_.dims[3] * channels_;
    for (int64_t n = 0; n < image_.dims[0]; ++n) {
      for (int64_t c = 0; c < channels_; ++c) first_[static_cast<size_t>(n * padded_ + c)] = src[n * sample + c];
    }
  }
  // The part [begin, end) of D, H, W.
  void Add(const MomentsKernel& row, const ConstView& src, const int64_t (&begin)[3], const int64_t (&end)[3],
           Random& random) {
    MomentsArgs args;
    args.src = src;
    for (int s = 0; s < 3; ++s) {
      args.src.data += begin[s] * src.strides[s + 1];
      args.src.dims[s + 1] = end[s] - begin[s];
      args.origin[s] = begin[s];
      args.image[s] = image_.dims[static_cast<size_t>(s + 1)];
    }
    args.first = layer_.fn == MomentFn::kSquares ? first_.data() : nullptr;
    args.first_stride = padded_;
    args.state = values_.data();
    RunRow(row, layer_, args, random);
  }
  double Folded(int64_t n, int64_t field, int64_t c) const {
    double total = 0;
    const int64_t stride = MomentFields(layer_.fn) * padded_;
    FoldMoments(layer_.fn, values_.data() + n * cells_ * stride + field * padded_ + c, cells_, stride, 1, &total);
    return total;
  }
  const std::vector<double>& values() const { return values_; }

 private:
  MomentsLayer layer_;
  Image image_;
  int64_t channels_, padded_, cells_;
  std::vector<double> values_, first_;
};

TEST(Moments, PartsGiveTheBitsOfTheWhole) {
  Random random(1);
  for (int round = 0; round < 120; ++round) {
    const Image image = RandomImage(random);
    const MomentsLayer layer{static_cast<MomentFn>(round % 4), image.spatial};
    Tensor src(image.dims, random.Int(0, 1) * 3);
    src.Fill(random, 10, 11);
    const int first = 3 - image.spatial;  // the axis along which parts may end anywhere
    std::vector<int64_t> cuts[3];
    for (int s = 0; s < 3; ++s) cuts[s] = Cuts(random, image.dims[static_cast<size_t>(s + 1)], s != first);
    ForEachKernel(MomentsKernels(), [&](const MomentsKernel& row) {
      State whole(layer, image), parts(layer, image);
      whole.SetFirst(src), parts.SetFirst(src);
      whole.Add(row, src.cview(), {0, 0, 0}, {image.dims[1], image.dims[2], image.dims[3]}, random);
      for (size_t d = 0; d + 1 < cuts[0].size(); ++d) {
        for (size_t h = 0; h + 1 < cuts[1].size(); ++h) {
          for (size_t w = 0; w + 1 < cuts[2].size(); ++w) {
            parts.Add(row, src.cview(), {cuts[0][d], cuts[1][h], cuts[2][w]},
                      {cuts[0][d + 1], cuts[1][h + 1], cuts[2][w + 1]}, random);
          }
        }
      }
      const int64_t pixels = image.dims[1] * image.dims[2] * image.dims[3], channels = image.dims[4];
      for (int64_t n = 0; n < image.dims[0]; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0, squares = 0, most = -1e300, least = 1e300;
          const double k = layer.fn == MomentFn::kSquares ? double{src[n * pixels * channels + c]} : 0;
          for (int64_t p = 0; p < pixels; ++p) {
            const double x = double{src[(n * pixels + p) * channels + c]};
            sum += x - k, squares += (x - k) * (x - k), most = std::max(most, x), least = std::min(least, x);
          }
          const double got = whole.Folded(n, 0, c);
          ASSERT_EQ(got, parts.Folded(n, 0, c)) << row.name << " " << round;
          if (layer.fn == MomentFn::kMax) {
            ASSERT_EQ(got, most);
          } else if (layer.fn == MomentFn::kMin) {
            ASSERT_EQ(got, least);
          } else {
            ASSERT_NEAR(got, sum, 1e-9 * (1 + std::fabs(sum)));
          }
          if (layer.fn == MomentFn::kSquares) {
            ASSERT_EQ(whole.Folded(n, 1, c), parts.Folded(n, 1, c));
            ASSERT_NEAR(whole.Folded(n, 1, c), squares, 1e-9 * (1 + squares));
          }
        }
      }
    });
  }
}

TEST(Moments, ReductionsOverPositions) {
  Random random(2);
  const ReduceFn fns[] = {ReduceFn::kSum, ReduceFn::kMean, ReduceFn::kMax, ReduceFn::kMin};
  for (int round = 0; round < 80; ++round) {
    const Image image = RandomImage(random);
    Tensor src(image.dims, random.Int(0, 1) * 3);
    src.Fill(random, -1, 2);
    const int64_t pixels = image.dims[1] * image.dims[2] * image.dims[3], channels = image.dims[4];
    // A view of N, [D,] [H,] W, C.
    ReduceArgs args;
    const ConstView all = src.cview();
    args.src.data = all.data;
    for (int a = 0; a < 5; ++a) {
      if (a > 0 && a < 4 - image.spatial) continue;
      args.src.dims[args.src.rank] = all.dims[a];
      args.src.strides[args.src.rank++] = all.strides[a];
    }
    ReduceLayer layer{fns[round % 4], (1u << (args.src.rank - 1)) - 2, image.spatial};
    std::vector<float> dst(static_cast<size_t>(image.dims[0] * channels));
    args.dst.data = dst.data();
    args.dst.rank = args.src.rank;
    for (int a = 0; a < args.dst.rank; ++a) args.dst.dims[a] = 1;
    args.dst.dims[0] = image.dims[0], args.dst.strides[0] = channels;
    args.dst.dims[args.dst.rank - 1] = channels, args.dst.strides[args.dst.rank - 1] = 1;
    ForEachKernel(ReduceKernels(), [&](const ReduceKernel& row) {
      RunRow(row, layer, args, random);
      for (int64_t n = 0; n < image.dims[0]; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0, most = -1e300, least = 1e300;
          for (int64_t p = 0; p < pixels; ++p) {
            const double x = double{src[(n * pixels + p) * channels + c]};
            sum += x, most = std::max(most, x), least = std::min(least, x);
          }
          const double wants[] = {sum, sum / static_cast<double>(pixels), most, least};
          ASSERT_NEAR(dst[static_cast<size_t>(n * channels + c)], wants[round % 4],
                      6e-8 * std::fabs(wants[round % 4]) + 1e-9)
              << row.name << " " << round;
        }
      }
    });
  }
}

}  // namespace
}  // namespace fovea::kernels
