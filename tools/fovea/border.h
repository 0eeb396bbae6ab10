// Published programs' ways to cut an image into patches, for those who must re-create old results (--border).
//
// Each patch is run on its own, and what lies around it is all that the network sees: results differ from those of the
// whole image near the seams. Definitions, along one axis of I pixels, patch Q, overlap P a side, R = Q - 2P:
//
//   dij1        DeepImageJ 1 as it runs: n = ceil(I / R) patches, patch i reads [iR - P, iR - P + Q) and gives [iR, (i
//   +
//               1)R); the last is shifted back to read [I - R - P, I + P) and gives what is left. R > I: one patch that
//               reads from -ceil((Q - I) / 2), of which [floor((Q - I) / 2), + I) is kept: a pixel off where Q - I is
//               odd. Beyond the image: mirrored, the border pixel not repeated.
//   dij1-paper  equations 2 to 4 of its paper. Without a patch size: one patch of the smallest legal size >= I + 2P.
//               Otherwise one patch where I + 2P <= Q, else n = ceil(I / R) that give floor(I / n) pixels each, the
//               last the rest.
//   jdll        DeepImageJ 3: as dij1, but the border pixel is repeated by the mirror, and the last patch gives all of
//               its R pixels [I - R, I). Q > I - 2P: the padding is shared, more of it before.
//   csbdeep     CSBDeep for Python: the image is mirrored (border not repeated) to a multiple of the network's step,
//   half
//               of it before; tiles of one size in such steps lie inside that, overlapping by at least P rounded up;
//               the size is the smallest that gives about as many tiles as asked for.
#ifndef FOVEA_TOOLS_FOVEA_BORDER_H_
#define FOVEA_TOOLS_FOVEA_BORDER_H_

#include <array>
#include <string>
#include <vector>

#include "tools/fovea/layout.h"

namespace fovea::cli {

enum class Border : uint8_t { kExact, kDij1, kDij1Paper, kJdll, kCsbdeep };
Result<Border> ParseBorder(const std::string& word);
std::string BorderName(Border border);

// D, H, W; 0: not given.
struct BorderOptions {
  Border border = Border::kExact;
  std::array<int64_t, 3> patch{0, 0, 0};
  std::array<int64_t, 3> tiles{0, 0, 0};  // csbdeep: how many
  int64_t overlap = -1;                   // pixels a side; -1: not given
};

// A patch along one axis, in pixels of the image: reads [read, read + size), gives [give, give_end), taken from pixel
// `from` of the patch.
struct PatchSpan {
  int64_t read = 0, from = 0, give = 0, give_end = 0;
  bool operator==(const PatchSpan&) const = default;
};

struct PatchAxis {
  int64_t size = 1;
  std::vector<PatchSpan> spans{{0, 0, 0, 1}};
};

// size: of the image's axis; rule: which sizes the network takes. Errors: kInvalidArgument, with what is possible.
Result<PatchAxis> CutAxis(const BorderOptions& options, size_t axis, int64_t size, const SizeRule& rule);

struct PatchGrid {
  MirrorKind mirror = MirrorKind::kReflect;
  std::array<PatchAxis, 3> axes;
  int64_t count() const;
  std::array<PatchSpan, 3> patch(int64_t index) const;  // in row-major order
};

// Also changes the layout: input sizes are those of a patch, outputs are those of the image. Errors: those of CutAxis;
// kUnsupported for networks whose output is not the input's size times a factor.
Result<PatchGrid> CutImage(const Model& model, const BorderOptions& options, Layout* layout);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_BORDER_H_
