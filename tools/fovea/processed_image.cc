#include "tools/fovea/processed_image.h"

#include <algorithm>
#include <cstring>

#include "tools/cli/apply_steps.h"
#include "tools/cli/program.h"

namespace fovea::cli {

SampleReader::SampleReader(formats::ImageReader* reader, const Layout& layout)
    : reader_(reader),
      network_3d_(layout.network_3d),
      iterate_channels_(layout.iterate_channels),
      first_channel_(layout.first_channel) {
  const formats::ImageInfo& info = reader->info();
  shape_.samples = info.t * (network_3d_ ? 1 : info.z) * (iterate_channels_ ? info.c : 1);
  shape_.channels = iterate_channels_ || layout.one_channel ? 1 : info.c;
  shape_.planes = network_3d_ ? info.z : 1;
  shape_.rows = info.y;
  shape_.cols = info.x;
}

SampleIndex SampleReader::index(int64_t sample) const {
  const formats::ImageInfo& info = reader_->info();
  const int64_t channels = iterate_channels_ ? info.c : 1, planes = network_3d_ ? 1 : info.z;
  return {sample / (channels * planes), sample / channels % planes, sample % channels};
}

Status SampleReader::Read(const SampleRegion& region, float* dst) {
  const SampleIndex index = this->index(region.sample);
  formats::Region part;
  part.t = index.t;
  part.z = network_3d_ ? region.plane : index.z;
  part.y = region.y;
  part.x = region.x;
  part.height = region.rows;
  part.width = region.cols;
  for (int64_t c = 0; c < region.channels; ++c) {
    part.c = iterate_channels_ ? index.c : first_channel_ + region.channel + c;
    FOVEA_RETURN_IF_ERROR(formats::ReadAsFloat(*reader_, part, dst + c * region.rows * region.cols, 1));
  }
  return OkStatus();
}

Result<std::unique_ptr<ProcessedImage>> ProcessedImage::Make(formats::ImageReader* reader, const Model& model,
                                                             const RunOptions& options) {
  auto image = std::make_unique<ProcessedImage>();
  const formats::ImageInfo& info = reader->info();
  StepOptions step_options;
  step_options.compatibility = options.processing.compatibility;
  step_options.cancelled = Interrupted;
  step_options.reference = [&model, made = image.get()](const std::string& name, SampleShape* shape) -> SampleSource* {
    if (name != model.inputs()[static_cast<size_t>(made->layout_.input)].name) return nullptr;
    *shape = made->original_->shape();
    return made->original_.get();
  };
  // What the steps make of an image decides how it meets the network, and that decides what a sample is: first with
  // all channels at once.
  Layout whole;
  FOVEA_ASSIGN_OR_RETURN(whole.network_3d, TakesVolumes(model));
  whole.first_channel = std::max<int64_t>(0, options.channel);
  whole.one_channel = options.channel >= 0;
  FOVEA_RETURN_IF_ERROR(CheckChannel(info, options.channel));
  image->original_ = std::make_unique<SampleReader>(reader, whole);
  const SampleShape all = image->original_->shape();
  const bool only_pixels = options.processing.pre.empty();
  if (!only_pixels) {
    auto chain = StepChain::Create(options.processing.pre, all, step_options);
    // Lists of one number a channel are wrong for one channel at a time, and the other way round; the second try below
    // has the last word.
    if (chain.ok()) image->chain_ = *std::move(chain);
    if (!chain.ok() && all.channels == 1) return chain.status();
  } else {
    FOVEA_ASSIGN_OR_RETURN(image->chain_, StepChain::Create({}, all, step_options));
  }
  image->info_ = InfoAfterSteps(info, all, image->chain_);
  FOVEA_ASSIGN_OR_RETURN(image->layout_,
                         MatchAxes(model, image->info_, options.channel, options.border.border != Border::kExact));
  const bool changes_channels = !image->chain_.empty() && image->chain_.shape().channels != all.channels;
  if (image->layout_.iterate_channels && changes_channels) {
    return InvalidArgument("the steps leave " + std::to_string(image->chain_.shape().channels) +
                           " channels, but the network takes one");
  }
  if (image->layout_.iterate_channels) image->original_ = std::make_unique<SampleReader>(reader, image->layout_);
  step_options.dataset = &options.processing.dataset;
  FOVEA_ASSIGN_OR_RETURN(image->chain_,
                         StepChain::Create(options.processing.pre, image->original_->shape(), step_options));
  image->chain_.Connect(image->original_.get());
  image->current_.reader = image->original_.get();
  return image;
}

namespace {

// One entry for each of `channels` when all entries are alike, otherwise none.
template <class T>
void SameForAll(int64_t channels, std::vector<T>* entries) {
  if (entries->empty()) return;
  const T first = entries->front();
  const auto is_first = [&first](const T& entry) { return std::memcmp(&entry, &first, sizeof(T)) == 0; };
  const bool alike = std::all_of(entries->begin(), entries->end(), is_first);
  entries->assign(alike ? static_cast<size_t>(std::max<int64_t>(1, channels)) : 0, first);
}

}  // namespace

Status ProcessedImage::Current::Read(const SampleRegion& region, float* dst) {
  SampleRegion selected = region;
  selected.sample = sample;
  return reader->Read(selected, dst);
}

bool MovesPixels(const StepChain& chain) {
  const std::array<AxisMap, 3> axes = chain.axes();
  for (int a = 0; a < 3; ++a) {
    const AxisMap& axis = axes[static_cast<size_t>(a)];
    if (axis.source != a || axis.scale != 1 || axis.offset != 0) return true;
  }
  return false;
}

SampleShape ShapeOfOutput(const Layout& layout, const OutputLayout& out) {
  return {1, out.channels, layout.network_3d ? out.axes[0].size : 1, out.axes[1].size, out.axes[2].size};
}

Result<StepChain> ProcessedImage::OutputChain(const Model& model, const RunOptions& options, const OutputLayout& out) {
  StepOptions step_options;
  step_options.compatibility = options.processing.compatibility;
  step_options.cancelled = Interrupted;
  const std::string input = model.inputs()[static_cast<size_t>(layout_.input)].name;
  step_options.reference = [this, input](const std::string& name, SampleShape* shape) -> SampleSource* {
    if (name != input) return nullptr;
    *shape = original_->shape();
    shape->samples = 1;
    return &current_;
  };
  return StepChain::Create(StepsOfTensor(options.processing.post, model.outputs()[static_cast<size_t>(out.port)].name),
                           ShapeOfOutput(layout_, out), step_options);
}

formats::ImageInfo InfoAfterSteps(const formats::ImageInfo& info, const SampleShape& before, const StepChain& chain) {
  const SampleShape& after = chain.shape();
  formats::ImageInfo result = info;
  if (chain.empty()) return result;
  result.y = after.rows;
  result.x = after.cols;
  if (before.planes == info.z) result.z = after.planes;
  if (after.channels != before.channels) {
    result.c = info.c / before.channels * after.channels;
    result.channel_names.clear();
    SameForAll(result.c, &result.luts);
    SameForAll(result.c, &result.display_ranges);
    result.axes = std::string(result.t > 1 ? "T" : "") + (result.z > 1 ? "Z" : "") + (result.c > 1 ? "C" : "") + "YX";
  }
  if (result.plane_count() != info.plane_count()) result.slice_labels.clear();
  const double sizes[3] = {info.pixel_size.z, info.pixel_size.y, info.pixel_size.x};
  const double origins[3] = {info.pixel_size.origin_z_px, info.pixel_size.origin_y_px, info.pixel_size.origin_x_px};
  double* const new_sizes[3] = {&result.pixel_size.z, &result.pixel_size.y, &result.pixel_size.x};
  double* const new_origins[3] = {&result.pixel_size.origin_z_px, &result.pixel_size.origin_y_px,
                                  &result.pixel_size.origin_x_px};
  const std::array<AxisMap, 3> axes = chain.axes();
  for (size_t a = before.planes == info.z ? 0 : 1; a < 3; ++a) {
    const auto source = static_cast<size_t>(axes[a].source);
    *new_sizes[a] = sizes[source] * axes[a].scale;
    *new_origins[a] = (origins[source] - axes[a].offset) / axes[a].scale;
  }
  return result;
}

}  // namespace fovea::cli
