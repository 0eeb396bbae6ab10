// fovea run --border: patches as published programs cut them, against models of these programs that do as they do: pad
// an array, cut patches out of it, run each, put the middles back. The network takes maxima over 5 x 5 pixels and then
// over pairs, so that every seam, mirror and alignment shows, and all numbers are exact.
#include <algorithm>
#include <random>

#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "tests/support/random_graph.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

struct Picture {
  int64_t rows = 0, cols = 0;
  std::vector<float> values;
  Picture(int64_t r, int64_t c) : rows(r), cols(c), values(static_cast<size_t>(r * c), -1) {}
  float& at(int64_t y, int64_t x) { return values[static_cast<size_t>(y * cols + x)]; }
  float at(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * cols + x)]; }
};

Picture Network(const Picture& in) {
  Picture out(in.rows, in.cols);
  for (int64_t y = 0; y < in.rows; ++y) {
    for (int64_t x = 0; x < in.cols; ++x) {
      const int64_t top = y / 2 * 2, left = x / 2 * 2;
      for (int64_t v = std::max<int64_t>(0, top - 2); v <= std::min(in.rows - 1, top + 3); ++v) {
        for (int64_t u = std::max<int64_t>(0, left - 2); u <= std::min(in.cols - 1, left + 3); ++u) {
          out.at(y, x) = std::max(out.at(y, x), in.at(v, u));
        }
      }
    }
  }
  return out;
}

// Walks from pixel 0 of an axis of n pixels to position i, turning round at its ends.
int64_t Walk(int64_t i, int64_t n, bool repeat) {
  int64_t at = 0, step = i < 0 ? -1 : 1;
  for (int64_t k = 0; k < std::abs(i); ++k) {
    if (at + step >= 0 && at + step < n) {
      at += step;
    } else {
      step = -step;
      if (!repeat && n > 1) at += step;
    }
  }
  return at;
}

Picture Pad(const Picture& in, const int64_t (&before)[2], const int64_t (&after)[2], bool repeat) {
  Picture out(in.rows + before[0] + after[0], in.cols + before[1] + after[1]);
  for (int64_t y = 0; y < out.rows; ++y) {
    for (int64_t x = 0; x < out.cols; ++x) {
      out.at(y, x) = in.at(Walk(y - before[0], in.rows, repeat), Walk(x - before[1], in.cols, repeat));
    }
  }
  return out;
}

// One patch along an axis: [start, start + size) of the padded array; pixels [from, from + count) of its result go to
// [to, ..) of the image.
struct Part {
  int64_t start = 0, size = 0, from = 0, count = 0, to = 0;
};
struct Axis {
  int64_t before = 0, after = 0;
  std::vector<Part> parts;
};

Picture Simulate(const Picture& image, const Axis& rows, const Axis& cols, bool repeat) {
  const Picture padded = Pad(image, {rows.before, cols.before}, {rows.after, cols.after}, repeat);
  Picture out(image.rows, image.cols);
  for (const Part& r : rows.parts) {
    for (const Part& c : cols.parts) {
      Picture patch(r.size, c.size);
      for (int64_t y = 0; y < r.size; ++y) {
        for (int64_t x = 0; x < c.size; ++x) patch.at(y, x) = padded.at(r.start + y, c.start + x);
      }
      const Picture result = Network(patch);
      for (int64_t y = 0; y < r.count; ++y) {
        for (int64_t x = 0; x < c.count; ++x) {
          if (r.to + y < 0 || r.to + y >= out.rows || c.to + x < 0 || c.to + x >= out.cols) continue;
          out.at(r.to + y, c.to + x) = result.at(r.from + y, c.from + x);
        }
      }
    }
  }
  return out;
}

Axis Dij1(int64_t n, int64_t patch, int64_t padding) {
  int64_t roi = patch - 2 * padding;
  const int64_t count = (n + roi - 1) / roi;
  const int64_t needed = 2 * padding + std::max<int64_t>(0, roi - n);
  Axis axis;
  axis.before = needed - needed / 2;
  axis.after = needed / 2;
  int64_t overlap = axis.before;
  if (roi > n) {
    roi = n;
    overlap = padding = (patch - n) / 2;
  }
  for (int64_t i = 0; i < count; ++i) {
    const bool last = i == count - 1 && count > 1;
    const int64_t start = last ? n + padding - roi : padding + roi * i;
    const int64_t to = roi * i, end = last ? n : roi * (i + 1);
    axis.parts.push_back({start - overlap, patch, last ? overlap + roi - (end - to) : overlap, end - to, to});
  }
  return axis;
}

// The paper: equation 2 where the size is free (patch 0; m: the network's step), else 3 and 4.
Axis Paper(int64_t n, int64_t patch, int64_t padding, int64_t m) {
  if (patch == 0) {
    patch = m;
    while (patch < n + 2 * padding) patch += m;
  }
  Axis axis;
  if (n + 2 * padding <= patch) {
    axis.before = (patch - n) / 2;
    axis.after = patch - n - axis.before;
    axis.parts.push_back({0, patch, axis.before, n, 0});
    return axis;
  }
  int64_t count = 1;
  while (count * (patch - 2 * padding) < n) ++count;
  const int64_t each = n / count;
  axis.before = padding;
  axis.after = patch;
  for (int64_t i = 0; i < count; ++i) {
    axis.parts.push_back({i * each, patch, padding, i + 1 < count ? each : n - (count - 1) * each, i * each});
  }
  return axis;
}

// Every part is written whole, later ones over earlier ones.
Axis Jdll(int64_t n, int64_t patch, int64_t halo) {
  Axis axis;
  axis.before = axis.after = halo;
  if (patch > n) {
    axis.before = std::max(halo, (patch - n + 1) / 2);
    axis.after = std::max(halo, patch - n - axis.before);
  }
  const int64_t roi = patch - axis.before - axis.after;
  for (int64_t i = 0; i * (patch - 2 * halo) < n; ++i) {
    const int64_t to = std::min(i * roi, n - roi);
    axis.parts.push_back({to, patch, axis.before, roi, to});
  }
  return axis;
}

// In blocks: tiles of `size` from the left, the last shifted back; they write between the overlaps.
std::vector<Part> Tiles(int64_t n, int64_t size, int64_t overlap) {
  if (n < size) return {{0, n, 0, n, 0}};
  std::vector<Part> tiles = {{0, size, 0, n == size ? n : size - overlap, 0}};
  while (tiles.back().start + size < n) {
    const int64_t written = tiles.back().to + tiles.back().count;
    Part tile = {tiles.back().start + size - 2 * overlap, size, 0, size - 2 * overlap, written};
    if (tile.start + size >= n) {
      tile.start = n - size;
      tile.count = n - written;
    }
    tile.from = written - tile.start;
    tiles.push_back(tile);
  }
  return tiles;
}

Axis Csbdeep(int64_t n, int64_t tiles, int64_t overlap, int64_t block) {
  Axis axis;
  const int64_t padded = (n + block - 1) / block * block, blocks = padded / block,
                around = (overlap + block - 1) / block;
  axis.before = (padded - n) / 2;
  axis.after = padded - n - axis.before;
  const auto count = [&](int64_t size) { return static_cast<int64_t>(Tiles(blocks, size, around).size()); };
  int64_t size = 2 * around + 1;
  while (count(size) > tiles) ++size;
  if (size > 2 * around + 1 && std::abs(count(size - 1) - tiles) <= std::abs(count(size) - tiles)) --size;
  for (const Part& p : Tiles(blocks, size, around)) {
    axis.parts.push_back(
        {p.start * block, p.size * block, p.from * block, p.count * block, p.to * block - axis.before});
  }
  return axis;
}

// By equation 4 the last patch of some sizes must give more than it has.
bool Holds(const Axis& axis) {
  return std::all_of(axis.parts.begin(), axis.parts.end(),
                     [](const Part& part) { return part.from + part.count <= part.size; });
}

class BorderTest : public ProgramTest {
 protected:
  std::string Net() {
    test::NetBuilder net(1);
    int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
    const int near = net.Pool(x, kernels::PoolKind::kMax, 5, 1, 2);
    x = net.Pool(near, kernels::PoolKind::kMax, 2, 2);
    x = net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
    net.Output(net.Binary(kernels::BinaryFn::kMax, x, near));  // changes nothing, and makes sizes even
    for (const size_t a : {1u, 2u}) net.graph().inputs[0].rules[a] = {2, 2};
    const Status written = net.Write(scratch_ / "net.fov");
    EXPECT_TRUE(written.ok()) << written.message();
    return scratch_ / "net.fov";
  }

  Picture Random(const std::string& name, int64_t rows, int64_t cols) {
    Picture image(rows, cols);
    std::mt19937 random(static_cast<uint32_t>(rows * 1000 + cols));
    for (float& v : image.values) v = static_cast<float>(random() % 60000);
    EXPECT_TRUE(formats::WriteNpy(scratch_ / name, DType::kFloat32, {rows, cols}, image.values.data()).ok());
    return image;
  }

  void ExpectRefused(const std::vector<std::string>& more, const std::string& part) {
    std::vector<std::string> words = {"run", scratch_ / "net.fov", scratch_ / "in.npy", "-o", scratch_ / "no.npy"};
    words.insert(words.end(), more.begin(), more.end());
    ExpectError(ProgramTest::Run(words), 2, {part});
  }

  void Expect(const Picture& want, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", scratch_ / "net.fov", scratch_ / "in.npy", "-o", scratch_ / "out.npy"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = ProgramTest::Run(words);
    ASSERT_EQ(r.exit_code, 0) << r.err;
    auto reader = formats::OpenImage(scratch_ / "out.npy");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    ASSERT_EQ((*reader)->info().y, want.rows);
    ASSERT_EQ((*reader)->info().x, want.cols);
    Picture got(want.rows, want.cols);
    ASSERT_TRUE((*reader)->Read({0, 0, 0, 0, 0, want.rows, want.cols}, got.values.data()).ok());
    for (int64_t y = 0; y < want.rows; ++y) {
      for (int64_t x = 0; x < want.cols; ++x) ASSERT_EQ(got.at(y, x), want.at(y, x)) << "row " << y << " column " << x;
    }
  }
};

std::string Size(int64_t rows, int64_t cols) { return std::to_string(rows) + "x" + std::to_string(cols); }

TEST_F(BorderTest, PatchesAreThoseOfThePublishedPrograms) {
  Net();
  const int64_t images[][2] = {{37, 52}, {60, 31}, {16, 71}, {9, 11}, {48, 48}};
  for (const auto& [rows, cols] : images) {
    const Picture image = Random("in.npy", rows, cols);
    for (const int64_t overlap : {0, 1, 3, 5}) {
      for (const int64_t patch : {16, 22}) {
        SCOPED_TRACE(Size(rows, cols) + ", overlap " + std::to_string(overlap) + ", patch " + std::to_string(patch));
        const std::string p = std::to_string(overlap), q = Size(patch, patch + 2);
        Expect(Simulate(image, Dij1(rows, patch, overlap), Dij1(cols, patch + 2, overlap), false),
               {"--border", "dij1", "--overlap", p, "--patch", q});
        const Axis down = Paper(rows, patch, overlap, 2), across = Paper(cols, patch + 2, overlap, 2);
        const std::vector<std::string> paper = {"--border", "dij1-paper", "--overlap", p, "--patch", q};
        if (Holds(down) && Holds(across)) {
          Expect(Simulate(image, down, across, false), paper);
        } else {
          ExpectRefused(paper, "equation 4");
        }
        Expect(Simulate(image, Jdll(rows, patch, overlap), Jdll(cols, patch + 2, overlap), true),
               {"--border", "jdll", "--overlap", p, "--patch", q});
      }
      const std::string p = std::to_string(overlap);
      Expect(Simulate(image, Paper(rows, 0, overlap, 2), Paper(cols, 0, overlap, 2), false),
             {"--border", "dij1-paper", "--overlap", p});
      for (const int64_t tiles : {1, 3, 4}) {
        SCOPED_TRACE(Size(rows, cols) + ", overlap " + p + ", tiles " + std::to_string(tiles));
        Expect(Simulate(image, Csbdeep(rows, tiles, overlap, 2), Csbdeep(cols, tiles + 1, overlap, 2), false),
               {"--border", "csbdeep", "--overlap", p, "--patches", Size(tiles, tiles + 1)});
      }
    }
  }
}

TEST_F(BorderTest, OverlapsThatAreWideEnoughGiveTheWholeImage) {
  Net();
  Random("in.npy", 61, 83);
  const auto whole = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> words = {"run", scratch_ / "net.fov", scratch_ / "in.npy",
                                      "-o",  scratch_ / name,      "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = ProgramTest::Run(words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.exit_code == 0 ? nlohmann::json::parse(r.out) : nlohmann::json();
  };
  const nlohmann::json report = whole("a.npy", {"--border", "dij1", "--overlap", "4", "--patch", "20x20"});
  EXPECT_EQ(report["border"], "dij1");
  EXPECT_EQ(report["patches"], 6 * 7);  // of 12 x 12
  // A budget and tiles within patches change nothing.
  whole("b.npy", {"--border", "dij1", "--overlap", "4", "--patch", "20x20", "--memory", "60MB", "--threads", "2"});
  formats::Region all;
  all.height = 61, all.width = 83;
  std::vector<float> a(61 * 83), b(a);
  for (auto& [name, values] : {std::pair{"a.npy", &a}, std::pair{"b.npy", &b}}) {
    auto reader = formats::OpenImage(scratch_ / name);
    ASSERT_TRUE(reader.ok());
    ASSERT_TRUE((*reader)->Read(all, values->data()).ok());
  }
  EXPECT_EQ(a, b);
}

TEST_F(BorderTest, WrongWordsAreToldWithTheRemedy) {
  Net();
  Random("in.npy", 40, 40);
  const auto expect = [&](std::vector<std::string> more, const std::vector<std::string>& parts) {
    std::vector<std::string> words = {"run", scratch_ / "net.fov", scratch_ / "in.npy", "-o", scratch_ / "o.npy"};
    words.insert(words.end(), more.begin(), more.end());
    ExpectError(ProgramTest::Run(words), 2, parts);
  };
  expect({"--border", "dij"}, {"'dij'", "dij1-paper", "csbdeep"});
  expect({"--border", "dij1"}, {"--overlap", "config.xml"});
  expect({"--overlap", "4"}, {"--border"});
  expect({"--border", "jdll", "--overlap", "4", "--tile", "16x16"}, {"--tile", "--patch"});
  expect({"--border", "csbdeep", "--overlap", "4", "--patch", "16x16"}, {"--patches"});
  expect({"--border", "dij1", "--overlap", "4", "--patch", "15x16"}, {"rows", "15", "multiple of 2"});
  expect({"--border", "dij1", "--overlap", "4", "--patch", "16x300"}, {"columns", "300", "three times"});
  expect({"--border", "dij1", "--overlap", "6", "--patch", "16x16"}, {"third"});
  expect({"--border", "jdll", "--overlap", "8", "--patch", "16x16"}, {"leave nothing"});
}

}  // namespace
}  // namespace fovea::testing
