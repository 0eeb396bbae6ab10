// Convolution, 1-D to 3-D, channels last: the cross-correlation that all frameworks call convolution.
//
//   dst[n,od,oh,ow,co] = act(bias[co] + residual[n,od,oh,ow,co]
//                            + sum over kd,kh,kw,ci of w[kd,kh,kw,ci,co] src[n, od sd - pd + kd dd, oh sh - ph + kh dh,
//                            ..., ci])
//
// A source position outside the view counts as 0: the planner only lets that happen at the image's true border. pad may
// be negative (the view holds more than the window needs), and dst's dims alone say how many outputs are wanted.
//
// Numerics contract: one output element is one accumulation chain over kd, kh, kw, ci in that order, started at the
// bias (or at 0 with the bias added last; a row says which and keeps to it), then the residual, then the activation.
// Taps that fall outside contribute +0 or are skipped, by position in the image only. Rows with other algorithms
// (Winograd) align their lattice to dst_origin so that the same holds for any tiling.
//
// Infinities and NaN: along the chain they reach the outputs whose window sees them. Winograd's rows add up what a tile
// reads, so that one of them, or values beyond about 1e36 whose sums overflow, makes outputs of every tile that reads
// it NaN, up to 5 positions away, 9 with windows of 5 on doubled images; other tiles are untouched. Denormals are
// numbers like others in all rows.
#ifndef FOVEA_KERNELS_CONV_CONV_H_
#define FOVEA_KERNELS_CONV_CONV_H_

#include "kernels/elementwise/elementwise.h"
#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// Arrays are in D, H, W order; an axis that the network does not have has kernel 1, stride 1, dilation 1.
struct ConvLayer {
  int64_t kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  // The image is src with every position repeated so often (nearest neighbour): windows, strides and padding are in
  // positions of that image, whose position p is src's p / upsample. 1 or 2.
  int64_t upsample[3] = {1, 1, 1};
  int64_t groups = 1;  // divides in_channels and out_channels
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  bool has_residual = false;
  bool upsamples() const { return upsample[0] > 1 || upsample[1] > 1 || upsample[2] > 1; }
  bool exact_order = false;  // only rows that keep to the contract's chain: no Winograd
  Activation act;
};

struct ConvArgs {
  ConstView src;       // rank 5
  View dst;            // rank 5
  ConstView residual;  // rank 5 with dst's dims when the layer has one; may be dst itself
  // Before the view's first element, D, H, W; may be negative. Along axes that are upsampled, odd for
  // windows of 3 and even for windows of 5: odd by as much as half the window is.
  int64_t pad[3] = {0, 0, 0};
  // Position of dst's first element in the whole output image, counted from where the row's lattice begins.
  int64_t dst_origin[3] = {0, 0, 0};
  const float* packed = nullptr;  // weights and bias as the row's pack left them
  // packed == nullptr, for rows that may pack when they run: weights and bias (or null) as pack takes them.
  const float* weights = nullptr;
  const float* bias = nullptr;
  int threads = 1;  // that run units of this call, for how the work is cut; results do not depend on it
};

// weights: [kd][kh][kw][in_channels / groups][out_channels].
struct ConvKernel : PackedKernel<ConvLayer, ConvArgs> {
  // dst's first element lies at multiples of this in the whole image, and dst ends at multiples or at the image's end
  // (D, H, W): then an element's value depends on its place in the image alone. Rows with larger tiles than one output
  // need it.
  int64_t lattice[3] = {1, 1, 1};
  // Runs without packed weights, too: it packs what it needs next, in scratch, with the same bits. Slower by as much as
  // packing takes, for every run.
  bool packs_when_run = false;
  // The chain of the numerics contract; false: another algorithm with its own (small, tested) rounding error.
  bool exact_order = true;
};
std::span<const ConvKernel> ConvKernels();

// The reference with sums in double, rounded once before the activation: what others' errors are measured against. Not
// in the table; packs as the reference does.
const ConvKernel& ConvKernelOfDoubles();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_CONV_CONV_H_
