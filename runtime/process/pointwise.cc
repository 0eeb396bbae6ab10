// Steps whose result at a pixel follows from the channels of that pixel alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/process/stage.h"

namespace fovea::process {
namespace {

float ToFloat(double value) { return static_cast<float>(value); }

// One number for all pixels, or one for each index of an axis.
struct PerAxis {
  std::vector<double> values;
  char axis = 0;

  double At(int64_t channel, int64_t plane, int64_t y, int64_t x) const {
    const int64_t i = axis == 0 ? 0 : axis == 'c' ? channel : axis == 'z' ? plane : axis == 'y' ? y : x;
    return values[static_cast<size_t>(i)];
  }
};

// `key` with one number, or as many as `axis` (a letter or 0) has indices.
PerAxis ReadPerAxis(Arguments& arguments, const std::string& key, double fallback, bool required, char axis,
                    const SampleShape& shape) {
  PerAxis result;
  result.values = arguments.Numbers(key);
  if (result.values.empty()) {
    if (required) arguments.Fail(key + "=NUMBER is missing");
    result.values = {fallback};
  }
  if (result.values.size() == 1) return result;
  if (axis == 0) {
    arguments.Fail(key + " is a list; axis=channel (z, y, x) says along what");
    return result;
  }
  const int64_t size = axis == 'c'   ? shape.channels
                       : axis == 'z' ? shape.planes
                       : axis == 'y' ? shape.rows
                       : axis == 'x' ? shape.cols
                                     : 0;
  if (size != static_cast<int64_t>(result.values.size())) {
    arguments.Fail(key + " has " + std::to_string(result.values.size()) + " numbers, but the image has " +
                   std::to_string(size) + " along its axis");
    result.values = {fallback};
    return result;
  }
  result.axis = axis;
  return result;
}

char ReadAxis(Arguments& arguments) {
  std::string axes = arguments.Axes("axis").value_or(arguments.Axes("axes").value_or(""));
  axes.erase(std::remove(axes.begin(), axes.end(), 'b'), axes.end());
  return axes.size() == 1 ? axes[0] : '\0';
}

// y = f(x, a, b) with up to two parameters along axes; F is a struct with operator().
template <class F>
class FunctionStage : public MapStage {
 public:
  FunctionStage(const SampleShape& in, PerAxis a, PerAxis b) : MapStage(in), a_(std::move(a)), b_(std::move(b)) {}

 protected:
  void Map(int64_t, int64_t c, int64_t z, int64_t y, int64_t x, int64_t count, float* pixels) const override {
    const F f;
    if (a_.axis != 'x' && b_.axis != 'x') {
      const double a = a_.At(c, z, y, 0), b = b_.At(c, z, y, 0);
      for (int64_t i = 0; i < count; ++i) pixels[i] = ToFloat(f(static_cast<double>(pixels[i]), a, b));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      pixels[i] = ToFloat(f(static_cast<double>(pixels[i]), a_.At(c, z, y, x + i), b_.At(c, z, y, x + i)));
    }
  }

 private:
  PerAxis a_, b_;
};

struct Above {
  double operator()(double x, double a, double) const { return x > a ? 1 : 0; }
};
struct NotBelow {
  double operator()(double x, double a, double) const { return x >= a ? 1 : 0; }
};
struct Linear {
  double operator()(double x, double a, double b) const { return x * a + b; }
};
struct Standardize {
  double operator()(double x, double a, double b) const { return (x - a) / b; }
};
struct Logistic {
  double operator()(double x, double, double) const { return 1 / (1 + std::exp(-x)); }
};

const PerAxis kNothing{{0}, 0};

template <class F>
StageResult Made(const Arguments& arguments, const StageContext& context, PerAxis a, PerAxis b = kNothing) {
  FOVEA_RETURN_IF_ERROR(arguments.status());
  return std::unique_ptr<Stage>(std::make_unique<FunctionStage<F>>(context.in, std::move(a), std::move(b)));
}

StageResult MakeBinarize(Arguments& arguments, const StageContext& context) {
  const char axis = ReadAxis(arguments);
  PerAxis threshold = ReadPerAxis(arguments, "threshold", 0, true, axis, context.in);
  if (context.options->compatibility == Compatibility::kJdll) return Made<NotBelow>(arguments, context, threshold);
  return Made<Above>(arguments, context, threshold);
}

StageResult MakeScaleLinear(Arguments& arguments, const StageContext& context) {
  const char axis = ReadAxis(arguments);
  PerAxis gain = ReadPerAxis(arguments, "gain", 1, false, axis, context.in);
  return Made<Linear>(arguments, context, gain, ReadPerAxis(arguments, "offset", 0, false, axis, context.in));
}

StageResult MakeFixedStandardize(Arguments& arguments, const StageContext& context) {
  const char axis = ReadAxis(arguments);
  PerAxis mean = ReadPerAxis(arguments, "mean", 0, true, axis, context.in);
  PerAxis std = ReadPerAxis(arguments, "std", 1, true, axis, context.in);
  const Compatibility compatibility = context.options->compatibility;
  const bool adds = compatibility == Compatibility::kCore || compatibility == Compatibility::kJdll;
  for (double& value : std.values) {
    if (!(value > 0)) arguments.Fail("std must be more than 0");
    if (adds) value += 1e-6;
  }
  return Made<Standardize>(arguments, context, mean, std);
}

StageResult MakeSigmoid(Arguments& arguments, const StageContext& context) {
  return Made<Logistic>(arguments, context, kNothing);
}

// What a value becomes in an element type: whole numbers towards 0, saturated; NaN becomes 0.
class CastStage : public MapStage {
 public:
  CastStage(const SampleShape& in, double min, double max) : MapStage(in), min_(min), max_(max) {}

 protected:
  void Map(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t count, float* pixels) const override {
    for (int64_t i = 0; i < count; ++i) {
      const double value = static_cast<double>(pixels[i]);
      pixels[i] = std::isnan(value) ? 0.0f : ToFloat(std::trunc(std::clamp(value, min_, max_)));
    }
  }

 private:
  double min_, max_;
};

StageResult MakeEnsureDtype(Arguments& arguments, const StageContext& context) {
  static constexpr struct {
    const char* name;
    double min, max;
  } kTypes[] = {{"uint8", 0, 255},
                {"int8", -128, 127},
                {"uint16", 0, 65535},
                {"int16", -32768, 32767},
                {"uint32", 0, 4294967295.0},
                {"int32", -2147483648.0, 2147483647.0},
                {"uint64", 0, 18446744073709551615.0},
                {"int64", -9223372036854775808.0, 9223372036854775807.0}};
  const std::vector<std::string> names = {"float32", "float64", "bool",  "uint8",  "int8", "uint16",
                                          "int16",   "uint32",  "int32", "uint64", "int64"};
  if (!arguments.Has("dtype")) arguments.Fail("dtype=TYPE is missing");
  const std::string name = names[static_cast<size_t>(arguments.Choice("dtype", names, 0))];
  FOVEA_RETURN_IF_ERROR(arguments.status());
  if (name == "bool") {
    struct Truth {
      double operator()(double x, double, double) const { return x != 0 ? 1 : 0; }
    };
    return std::unique_ptr<Stage>(std::make_unique<FunctionStage<Truth>>(context.in, kNothing, kNothing));
  }
  for (const auto& type : kTypes) {
    if (name == type.name) return std::unique_ptr<Stage>(std::make_unique<CastStage>(context.in, type.min, type.max));
  }
  struct Same {
    double operator()(double x, double, double) const { return x; }
  };
  return std::unique_ptr<Stage>(std::make_unique<FunctionStage<Same>>(context.in, kNothing, kNothing));
}

// Reads all channels of a place and makes those of the result of them.
class ChannelStage : public Stage {
 public:
  using Stage::Stage;
  bool is_pointwise() const override { return true; }
  Status Read(const SampleRegion& region, float* dst) override {
    SampleRegion all = region;
    all.channel = 0;
    all.channels = in_.channels;
    const int64_t pixels = region.rows * region.cols;
    block_.resize(static_cast<size_t>(pixels * in_.channels));
    FOVEA_RETURN_IF_ERROR(upstream_->Read(all, block_.data()));
    Combine(block_.data(), pixels, region.channel, region.channels, dst);
    return OkStatus();
  }

 protected:
  // all: [in_.channels][pixels], free to change; dst: [channels][pixels], from result channel `first` on.
  virtual void Combine(float* all, int64_t pixels, int64_t first, int64_t channels, float* dst) const = 0;

 private:
  std::vector<float> block_;
};

class SoftmaxStage : public ChannelStage {
 public:
  using ChannelStage::ChannelStage;

 protected:
  void Combine(float* all, int64_t pixels, int64_t first, int64_t channels, float* dst) const override {
    for (int64_t i = 0; i < pixels; ++i) {
      double max = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t c = 0; c < in_.channels; ++c) max = std::max(max, static_cast<double>(all[c * pixels + i]));
      for (int64_t c = 0; c < in_.channels; ++c) sum += std::exp(static_cast<double>(all[c * pixels + i]) - max);
      for (int64_t c = 0; c < channels; ++c) {
        dst[c * pixels + i] = ToFloat(std::exp(static_cast<double>(all[(first + c) * pixels + i]) - max) / sum);
      }
    }
  }
};

class ArgmaxStage : public ChannelStage {
 public:
  using ChannelStage::ChannelStage;

 protected:
  void Combine(float* all, int64_t pixels, int64_t, int64_t, float* dst) const override {
    for (int64_t i = 0; i < pixels; ++i) {
      int64_t best = 0;
      for (int64_t c = 1; c < in_.channels && !std::isnan(all[best * pixels + i]); ++c) {
        if (!(all[c * pixels + i] <= all[best * pixels + i])) best = c;
      }
      dst[i] = static_cast<float>(best);
    }
  }
};

Status CheckChannelAxis(Arguments& arguments) {
  const std::string axis = arguments.Axes("axis").value_or("c");
  FOVEA_RETURN_IF_ERROR(arguments.status());
  if (axis == "c") return OkStatus();
  return Unsupported("step " + arguments.step().name + " works along the channels; axis must be channel");
}

StageResult MakeSoftmax(Arguments& arguments, const StageContext& context) {
  FOVEA_RETURN_IF_ERROR(CheckChannelAxis(arguments));
  if (context.options->compatibility == Compatibility::kJdll) {
    return Unsupported("step softmax: JDLL has none, so that there are no numbers of it to meet; leave --compat out");
  }
  return std::unique_ptr<Stage>(std::make_unique<SoftmaxStage>(context.in));
}

StageResult MakeArgmax(Arguments& arguments, const StageContext& context) {
  FOVEA_RETURN_IF_ERROR(CheckChannelAxis(arguments));
  SampleShape out = context.in;
  out.channels = 1;
  return std::unique_ptr<Stage>(std::make_unique<ArgmaxStage>(context.in, out));
}

class SelectStage : public Stage {
 public:
  SelectStage(const SampleShape& in, const SampleShape& out, std::vector<int64_t> channels)
      : Stage(in, out), channels_(std::move(channels)) {}
  bool is_pointwise() const override { return true; }
  Status Read(const SampleRegion& region, float* dst) override {
    for (int64_t c = 0; c < region.channels; ++c) {
      SampleRegion one = region;
      one.channel = channels_[static_cast<size_t>(region.channel + c)];
      one.channels = 1;
      FOVEA_RETURN_IF_ERROR(upstream_->Read(one, dst + c * region.rows * region.cols));
    }
    return OkStatus();
  }

 private:
  std::vector<int64_t> channels_;
};

StageResult MakeSelectChannels(Arguments& arguments, const StageContext& context) {
  std::vector<int64_t> channels;
  for (const double number : arguments.Numbers("channels")) {
    if (!(number >= 1 && number <= static_cast<double>(context.in.channels)) || number != std::floor(number)) {
      arguments.Fail("channels are numbered from 1 to " + std::to_string(context.in.channels) + " in this image");
      break;
    }
    channels.push_back(static_cast<int64_t>(number) - 1);
  }
  if (channels.empty()) arguments.Fail("channels=[1, ...] is missing");
  FOVEA_RETURN_IF_ERROR(arguments.status());
  SampleShape out = context.in;
  out.channels = static_cast<int64_t>(channels.size());
  return std::unique_ptr<Stage>(std::make_unique<SelectStage>(context.in, out, std::move(channels)));
}

constexpr StepRow kRows[] = {
    {"binarize", "binarize(threshold, axis)",
     "1 where x > threshold, else 0 (NaN: 0). threshold: a number, or one for each index of axis (channel, z, y, x). "
     "bioimage.io 0.4 and 0.5. --compat jdll: x >= threshold.",
     MakeBinarize},
    {"ensure_dtype", "ensure_dtype(dtype)",
     "x as an element of dtype (float32, float64, bool, uint8 ... int64): towards 0, saturated where numpy would wrap; "
     "NaN becomes 0; bool is 1 where x is not 0. bioimage.io 0.5.",
     MakeEnsureDtype},
    {"fixed_zero_mean_unit_variance", "fixed_zero_mean_unit_variance(mean, std, axis)",
     "(x - mean) / std with given numbers, or one for each index of axis. bioimage.io 0.5. --compat core and jdll "
     "divide "
     "by std + 1e-6.",
     MakeFixedStandardize},
    {"scale_linear", "scale_linear(gain=1, offset=0, axis or axes)",
     "x gain + offset; numbers, or one for each index of axis (0.4 calls it axes). bioimage.io 0.4 and 0.5.",
     MakeScaleLinear},
    {"sigmoid", "sigmoid", "1 / (1 + exp(-x)). bioimage.io 0.4 and 0.5.", MakeSigmoid},
    {"softmax", "softmax(axis=channel)",
     "exp(x_c - m) / sum over the channels k of exp(x_k - m), m the largest of them. bioimage.io 0.5. JDLL has none.",
     MakeSoftmax},
    {"argmax", "argmax(axis=channel)",
     "Number, from 0, of the channel with the largest value; the first of equal ones (numpy.argmax). The result has "
     "one "
     "channel.",
     MakeArgmax},
    {"select_channels", "select_channels(channels)", "The channels with these numbers, from 1, in this order.",
     MakeSelectChannels},
};

}  // namespace

std::span<const StepRow> PointwiseSteps() { return kRows; }

}  // namespace fovea::process
