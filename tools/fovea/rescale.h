// --pixel-size: the image brought to the pixel size that the network was trained at, and the result back to the
// image's.
//
// An axis of n pixels of size p becomes one of round(n p / q) pixels, q being the network's size, over the same extent.
// Shrinking takes means over areas, enlarging interpolates linearly (resize.h). Results go back the same way; masks and
// labels take the nearest pixel. Both are exact for every tiling, and hold bands, not images.
#ifndef FOVEA_TOOLS_FOVEA_RESCALE_H_
#define FOVEA_TOOLS_FOVEA_RESCALE_H_

#include <memory>
#include <string>

#include "formats/image/image.h"
#include "runtime/include/fovea/model.h"
#include "runtime/include/fovea/resize.h"

namespace fovea::cli {

// What --pixel-size asks for.
struct PixelSizeChoice {
  bool match = false;            // rescale at all
  bool keep_model_grid = false;  // the result stays on the network's grid
  double metres = 0;             // the network's size as the user gave it; 0: the model's own
};

// "match", "0.65um", and either with ":model" behind it. "": as the image is.
Result<PixelSizeChoice> ParsePixelSize(const std::string& text);

// How one image is rescaled. Sizes in z, y, x order.
struct Rescaling {
  bool active = false;  // otherwise the sizes are the same and nothing is to be done
  bool back = true;     // the result returns to the image's grid
  int64_t image[3] = {1, 1, 1}, network[3] = {1, 1, 1};
  std::string told;  // for the user: "0.5 x 0.5 µm, run at 0.65 µm: 512 x 512 -> 394 x 394"
};

// network_3d: z is rescaled, too, where both sizes are known. kInvalidArgument names what is not known, or sizes that
// differ more than a hundredfold.
Result<Rescaling> PlanRescaling(const Model& model, const formats::ImageInfo& info, const PixelSizeChoice& choice,
                                bool network_3d);

// `image` as an image of rescaling.network pixels of type float32. The calibration is that of the new pixels.
std::unique_ptr<formats::ImageReader> RescaleImage(std::unique_ptr<formats::ImageReader> image,
                                                   const Rescaling& rescaling);

// A writer of results on the network's grid (`info`) for a file on the image's grid: what CreateImage gives, with
// pixels kept in an unnamed file beside `path` until Finish. nearest: for masks and labels. original: of the image.
Result<std::unique_ptr<formats::ImageWriter>> CreateImageBack(const std::string& path, const formats::ImageInfo& info,
                                                              const formats::WriteOptions& options,
                                                              const Rescaling& rescaling, bool nearest,
                                                              const formats::ImageInfo& original);

// Bytes that one such writer holds beside those of CreateImage's, about.
int64_t BackBytes(const Rescaling& rescaling);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RESCALE_H_
