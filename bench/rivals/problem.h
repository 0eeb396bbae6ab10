// One convolution of a benchmark network as numbers: shapes, seeded data, our kernel on it, and the check that a result
// is right. Tensors are D, H, W, C, tight, one image; weights are the kernels' portable layout (kernels/conv/conv.h).
//
// Activations: ReLU stays, since every library fuses it; others become none on both sides, so that the convolution
// alone is compared.
#ifndef FOVEA_BENCH_RIVALS_PROBLEM_H_
#define FOVEA_BENCH_RIVALS_PROBLEM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/kernels/layers.h"
#include "bench/threads.h"
#include "kernels/conv_transpose/conv_transpose.h"

namespace fovea::bench {

struct Problem {
  explicit Problem(const Layer& l);

  Layer layer;
  kernels::ConvTransposeLayer shape;  // a ConvLayer too; which of the two: layer.transposed
  int64_t src_size[3], dst_size[3];   // D, H, W
  int64_t pad[3], output_padding[3];  // before; after it is what dst_size leaves
  double flops;                       // a multiply-add counts as 2
  bool relu;
  std::vector<float> src, weights, bias;

  std::string Describe() const;  // "conv 3^2 32>64 @256x256"
  int64_t dst_count() const;
};

// fovea's pick for this processor, packed and ready to run again and again.
class OurKernel {
 public:
  OurKernel(const Problem& problem, ThreadTeam& team);
  void Run();
  const char* name() const { return name_; }
  const std::vector<float>& result() const { return dst_; }

 private:
  template <class Row, class ShapeType>
  void Pack(const Row& row, const ShapeType& shape);

  const Problem& problem_;
  ThreadTeam& team_;
  const char* name_ = "";
  kernels::ConvArgs args_;
  std::vector<float> dst_;
  AlignedFloats packed_, scratch_;
  int64_t scratch_stride_ = 0;
  const kernels::ConvKernel* conv_ = nullptr;
  const kernels::ConvTransposeKernel* transposed_ = nullptr;
};

// Largest error of `dst` as a multiple of what float32 sums may differ by, over the first, middle and last rows of the
// first, middle and last planes: |dst - reference| / (sqrt(terms) eps x sum of |src| |weight|), the probabilistic bound
// of sums of independent roundings (Higham and Mary 2019). Right results of direct sums stay below 0.3; above 1: wrong.
double RelativeError(const Problem& problem, const std::vector<float>& dst);

}  // namespace fovea::bench

#endif  // FOVEA_BENCH_RIVALS_PROBLEM_H_
