// Steps on masks and label images: what is not 0 is an object.
#include <algorithm>
#include <cmath>

#include "runtime/process/components.h"
#include "runtime/process/morphology.h"
#include "runtime/process/stage.h"
#include "runtime/process/watershed.h"

namespace fovea::process {
namespace {

// Works on planes, or on volumes for neighbours in the volume.
class ObjectStage : public BufferStage {
 public:
  ObjectStage(const SampleShape& in, Neighbours neighbours) : BufferStage(in), neighbours_(neighbours) {
    extent_ = {IsOfVolume(neighbours) ? in.planes : 1, in.rows, in.cols};
  }
  PixelKind Kind(PixelKind before) const override { return before; }

 protected:
  int64_t ScratchBytes() const override { return LabelBytes(extent_); }
  Status Work(float* sample) override {
    const int64_t pieces = in_.channels * in_.planes / extent_.planes;
    for (int64_t i = 0; i < pieces; ++i) FOVEA_RETURN_IF_ERROR(Piece(sample + i * extent_.pixels()));
    return OkStatus();
  }
  virtual Status Piece(float* pixels) = 0;

  Neighbours neighbours_;
  Extent extent_;
};

Neighbours ReadNeighbours(Arguments& arguments, int64_t fallback) {
  const int64_t n = arguments.Integer("connectivity", fallback, 4, 26);
  if (n != 4 && n != 8 && n != 6 && n != 18 && n != 26) {
    arguments.Fail("connectivity must be 4 or 8 (in planes), 6, 18 or 26 (in volumes)");
    return Neighbours::k4;
  }
  return static_cast<Neighbours>(n);
}

template <class S, class... More>
StageResult Made(const Arguments& arguments, More&&... more) {
  FOVEA_RETURN_IF_ERROR(arguments.status());
  return std::unique_ptr<Stage>(std::make_unique<S>(std::forward<More>(more)...));
}

class ComponentStage : public ObjectStage {
 public:
  using ObjectStage::ObjectStage;
  PixelKind Kind(PixelKind) const override {
    return IsOfVolume(neighbours_) ? PixelKind::kVolumeLabels : PixelKind::kLabels;
  }

 protected:
  Status Piece(float* pixels) override {
    std::vector<int32_t> labels;
    FOVEA_ASSIGN_OR_RETURN(const int32_t count, LabelObjects(pixels, extent_, neighbours_, true, &labels));
    if (count > (1 << 24)) return Unsupported(std::to_string(count) + " objects; numbers up to 2^24 can be written");
    for (size_t i = 0; i < labels.size(); ++i) pixels[i] = static_cast<float>(labels[i]);
    return OkStatus();
  }
};

StageResult MakeComponents(Arguments& arguments, const StageContext& context) {
  const Neighbours neighbours = ReadNeighbours(arguments, 4);
  return Made<ComponentStage>(arguments, context.in, neighbours);
}

// Numbers objects anew, 1 .. n in the order in which their numbers first appear.
class RelabelStage : public ObjectStage {
 public:
  explicit RelabelStage(const SampleShape& in) : ObjectStage(in, Neighbours::k4) {
    extent_ = {in.planes, in.rows, in.cols};
  }
  PixelKind Kind(PixelKind) const override { return PixelKind::kVolumeLabels; }

 protected:
  int64_t ScratchBytes() const override { return extent_.pixels() * 16; }
  Status Piece(float* pixels) override {
    std::vector<std::pair<float, int64_t>> first;  // value and the first pixel that has it
    for (int64_t i = 0; i < extent_.pixels(); ++i) {
      if (!(pixels[i] == 0) && !std::isnan(pixels[i])) first.emplace_back(pixels[i], i);
    }
    std::sort(first.begin(), first.end());
    first.erase(
        std::unique(first.begin(), first.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
        first.end());
    if (first.size() > (1u << 24)) return Unsupported("more than 2^24 objects; their numbers can't be written");
    std::vector<size_t> order(first.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&first](size_t a, size_t b) { return first[a].second < first[b].second; });
    std::vector<float> number(first.size());
    for (size_t i = 0; i < order.size(); ++i) number[order[i]] = static_cast<float>(i + 1);
    for (int64_t i = 0; i < extent_.pixels(); ++i) {
      if (pixels[i] == 0 || std::isnan(pixels[i])) {
        pixels[i] = 0;
        continue;
      }
      const auto at = std::lower_bound(first.begin(), first.end(), std::pair<float, int64_t>(pixels[i], 0),
                                       [](const auto& a, const auto& b) { return a.first < b.first; });
      pixels[i] = number[static_cast<size_t>(at - first.begin())];
    }
    return OkStatus();
  }
};

StageResult MakeRelabel(Arguments& arguments, const StageContext& context) {
  return Made<RelabelStage>(arguments, context.in);
}

class SizeStage : public ObjectStage {
 public:
  SizeStage(const SampleShape& in, Neighbours neighbours, double min, double max)
      : ObjectStage(in, neighbours), min_(min), max_(max) {}

 protected:
  int64_t ScratchBytes() const override { return LabelBytes(extent_) + extent_.pixels() * 8; }
  Status Piece(float* pixels) override {
    std::vector<int32_t> labels;
    FOVEA_ASSIGN_OR_RETURN(const int32_t count, LabelObjects(pixels, extent_, neighbours_, false, &labels));
    std::vector<int64_t> sizes(static_cast<size_t>(count) + 1);
    for (const int32_t label : labels) ++sizes[static_cast<size_t>(label)];
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto size = static_cast<double>(sizes[static_cast<size_t>(labels[i])]);
      if (labels[i] == 0 || size < min_ || size > max_) pixels[i] = 0;
    }
    return OkStatus();
  }

 private:
  double min_, max_;
};

StageResult MakeSizeFilter(Arguments& arguments, const StageContext& context) {
  if (!arguments.Has("min") && !arguments.Has("max")) arguments.Fail("min=PIXELS or max=PIXELS is missing");
  const double min = arguments.Number("min", 0, 0, HUGE_VAL), max = arguments.Number("max", HUGE_VAL, 0, HUGE_VAL);
  const Neighbours neighbours = ReadNeighbours(arguments, 8);
  return Made<SizeStage>(arguments, context.in, neighbours, min, max);
}

class BorderStage : public ObjectStage {
 public:
  BorderStage(const SampleShape& in, Neighbours neighbours, int64_t margin)
      : ObjectStage(in, neighbours), margin_(margin) {}

 protected:
  int64_t ScratchBytes() const override { return LabelBytes(extent_) + extent_.pixels(); }
  Status Piece(float* pixels) override {
    std::vector<int32_t> labels;
    FOVEA_ASSIGN_OR_RETURN(const int32_t count, LabelObjects(pixels, extent_, neighbours_, false, &labels));
    std::vector<char> touches(static_cast<size_t>(count) + 1, 0);
    touches[0] = 1;
    size_t i = 0;
    for (int64_t z = 0; z < extent_.planes; ++z) {
      const bool plane_edge = extent_.planes > 1 && std::min(z, extent_.planes - 1 - z) <= margin_;
      for (int64_t y = 0; y < extent_.rows; ++y) {
        for (int64_t x = 0; x < extent_.cols; ++x, ++i) {
          const int64_t distance = std::min({y, extent_.rows - 1 - y, x, extent_.cols - 1 - x});
          if (plane_edge || distance <= margin_) touches[static_cast<size_t>(labels[i])] = 1;
        }
      }
    }
    for (size_t p = 0; p < labels.size(); ++p) {
      if (touches[static_cast<size_t>(labels[p])] != 0) pixels[p] = 0;
    }
    return OkStatus();
  }

 private:
  int64_t margin_;
};

StageResult MakeClearBorder(Arguments& arguments, const StageContext& context) {
  const int64_t margin = arguments.Integer("margin", 0, 0, 1 << 20);
  const Neighbours neighbours = ReadNeighbours(arguments, 8);
  return Made<BorderStage>(arguments, context.in, neighbours, margin);
}

// Background that does not reach the border takes the value of the object on its left.
class FillStage : public ObjectStage {
 public:
  using ObjectStage::ObjectStage;

 protected:
  int64_t ScratchBytes() const override { return LabelBytes(extent_) + extent_.pixels() * 9; }
  Status Piece(float* pixels) override {
    std::vector<float> background(static_cast<size_t>(extent_.pixels()));
    for (size_t i = 0; i < background.size(); ++i)
      background[i] = pixels[i] == 0 || std::isnan(pixels[i]) ? 1.0f : 0.0f;
    std::vector<int32_t> labels;
    FOVEA_ASSIGN_OR_RETURN(const int32_t count, LabelObjects(background.data(), extent_, neighbours_, true, &labels));
    std::vector<char> open(static_cast<size_t>(count) + 1, 0);
    size_t i = 0;
    for (int64_t z = 0; z < extent_.planes; ++z) {
      const bool plane_edge = extent_.planes > 1 && (z == 0 || z == extent_.planes - 1);
      for (int64_t y = 0; y < extent_.rows; ++y) {
        for (int64_t x = 0; x < extent_.cols; ++x, ++i) {
          const bool edge = plane_edge || y == 0 || y == extent_.rows - 1 || x == 0 || x == extent_.cols - 1;
          if (edge) open[static_cast<size_t>(labels[i])] = 1;
        }
      }
    }
    std::vector<float> fill(static_cast<size_t>(count) + 1, 0.0f);
    for (size_t p = 0; p < labels.size(); ++p) {
      const auto label = static_cast<size_t>(labels[p]);
      if (label == 0 || open[label] != 0) continue;
      // The first pixel of a hole has an object on its left, and holes begin before they go on.
      if (fill[label] == 0) fill[label] = pixels[p - 1];
      pixels[p] = fill[label];
    }
    return OkStatus();
  }
};

StageResult MakeFillHoles(Arguments& arguments, const StageContext& context) {
  const Neighbours neighbours = ReadNeighbours(arguments, 4);
  return Made<FillStage>(arguments, context.in, neighbours);
}

class MorphologyStage : public ObjectStage {
 public:
  enum class Kind { kErode, kDilate, kOpen, kClose };
  MorphologyStage(const SampleShape& in, Kind kind, Element element, Outside outside)
      : ObjectStage(in, Neighbours::k4), kind_(kind), element_(std::move(element)), outside_(outside) {}

 protected:
  int64_t ScratchBytes() const override { return MorphologyBytes(in_.rows, in_.cols); }
  Status Piece(float* plane) override {
    const bool erodes_first = kind_ == Kind::kErode || kind_ == Kind::kOpen;
    if (erodes_first) Erode(element_, outside_, plane, in_.rows, in_.cols);
    if (kind_ != Kind::kErode) Dilate(element_, plane, in_.rows, in_.cols);
    if (kind_ == Kind::kClose) Erode(element_, outside_, plane, in_.rows, in_.cols);
    return OkStatus();
  }

 private:
  Kind kind_;
  Element element_;
  Outside outside_;
};

StageResult MakeMorphology(Arguments& arguments, const StageContext& context, MorphologyStage::Kind kind) {
  const double radius = arguments.Number("radius", 1, 0, 10000);
  const int shape = arguments.Choice("shape", {"square", "disk", "cross"}, 0);
  const bool dij1 = context.options->compatibility == Compatibility::kDij1;
  const Outside outside = arguments.Boolean("pad_edges", !dij1) ? Outside::kIgnored : Outside::kZero;
  Element element = shape == 0 ? SquareElement(radius) : shape == 1 ? DiskElement(radius) : CrossElement(radius);
  return Made<MorphologyStage>(arguments, context.in, kind, std::move(element), outside);
}
StageResult MakeErosion(Arguments& arguments, const StageContext& context) {
  return MakeMorphology(arguments, context, MorphologyStage::Kind::kErode);
}
StageResult MakeDilation(Arguments& arguments, const StageContext& context) {
  return MakeMorphology(arguments, context, MorphologyStage::Kind::kDilate);
}
StageResult MakeOpening(Arguments& arguments, const StageContext& context) {
  return MakeMorphology(arguments, context, MorphologyStage::Kind::kOpen);
}
StageResult MakeClosing(Arguments& arguments, const StageContext& context) {
  return MakeMorphology(arguments, context, MorphologyStage::Kind::kClose);
}

class WatershedStage : public ObjectStage {
 public:
  WatershedStage(const SampleShape& in, double tolerance) : ObjectStage(in, Neighbours::k4), tolerance_(tolerance) {}

 protected:
  int64_t ScratchBytes() const override { return WatershedBytes(in_.rows, in_.cols); }
  Status Piece(float* plane) override {
    CutObjects(tolerance_, plane, in_.rows, in_.cols);
    return OkStatus();
  }

 private:
  double tolerance_;
};

StageResult MakeWatershed(Arguments& arguments, const StageContext& context) {
  const double tolerance = arguments.Number("tolerance", 0.5, 0, 1e6);
  return Made<WatershedStage>(arguments, context.in, tolerance);
}

constexpr StepRow kRows[] = {
    {"erosion", "erosion(radius=1, shape=square, pad_edges=true)",
     "Smallest value in the neighbourhood of each pixel: square |dy|, |dx| <= radius; disk dy^2 + dx^2 <= radius^2 "
     "(MorphoLibJ's disk of r: radius r + 0.5); cross |dy| + |dx| <= radius. pad_edges=false: beyond the border lies "
     "0, as "
     "in ImageJ with 'Pad edges when eroding' off (--compat dij1).",
     MakeErosion},
    {"dilation", "dilation(radius=1, shape=square)", "Largest value in the neighbourhood; see erosion.", MakeDilation},
    {"opening", "opening(radius=1, shape=square, pad_edges=true)", "Erosion, then dilation.", MakeOpening},
    {"closing", "closing(radius=1, shape=square, pad_edges=true)", "Dilation, then erosion.", MakeClosing},
    {"fill_holes", "fill_holes(connectivity=4)",
     "Background (0) that is not connected to the border takes the value of the object around it. connectivity of the "
     "background: 4, 8; 6, 18, 26 in volumes. ImageJ's Fill Holes, scipy.ndimage.binary_fill_holes: 4.",
     MakeFillHoles},
    {"watershed", "watershed(tolerance=0.5)",
     "Touching objects are cut apart by lines of 0 between the maxima of their distance map that stand out by more "
     "than tolerance. ImageJ's Binary > Watershed: 0.5.",
     MakeWatershed},
    {"size_filter", "size_filter(min=0, max, connectivity=8)",
     "Objects (connected pixels of equal value, not 0) of fewer than min or more than max pixels become 0.",
     MakeSizeFilter},
    {"clear_border", "clear_border(margin=0, connectivity=8)",
     "Objects that come within margin pixels of the border become 0 (0: that touch it).", MakeClearBorder},
    {"connected_components", "connected_components(connectivity=4)",
     "Numbers 1 .. n for the connected objects (pixels that are not 0), in the order in which they begin, row by row; "
     "plane "
     "by plane with connectivity 4 or 8, through the volume with 6, 18 or 26. scipy.ndimage.label.",
     MakeComponents},
    {"relabel", "relabel", "Numbers of objects made consecutive, 1 .. n in the order in which they first appear.",
     MakeRelabel},
};

}  // namespace

std::span<const StepRow> ObjectSteps() { return kRows; }

}  // namespace fovea::process
