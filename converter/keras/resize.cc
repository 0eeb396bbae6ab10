// Layers that change the size of the image without weights: up-sampling, padding, cropping.
#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using kernels::ResizeRounding;

// Keras before 2.3, TensorFlow before 1.14 and TF.js sample at out / scale; others at pixel centres. 2.2.4-tf was both
// TensorFlow 1.13 and 2.0. What Keras trained stays Keras' when it is converted for TF.js.
bool SamplesAtCorners(const Writer& writer) {
  if (writer.is_tfjs) return true;
  if (writer.major < 2) return true;
  if (writer.major > 2) return false;
  return writer.is_tf_keras ? writer.minor < 2 : writer.minor < 3;
}

Status ReadInterpolation(LayerContext& c, const std::string& name, ResizeParams* p) {
  if (name == "nearest") {
    p->mode = ResizeMode::kNearest;
    p->coordinates = ResizeCoordinates::kAsymmetric;
    p->rounding = ResizeRounding::kFloor;
    return OkStatus();
  }
  if (name != "bilinear") return Unsupported("interpolation " + name + "; nearest and bilinear are supported");
  p->mode = ResizeMode::kLinear;
  p->coordinates = ResizeCoordinates::kHalfPixel;
  if (SamplesAtCorners(c.writer)) {
    p->coordinates = ResizeCoordinates::kAsymmetric;
    c.Warn("bilinear up-sampling as " + (c.writer.is_tfjs ? "TF.js" : "Keras " + c.writer.keras_version) +
           " computed it: positions from the corner of the image, not from pixel centres");
  }
  return OkStatus();
}

Result<ValueId> UpSampling(LayerContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    const size_t n = static_cast<size_t>(SpatialAxes(c.class_name()));
    ResizeParams p;
    FOVEA_RETURN_IF_ERROR(ReadInterpolation(c, c.String("interpolation", "nearest"), &p));
    p.sizes = c.b.dims(x);
    p.scales.assign(n + 2, 1.0);
    const std::vector<int64_t> factors = c.Ints("size", n, 2);
    for (size_t i = 0; i < n; ++i) {
      if (factors[i] < 1 || factors[i] > 4096) return CorruptFile("size " + std::to_string(factors[i]));
      p.sizes[i + 1] = p.sizes[i + 1] * factors[i];
      p.scales[i + 1] = static_cast<double>(factors[i]);
    }
    return c.b.Add(std::move(p), {x});
  });
}

Result<ValueId> Resizing(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId input, c.Input());
  if (c.b.rank(input) != 4) return Unsupported("an input with " + std::to_string(c.b.rank(input)) + " axes");
  if (c.Bool("crop_to_aspect_ratio", false) || c.Bool("pad_to_aspect_ratio", false) || c.Bool("antialias", false)) {
    return Unsupported("crop_to_aspect_ratio, pad_to_aspect_ratio and antialias; only plain resizing is supported");
  }
  const auto resize = [&](ValueId x) -> Result<ValueId> {
    ResizeParams p;
    FOVEA_RETURN_IF_ERROR(ReadInterpolation(c, c.String("interpolation", "bilinear"), &p));
    // To any size, TensorFlow's nearest is floor((x + 0.5) / scale).
    if (p.mode == ResizeMode::kNearest) p.coordinates = ResizeCoordinates::kTfHalfPixelForNearest;
    p.sizes = c.b.dims(x);
    const int64_t height = c.Int("height", 0), width = c.Int("width", 0);
    if (height < 1 || width < 1) return CorruptFile("a height or width below 1");
    p.sizes[1] = height;
    p.sizes[2] = width;
    return c.b.Add(std::move(p), {x});
  };
  return c.ChannelsFirst() ? WithAxisLast(c.b, input, 1, resize) : resize(input);
}

// begin and end of every spatial axis: 1, [1, 1], [[1, 2], [3, 4]].
Result<std::vector<std::pair<int64_t, int64_t>>> Amounts(LayerContext& c, const char* key, size_t n) {
  constexpr int64_t kMax = int64_t{1} << 30;
  const Json* value = Find(c.config(), key);
  std::vector<std::pair<int64_t, int64_t>> amounts(n, {1, 1});
  const auto wrong = [&] { return CorruptFile(std::string(key) + " is not an amount for each side"); };
  if (value == nullptr) return amounts;
  if (const auto number = AsInteger(*value)) {
    for (auto& amount : amounts) amount = {*number, *number};
  } else if (!value->is_array()) {
    return wrong();
  } else if (n == 1 && value->size() == 2) {
    const auto begin = AsInteger((*value)[0]), end = AsInteger((*value)[1]);
    if (!begin || !end) return wrong();
    amounts[0] = {*begin, *end};
  } else if (value->size() != n) {
    return wrong();
  } else {
    for (size_t i = 0; i < n; ++i) {
      const Json& entry = (*value)[i];
      const bool pair = entry.is_array() && entry.size() == 2;
      const auto begin = AsInteger(pair ? entry[0] : entry), end = AsInteger(pair ? entry[1] : entry);
      if (!begin || !end) return wrong();
      amounts[i] = {*begin, *end};
    }
  }
  for (const auto& [begin, end] : amounts) {
    if (begin < 0 || end < 0 || begin > kMax || end > kMax) return wrong();
  }
  return amounts;
}

Result<ValueId> ZeroPadding(LayerContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    const size_t n = static_cast<size_t>(SpatialAxes(c.class_name()));
    FOVEA_ASSIGN_OR_RETURN(const auto amounts, Amounts(c, "padding", n));
    PadParams p;
    p.begin.assign(n + 2, 0);
    p.end.assign(n + 2, 0);
    for (size_t i = 0; i < n; ++i) p.begin[i + 1] = amounts[i].first, p.end[i + 1] = amounts[i].second;
    return c.b.Add(std::move(p), {x});
  });
}

Result<ValueId> Cropping(LayerContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    const size_t n = static_cast<size_t>(SpatialAxes(c.class_name()));
    FOVEA_ASSIGN_OR_RETURN(const auto amounts, Amounts(c, "cropping", n));
    SliceParams p;
    p.size = c.b.dims(x);
    p.start.assign(n + 2, 0);
    p.step.assign(n + 2, 1);
    for (size_t i = 0; i < n; ++i) {
      p.start[i + 1] = amounts[i].first;
      p.size[i + 1] = p.size[i + 1] - amounts[i].first - amounts[i].second;
    }
    return c.b.Add(std::move(p), {x});
  });
}

constexpr LayerRow kLayers[] = {{"UpSampling1D", UpSampling},   {"UpSampling2D", UpSampling},
                                {"UpSampling3D", UpSampling},   {"Resizing", Resizing},
                                {"ZeroPadding1D", ZeroPadding}, {"ZeroPadding2D", ZeroPadding},
                                {"ZeroPadding3D", ZeroPadding}, {"Cropping1D", Cropping},
                                {"Cropping2D", Cropping},       {"Cropping3D", Cropping}};

}  // namespace

std::span<const LayerRow> ResizeLayers() { return kLayers; }

}  // namespace fovea::converter::keras
