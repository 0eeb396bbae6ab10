// Steps that scale pixels by statistics of the sample, of the data set, or of another tensor.
#include <cmath>
#include <cstdio>

#include "runtime/process/macro_number.h"
#include "runtime/process/statistics.h"

namespace fovea::process {
namespace {

// Over what a statistic is taken, and of what.
struct Scope {
  bool dataset = false, per_channel = false, per_plane = false;
  bool images = true;      // the data set may be several images
  bool of_origin = false;  // of the values before the chain's first step
  std::string reference;   // name of another tensor, or empty
};

constexpr size_t kValues = 4;
struct Constants {
  double values[kValues] = {0, 0, 0, 0};
};

// Measures constants for each group of channels and planes, then maps pixels with them.
class StatisticStage : public Stage {
 public:
  StatisticStage(const SampleShape& in, std::string name, Scope scope, const StepOptions& options)
      : Stage(in), name_(std::move(name)), scope_(std::move(scope)), options_(options) {}

  int64_t ScratchBytes() const override { return StatisticsBytes(); }
  bool passes_buffer() const override { return true; }
  bool TakeBuffer(int64_t sample, std::vector<float>* buffer) override {
    if (before_ == nullptr || !before_->TakeBuffer(sample, buffer)) return false;
    const int64_t pixels = in_.rows * in_.cols;
    for (int64_t c = 0; c < in_.channels; ++c) {
      for (int64_t z = 0; z < in_.planes; ++z)
        Map(GroupOf(c, z), buffer->data() + (c * in_.planes + z) * pixels, pixels);
    }
    return true;
  }

  Status Prepare(int64_t sample, const Select& select) override {
    if (scope_.dataset && !groups_.empty()) return OkStatus();
    FOVEA_RETURN_IF_ERROR(MeasureGroups([&](int64_t c, int64_t z, PixelSet* own, PixelSet* reference) -> Status {
      *own = PixelsOf(upstream_, in_, sample, c, z, select);
      if (scope_.of_origin) *own = PixelsOf(origin_, in_, sample, c, z, nullptr);
      *reference = *own;
      return scope_.reference.empty() ? OkStatus() : FindReference(sample, c, z, reference);
    }));
    return scope_.dataset && in_.samples > 1 ? select(sample) : OkStatus();
  }

  bool takes_dataset_statistics() const override { return scope_.dataset && scope_.images; }
  Result<std::vector<double>> MeasureDataset(const ImageSeries& images) override {
    FOVEA_RETURN_IF_ERROR(MeasureGroups([&](int64_t c, int64_t z, PixelSet* own, PixelSet* reference) -> Status {
      *own = PixelsOf(nullptr, in_, 0, c, z, nullptr);
      own->series = &images;
      own->series_pixels = scope_.of_origin ? ImageSeries::Pixels::kOrigin : ImageSeries::Pixels::kUpstream;
      own->all_channels = !scope_.per_channel;
      own->all_planes = !scope_.per_plane;
      *reference = *own;
      if (scope_.reference.empty()) return OkStatus();
      reference->series_pixels = ImageSeries::Pixels::kReference;
      reference->series_reference = scope_.reference;
      return OkStatus();
    }));
    std::vector<double> constants;
    for (const Constants& group : groups_) constants.insert(constants.end(), group.values, group.values + kValues);
    return constants;
  }
  bool UseDataset(const std::vector<double>& constants) override {
    const auto groups = static_cast<size_t>(channel_groups() * plane_groups());
    if (constants.size() != groups * kValues) return false;
    groups_.assign(groups, {});
    for (size_t i = 0; i < constants.size(); ++i) groups_[i / kValues].values[i % kValues] = constants[i];
    return true;
  }

  Status Read(const SampleRegion& region, float* dst) override {
    FOVEA_RETURN_IF_ERROR(upstream_->Read(region, dst));
    const int64_t pixels = region.rows * region.cols;
    for (int64_t c = 0; c < region.channels; ++c) {
      Map(GroupOf(region.channel + c, region.plane), dst + c * pixels, pixels);
    }
    return OkStatus();
  }

  std::string Decision() const override {
    std::string text;
    for (size_t i = 0; i < groups_.size() && i < 4; ++i) text += (i == 0 ? "" : "; ") + Describe(groups_[i]);
    if (groups_.size() > 4) text += "; ...";
    return name_ + ": " + text;
  }

 protected:
  virtual Status Measure(const PixelSet& own, const PixelSet& reference, Constants* constants) const = 0;
  virtual void Map(const Constants& constants, float* pixels, int64_t count) const = 0;
  virtual std::string Describe(const Constants& constants) const = 0;

  static std::string Text(const char* format, double a, double b) {
    char buffer[96];
    std::snprintf(buffer, sizeof(buffer), format, a, b);
    return buffer;
  }

 private:
  int64_t channel_groups() const { return scope_.per_channel ? in_.channels : 1; }
  int64_t plane_groups() const { return scope_.per_plane ? in_.planes : 1; }

  // find: the pixels of a group, and those of what they are compared with.
  Status MeasureGroups(const std::function<Status(int64_t c, int64_t z, PixelSet* own, PixelSet* reference)>& find) {
    std::vector<Constants> groups;
    for (int64_t c = 0; c < channel_groups(); ++c) {
      for (int64_t z = 0; z < plane_groups(); ++z) {
        PixelSet own, reference;
        FOVEA_RETURN_IF_ERROR(find(c, z, &own, &reference));
        FOVEA_RETURN_IF_ERROR(Measure(own, reference, &groups.emplace_back()));
      }
    }
    groups_ = std::move(groups);
    return OkStatus();
  }

  // Virtual for ranges that are given.
  virtual const Constants& GroupOf(int64_t channel, int64_t plane) const {
    return groups_[static_cast<size_t>((scope_.per_channel ? channel : 0) * plane_groups() +
                                       (scope_.per_plane ? plane : 0))];
  }

  PixelSet PixelsOf(SampleSource* source, const SampleShape& shape, int64_t sample, int64_t channel, int64_t plane,
                    const Select& select) const {
    PixelSet set;
    set.source = source;
    set.shape = shape;
    set.first_sample = scope_.dataset ? 0 : sample;
    set.samples = scope_.dataset ? shape.samples : 1;
    set.channel = scope_.per_channel ? channel : 0;
    set.channels = scope_.per_channel ? 1 : shape.channels;
    set.plane = scope_.per_plane ? plane : 0;
    set.planes = scope_.per_plane ? 1 : shape.planes;
    set.select = select;
    set.cancelled = options_.cancelled;
    return set;
  }

  Status FindReference(int64_t sample, int64_t channel, int64_t plane, PixelSet* set) const {
    SampleShape shape;
    SampleSource* const source = options_.reference ? options_.reference(scope_.reference, &shape) : nullptr;
    if (source == nullptr) {
      return Unsupported("step " + name_ + ": the reference tensor '" + scope_.reference +
                         "' is not the network's image");
    }
    if ((scope_.per_channel && channel >= shape.channels) || (scope_.per_plane && plane >= shape.planes) ||
        sample >= shape.samples) {
      return Unsupported("step " + name_ + ": the reference tensor '" + scope_.reference +
                         "' has fewer channels or planes than the result; use axes with channel and z");
    }
    *set = PixelsOf(source, shape, sample, channel, plane, nullptr);
    return OkStatus();
  }

  std::string name_;
  Scope scope_;
  StepOptions options_;
  std::vector<Constants> groups_;  // [channel group][plane group]
};

// (x - a) / b; the form of most of them.
class StandardizeStage : public StatisticStage {
 public:
  StandardizeStage(const SampleShape& in, const std::string& name, Scope scope, const StepOptions& options, double eps)
      : StatisticStage(in, name, std::move(scope), options),
        eps_(eps),
        dij1_(options.compatibility == Compatibility::kDij1) {}

 protected:
  Status Measure(const PixelSet& own, const PixelSet&, Constants* constants) const override {
    FOVEA_ASSIGN_OR_RETURN(const Moments moments, MeasureMoments(own, dij1_ ? 1 : 0));
    constants->values[0] = dij1_ ? MacroNumber(moments.mean) : moments.mean;
    constants->values[1] = dij1_ ? MacroNumber(moments.std) : moments.std + eps_;
    return OkStatus();
  }
  void Map(const Constants& constants, float* pixels, int64_t count) const override {
    const double mean = constants.values[0], std = constants.values[1];
    if (dij1_) return MacroScale(mean, std, pixels, count);
    for (int64_t i = 0; i < count; ++i) pixels[i] = static_cast<float>((static_cast<double>(pixels[i]) - mean) / std);
  }
  std::string Describe(const Constants& constants) const override {
    return Text("mean %.6g, std %.6g", constants.values[0], constants.values[1] - (dij1_ ? 0 : eps_));
  }

 private:
  double eps_;
  bool dij1_;
};

class MeanVarianceStage : public StatisticStage {
 public:
  MeanVarianceStage(const SampleShape& in, const std::string& name, Scope scope, const StepOptions& options, double eps)
      : StatisticStage(in, name, std::move(scope), options), eps_(eps) {}

 protected:
  Status Measure(const PixelSet& own, const PixelSet& reference, Constants* constants) const override {
    FOVEA_ASSIGN_OR_RETURN(const Moments mine, MeasureMoments(own, 0));
    FOVEA_ASSIGN_OR_RETURN(const Moments wanted, MeasureMoments(reference, 0));
    *constants = {{mine.mean, mine.std + eps_, wanted.mean, wanted.std + eps_}};
    return OkStatus();
  }
  void Map(const Constants& constants, float* pixels, int64_t count) const override {
    const auto& v = constants.values;
    for (int64_t i = 0; i < count; ++i) {
      pixels[i] = static_cast<float>((static_cast<double>(pixels[i]) - v[0]) / v[1] * v[3] + v[2]);
    }
  }
  std::string Describe(const Constants& constants) const override {
    return Text("mean %.6g to %.6g", constants.values[0], constants.values[2]) + ", " +
           Text("std %.6g to %.6g", constants.values[1] - eps_, constants.values[3] - eps_);
  }

 private:
  double eps_;
};

struct Percentiles {
  double low = 0, high = 100;
  PercentileMethod method = PercentileMethod::kLinear;
};

// Two percentiles decide; what is done with them: scaling, clipping, inverting, gamma.
class RangeStage : public StatisticStage {
 public:
  enum class Use { kScale, kClip, kInvert, kGamma };
  RangeStage(const SampleShape& in, const std::string& name, Scope scope, const StepOptions& options, Use use,
             const Percentiles& percentiles, double parameter)
      : StatisticStage(in, name, std::move(scope), options),
        use_(use),
        compatibility_(options.compatibility),
        percentiles_(percentiles),
        parameter_(parameter) {}

 protected:
  Status Measure(const PixelSet&, const PixelSet& reference, Constants* constants) const override {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<double> range,
                           MeasurePercentiles(reference, {percentiles_.low, percentiles_.high}, percentiles_.method));
    constants->values[0] = range[0];
    constants->values[1] = range[1];
    return OkStatus();
  }

  void Map(const Constants& constants, float* pixels, int64_t count) const override {
    const double low = constants.values[0], high = constants.values[1];
    if (use_ == Use::kScale && compatibility_ == Compatibility::kDij1) {
      return MacroScale(MacroNumber(low), MacroNumber(high - low + 1e-20), pixels, count);
    }
    if (use_ == Use::kScale && compatibility_ == Compatibility::kCsbdeepFiji) {
      // A constant image keeps its scale; negative values are cut off even where nobody asked for clipping.
      const double factor = high == low ? 1 : 1 / (high - low);
      for (int64_t i = 0; i < count; ++i) {
        const double value = (static_cast<double>(pixels[i]) - low) * factor;
        pixels[i] = value < 0 ? 0.0f : static_cast<float>(value);
      }
      return;
    }
    for (int64_t i = 0; i < count; ++i)
      pixels[i] = static_cast<float>(Value(static_cast<double>(pixels[i]), low, high));
  }

  std::string Describe(const Constants& constants) const override {
    return Text("%.6g .. %.6g", constants.values[0], constants.values[1]);
  }

 private:
  double Value(double x, double low, double high) const {
    switch (use_) {
      case Use::kScale: return (x - low) / (high - low + parameter_);
      case Use::kClip: return x < low ? low : x > high ? high : x;
      case Use::kInvert: return low + high - x;
      case Use::kGamma: break;
    }
    if (!(high > low)) return x;
    const double unit = (x - low) / (high - low);
    return low + (high - low) * std::pow(unit < 0 ? 0 : unit, parameter_);
  }

  Use use_;
  Compatibility compatibility_;
  Percentiles percentiles_;
  double parameter_;
};

// The same uses with a range that is given.
class GivenRangeStage : public RangeStage {
 public:
  GivenRangeStage(const SampleShape& in, const std::string& name, const StepOptions& options, Use use, double low,
                  double high, double parameter)
      : RangeStage(in, name, {}, options, use, {}, parameter), range_{{low, high, 0, 0}} {}
  bool is_pointwise() const override { return true; }
  int64_t ScratchBytes() const override { return 0; }
  Status Prepare(int64_t, const Select&) override { return OkStatus(); }
  std::string Decision() const override { return ""; }

 private:
  const Constants& GroupOf(int64_t, int64_t) const override { return range_; }

  Constants range_;
};

// axes: those that are taken together; mode: 0.4's word for the same. Neither: everything, the data set too.
Scope ReadScope(Arguments& arguments, const StageContext& context) {
  Scope scope;
  const bool has_mode = arguments.Has("mode");
  const int mode = arguments.Choice("mode", {"per_dataset", "per_sample", "fixed"}, 0);
  const std::optional<std::string> axes = arguments.Axes("axes");
  const auto joint = [&axes](char axis) { return !axes || axes->find(axis) != std::string::npos; };
  scope.dataset = has_mode ? mode == 0 : joint('b') || joint('t');
  scope.per_channel = !joint('c') && context.in.channels > 1;
  scope.per_plane = !joint('z') && context.in.planes > 1;
  if (!joint('y') || !joint('x')) {
    arguments.Fail("axes must have y and x: statistics of single rows or columns are not taken");
  }
  // CSBDeep's data set is the open image.
  if (context.options->compatibility == Compatibility::kCsbdeepFiji) scope = {true, false, false, false, false, ""};
  scope.of_origin = context.options->compatibility == Compatibility::kCore;
  return scope;
}

double ReadEps(Arguments& arguments, const StageContext& context) {
  const double eps = arguments.Number("eps", 1e-6, 0, 1);
  return context.options->compatibility == Compatibility::kCore ? 1e-6 : eps;
}

template <class S, class... More>
StageResult Made(const Arguments& arguments, const StageContext& context, More&&... more) {
  FOVEA_RETURN_IF_ERROR(arguments.status());
  return std::unique_ptr<Stage>(std::make_unique<S>(context.in, arguments.step().name, std::forward<More>(more)...));
}

StageResult MakeStandardize(Arguments& arguments, const StageContext& context) {
  const bool fixed = arguments.Text("mode", "") == "fixed";
  Scope scope = ReadScope(arguments, context);
  const double eps = ReadEps(arguments, context);
  if (!fixed) return Made<StandardizeStage>(arguments, context, std::move(scope), *context.options, eps);
  // 0.4's fixed mode has mean and std, one for all or one a channel: the same as scale_linear with their like.
  const std::vector<double> means = arguments.Numbers("mean"), stds = arguments.Numbers("std");
  if (means.empty() || means.size() != stds.size()) arguments.Fail("mode=fixed needs mean and std, as many of each");
  FOVEA_RETURN_IF_ERROR(arguments.status());
  Step linear{"fixed_zero_mean_unit_variance", {{"mean", means}, {"std", stds}}, ""};
  for (double& std : std::get<std::vector<double>>(linear.arguments[1].value)) std += eps;
  if (means.size() > 1) linear.arguments.push_back({"axis", std::string("channel")});
  StepOptions exact = *context.options;
  exact.compatibility = Compatibility::kExact;
  Arguments given(linear);
  for (const StepRow& row : PointwiseSteps()) {
    if (linear.name == row.name) return row.make(given, {context.in, &exact});
  }
  return Internal("fixed_zero_mean_unit_variance is no step");
}

StageResult MakeScaleMeanVariance(Arguments& arguments, const StageContext& context) {
  Scope scope = ReadScope(arguments, context);
  if (!arguments.Has("reference_tensor")) arguments.Fail("reference_tensor=NAME is missing");
  scope.reference = arguments.Text("reference_tensor", "");
  if (context.options->compatibility == Compatibility::kJdll) {
    return Unsupported("step scale_mean_variance: JDLL has none, so that there are no numbers of it to meet");
  }
  const double eps = ReadEps(arguments, context);
  return Made<MeanVarianceStage>(arguments, context, std::move(scope), *context.options, eps);
}

// low_key, high_key: percentiles. The method is the published program's where one is chosen.
Percentiles ReadPercentiles(Arguments& arguments, const StageContext& context, PercentileMethod core) {
  const bool fiji = context.options->compatibility == Compatibility::kCsbdeepFiji;
  Percentiles p;
  p.low = arguments.Number("min_percentile", fiji ? 3 : 0, 0, 100);
  p.high = arguments.Number("max_percentile", fiji ? 99.8 : 100, 0, 100);
  if (!(p.low < p.high)) arguments.Fail("min_percentile must be below max_percentile");
  p.method = static_cast<PercentileMethod>(arguments.Choice("method", PercentileMethodNames(), 0));
  switch (context.options->compatibility) {
    case Compatibility::kExact: break;
    case Compatibility::kCore: p.method = core; break;
    case Compatibility::kJdll: p.method = PercentileMethod::kJdll; break;
    case Compatibility::kCsbdeepFiji: p.method = PercentileMethod::kFiji; break;
    case Compatibility::kDij1: p.method = PercentileMethod::kHistogram; break;
  }
  return p;
}

StageResult MakeScaleRange(Arguments& arguments, const StageContext& context) {
  Scope scope = ReadScope(arguments, context);
  scope.reference = arguments.Text("reference_tensor", "");
  if (!scope.reference.empty() && context.options->compatibility == Compatibility::kJdll) {
    return Unsupported("step scale_range: JDLL takes no reference_tensor, so that there are no numbers of it to meet");
  }
  const Percentiles percentiles = ReadPercentiles(arguments, context, PercentileMethod::kLinear);
  const double eps = ReadEps(arguments, context);
  return Made<RangeStage>(arguments, context, std::move(scope), *context.options, RangeStage::Use::kScale, percentiles,
                          eps);
}

// A range by min and max when both are given, otherwise by what the pixels have.
StageResult MakeRanged(Arguments& arguments, const StageContext& context, RangeStage::Use use, double parameter) {
  if (arguments.Has("min") != arguments.Has("max")) arguments.Fail("min and max belong together");
  if (arguments.Has("min")) {
    const double low = arguments.Number("min", 0), high = arguments.Number("max", 0);
    if (!(low < high)) arguments.Fail("min must be below max");
    return Made<GivenRangeStage>(arguments, context, *context.options, use, low, high, parameter);
  }
  Scope scope = ReadScope(arguments, context);
  return Made<RangeStage>(arguments, context, std::move(scope), *context.options, use, Percentiles{}, parameter);
}

StageResult MakeClip(Arguments& arguments, const StageContext& context) {
  const double infinity = HUGE_VAL;
  if (arguments.Has("min_percentile") || arguments.Has("max_percentile")) {
    Scope scope = ReadScope(arguments, context);
    const Percentiles percentiles = ReadPercentiles(arguments, context, PercentileMethod::kInvertedCdf);
    if (arguments.Has("min") || arguments.Has("max")) arguments.Fail("give limits or percentiles, not both");
    return Made<RangeStage>(arguments, context, std::move(scope), *context.options, RangeStage::Use::kClip, percentiles,
                            0.0);
  }
  if (!arguments.Has("min") && !arguments.Has("max")) {
    arguments.Fail("min, max, min_percentile or max_percentile is missing");
  }
  const double low = arguments.Number("min", -infinity), high = arguments.Number("max", infinity);
  if (!(low <= high)) arguments.Fail("min must not be above max");
  return Made<GivenRangeStage>(arguments, context, *context.options, RangeStage::Use::kClip, low, high, 0.0);
}

StageResult MakeInvert(Arguments& arguments, const StageContext& context) {
  return MakeRanged(arguments, context, RangeStage::Use::kInvert, 0);
}

StageResult MakeGamma(Arguments& arguments, const StageContext& context) {
  if (!arguments.Has("gamma")) arguments.Fail("gamma=NUMBER is missing");
  const double gamma = arguments.Number("gamma", 1, 0, HUGE_VAL);
  return MakeRanged(arguments, context, RangeStage::Use::kGamma, gamma);
}

constexpr StepRow kRows[] = {
    {"clip", "clip(min, max) or clip(min_percentile=0, max_percentile=100, axes, mode, method=linear)",
     "x, but not below min and not above max; limits given or percentiles (methods: see scale_range). bioimage.io 0.4, "
     "0.5. --compat core: percentiles by inverted_cdf.",
     MakeClip},
    {"zero_mean_unit_variance", "zero_mean_unit_variance(axes, mode, eps=1e-6, mean, std)",
     "(x - mean) / (std + eps), std of the population (ddof 0). axes: those whose pixels are taken together (a list of "
     "batch, channel, z, y, x, or 0.4's letters); all others get statistics of their own. With batch, or without axes, "
     "statistics are of the data set: all samples of all files of the run. mode: per_sample, per_dataset; fixed with "
     "mean and std (0.4). "
     "bioimage.io 0.4, 0.5. --compat core: eps is 1e-6 and statistics are of the values before the first step. "
     "--compat "
     "dij1: ddof 1, no eps, numbers as ImageJ's macros write them.",
     MakeStandardize},
    {"scale_range",
     "scale_range(min_percentile=0, max_percentile=100, axes, mode, eps=1e-6, reference_tensor, method=linear)",
     "(x - lo) / (hi - lo + eps), lo and hi percentiles of n sorted values v[0..]. method: linear (numpy.percentile), "
     "lower, higher, nearest, midpoint, inverted_cdf (numpy's of these names), fiji v[floor((n-1)p/100 + 1/2)], jdll "
     "v[floor(n p/100)], histogram (256 bins, DeepImageJ 1's macro). axes, mode: see zero_mean_unit_variance. "
     "reference_tensor: percentiles of that input, before its steps. bioimage.io 0.4, 0.5. --compat csbdeep-fiji: "
     "percentiles 3 and 99.8 unless given, of the data set, all channels together; negative results become 0; factor 1 "
     "when hi = lo.",
     MakeScaleRange},
    {"scale_mean_variance", "scale_mean_variance(reference_tensor, axes, mode, eps=1e-6)",
     "(x - mean) / (std + eps) (std_ref + eps) + mean_ref, with the statistics of the reference tensor before its "
     "steps. "
     "bioimage.io 0.4, 0.5. JDLL has none.",
     MakeScaleMeanVariance},
    {"invert", "invert(min, max) or invert(axes, mode)",
     "min + max - x, with given numbers or the smallest and largest value of the pixels (ImageJ's Invert of float "
     "images; "
     "8-bit: min=0, max=255).",
     MakeInvert},
    {"gamma", "gamma(gamma, min, max) or gamma(gamma, axes, mode)",
     "lo + (hi - lo) ((x - lo) / (hi - lo))^gamma, lo and hi given by min and max or found in the pixels; values below "
     "lo "
     "become lo.",
     MakeGamma},
};

}  // namespace

std::span<const StepRow> StatisticSteps() { return kRows; }

}  // namespace fovea::process
