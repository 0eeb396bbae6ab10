#include "tools/fovea/rescale.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "formats/image/text.h"
#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

constexpr double kMostScale = 100;
constexpr int64_t kMostPixels = (int64_t{1} << 31) - 1;
constexpr int64_t kBandValues = int64_t{1} << 18;
constexpr char kAxes[] = {'z', 'y', 'x'};

// "0.65 µm" in metres; 0 when it is not a length.
double ParseLength(const std::string& text) {
  size_t end = 0;
  while (end < text.size() && std::string("0123456789.eE+-").find(text[end]) != std::string::npos) ++end;
  return formats::ParseNumber(text.substr(0, end), 0) * formats::MetresPer(text.substr(end));
}

double ModelSize(const ModelInfo& info, char axis) {
  const std::string key = std::string("pixel size ") + axis;
  for (const auto& [name, value] : info.properties) {
    if (name == key) return ParseLength(value);
  }
  return 0;
}

std::string LengthText(double metres) {
  char text[32];
  const bool small = metres < 0.1e-6;
  std::snprintf(text, sizeof text, "%.4g %s", metres * (small ? 1e9 : 1e6), small ? "nm" : "\xc2\xb5m");
  return text;
}

ResizeAxis AxisFrom(int64_t in, int64_t out, bool nearest) {
  const ResizeMethod method = in == out || nearest ? ResizeMethod::kNearest
                              : in > out           ? ResizeMethod::kArea
                                                   : ResizeMethod::kLinear;
  return {method, in, out};
}

// Planes, rows and columns from one grid to another.
Resizer Between(const int64_t in[3], const int64_t out[3], bool nearest) {
  return {AxisFrom(in[0], out[0], nearest), AxisFrom(in[1], out[1], nearest), AxisFrom(in[2], out[2], nearest)};
}

int64_t BandBytes(int64_t cols) { return (kBandValues + 256 * cols) * static_cast<int64_t>(sizeof(float)); }

// Sizes and calibration of `info` for other numbers of pixels over the same extent.
void SetGrid(const int64_t size[3], formats::ImageInfo* info) {
  formats::PixelSize& pixel = info->pixel_size;
  const auto set = [](int64_t to, int64_t* pixels, double* extent, double* origin) {
    const double scale = static_cast<double>(to) / static_cast<double>(*pixels);
    *pixels = to;
    *extent /= scale;
    *origin *= scale;
  };
  set(size[0], &info->z, &pixel.z, &pixel.origin_z_px);
  set(size[1], &info->y, &pixel.y, &pixel.origin_y_px);
  set(size[2], &info->x, &pixel.x, &pixel.origin_x_px);
}

void RemoveDrawings(formats::ImageInfo* info) {
  std::erase_if(info->imagej_blocks, [](const formats::ImageJBlock& block) {
    return block.type == formats::kImageJRoi || block.type == formats::kImageJOverlay;
  });
}

class RescaledReader final : public formats::ImageReader {
 public:
  RescaledReader(std::unique_ptr<formats::ImageReader> image, const Rescaling& rescaling)
      : image_(std::move(image)), resizer_(Between(rescaling.image, rescaling.network, false)) {
    info_ = image_->info();
    info_.dtype = DType::kFloat32;
    if (rescaling.network[0] != rescaling.image[0]) info_.slice_labels.clear();
    if (!rescaling.back) RemoveDrawings(&info_);
    SetGrid(rescaling.network, &info_);
  }

  Status Read(const formats::Region& region, void* dst) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    const Resizer::Source source = [&](int64_t z, int64_t y, int64_t x, int64_t rows, int64_t cols, float* to) {
      return formats::ReadAsFloat(*image_, {region.t, z, region.c, y, x, rows, cols}, to, 1);
    };
    return resizer_.Region(region.z, region.y, region.x, region.height, region.width, source, static_cast<float*>(dst));
  }

  int64_t WorkingBytes(int64_t band_rows) const override {
    return image_->WorkingBytes(band_rows) + resizer_.WorkingBytes();
  }
  void SetCacheBytes(int64_t bytes) override { image_->SetCacheBytes(bytes); }
  int64_t UsefulCacheBytes() const override { return image_->UsefulCacheBytes(); }

 private:
  std::unique_ptr<formats::ImageReader> image_;
  Resizer resizer_;
};

// A file without a name: it is gone when it is closed, however the process ends.
class ScratchFile {
 public:
  ~ScratchFile() {
    if (fd_ >= 0) close(fd_);
  }
  Status Create(const std::string& beside) {
    std::string name = beside + ".XXXXXX";
    fd_ = mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0) return Fail("make a scratch file beside", beside);
    unlink(name.c_str());
    beside_ = beside;
    return OkStatus();
  }
  Status Write(int64_t offset, const float* values, int64_t count) {
    const auto* from = reinterpret_cast<const char*>(values);
    return Transfer(offset, count, [&](int64_t done, size_t n, off_t at) { return pwrite(fd_, from + done, n, at); });
  }
  // What was never written reads as 0.
  Status Read(int64_t offset, float* values, int64_t count) {
    auto* to = reinterpret_cast<char*>(values);
    std::memset(to, 0, static_cast<size_t>(count) * sizeof(float));
    return Transfer(offset, count, [&](int64_t done, size_t n, off_t at) { return pread(fd_, to + done, n, at); });
  }

 private:
  template <class Call>
  Status Transfer(int64_t offset, int64_t count, Call call) {
    const auto bytes = count * static_cast<int64_t>(sizeof(float));
    for (int64_t done = 0; done < bytes;) {
      const ssize_t n = call(done, static_cast<size_t>(bytes - done),
                             static_cast<off_t>(offset * static_cast<int64_t>(sizeof(float)) + done));
      if (n == 0) return OkStatus();  // the end of a file that is read
      if (n < 0 && errno != EINTR) return Fail("use the scratch file beside", beside_);
      if (n > 0) done += n;
    }
    return OkStatus();
  }
  static Status Fail(const std::string& what, const std::string& path) {
    return IoError("can't " + what + " '" + path + "': " + std::strerror(errno));
  }

  std::string beside_;
  int fd_ = -1;
};

class BackWriter final : public formats::ImageWriter {
 public:
  Status Open(const std::string& path, const formats::ImageInfo& info, const formats::WriteOptions& options,
              const Rescaling& rescaling, bool nearest, const formats::ImageInfo& original) {
    path_ = path;
    info_ = info;
    info_.dtype = DType::kFloat32;
    formats::ImageInfo final_info = info;
    int64_t size[3];
    const int64_t grid[3] = {info.z, info.y, info.x};
    for (int a = 0; a < 3; ++a) {
      // The network's own scale stays: a result of twice the size is one of twice the image's.
      const double ratio = static_cast<double>(rescaling.image[a]) / static_cast<double>(rescaling.network[a]);
      size[a] = std::clamp<int64_t>(std::llround(static_cast<double>(grid[a]) * ratio), 1, kMostPixels);
    }
    SetGrid(size, &final_info);
    if (final_info.plane_count() == original.plane_count() && final_info.c == original.c) {
      final_info.slice_labels = original.slice_labels;
    }
    Snap(original.pixel_size, &final_info.pixel_size);
    resizer_ = std::make_unique<Resizer>(Between(grid, size, nearest));
    FOVEA_ASSIGN_OR_RETURN(file_, formats::CreateImage(path, final_info, options));
    return scratch_.Create(path);
  }

  Status WriteFloat(const formats::Region& region, const float* src, int64_t pixel_stride) override {
    if (pixel_stride == 1) return Write(region, src);
    std::vector<float> tight(static_cast<size_t>(region.height * region.width));
    for (size_t i = 0; i < tight.size(); ++i) tight[i] = src[static_cast<int64_t>(i) * pixel_stride];
    return Write(region, tight.data());
  }

  Status Write(const formats::Region& region, const void* src) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    const auto* values = static_cast<const float*>(src);
    const int64_t first = Offset(region.t, region.z, region.c, region.y, region.x);
    if (region.width == info_.x) return scratch_.Write(first, values, region.height * region.width);
    for (int64_t row = 0; row < region.height; ++row) {
      FOVEA_RETURN_IF_ERROR(scratch_.Write(first + row * info_.x, values + row * region.width, region.width));
    }
    return OkStatus();
  }

  Status Finish() override {
    file_->SetDisplay(info_.display_ranges, info_.luts);
    const formats::ImageInfo& out = file_->info();
    // Bands that writers of compressed strips can stream.
    const int64_t align = file_->band_alignment();
    const int64_t rows = std::max<int64_t>(1, kBandValues / out.x / align) * align;
    std::vector<float> band(static_cast<size_t>(std::min(rows, out.y) * out.x));
    for (int64_t i = 0; i < out.t * out.z; ++i) {
      for (int64_t y = 0; y < out.y; y += rows) {
        for (int64_t c = 0; c < out.c; ++c) {
          if (Interrupted()) return Cancelled("cancelled");
          const formats::Region region{i / out.z, i % out.z, c, y, 0, std::min(rows, out.y - y), out.x};
          FOVEA_RETURN_IF_ERROR(resizer_->Region(
              region.z, y, 0, region.height, out.x,
              [&](int64_t z, int64_t top, int64_t left, int64_t height, int64_t width, float* to) {
                return ReadBack(region.t, z, c, top, left, height, width, to);
              },
              band.data()));
          FOVEA_RETURN_IF_ERROR(file_->WriteFloat(region, band.data(), 1));
        }
      }
    }
    return file_->Finish();
  }

  int64_t WorkingBytes(int64_t band_rows) const override {
    return file_->WorkingBytes(band_rows) + resizer_->WorkingBytes() + BandBytes(file_->info().x);
  }

 private:
  int64_t Offset(int64_t t, int64_t z, int64_t c, int64_t y, int64_t x) const {
    return (info_.plane_index(t, z, c) * info_.y + y) * info_.x + x;
  }

  Status ReadBack(int64_t t, int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, float* to) {
    const int64_t first = Offset(t, z, c, y, x);
    if (cols == info_.x) return scratch_.Read(first, to, rows * cols);
    for (int64_t row = 0; row < rows; ++row) {
      FOVEA_RETURN_IF_ERROR(scratch_.Read(first + row * info_.x, to + row * cols, cols));
    }
    return OkStatus();
  }

  // Back on the image's grid the numbers are the image's, not ones that differ in the last digit.
  static void Snap(const formats::PixelSize& original, formats::PixelSize* size) {
    const auto snap = [](double to, double* value) {
      if (std::abs(*value - to) <= 1e-12 * std::abs(to)) *value = to;
    };
    snap(original.z, &size->z), snap(original.y, &size->y), snap(original.x, &size->x);
    snap(original.origin_z_px, &size->origin_z_px), snap(original.origin_y_px, &size->origin_y_px);
    snap(original.origin_x_px, &size->origin_x_px);
  }

  std::unique_ptr<formats::ImageWriter> file_;
  std::unique_ptr<Resizer> resizer_;
  ScratchFile scratch_;
};

}  // namespace

Result<PixelSizeChoice> ParsePixelSize(const std::string& text) {
  PixelSizeChoice choice;
  if (text.empty()) return choice;
  choice.match = true;
  std::string size = text;
  if (const size_t colon = text.find(':'); colon != std::string::npos) {
    if (text.substr(colon) != ":model") {
      return InvalidArgument("'" + text + "': what follows the colon must be model (the result stays on its grid)");
    }
    choice.keep_model_grid = true;
    size = text.substr(0, colon);
  }
  if (size == "match") return choice;
  choice.metres = ParseLength(size);
  if (!(choice.metres > 0) || !std::isfinite(choice.metres)) {
    return InvalidArgument("'" + text +
                           "' is not a pixel size; give match (the model's own), or a length with its unit: 0.65um");
  }
  return choice;
}

Result<Rescaling> PlanRescaling(const Model& model, const formats::ImageInfo& info, const PixelSizeChoice& choice,
                                bool network_3d) {
  Rescaling plan;
  const int64_t sizes[3] = {info.z, info.y, info.x};
  std::copy(sizes, sizes + 3, plan.image);
  std::copy(sizes, sizes + 3, plan.network);
  plan.back = !choice.keep_model_grid;
  if (!choice.match) return plan;
  const double unit = formats::MetresPer(info.pixel_size.unit);
  const double extent[3] = {info.pixel_size.z * unit, info.pixel_size.y * unit, info.pixel_size.x * unit};
  if (!(extent[1] > 0) || !(extent[2] > 0)) {
    return InvalidArgument(
        "the image does not tell its pixel size, so it can't be matched to the model's; leave --pixel-size out, or set "
        "the scale of the image first (ImageJ: Image > Properties)");
  }
  const ModelInfo about = model.info();
  for (int a = network_3d ? 0 : 1; a < 3; ++a) {
    double wanted = choice.metres > 0 && a > 0 ? choice.metres : ModelSize(about, kAxes[a]);
    if (!(wanted > 0) && a == 0) continue;  // z is rescaled only where the model tells its size
    if (!(wanted > 0)) {
      return InvalidArgument("the model does not tell its pixel size; give it: --pixel-size 0.65um");
    }
    if (a == 0 && (!(extent[0] > 0) || info.z == 1)) continue;
    const double scale = extent[a] / wanted;
    if (!(scale <= kMostScale) || !(scale >= 1 / kMostScale)) {
      return InvalidArgument("the image's pixels are " + LengthText(extent[a]) + " along " + kAxes[a] +
                             ", the model's " + LengthText(wanted) + ": check the scale of the image");
    }
    const double pixels = static_cast<double>(sizes[a]) * scale;
    if (pixels > static_cast<double>(kMostPixels)) {
      return InvalidArgument("at the model's pixel size the image would have more than 2^31 pixels along " +
                             std::string(1, kAxes[a]));
    }
    plan.network[a] = std::max<int64_t>(1, std::llround(pixels));
    plan.active = plan.active || plan.network[a] != sizes[a];
    if (a == 2) {
      plan.told = "pixels of " + LengthText(extent[1]) + " x " + LengthText(extent[2]) + " brought to " +
                  LengthText(wanted) + ": " + std::to_string(info.y) + " x " + std::to_string(info.x) + " -> " +
                  std::to_string(plan.network[1]) + " x " + std::to_string(plan.network[2]);
    }
  }
  return plan;
}

std::unique_ptr<formats::ImageReader> RescaleImage(std::unique_ptr<formats::ImageReader> image,
                                                   const Rescaling& rescaling) {
  return std::make_unique<RescaledReader>(std::move(image), rescaling);
}

Result<std::unique_ptr<formats::ImageWriter>> CreateImageBack(const std::string& path, const formats::ImageInfo& info,
                                                              const formats::WriteOptions& options,
                                                              const Rescaling& rescaling, bool nearest,
                                                              const formats::ImageInfo& original) {
  auto writer = std::make_unique<BackWriter>();
  FOVEA_RETURN_IF_ERROR(writer->Open(path, info, options, rescaling, nearest, original));
  return std::unique_ptr<formats::ImageWriter>(std::move(writer));
}

int64_t BackBytes(const Rescaling& rescaling) {
  return Between(rescaling.network, rescaling.image, false).WorkingBytes() + BandBytes(rescaling.image[2]);
}

}  // namespace fovea::cli
