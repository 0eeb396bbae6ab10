#include "runtime/exec/rectangles.h"

#include <cstring>

namespace fovea::exec {

Status MemorySource::Read(int input, const TensorRegion& region, float* dst) {
  const size_t i = static_cast<size_t>(input);
  ForEachRun(*dims_[i], region, [&](int64_t whole, int64_t tight, int64_t n) {
    std::memcpy(dst + tight, data_[i] + whole, static_cast<size_t>(n) * sizeof(float));
  });
  return OkStatus();
}

Status MemorySink::Write(int output, const TensorRegion& region, const float* src) {
  const size_t o = static_cast<size_t>(output);
  ForEachRun(*dims_[o], region, [&](int64_t whole, int64_t tight, int64_t n) {
    std::memcpy(data_[o] + whole, src + tight, static_cast<size_t>(n) * sizeof(float));
  });
  return OkStatus();
}

}  // namespace fovea::exec
