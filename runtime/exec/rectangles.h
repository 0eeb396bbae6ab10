// Rectangles of whole tensors in memory, as a TensorSource and a TensorSink: how a tiled session runs on tensors that
// the caller has in memory.
#ifndef FOVEA_RUNTIME_EXEC_RECTANGLES_H_
#define FOVEA_RUNTIME_EXEC_RECTANGLES_H_

#include <span>
#include <vector>

#include "runtime/include/fovea/session.h"
#include "runtime/plan/resolve.h"

namespace fovea::exec {

// Calls run(offset in the whole tensor, offset in the tight rectangle, floats) for every run along the last axis.
template <class Fn>
void ForEachRun(const plan::Dims& dims, const TensorRegion& region, const Fn& run) {
  const size_t rank = dims.size();
  const int64_t inner = rank == 0 ? 1 : region.size[rank - 1];
  int64_t runs = 1;
  for (size_t a = 0; a + 1 < rank; ++a) runs *= region.size[a];
  for (int64_t r = 0; r < runs; ++r) {
    int64_t rest = r, offset = rank == 0 ? 0 : region.begin[rank - 1], stride = rank == 0 ? 1 : dims[rank - 1];
    for (size_t a = rank < 2 ? 0 : rank - 1; a-- > 0;) {
      offset += (region.begin[a] + rest % region.size[a]) * stride;
      rest /= region.size[a];
      stride *= dims[a];
    }
    run(offset, r * inner, inner);
  }
}

class MemorySource : public TensorSource {
 public:
  MemorySource(const std::vector<const plan::Dims*>& dims, std::span<const float* const> data)
      : dims_(dims), data_(data) {}
  Status Read(int input, const TensorRegion& region, float* dst) override;

 private:
  const std::vector<const plan::Dims*>& dims_;
  std::span<const float* const> data_;
};

class MemorySink : public TensorSink {
 public:
  MemorySink(const std::vector<const plan::Dims*>& dims, std::span<float* const> data) : dims_(dims), data_(data) {}
  Status Write(int output, const TensorRegion& region, const float* src) override;

 private:
  const std::vector<const plan::Dims*>& dims_;
  std::span<float* const> data_;
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_RECTANGLES_H_
