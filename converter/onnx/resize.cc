// Resize (opsets 10 to 19) and its forerunner Upsample (1 to 9).
#include <algorithm>
#include <cmath>

#include "converter/ir/symbolic.h"
#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using kernels::ResizeRounding;

Status ReadMode(NodeContext& c, ResizeParams* p) {
  const std::string mode = c.String("mode", "nearest");
  if (mode == "nearest") {
    p->mode = ResizeMode::kNearest;
  } else if (mode == "linear" || mode == "bilinear" || mode == "trilinear") {
    p->mode = ResizeMode::kLinear;
  } else if (mode == "cubic") {
    p->mode = ResizeMode::kCubic;
  } else {
    return Unsupported("mode " + mode + "; nearest, linear and cubic are supported");
  }
  return OkStatus();
}

Status ReadCoordinates(NodeContext& c, ResizeParams* p) {
  static constexpr struct {
    const char* name;
    ResizeCoordinates value;
  } kCoordinates[] = {{"half_pixel", ResizeCoordinates::kHalfPixel},
                      {"half_pixel_symmetric", ResizeCoordinates::kHalfPixelSymmetric},
                      {"pytorch_half_pixel", ResizeCoordinates::kPytorchHalfPixel},
                      {"align_corners", ResizeCoordinates::kAlignCorners},
                      {"asymmetric", ResizeCoordinates::kAsymmetric},
                      {"tf_crop_and_resize", ResizeCoordinates::kTfCropAndResize},
                      {"tf_half_pixel_for_nn", ResizeCoordinates::kTfHalfPixelForNearest}};
  static constexpr struct {
    const char* name;
    ResizeRounding value;
  } kRoundings[] = {{"round_prefer_floor", ResizeRounding::kRoundPreferFloor},
                    {"round_prefer_ceil", ResizeRounding::kRoundPreferCeil},
                    {"floor", ResizeRounding::kFloor},
                    {"ceil", ResizeRounding::kCeil}};
  const std::string coordinates = c.String("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = c.String("nearest_mode", "round_prefer_floor");
  const auto* found = std::find_if(std::begin(kCoordinates), std::end(kCoordinates),
                                   [&](const auto& row) { return coordinates == row.name; });
  const auto* rule =
      std::find_if(std::begin(kRoundings), std::end(kRoundings), [&](const auto& row) { return rounding == row.name; });
  if (found == std::end(kCoordinates)) return Unsupported("coordinate_transformation_mode " + coordinates);
  if (rule == std::end(kRoundings)) return Unsupported("nearest_mode " + rounding);
  p->coordinates = found->value;
  p->rounding = rule->value;
  p->cubic_a = c.Float("cubic_coeff_a", -0.75f);
  p->exclude_outside = c.Int("exclude_outside", 0) != 0;
  p->extrapolation_value = c.Float("extrapolation_value", 0);
  p->antialias = c.Int("antialias", 0) != 0;
  return OkStatus();
}

// True where input i exists and is not the empty tensor that old exporters put in its place.
bool Given(NodeContext& c, int i) {
  if (!c.Has(i)) return false;
  const Dims& dims = c.b.dims(c.In(i));
  return dims.size() != 1 || !(dims[0] == DimExpr(0));
}

// The position among the model's inputs, or -1.
int64_t InputIndex(const ir::Graph& graph, ValueId v) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].value == v) return static_cast<int64_t>(i);
  }
  return -1;
}

// Output sizes from scale factors of the axes listed; p->sizes holds the input's sizes. `stretch`: the part of the
// input that is resized (tf_crop_and_resize), 1 elsewhere.
Status ScaleSizes(NodeContext& c, ValueId scales, const std::vector<int64_t>& axes, const std::vector<double>& stretch,
                  ResizeParams* p, bool* is_input) {
  const std::optional<std::vector<float>> numbers = c.b.ConstFloats(scales);
  const std::optional<std::vector<ir::SizeRatio>> ratios = c.b.Ratios(scales);
  if (numbers) {
    if (numbers->size() != axes.size()) return CorruptFile("scales of the wrong length");
    p->scales.assign(p->sizes.size(), 1.0);
    bool rounded = false;
    for (size_t i = 0; i < axes.size(); ++i) {
      const float scale = (*numbers)[i];
      if (!(scale > 0) || !std::isfinite(scale)) return CorruptFile("a scale that is not positive");
      const size_t axis = static_cast<size_t>(axes[i]);
      p->scales[axis] = scale;
      const DimExpr before = p->sizes[axis];
      p->sizes[axis] = ScaleFloor(before, ir::DecimalOf(scale) * stretch[axis]);
      const double exact = before.IsConst() ? static_cast<double>(before.Const()) * ir::DecimalOf(scale) : scale;
      rounded = rounded || exact != std::floor(exact);
    }
    if (rounded && p->coordinates == ResizeCoordinates::kAlignCorners) {
      c.Warn(
          "align_corners with a scale that does not give whole sizes: positions follow ONNX's definition, from the "
          "size before it is rounded down; PyTorch and ONNX Runtime take the rounded one");
    }
    return OkStatus();
  }
  if (ratios) {  // computed from sizes: the result is a size, and out / in the scale
    if (ratios->size() != axes.size()) return CorruptFile("scales of the wrong length");
    for (size_t i = 0; i < axes.size(); ++i) {
      const ir::SizeRatio& scale = (*ratios)[i];
      DimExpr& size = p->sizes[static_cast<size_t>(axes[i])];
      if (scale.factor == 1) {
        size = FloorDiv(size * scale.numerator, scale.denominator);
      } else if (scale.denominator == DimExpr(1)) {
        size = ScaleFloor(size * scale.numerator, scale.factor);
      } else {
        return Unsupported("scales computed from sizes in a way that is not a plain ratio");
      }
    }
    return OkStatus();
  }
  const int64_t input = InputIndex(*c.b.graph(), scales);
  if (input < 0) return Unsupported("scales that depend on the data; only constants and ratios of sizes are supported");
  if (axes.size() != p->sizes.size()) {
    return Unsupported("scales of some axes as a model input: give them with --set " +
                       c.b.graph()->inputs[static_cast<size_t>(input)].name + "=...");
  }
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    p->sizes[axis] = ScaleFloorByInput(p->sizes[axis], static_cast<int>(input), static_cast<int>(axis));
  }
  p->scales_input = input;
  c.b.graph()->inputs[static_cast<size_t>(input)].is_shape = true;
  *is_input = true;
  return OkStatus();
}

// Sizes for the axes listed, with the policy that keeps their proportions.
Status GivenSizes(NodeContext& c, const Dims& sizes, const std::vector<int64_t>& axes, ResizeParams* p) {
  if (sizes.size() != axes.size()) return CorruptFile("sizes of the wrong length");
  const std::string policy = c.String("keep_aspect_ratio_policy", "stretch");
  const Dims in = p->sizes;
  if (policy == "stretch") {
    for (size_t i = 0; i < axes.size(); ++i) p->sizes[static_cast<size_t>(axes[i])] = sizes[i];
    return OkStatus();
  }
  if (policy != "not_larger" && policy != "not_smaller") return CorruptFile("keep_aspect_ratio_policy " + policy);
  const bool smallest = policy == "not_larger";
  // One scale for all: the extreme of sizes[j] / in[j]; each output is scale in[i] rounded half up.
  for (const int64_t i : axes) {
    DimExpr best = 0;
    for (size_t j = 0; j < axes.size(); ++j) {
      const DimExpr& other = in[static_cast<size_t>(axes[j])];
      const DimExpr size = FloorDiv(2 * sizes[j] * in[static_cast<size_t>(i)] + other, 2 * other);
      best = j == 0 ? size : smallest ? Min(best, size) : Max(best, size);
    }
    p->sizes[static_cast<size_t>(i)] = best;
  }
  double scale = 0;
  for (size_t j = 0; j < axes.size(); ++j) {
    const DimExpr& other = in[static_cast<size_t>(axes[j])];
    if (!other.IsConst() || !sizes[j].IsConst() || other.Const() < 1) {
      c.Warn("keep_aspect_ratio_policy with open sizes: positions follow from the rounded sizes");
      return OkStatus();
    }
    const double ratio = static_cast<double>(sizes[j].Const()) / static_cast<double>(other.Const());
    scale = j == 0 ? ratio : smallest ? std::min(scale, ratio) : std::max(scale, ratio);
  }
  p->scales.assign(in.size(), 1.0);
  for (const int64_t axis : axes) p->scales[static_cast<size_t>(axis)] = scale;
  return OkStatus();
}

// Channels last around it, so that it meets its neighbours in their layout.
Status Emit(NodeContext& c, ResizeParams p, ValueId x, ValueId scales) {
  const size_t rank = p.sizes.size();
  if (scales != ir::kNoValue) return c.Out(0, c.b.Add(std::move(p), {x, scales}));
  if (rank < 3) return c.Out(0, c.b.Add(std::move(p), {x}));
  const auto move = [rank](auto begin) { std::rotate(begin + 1, begin + 2, begin + static_cast<ptrdiff_t>(rank)); };
  move(p.sizes.begin());
  if (!p.scales.empty()) move(p.scales.begin());
  if (!p.roi.empty()) {
    move(p.roi.begin());
    move(p.roi.begin() + static_cast<ptrdiff_t>(rank));
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(c.b, x));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, c.b.Add(std::move(p), {last}));
  return c.Out(0, ToChannelsFirst(c.b, y));
}

std::vector<int64_t> AllAxes(size_t rank) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

// Upsample, and Resize-10 which is the same operator: positions are out / scale, rounded down.
Status Upsample(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  ResizeParams p;
  p.sizes = c.b.dims(x);
  p.coordinates = ResizeCoordinates::kAsymmetric;
  p.rounding = ResizeRounding::kFloor;
  FOVEA_RETURN_IF_ERROR(ReadMode(c, &p));
  const size_t rank = p.sizes.size();
  ValueId scales = c.In(1);
  if (scales == ir::kNoValue) {
    std::vector<float> numbers = c.Floats("scales");
    if (numbers.empty() && c.HasAttr("height_scale") && rank == 4) {
      numbers = {1, 1, c.Float("height_scale", 1), c.Float("width_scale", 1)};
    }
    if (numbers.size() != rank) return CorruptFile("scales of the wrong length");
    scales = c.b.Constant("scales", DType::kFloat32, {static_cast<int64_t>(rank)}, std::move(numbers));
  }
  bool is_input = false;
  FOVEA_RETURN_IF_ERROR(ScaleSizes(c, scales, AllAxes(rank), std::vector<double>(rank, 1.0), &p, &is_input));
  return Emit(c, std::move(p), x, is_input ? scales : ir::kNoValue);
}

Status Resize(NodeContext& c) {
  if (c.opset < 11) return Upsample(c);
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  ResizeParams p;
  p.sizes = c.b.dims(x);
  const size_t rank = p.sizes.size();
  FOVEA_RETURN_IF_ERROR(ReadMode(c, &p));
  FOVEA_RETURN_IF_ERROR(ReadCoordinates(c, &p));
  std::vector<int64_t> axes = AllAxes(rank);
  if (!c.Ints("axes").empty()) {
    axes.clear();
    for (const int64_t axis : c.Ints("axes")) {
      FOVEA_ASSIGN_OR_RETURN(const int64_t normal, NormalAxis(axis, static_cast<int>(rank)));
      axes.push_back(normal);
    }
  }
  std::vector<double> stretch(rank, 1.0);
  if (p.coordinates == ResizeCoordinates::kTfCropAndResize) {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<float> roi, c.FloatsAt(1));
    if (roi.size() != 2 * axes.size()) return CorruptFile("roi of the wrong length");
    p.roi.assign(2 * rank, 0);
    std::fill(p.roi.begin() + static_cast<ptrdiff_t>(rank), p.roi.end(), 1.0f);
    for (size_t i = 0; i < axes.size(); ++i) {
      const size_t axis = static_cast<size_t>(axes[i]);
      p.roi[axis] = roi[i];
      p.roi[rank + axis] = roi[axes.size() + i];
      stretch[axis] = static_cast<double>(p.roi[rank + axis]) - static_cast<double>(p.roi[axis]);
    }
  }
  if (Given(c, 3)) {
    FOVEA_ASSIGN_OR_RETURN(const Dims sizes, c.SizesAt(3));
    FOVEA_RETURN_IF_ERROR(GivenSizes(c, sizes, axes, &p));
    return Emit(c, std::move(p), x, ir::kNoValue);
  }
  if (!Given(c, 2)) return CorruptFile("neither scales nor sizes");
  bool is_input = false;
  FOVEA_RETURN_IF_ERROR(ScaleSizes(c, c.In(2), axes, stretch, &p, &is_input));
  return Emit(c, std::move(p), x, is_input ? c.In(2) : ir::kNoValue);
}

constexpr OpRow kOps[] = {{"Resize", Resize}, {"Upsample", Upsample}};

}  // namespace

std::span<const OpRow> ResizeOps() { return kOps; }

}  // namespace fovea::converter
