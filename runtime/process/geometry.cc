// Steps that move pixels: crop, transpose, resize. They read what they need of the stage before them; nothing is held.
#include <cmath>
#include <cstring>

#include "runtime/include/fovea/resize.h"
#include "runtime/process/stage.h"

namespace fovea::process {
namespace {

class CropStage : public Stage {
 public:
  CropStage(const SampleShape& in, const SampleShape& out, int64_t z, int64_t y, int64_t x)
      : Stage(in, out), z_(z), y_(y), x_(x) {}
  PixelKind Kind(PixelKind before) const override { return before; }
  std::array<AxisMap, 3> axes() const override {
    return {{{0, 1, static_cast<double>(z_)}, {1, 1, static_cast<double>(y_)}, {2, 1, static_cast<double>(x_)}}};
  }
  Status Read(const SampleRegion& region, float* dst) override {
    SampleRegion moved = region;
    moved.plane += z_;
    moved.y += y_;
    moved.x += x_;
    return upstream_->Read(moved, dst);
  }

 private:
  int64_t z_, y_, x_;
};

// The first index and the number of pixels of one axis.
void ReadCrop(Arguments& arguments, const char* begin_key, const char* size_key, int64_t* begin, int64_t* size) {
  const int64_t all = *size;
  *begin = arguments.Integer(begin_key, 0, 0, all - 1);
  *size = arguments.Integer(size_key, all - *begin, 1, all - *begin);
}

StageResult MakeCrop(Arguments& arguments, const StageContext& context) {
  SampleShape out = context.in;
  int64_t z = 0, y = 0, x = 0;
  ReadCrop(arguments, "z", "depth", &z, &out.planes);
  ReadCrop(arguments, "y", "height", &y, &out.rows);
  ReadCrop(arguments, "x", "width", &x, &out.cols);
  FOVEA_RETURN_IF_ERROR(arguments.status());
  return std::unique_ptr<Stage>(std::make_unique<CropStage>(context.in, out, z, y, x));
}

// Result axis i is source axis order[i]; 0 planes, 1 rows, 2 columns.
class TransposeStage : public Stage {
 public:
  TransposeStage(const SampleShape& in, const SampleShape& out, const std::array<int, 3>& order)
      : Stage(in, out), order_(order) {}
  PixelKind Kind(PixelKind before) const override { return before; }
  std::array<AxisMap, 3> axes() const override { return {{{order_[0], 1, 0}, {order_[1], 1, 0}, {order_[2], 1, 0}}}; }

  Status Read(const SampleRegion& region, float* dst) override {
    // Ranges of the source's axes, and how far apart their neighbours are in dst.
    const int64_t begin[3] = {region.plane, region.y, region.x}, count[3] = {1, region.rows, region.cols};
    const int64_t apart[3] = {0, region.cols, 1};
    int64_t from[3], size[3], stride[3];
    for (size_t a = 0; a < 3; ++a) {
      const auto source = static_cast<size_t>(order_[a]);
      from[source] = begin[a];
      size[source] = count[a];
      stride[source] = apart[a];
    }
    block_.resize(static_cast<size_t>(size[1] * size[2]));
    for (int64_t c = 0; c < region.channels; ++c) {
      for (int64_t z = 0; z < size[0]; ++z) {
        const SampleRegion part{region.sample, region.channel + c, 1, from[0] + z, from[1], from[2], size[1], size[2]};
        FOVEA_RETURN_IF_ERROR(upstream_->Read(part, block_.data()));
        float* const to = dst + c * region.rows * region.cols + z * stride[0];
        for (int64_t y = 0; y < size[1]; ++y) {
          const float* const row = block_.data() + y * size[2];
          for (int64_t x = 0; x < size[2]; ++x) to[y * stride[1] + x * stride[2]] = row[x];
        }
      }
    }
    return OkStatus();
  }

 private:
  std::array<int, 3> order_;
  std::vector<float> block_;
};

StageResult MakeTranspose(Arguments& arguments, const StageContext& context) {
  const std::string axes = arguments.Axes("axes").value_or("xy");
  FOVEA_RETURN_IF_ERROR(arguments.status());
  const std::string full = axes.size() == 2 ? "z" + axes : axes;
  std::array<int, 3> order{};
  bool seen[3] = {false, false, false};
  for (size_t i = 0; i < 3; ++i) {
    const size_t axis = full.size() == 3 ? std::string("zyx").find(full[i]) : std::string::npos;
    if (axis == std::string::npos || seen[axis]) {
      return arguments.Error("axes must be y and x, or z, y and x, in the new order: xy, zxy, yzx, ...");
    }
    seen[axis] = true;
    order[i] = static_cast<int>(axis);
  }
  const int64_t sizes[3] = {context.in.planes, context.in.rows, context.in.cols};
  SampleShape out = context.in;
  out.planes = sizes[order[0]];
  out.rows = sizes[order[1]];
  out.cols = sizes[order[2]];
  return std::unique_ptr<Stage>(std::make_unique<TransposeStage>(context.in, out, order));
}

class ResizeStage : public Stage {
 public:
  ResizeStage(const SampleShape& in, const SampleShape& out, ResizeMethod method)
      : Stage(in, out),
        nearest_(method == ResizeMethod::kNearest),
        resizer_(ResizeAxis(method, in.planes, out.planes), ResizeAxis(method, in.rows, out.rows),
                 ResizeAxis(method, in.cols, out.cols)) {}
  PixelKind Kind(PixelKind before) const override { return nearest_ ? before : PixelKind::kValues; }
  int64_t ScratchBytes() const override { return resizer_.WorkingBytes(); }
  std::array<AxisMap, 3> axes() const override {
    std::array<AxisMap, 3> maps;
    for (int a = 0; a < 3; ++a) {
      const double scale = static_cast<double>(resizer_.axis(a).in()) / static_cast<double>(resizer_.axis(a).out());
      maps[static_cast<size_t>(a)] = {a, scale, scale / 2 - 0.5};
    }
    return maps;
  }
  Status Read(const SampleRegion& region, float* dst) override {
    for (int64_t c = 0; c < region.channels; ++c) {
      const auto source = [&](int64_t z, int64_t y, int64_t x, int64_t rows, int64_t cols, float* to) {
        return upstream_->Read({region.sample, region.channel + c, 1, z, y, x, rows, cols}, to);
      };
      FOVEA_RETURN_IF_ERROR(resizer_.Region(region.plane, region.y, region.x, region.rows, region.cols, source,
                                            dst + c * region.rows * region.cols));
    }
    return OkStatus();
  }

 private:
  bool nearest_;
  Resizer resizer_;
};

// The new size of an axis: given itself, or as a factor of its own, or by the factor of all.
int64_t NewSize(Arguments& arguments, const char* size_key, const char* scale_key, double common, int64_t size) {
  constexpr int64_t kMost = int64_t{1} << 24;
  if (arguments.Has(size_key)) return arguments.Integer(size_key, size, 1, kMost);
  const double scale = arguments.Number(scale_key, common, 1e-6, 1e6);
  const double wanted = std::round(static_cast<double>(size) * scale);
  if (!(wanted <= static_cast<double>(kMost)))
    arguments.Fail("the result would have more than 2^24 pixels along an axis");
  return wanted < 1 ? 1 : static_cast<int64_t>(wanted < static_cast<double>(kMost) ? wanted : 1);
}

StageResult MakeResize(Arguments& arguments, const StageContext& context) {
  const int method = arguments.Choice("method", {"nearest", "linear", "cubic", "area"}, 1);
  const double scale = arguments.Number("scale", 1, 1e-6, 1e6);
  SampleShape out = context.in;
  // A common factor is one of the plane; stacks keep their number of planes unless it is asked for.
  out.planes = NewSize(arguments, "depth", "scale_z", 1, out.planes);
  out.rows = NewSize(arguments, "height", "scale_y", scale, out.rows);
  out.cols = NewSize(arguments, "width", "scale_x", scale, out.cols);
  FOVEA_RETURN_IF_ERROR(arguments.status());
  static constexpr ResizeMethod kMethods[] = {ResizeMethod::kNearest, ResizeMethod::kLinear, ResizeMethod::kCubic,
                                              ResizeMethod::kArea};
  return std::unique_ptr<Stage>(std::make_unique<ResizeStage>(context.in, out, kMethods[method]));
}

constexpr StepRow kRows[] = {
    {"crop", "crop(y=0, x=0, height, width, z=0, depth)",
     "The pixels from (z, y, x) on, counted from 0; sizes that are left out reach to the end. Calibration is shifted.",
     MakeCrop},
    {"transpose", "transpose(axes=xy)",
     "Axes in a new order: axes=xy exchanges rows and columns, axes=yzx makes rows of the source planes, and so on "
     "(numpy.transpose of z, y, x).",
     MakeTranspose},
    {"resize", "resize(scale, method=linear, height, width, depth, scale_y, scale_x, scale_z)",
     "As many pixels as asked for (scaled sizes are rounded, halves away from 0) over the same extent. method: "
     "nearest, "
     "linear, cubic (Keys, a = -1/2), area (mean over the pixel's extent); exact definitions in fovea/resize.h.",
     MakeResize},
};

}  // namespace

std::span<const StepRow> GeometrySteps() { return kRows; }

}  // namespace fovea::process
