// Views: how kernels see tensors. A view owns nothing and says nothing of how its memory is laid out beyond strides.
//
// Spatial kernels take views of rank 5 in N, D, H, W, C order (D = 1 for 2-D, D = H = 1 for 1-D) whose channel stride
// is 1; the stride of W may exceed the number of channels, which is what makes a concatenation a placement: a producer
// writes into a slice of channels of a wider buffer. Kernels read and write nothing outside a view, not even padding
// between pixels.
#ifndef FOVEA_KERNELS_VIEW_H_
#define FOVEA_KERNELS_VIEW_H_

#include <cstdint>

namespace fovea::kernels {

inline constexpr int kMaxRank = 8;

// Positions of the axes in a rank-5 spatial view.
enum Axis : int { kN = 0, kD = 1, kH = 2, kW = 3, kC = 4 };

template <class T>
struct BasicView {
  T* data = nullptr;
  int rank = 0;
  int64_t dims[kMaxRank] = {};
  int64_t strides[kMaxRank] = {};  // in elements; 0 repeats (broadcast), negative walks backwards

  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
};

struct View : BasicView<float> {};

struct ConstView : BasicView<const float> {
  ConstView() = default;
  ConstView(const View& v) {  // NOLINT(google-explicit-constructor): a writable view reads as a constant one
    data = v.data;
    rank = v.rank;
    for (int i = 0; i < kMaxRank; ++i) {
      dims[i] = v.dims[i];
      strides[i] = v.strides[i];
    }
  }
};

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_VIEW_H_
