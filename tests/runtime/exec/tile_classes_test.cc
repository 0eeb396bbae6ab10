// Tiles of one class with equal inputs give equal bits: on random networks, images that are constant but for a few
// pixels, and every instruction set. What is left out is left out, and nothing else.
#include <gtest/gtest.h>

#include <map>

#include "runtime/exec/rectangles.h"
#include "runtime/include/fovea/session.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

using test::Tensors;

// Serves an image from memory, and remembers what each tile read and wrote.
class Witness : public TensorSource, public TensorSink {
 public:
  Witness(const std::vector<int64_t>& dims, const std::vector<float>& image) : dims_(dims), image_(image) {}

  Result<bool> SkipTile(const TileInfo& tile) override {
    Settle();
    tile_ = tile;
    seen_.push_back(tile.index);
    if (tile.index < first_) return true;
    input_.resize(static_cast<size_t>(test::Count(tile.inputs[0].size)));
    FOVEA_RETURN_IF_ERROR(Read(0, tile.inputs[0], input_.data()));
    for (const TensorRegion& region : tile.outputs) {
      outputs_.emplace_back(static_cast<size_t>(test::Count(region.size)), NAN);
    }
    return false;
  }
  Status Read(int, const TensorRegion& region, float* dst) override {
    Walk(dims_, region, [&](size_t in_image, size_t in_region) { dst[in_region] = image_[in_image]; });
    return OkStatus();
  }
  Status Write(int output, const TensorRegion& region, const float* src) override {
    // Places relative to the tile's own part.
    TensorRegion part = region;
    const TensorRegion& whole = tile_.outputs[static_cast<size_t>(output)];
    for (size_t a = 0; a < part.begin.size(); ++a) part.begin[a] -= whole.begin[a];
    Walk(whole.size, part,
         [&](size_t in_tile, size_t in_part) { outputs_[static_cast<size_t>(output)][in_tile] = src[in_part]; });
    return OkStatus();
  }
  void Settle() {
    if (!outputs_.empty() && tile_.shape_class >= 0) {
      const auto [known, is_new] = known_.try_emplace({tile_.shape_class, input_}, outputs_);
      if (!is_new) {
        ++repeats_;
        EXPECT_EQ(test::FirstDifference(known->second, outputs_), "") << "tile " << tile_.index;
      }
    }
    outputs_.clear();
  }
  void SkipBefore(int64_t first) { first_ = first; }
  int repeats() const { return repeats_; }
  const std::vector<int64_t>& seen() const { return seen_; }

 private:
  template <class Visit>
  static void Walk(const std::vector<int64_t>& dims, const TensorRegion& region, const Visit& visit) {
    std::vector<int64_t> at(region.size.size(), 0);
    for (int64_t i = 0; i < test::Count(region.size); ++i) {
      size_t offset = 0;
      for (size_t a = 0; a < at.size(); ++a) {
        offset = offset * static_cast<size_t>(dims[a]) + static_cast<size_t>(region.begin[a] + at[a]);
      }
      visit(offset, static_cast<size_t>(i));
      for (size_t a = at.size(); a-- > 0;) {
        if (++at[a] < region.size[a]) break;
        at[a] = 0;
      }
    }
  }

  const std::vector<int64_t>& dims_;
  const std::vector<float>& image_;
  TileInfo tile_;
  std::vector<float> input_;
  Tensors outputs_;
  std::map<std::pair<int64_t, std::vector<float>>, Tensors> known_;
  int64_t first_ = 0;
  int repeats_ = 0;
  std::vector<int64_t> seen_;
};

std::vector<float> NearlyConstant(const std::vector<int64_t>& dims, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> image(static_cast<size_t>(test::Count(dims)), 0.37f);
  for (int i = 0; i < 3; ++i) image[random() % image.size()] = static_cast<float>(random() % 100) / 50.0f;
  return image;
}

TEST(TileClasses, EqualInputsOfOneClassGiveEqualBits) {
  int repeats = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const bool volume = seed % 4 == 3;
    const std::vector<int64_t> sizes =
        volume ? std::vector<int64_t>{1, 20, 40, 44, 2} : std::vector<int64_t>{1, 96, 112, 3};
    auto model = test::RandomNet(seed, sizes, 8).Build();
    ASSERT_TRUE(model.ok());
    const std::vector<float> image = NearlyConstant(sizes, seed);
    for (const std::string& isa : test::IsaNames()) {
      SessionOptions options = {.threads = 2, .isa = isa};
      options.tile[1] = options.tile[2] = 8 + static_cast<int64_t>(seed % 3) * 4;
      options.tile[0] = volume ? 8 : 0;
      options.band_rows = seed % 2 == 0 ? -1 : 4;
      auto session = Session::Create(*model, {sizes}, options);
      if (!session.ok()) continue;  // a network that can't be tiled
      Witness witness(sizes, image);
      ASSERT_TRUE(session->Run(witness, witness).ok());
      witness.Settle();
      ASSERT_EQ(static_cast<int64_t>(witness.seen().size()), session->report().tiles) << seed;
      repeats += witness.repeats();
    }
  }
  EXPECT_GT(repeats, 500);  // the test saw what it is about
}

// Convolutions that read a doubled image: tiles move by twice as much behind them.
TEST(TileClasses, DoubledImagesHaveClassesToo) {
  const std::vector<int64_t> sizes = {1, 96, 112, 3};
  for (const int window : {3, 5}) {
    test::NetBuilder net(3);
    const int x = net.Input("byxc", {sizes.begin(), sizes.end()});
    const int doubled = net.Upsample2(net.Conv(net.Conv(x, 16, 3, 2), 24, 3), kernels::ResizeMode::kNearest,
                                      kernels::ResizeCoordinates::kHalfPixel);
    net.Output(net.Conv(doubled, 16, window));
    auto model = net.Build();
    ASSERT_TRUE(model.ok());
    const std::vector<float> image = NearlyConstant(sizes, 1);
    for (const std::string& isa : test::IsaNames()) {
      SessionOptions options = {.isa = isa};
      options.tile[1] = options.tile[2] = 16;
      auto session = Session::Create(*model, {sizes}, options);
      ASSERT_TRUE(session.ok());
      Witness witness(sizes, image);
      ASSERT_TRUE(session->Run(witness, witness).ok());
      witness.Settle();
      EXPECT_GT(witness.repeats(), 5) << isa << " " << window;
    }
  }
}

TEST(TileClasses, TilesThatAreSkippedAreNeitherReadNorWritten) {
  const std::vector<int64_t> sizes = {1, 96, 112, 3};
  auto model = test::RandomNet(0, sizes, 8).Build();
  ASSERT_TRUE(model.ok());
  const std::vector<float> image = NearlyConstant(sizes, 0);
  SessionOptions options;
  options.tile[1] = options.tile[2] = 16;
  auto session = Session::Create(*model, {sizes}, options);
  ASSERT_TRUE(session.ok());
  class Counter : public Witness {
   public:
    using Witness::Witness;
    Status Write(int output, const TensorRegion& region, const float* src) override {
      written += test::Count(region.size);
      return Witness::Write(output, region, src);
    }
    int64_t written = 0;
  };
  Counter all(sizes, image), rest(sizes, image);
  ASSERT_TRUE(session->Run(all, all).ok());
  rest.SkipBefore(session->report().tiles - 1);
  ASSERT_TRUE(session->Run(rest, rest).ok());
  EXPECT_GT(rest.written, 0);
  EXPECT_LT(rest.written, all.written / 4);
  EXPECT_EQ(rest.seen().size(), all.seen().size());
}

}  // namespace
}  // namespace fovea
