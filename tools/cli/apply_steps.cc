#include "tools/cli/apply_steps.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "runtime/include/fovea/process.h"

namespace fovea::cli {
namespace {

// Axes of a sample as StepChain has them: b (sample), c, z, y, x; time counts as samples.
constexpr char kOrder[] = {'b', 'c', 'z', 'y', 'x'};

class TensorSource : public SampleSource {
 public:
  TensorSource(std::vector<float> values, const SampleShape& shape) : values_(std::move(values)), shape_(shape) {}
  const SampleShape& shape() const { return shape_; }
  Status Read(const SampleRegion& r, float* dst) override {
    for (int64_t c = r.channel; c < r.channel + r.channels; ++c) {
      for (int64_t y = r.y; y < r.y + r.rows; ++y) {
        const int64_t at =
            ((((r.sample * shape_.channels + c) * shape_.planes + r.plane) * shape_.rows) + y) * shape_.cols + r.x;
        dst = std::copy_n(values_.begin() + at, r.cols, dst);
      }
    }
    return OkStatus();
  }

 private:
  const std::vector<float> values_;
  const SampleShape shape_;
};

// Letters of the tensor in source order, t as b.
std::string SourceLetters(const TensorSpec& spec) {
  std::string letters;
  for (const int axis : spec.source_axes) {
    const char letter = spec.axes[static_cast<size_t>(axis)];
    letters += letter == 't' ? 'b' : letter;
  }
  return letters;
}

// For each element in the order of kOrder its place in the tensor, or the other way round.
std::vector<size_t> Places(const std::string& letters, const std::vector<int64_t>& dims) {
  std::vector<size_t> strides(dims.size(), 1), places = {0};
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(dims[i]);
  for (const char letter : kOrder) {
    const size_t axis = letters.find(letter);
    if (axis == std::string::npos) continue;
    std::vector<size_t> next;
    for (const size_t place : places) {
      for (int64_t k = 0; k < dims[axis]; ++k) next.push_back(place + static_cast<size_t>(k) * strides[axis]);
    }
    places = std::move(next);
  }
  return places;
}

int64_t SizeOf(const std::string& letters, const std::vector<int64_t>& dims, char letter) {
  const size_t axis = letters.find(letter);
  return axis == std::string::npos ? 1 : dims[axis];
}

Result<std::vector<float>> RunChain(StepChain* chain, TensorSource* source, int64_t samples) {
  std::vector<float> out;
  const SampleShape& shape = chain->shape();
  chain->Connect(source);
  std::vector<float> plane(static_cast<size_t>(shape.rows * shape.cols));
  for (int64_t sample = 0; sample < samples; ++sample) {
    FOVEA_RETURN_IF_ERROR(chain->Prepare(sample));
    for (int64_t c = 0; c < shape.channels; ++c) {
      for (int64_t z = 0; z < shape.planes; ++z) {
        FOVEA_RETURN_IF_ERROR(chain->result()->Read({sample, c, 1, z, 0, 0, shape.rows, shape.cols}, plane.data()));
        out.insert(out.end(), plane.begin(), plane.end());
      }
    }
  }
  return out;
}

// The tensor's pixels in the order of kOrder.
Result<std::unique_ptr<TensorSource>> SourceOf(const TensorSpec& spec, const SelfTestCase::Tensor& tensor) {
  const std::string letters = SourceLetters(spec);
  for (const char letter : letters) {
    if (std::count(letters.begin(), letters.end(), letter) > 1 ||
        std::find(kOrder, std::end(kOrder), letter) == std::end(kOrder)) {
      return Unsupported("steps on a tensor with the axes " + letters);
    }
  }
  SampleShape shape;
  shape.samples = SizeOf(letters, tensor.dims, 'b');
  shape.channels = SizeOf(letters, tensor.dims, 'c');
  shape.planes = SizeOf(letters, tensor.dims, 'z');
  shape.rows = SizeOf(letters, tensor.dims, 'y');
  shape.cols = SizeOf(letters, tensor.dims, 'x');
  std::vector<float> ordered;
  for (const size_t place : Places(letters, tensor.dims)) ordered.push_back(tensor.values[place]);
  return std::make_unique<TensorSource>(std::move(ordered), shape);
}

}  // namespace

std::vector<Step> StepsOfTensor(std::span<const Step> steps, const std::string& name) {
  std::vector<Step> own;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(own),
               [&name](const Step& step) { return step.tensor.empty() || step.tensor == name; });
  return own;
}

Status ApplySteps(std::span<const Step> all, const TensorSpec& spec, const std::vector<ReferenceTensor>& references,
                  SelfTestCase::Tensor* tensor) {
  const std::vector<Step> steps = StepsOfTensor(all, spec.name);
  if (steps.empty()) return OkStatus();
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<TensorSource> source, SourceOf(spec, *tensor));
  const SampleShape shape = source->shape();
  const std::string letters = SourceLetters(spec);
  std::unique_ptr<TensorSource> referred;
  StepOptions options;
  options.reference = [&](const std::string& name, SampleShape* referred_shape) -> SampleSource* {
    for (const ReferenceTensor& reference : references) {
      if (reference.spec->name != name) continue;
      auto made = SourceOf(*reference.spec, *reference.tensor);
      if (!made.ok()) return nullptr;
      referred = *std::move(made);
      *referred_shape = referred->shape();
      return referred.get();
    }
    return nullptr;
  };
  FOVEA_ASSIGN_OR_RETURN(StepChain chain, StepChain::Create(steps, shape, options));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<float> result, RunChain(&chain, source.get(), shape.samples));

  const SampleShape& now = chain.shape();
  const int64_t sizes[] = {shape.samples, now.channels, now.planes, now.rows, now.cols};
  for (size_t i = 0; i < std::size(kOrder); ++i) {
    const size_t axis = letters.find(kOrder[i]);
    if (axis != std::string::npos) {
      tensor->dims[axis] = sizes[i];
    } else if (sizes[i] != 1) {
      return Unsupported("steps that add an axis to a tensor with the axes " + letters);
    }
  }
  const std::vector<size_t> places = Places(letters, tensor->dims);
  tensor->values.resize(places.size());
  for (size_t i = 0; i < places.size(); ++i) tensor->values[places[i]] = result[i];
  return OkStatus();
}

}  // namespace fovea::cli
