// Convolution of a concatenation with a doubled image (nearest neighbour), the step up of many U-Nets:
//   conv(concat(double(a), b), w) = conv(double(a), wa) + conv(b, wb)
// where wa and wb are the filters of the channels of each. The convolution of what stands second in the concatenation
// becomes the residual of the other, so that the result keeps its sizes as expressions. A convolution that alone reads
// a doubled image does without making it, with a half to two thirds of the multiplications
// (runtime/plan/fuse_upsampling.h), and the concatenation is not made either.
#include <utility>

#include "converter/ir/size_ratio.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

// Kernels for doubled images work on whole vectors of channels; with fewer channels two convolutions cost more than
// one.
constexpr int64_t kLeastChannels = 16;

// Rows, columns and, in volumes, planes twice as many.
bool Doubles(const ir::Graph& graph, const ir::Node& node) {
  const auto* resize = std::get_if<ResizeParams>(&node.params);
  if (resize == nullptr || !RepeatsEachTwice(*resize)) return false;
  const std::vector<DimExpr>& in = ValueOf(graph, node.inputs[0]).dims;
  const std::vector<DimExpr>& out = ValueOf(graph, node.output).dims;
  for (size_t a = 0; a < in.size(); ++a) {
    const int64_t factor = a == 0 || a + 1 == in.size() ? 1 : 2;
    if (ir::SampleSign(graph, out[a] - in[a] * factor).value_or(-1) != 0) return false;
  }
  return in.size() >= 4;
}

// A window of 3 or 5 on every axis, as "same" padding places it.
bool Fits(const ConvParams& conv, size_t spatial_axes) {
  if (conv.groups != 1) return false;
  for (size_t s = 3 - spatial_axes; s < 3; ++s) {
    const int64_t kernel = conv.kernel[s];
    if (conv.stride[s] != 1 || conv.dilation[s] != 1 || (kernel != 3 && (kernel != 5 || spatial_axes == 3)))
      return false;
    if (!conv.pad_begin[s].IsConst() || conv.pad_begin[s].Const() != kernel / 2) return false;
  }
  return true;
}

// Input channels [first, first + count) of filters [..., in, out].
std::vector<float> FiltersOf(const std::vector<float>& weights, int64_t first, int64_t count, int64_t in, int64_t out) {
  std::vector<float> part;
  part.reserve(weights.size() / static_cast<size_t>(in) * static_cast<size_t>(count));
  for (auto tap = weights.begin(); tap != weights.end(); tap += in * out) {
    part.insert(part.end(), tap + first * out, tap + (first + count) * out);
  }
  return part;
}

class Splitter {
 public:
  explicit Splitter(ir::Graph* graph) : graph_(*graph), builder_(graph), uses_(CountUses(*graph)) {}

  Status Run() {
    const size_t nodes = graph_.nodes.size();
    for (size_t n = 0; n < nodes; ++n) FOVEA_RETURN_IF_ERROR(Split(n));
    return OkStatus();
  }

 private:
  struct Part {
    std::vector<ir::ValueId> images;
    int64_t first = 0, channels = 0;  // in the concatenation
  };

  bool UsedOnce(ir::ValueId v) const { return uses_[static_cast<size_t>(v)] == 1; }

  // The doubled image and what is before or behind it; false when there is another order or none is doubled.
  bool PartsOf(const ir::Node& concat, Part* doubled, Part* others) {
    int64_t at = 0;
    for (const ir::ValueId image : concat.inputs) {
      const std::optional<int64_t> channels = Channels(graph_, image);
      if (!channels) return false;
      const ir::Node* producer = ProducerNode(&graph_, image);
      const bool doubles = producer != nullptr && Doubles(graph_, *producer) && UsedOnce(image);
      Part* part = doubles && doubled->images.empty() ? doubled : others;
      if (part->images.empty()) part->first = at;
      if (part->first + part->channels != at) return false;  // others on both sides
      part->images.push_back(image);
      part->channels += *channels;
      at += *channels;
    }
    return doubled->channels >= kLeastChannels && others->channels >= kLeastChannels;
  }

  // A convolution as `conv` is, of one part. Names say which, as profiles go by them: "up1_conv[0:64]".
  Result<ir::ValueId> Convolve(const ir::Node& conv, const Part& part, ir::ValueId image, ir::ValueId bias,
                               ir::ValueId residual) {
    const ir::Value& weights = ValueOf(graph_, conv.inputs[1]);
    std::vector<int64_t> dims;
    for (const DimExpr& d : weights.dims) dims.push_back(d.Const());
    const int64_t in = dims[3], out = dims[4];
    dims[3] = part.channels;
    const std::string channels =
        "[" + std::to_string(part.first) + ":" + std::to_string(part.first + part.channels) + "]";
    builder_.SetSource(conv.name + channels, conv.source);
    const DType dtype = weights.dtype;
    const ir::ValueId filters = builder_.Constant(weights.name + channels, dtype, dims,
                                                  FiltersOf(*weights.constant, part.first, part.channels, in, out));
    ConvParams params = std::get<ConvParams>(conv.params);
    if (residual == kNoValue) params.act = {};
    return builder_.Add(params, {image, filters, bias, residual});
  }

  Status Split(size_t n) {
    const ir::Node conv = graph_.nodes[n];  // nodes may move
    const auto* params = std::get_if<ConvParams>(&conv.params);
    if (params == nullptr || conv.removed || !IsConst(graph_, conv.inputs[1])) return OkStatus();
    if (conv.inputs.size() > 3 && conv.inputs[3] != kNoValue) return OkStatus();
    const ir::Node* concat = Producer<ConcatParams>(&graph_, conv.inputs[0]);
    if (concat == nullptr || !UsedOnce(concat->output)) return OkStatus();
    const size_t rank = ValueOf(graph_, concat->output).dims.size();
    const std::optional<int64_t> out_channels = Channels(graph_, conv.output);
    if (std::get<ConcatParams>(concat->params).axis != static_cast<int64_t>(rank) - 1 || rank < 4 ||
        !Fits(*params, rank - 2) || out_channels.value_or(0) < kLeastChannels) {
      return OkStatus();
    }
    Part doubled, others;
    if (!PartsOf(*concat, &doubled, &others)) return OkStatus();
    builder_.SetSource(conv.name, conv.source);
    ir::ValueId other = others.images[0];
    if (others.images.size() > 1) {
      FOVEA_ASSIGN_OR_RETURN(other, builder_.Add(std::get<ConcatParams>(concat->params), others.images));
    }
    const ir::ValueId bias = conv.inputs.size() > 2 ? conv.inputs[2] : kNoValue;
    std::pair<const Part*, ir::ValueId> first{&doubled, doubled.images[0]}, second{&others, other};
    if (others.first == 0) std::swap(first, second);
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId residual,
                           Convolve(conv, *second.first, second.second, kNoValue, kNoValue));
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId sum, Convolve(conv, *first.first, first.second, bias, residual));
    Replace(&graph_, &graph_.nodes[n], sum);
    graph_.Recognised("convolution of a doubled image beside another one split in two");
    return OkStatus();
  }

  ir::Graph& graph_;
  ir::Builder builder_;
  const std::vector<int> uses_;
};

}  // namespace

Status SplitDoubled(ir::Graph* graph) {
  FOVEA_RETURN_IF_ERROR(Splitter(graph).Run());
  return DeadCode(graph);
}

}  // namespace fovea::converter
