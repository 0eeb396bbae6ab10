// Operator's slices of output channels, for weights that are packed when they are used.
#include <algorithm>
#include <cstring>

#include "runtime/exec/operator.h"

namespace fovea::exec {
namespace {

// Blocks of all kernels nest in it, so that slices waste no lanes.
constexpr int64_t kBlock = 64;

constexpr int64_t AlignFloats(int64_t floats) { return (floats + 15) / 16 * 16; }

int64_t Taps(const kernels::ConvLayer& layer) {
  return layer.kernel[0] * layer.kernel[1] * layer.kernel[2] * layer.in_channels;
}

}  // namespace

void Operator::Slice(int64_t most_floats) {
  slices_ = 1;
  const int64_t blocks = conv_layer_.out_channels / kBlock;
  if (packs_when_run() || PackedFloats() <= most_floats || conv_layer_.groups != 1 || blocks < 2) return;
  const int64_t block_floats = PackedFloats() / blocks;
  slices_ =
      std::clamp<int64_t>((blocks * block_floats + most_floats - 1) / std::max<int64_t>(1, most_floats), 1, blocks);
}

// Whole blocks; the last slice also has what is less than a block.
int64_t Operator::SliceFirst(int64_t slice) const {
  if (slice == slices_) return conv_layer_.out_channels;
  return conv_layer_.out_channels / kBlock * slice / slices_ * kBlock;
}

kernels::ConvTransposeLayer Operator::SliceLayer(int64_t slice) const {
  kernels::ConvTransposeLayer layer = conv_layer_;
  if (slices_ > 1) layer.out_channels = SliceFirst(slice + 1) - SliceFirst(slice);
  return layer;
}

int64_t Operator::SlicePackedFloats() const {
  int64_t most = 0;
  for (int64_t slice = 0; slice < slices_; ++slice) {
    const kernels::ConvTransposeLayer layer = SliceLayer(slice);
    most = std::max(most, conv_ != nullptr ? conv_->packed_floats(layer) : conv_transpose_->packed_floats(layer));
  }
  return AlignFloats(most);
}

int64_t Operator::SliceFloats() const {
  if (PackedFloats() == 0 || packs_when_run()) return 0;
  int64_t most_channels = 0;
  for (int64_t slice = 0; slice < slices_; ++slice) {
    most_channels = std::max(most_channels, SliceFirst(slice + 1) - SliceFirst(slice));
  }
  return SlicePackedFloats() + (slices_ > 1 ? Taps(conv_layer_) * most_channels : 0);
}

void Operator::GatherSlice(int64_t slice, const float* weights, float* memory, int part, int parts) const {
  if (slices_ == 1) return;
  const int64_t first = SliceFirst(slice), channels = SliceFirst(slice + 1) - first, taps = Taps(conv_layer_);
  float* const to = memory + SlicePackedFloats();
  for (int64_t tap = taps * part / parts; tap < taps * (part + 1) / parts; ++tap) {
    std::memcpy(to + tap * channels, weights + tap * conv_layer_.out_channels + first,
                static_cast<size_t>(channels) * sizeof(float));
  }
}

void Operator::PackSlice(int64_t slice, const float* weights, const float* bias, float* memory, int part,
                         int parts) const {
  if (slices_ == 1) return Pack(weights, bias, memory, part, parts);
  const kernels::ConvTransposeLayer layer = SliceLayer(slice);
  const float* const gathered = memory + SlicePackedFloats();
  const float* const biases = bias == nullptr ? nullptr : bias + SliceFirst(slice);
  if (conv_ != nullptr) conv_->pack(layer, gathered, biases, memory, part, parts);
  if (conv_transpose_ != nullptr) conv_transpose_->pack(layer, gathered, biases, memory, part, parts);
}

void Operator::BindSlice(int64_t slice, std::span<const Operand> in, const Operand& out, const float* memory,
                         Call* bound) const {
  if (slices_ == 1) return BindConv(conv_layer_, in, out, memory, bound);
  const size_t c = out.rank - 1;
  Operand part = out;
  part.region.axis[c] = {out.begin(c) + SliceFirst(slice), out.begin(c) + SliceFirst(slice + 1)};
  part.data += SliceFirst(slice) * out.strides[c];
  BindConv(SliceLayer(slice), in, part, memory, bound);
}

}  // namespace fovea::exec
