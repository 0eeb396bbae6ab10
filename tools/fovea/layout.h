// How an image meets a network: which axes go where, which are iterated, how sizes are brought to the network's and
// back.
#ifndef FOVEA_TOOLS_FOVEA_LAYOUT_H_
#define FOVEA_TOOLS_FOVEA_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "formats/image/image.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// One spatial axis of one output, in pixels. Input coordinate i of the padded tensor is image coordinate i -
// pad_before; the result keeps outputs [crop, crop + size).
struct OutputAxis {
  int64_t crop = 0, size = 1;
  int64_t shift = 0;  // output pixels between the image's first pixel and the result's (unpadded networks)
  int64_t scale_num = 1, scale_den = 1;  // output pixels per image pixel
};

struct OutputLayout {
  int port = 0;
  OutputAxis axes[3];    // D, H, W
  int64_t channels = 1;  // of the network's output
};

// Everything is in D, H, W order. A sample is one run of the session.
struct Layout {
  int input = 0;                  // the port that takes the image
  bool network_3d = false;        // takes the z stack at once; otherwise z is iterated
  int64_t channels = 1;           // that the network takes
  int64_t first_channel = 0;      // of the image, with --channel
  bool one_channel = false;       // ... with --channel: only that one
  bool in_patches = false;        // --border: the image is cut, so that it may be larger than what the network takes
  bool iterate_channels = false;  // a one-channel network on an image of several
  int64_t image[3] = {1, 1, 1};
  int64_t padded[3] = {1, 1, 1};
  int64_t pad_before[3] = {0, 0, 0};
  std::vector<std::vector<int64_t>> input_dims;  // for Session::Create
  std::vector<OutputLayout> outputs;             // those that are images
  std::vector<std::string> notes;                // outputs that are not images, for the user

  int64_t samples(const formats::ImageInfo& info) const;
};

// The outputs that are images, in their order.
std::vector<int> ImageOutputs(const Model& model);

// Whether the network's image has a z axis. Fails when it has no image, or several.
Result<bool> TakesVolumes(const Model& model);
Status CheckChannel(const formats::ImageInfo& info, int64_t channel);

// channel: -1, or the one that the user chose. in_patches: as in Layout. Fails with the remedy when image and network
// do not fit.
Result<Layout> MatchAxes(const Model& model, const formats::ImageInfo& info, int64_t channel, bool in_patches);

// Fills outputs, and enlarges the padding of networks that return less than they take (unpadded convolutions), so that
// the result covers the image.
Status MatchOutputs(const Model& model, Layout* layout);

// As numpy calls them: whether the pixel at the border is there once (n = 1 repeats its only pixel), or twice.
enum class MirrorKind : uint8_t { kReflect, kSymmetric };
// Position i of a mirrored axis of size n.
int64_t Mirror(int64_t i, int64_t n, MirrorKind kind = MirrorKind::kReflect);

// What the numbers of a result mean, which decides how programs show it.
enum class ResultKind : uint8_t { kValues, kProbability, kMask, kLabels };

// The image of output `out`: sizes, calibration, names and display that follow from those of the input. Regions of
// interest stay where the grid does. The range of labels is set when their number is known.
formats::ImageInfo OutputInfo(const formats::ImageInfo& in, const Layout& layout, const OutputLayout& out,
                              ResultKind kind);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_LAYOUT_H_
