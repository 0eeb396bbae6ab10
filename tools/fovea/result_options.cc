#include "tools/fovea/result_options.h"

#include <algorithm>
#include <filesystem>

namespace fovea::cli {
namespace {

Status ParseWriteOptions(const std::string& dtype, const std::string& compression, formats::WriteOptions* write) {
  constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat64, DType::kUInt8, DType::kUInt16,
                              DType::kUInt32,  DType::kInt16,   DType::kInt32};
  const auto* found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&dtype](DType type) { return dtype == DTypeName(type); });
  if (found == std::end(kTypes)) {
    return InvalidArgument("--dtype '" + dtype +
                           "' is not known; choose float32, float64, uint8, uint16, uint32, int16 or int32");
  }
  write->dtype = *found;
  if (compression == "none") {
    write->compression = formats::WriteOptions::kNone;
  } else if (compression == "deflate") {
    write->compression = formats::WriteOptions::kDeflate;
  } else {
    return InvalidArgument("--compression '" + compression + "' is not known; choose none or deflate");
  }
  return OkStatus();
}

Status ParseBorderOptions(const std::string& border, const std::string& patch, const std::string& patches, bool tiled,
                          BorderOptions* options) {
  FOVEA_ASSIGN_OR_RETURN(options->border, ParseBorder(border));
  const bool cuts = options->border != Border::kExact, csbdeep = options->border == Border::kCsbdeep;
  if (!cuts && (!patch.empty() || !patches.empty() || options->overlap >= 0)) {
    return InvalidArgument("--patch, --patches and --overlap go with --border dij1, dij1-paper, jdll or csbdeep");
  }
  if (!cuts) return OkStatus();
  if (tiled) return InvalidArgument("--tile can't be combined with --border " + border + "; see --patch");
  if (csbdeep ? !patch.empty() : !patches.empty()) {
    return InvalidArgument("--border " + border + " takes " + (csbdeep ? "--patches, not --patch" : "--patch"));
  }
  if (options->overlap < 0 && !(csbdeep && patches.empty())) {
    return InvalidArgument(
        "--border " + border +
        " needs --overlap N: Padding in config.xml, the halo in rdf.yaml, tile_overlap in meta.json");
  }
  const auto sides = [](const std::string& name, const std::string& text, std::array<int64_t, 3>* to) -> Status {
    if (text.empty()) return OkStatus();
    const auto size = ParseSize(text);
    if (!size.ok()) return size.status().Prefixed(name);
    std::copy(size->begin(), size->end(), to->begin());
    if (std::count(text.begin(), text.end(), 'x') == 1) (*to)[0] = 0;
    return OkStatus();
  };
  FOVEA_RETURN_IF_ERROR(sides("--patch", patch, &options->patch));
  return sides("--patches", patches, &options->tiles);
}

// Drawings are PNG files.
Status CheckOverlay(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (path.empty() || extension == ".png") return OkStatus();
  return InvalidArgument("--overlay " + path + ": a picture is written as PNG; choose a name that ends in .png");
}

}  // namespace

void ResultWords::Declare(Args* args) {
  args->Bytes("--memory, -m", &memory_bytes_, "BYTES",
              "most that the process may use: 256MB, 1.5GB (default: what is fastest, as far as the machine has it)");
  execution_.Declare(args);
  args->Text("--tile", &tile_, "[D]xHxW", "size of the output tiles (default: chosen to fit the budget)");
  steps_.Declare(args);
  args->Text("--border", &border_, "MODE",
             "what the network sees around tiles: exact (default: the image, so that tiles change nothing), or the "
             "patches of a published program, to re-create its results: dij1, dij1-paper, jdll, csbdeep");
  args->Text("--patch", &patch_, "[D]xHxW", "with --border: size of a patch (default: as that program suggests it)");
  args->Integer("--overlap", &overlap_, 0, 1 << 20, "N",
                "with --border: pixels a side that a patch reads beyond what it gives (the bundle's Padding or halo)");
  args->Text("--patches", &patches_, "[D]xHxW", "with --border csbdeep: how many tiles to aim at (its n_tiles)");
  args->Integer("--channel", &channel_, 1, 1 << 20, "N", "use only channel N of the image, from 1");
  args->Text("--pixel-size", &pixel_size_, "SIZE",
             "bring the image to the pixel size that the network was trained at: match (the model's own) or a length "
             "(0.65um); the result comes back to the image's pixels, or with :model behind it stays at the model's");
  args->Text("--overlay", &overlay_, "FILE.png",
             "also a picture: the first plane in grey, the result's objects outlined in colour (labels, masks, "
             "otherwise what is "
             "above the threshold, 0.5)");
  args->Text(
      "--dtype", &dtype_, "TYPE",
      "of the output: float32 (default), float64, or uint8, uint16, uint32, int16, int32, rounded and saturated; of "
      "masks uint8, of labels uint16, or uint32 where they are more, unless given");
  args->Text("--compression", &compression_, "KIND", "of TIFF outputs: none (default) or deflate");
  args->Flag("--tiled", &tiled_, "TIFF outputs in tiles of 512 pixels (files over 4 GB are anyway)");
  args->Flag("--pyramid", &pyramid_, "TIFF outputs also at half the size, a quarter ..., for viewers of large images");
}

Status ResultWords::Decide(const Args& args, RunOptions* options) const {
  FOVEA_ASSIGN_OR_RETURN(options->session, execution_.ToSession());
  options->memory_bytes = memory_bytes_;
  const auto size = ParsePixelSize(pixel_size_);
  if (!size.ok()) return size.status().Prefixed("--pixel-size");
  options->pixel_size = *size;
  FOVEA_RETURN_IF_ERROR(ParseWriteOptions(dtype_, compression_, &options->write));
  if (tiled_) options->write.tile = 512;
  options->write.pyramid = pyramid_;
  options->dtype_given = std::any_of(args.given().begin(), args.given().end(),
                                     [](const auto& option) { return option.first == "--dtype"; });
  if (!tile_.empty()) {
    const auto sides = ParseSize(tile_);
    if (!sides.ok()) return sides.status().Prefixed("--tile");
    std::copy(sides->begin(), sides->end(), options->session.tile);
    if (std::count(tile_.begin(), tile_.end(), 'x') == 1) options->session.tile[0] = 0;
  }
  options->border.overlap = overlap_;
  FOVEA_RETURN_IF_ERROR(ParseBorderOptions(border_, patch_, patches_, !tile_.empty(), &options->border));
  options->channel = channel_ - 1;
  if (steps_.threshold > StepWords::kNoThreshold) options->threshold = steps_.threshold;
  options->overlay = overlay_;
  return CheckOverlay(overlay_);
}

Status ResultWords::DecideSteps(const Model& model, RunOptions* options) const {
  FOVEA_ASSIGN_OR_RETURN(options->processing, ChooseSteps(model, steps_));
  return OkStatus();
}

}  // namespace fovea::cli
