#include "tools/fovea/layout.h"

#include <algorithm>
#include <cctype>

#include "formats/image/lut.h"
#include "tools/fovea/common.h"

namespace fovea::cli {
namespace {

constexpr char kSpatial[] = {'z', 'y', 'x'};

int AxisOf(const std::string& axes, char letter) {
  const size_t at = axes.find(letter);
  return at == std::string::npos ? -1 : static_cast<int>(at);
}

bool IsImage(const TensorSpec& spec) {
  return AxisOf(spec.axes, 'y') >= 0 && AxisOf(spec.axes, 'x') >= 0 &&
         spec.axes.find_first_not_of("bzyxc") == std::string::npos;
}

// Sets the spatial sizes of the image's tensor in layout->input_dims from layout->padded.
void SetSpatial(const TensorSpec& spec, Layout* layout) {
  auto& dims = layout->input_dims[static_cast<size_t>(layout->input)];
  for (int a = 0; a < 3; ++a) {
    const int axis = AxisOf(spec.axes, kSpatial[a]);
    if (axis >= 0) dims[static_cast<size_t>(axis)] = layout->padded[a];
  }
}

// Pads the spatial axes to legal sizes of at least image + margin.
Status PadToLegal(const Model& model, const int64_t margin[3], Layout* layout) {
  const TensorSpec& spec = model.inputs()[static_cast<size_t>(layout->input)];
  std::vector<int64_t> wanted = layout->input_dims[static_cast<size_t>(layout->input)];
  for (int a = 0; a < 3; ++a) {
    const int axis = AxisOf(spec.axes, kSpatial[a]);
    if (axis >= 0) wanted[static_cast<size_t>(axis)] = layout->image[a] + margin[a];
  }
  const std::vector<int64_t> legal = model.LegalSize(layout->input, wanted);
  for (int a = 0; a < 3; ++a) {
    const int axis = AxisOf(spec.axes, kSpatial[a]);
    if (axis < 0) continue;
    const SizeRule& rule = spec.rules[static_cast<size_t>(axis)];
    layout->padded[a] = rule.step == 0 ? rule.min : legal[static_cast<size_t>(axis)];
    if (layout->image[a] > layout->padded[a] && !layout->in_patches) {
      return InvalidArgument("the image has " + std::to_string(layout->image[a]) + " pixels along " +
                             std::string(1, kSpatial[a]) + ", but the network takes " + DescribeRule(rule) +
                             "; run it in patches of that size (--border jdll --overlap 32), crop the image, or "
                             "convert a network that was exported with open sizes");
    }
    layout->pad_before[a] = std::clamp<int64_t>(layout->padded[a] - layout->image[a], 0, margin[a] / 2);
  }
  SetSpatial(spec, layout);
  return OkStatus();
}

}  // namespace

int64_t Layout::samples(const formats::ImageInfo& info) const {
  return info.t * (network_3d ? 1 : info.z) * (iterate_channels ? info.c : 1);
}

int64_t Mirror(int64_t i, int64_t n, MirrorKind kind) {
  if (n == 1) return 0;
  const int64_t repeated = kind == MirrorKind::kSymmetric ? 1 : 0;
  const int64_t period = 2 * n - 2 + 2 * repeated;
  int64_t m = i % period;
  if (m < 0) m += period;
  return m < n ? m : period - m - repeated;
}

namespace {

// The input that takes the image.
Result<int> FindImageInput(const Model& model) {
  int images = 0, input = 0;
  for (size_t i = 0; i < model.inputs().size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    if (!IsImage(spec)) {
      return Unsupported(
          "input '" + spec.name + "' (axes " + spec.axes +
          ") is not an image; run this network with fovea tensor, or name its axes with fovea-convert --axes '" +
          spec.name + "=bcyx'");
    }
    input = static_cast<int>(i);
    ++images;
  }
  if (images != 1) {
    return Unsupported("the network takes " + std::to_string(images) + " images at once; run it with fovea tensor");
  }
  return input;
}

}  // namespace

std::vector<int> ImageOutputs(const Model& model) {
  std::vector<int> ports;
  for (size_t i = 0; i < model.outputs().size(); ++i) {
    if (IsImage(model.outputs()[i])) ports.push_back(static_cast<int>(i));
  }
  return ports;
}

Result<bool> TakesVolumes(const Model& model) {
  FOVEA_ASSIGN_OR_RETURN(const int input, FindImageInput(model));
  return AxisOf(model.inputs()[static_cast<size_t>(input)].axes, 'z') >= 0;
}

Status CheckChannel(const formats::ImageInfo& info, int64_t channel) {
  if (channel < info.c) return OkStatus();
  return InvalidArgument("--channel " + std::to_string(channel + 1) + ": the image has " + std::to_string(info.c) +
                         " channel" + (info.c == 1 ? "" : "s"));
}

Result<Layout> MatchAxes(const Model& model, const formats::ImageInfo& info, int64_t channel, bool in_patches) {
  Layout layout;
  layout.in_patches = in_patches;
  FOVEA_ASSIGN_OR_RETURN(layout.input, FindImageInput(model));
  const TensorSpec& spec = model.inputs()[static_cast<size_t>(layout.input)];
  const int z = AxisOf(spec.axes, 'z'), c = AxisOf(spec.axes, 'c'), b = AxisOf(spec.axes, 'b');
  layout.network_3d = z >= 0;
  layout.input_dims = model.DefaultSizes();
  auto& dims = layout.input_dims[static_cast<size_t>(layout.input)];
  if (b >= 0) {
    if (model.LegalSize(layout.input, dims)[static_cast<size_t>(b)] < 1) return Internal("no legal batch size");
    const SizeRule& rule = spec.rules[static_cast<size_t>(b)];
    if (rule.min != 1)
      return Unsupported("the network takes batches of " + std::to_string(rule.min) +
                         " images; run it with fovea tensor");
    dims[static_cast<size_t>(b)] = 1;
  }
  layout.channels = c >= 0 ? dims[static_cast<size_t>(c)] : 1;
  if (c >= 0 && spec.rules[static_cast<size_t>(c)].step != 0) {
    layout.channels = channel >= 0 ? 1 : info.c;
    dims[static_cast<size_t>(c)] = layout.channels;
  }
  if (channel >= 0) {
    if (layout.channels != 1) {
      return InvalidArgument("--channel picks one channel, but the network takes " + std::to_string(layout.channels));
    }
    layout.first_channel = channel;
    layout.one_channel = true;
  } else if (layout.channels == 1) {
    layout.iterate_channels = info.c > 1;
  } else if (layout.channels != info.c) {
    return InvalidArgument("the image has " + std::to_string(info.c) + " channel" + (info.c == 1 ? "" : "s") +
                           ", but the network takes " + std::to_string(layout.channels) + "; give it an image of " +
                           std::to_string(layout.channels) + " channels");
  }
  layout.image[0] = layout.network_3d ? info.z : 1;
  layout.image[1] = info.y;
  layout.image[2] = info.x;
  const int64_t no_margin[3] = {0, 0, 0};
  FOVEA_RETURN_IF_ERROR(PadToLegal(model, no_margin, &layout));
  return layout;
}

namespace {

// `changed`: the padding was enlarged, and with it the outputs.
Status MatchOutputsOnce(const Model& model, Layout* layout, bool* changed) {
  *changed = false;
  FOVEA_ASSIGN_OR_RETURN(const auto output_dims, model.OutputSizes(layout->input_dims));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<ReceptiveField> fields, model.ReceptiveFields());
  layout->outputs.clear();
  layout->notes.clear();
  int64_t margin_in[3] = {0, 0, 0};
  for (size_t i = 0; i < model.outputs().size(); ++i) {
    const TensorSpec& spec = model.outputs()[i];
    if (!IsImage(spec)) {
      layout->notes.push_back("output '" + spec.name + "' (axes " + spec.axes +
                              ") is not an image and is left out; fovea tensor writes it");
      continue;
    }
    OutputLayout out;
    out.port = static_cast<int>(i);
    const std::vector<int64_t>& dims = output_dims[i];
    if (const int c = AxisOf(spec.axes, 'c'); c >= 0) out.channels = dims[static_cast<size_t>(c)];
    for (int a = 0; a < 3; ++a) {
      const int axis = AxisOf(spec.axes, kSpatial[a]);
      OutputAxis& o = out.axes[a];
      if (axis < 0) continue;  // 2-D, or an axis that the network projects away: one plane
      for (const ReceptiveField& field : fields) {
        const size_t side = field.axes.find(kSpatial[a]);
        if (field.output != out.port || field.input != layout->input || side == std::string::npos) continue;
        o.scale_num = field.sides[side].scale_numerator;
        o.scale_den = field.sides[side].scale_denominator;
      }
      const int64_t size = dims[static_cast<size_t>(axis)];
      const int64_t lost = std::max<int64_t>(0, layout->padded[a] * o.scale_num / o.scale_den - size);
      margin_in[a] = std::max(margin_in[a], (lost * o.scale_den + o.scale_num - 1) / o.scale_num);
      const int64_t before = layout->pad_before[a] * o.scale_num / o.scale_den - lost / 2;
      o.crop = std::max<int64_t>(0, before);
      o.shift = std::max<int64_t>(0, -before);
      const int64_t covered = std::max<int64_t>(1, layout->image[a] * o.scale_num / o.scale_den);
      o.size = std::min(size - o.crop, covered - o.shift);
      if (o.size < 1) return InvalidArgument("the image is too small: the network returns nothing of it");
    }
    layout->outputs.push_back(out);
  }
  if (layout->outputs.empty()) return Unsupported("no output of the network is an image; run it with fovea tensor");
  const TensorSpec& spec = model.inputs()[static_cast<size_t>(layout->input)];
  bool enlarge = false;
  for (int a = 0; a < 3; ++a) {
    const int axis = AxisOf(spec.axes, kSpatial[a]);
    if (axis < 0 || spec.rules[static_cast<size_t>(axis)].step == 0) margin_in[a] = 0;  // a fixed size can't grow
    enlarge = enlarge || layout->pad_before[a] < margin_in[a] / 2;
  }
  if (!enlarge) return OkStatus();
  *changed = true;
  return PadToLegal(model, margin_in, layout);
}

}  // namespace

Status MatchOutputs(const Model& model, Layout* layout) {
  bool changed = false;
  FOVEA_RETURN_IF_ERROR(MatchOutputsOnce(model, layout, &changed));
  return changed ? MatchOutputsOnce(model, layout, &changed) : OkStatus();
}

namespace {

// Whether pixel i of the result lies on pixel i of the image, so that what is drawn on one fits the other.
bool SameGrid(const formats::ImageInfo& in, const formats::ImageInfo& info, const OutputLayout& out) {
  bool same = info.y == in.y && info.x == in.x && info.z == in.z && info.t == in.t && info.c == in.c;
  for (const OutputAxis& axis : out.axes) same = same && axis.shift == 0 && axis.scale_num == axis.scale_den;
  return same;
}

void SetDisplay(ResultKind kind, formats::ImageInfo* info) {
  info->display_ranges.clear();  // those of the input's values say nothing about the output's
  std::erase_if(info->properties, [](const auto& property) {
    // ImageJ: functions from stored to calibrated values, and how the input was shown.
    return property.first == "cf" ||
           (property.first.size() == 2 && property.first[0] == 'c' &&
            std::isdigit(static_cast<unsigned char>(property.first[1]))) ||
           property.first == "vunit" || property.first == "inverting_lut";
  });
  if (kind == ResultKind::kValues) return;
  info->luts.clear();
  if (kind == ResultKind::kLabels) {
    info->luts = {formats::LabelLut()};
    if (info->c > 1) info->luts.resize(static_cast<size_t>(info->c), formats::LabelLut());
  } else {
    const formats::DisplayRange range{0, kind == ResultKind::kMask ? 255.0 : 1.0};
    info->display_ranges.assign(info->c > 1 ? static_cast<size_t>(info->c) : 1, range);
  }
}

}  // namespace

formats::ImageInfo OutputInfo(const formats::ImageInfo& in, const Layout& layout, const OutputLayout& out,
                              ResultKind kind) {
  formats::ImageInfo info = in;
  info.dtype = DType::kFloat32;
  info.z = layout.network_3d ? out.axes[0].size : in.z;
  info.y = out.axes[1].size;
  info.x = out.axes[2].size;
  info.c = out.channels * (layout.iterate_channels ? in.c : 1);
  const bool same_channels = info.c == in.c && (layout.iterate_channels || out.channels == in.c);
  if (!same_channels) {
    if (!in.channel_names.empty() && info.c == 1 && layout.channels == 1) {
      info.channel_names = {in.channel_names[static_cast<size_t>(layout.first_channel)]};
    } else {
      info.channel_names.clear();
    }
    info.luts.clear();
  }
  if (info.plane_count() != in.plane_count() || info.c != in.c) info.slice_labels.clear();
  SetDisplay(kind, &info);
  info.axes.clear();
  if (info.t > 1) info.axes += 'T';
  if (info.z > 1) info.axes += 'Z';
  const bool interleaved = !in.axes.empty() && in.axes.back() == 'S' && info.c == in.c;
  if (info.c > 1 && !interleaved) info.axes += 'C';
  info.axes += interleaved ? "YXS" : "YX";
  formats::PixelSize& size = info.pixel_size;
  auto rescale = [](const OutputAxis& axis, double* extent, double* origin) {
    const double scale = static_cast<double>(axis.scale_num) / static_cast<double>(axis.scale_den);
    *extent /= scale;
    *origin = *origin * scale - static_cast<double>(axis.shift);
  };
  rescale(out.axes[1], &size.y, &size.origin_y_px);
  rescale(out.axes[2], &size.x, &size.origin_x_px);
  if (layout.network_3d) rescale(out.axes[0], &size.z, &size.origin_z_px);
  if (!SameGrid(in, info, out)) {
    std::erase_if(info.imagej_blocks, [](const formats::ImageJBlock& block) {
      return block.type == formats::kImageJRoi || block.type == formats::kImageJOverlay;
    });
  }
  return info;
}

}  // namespace fovea::cli
