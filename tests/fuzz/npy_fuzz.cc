// Any bytes through the NPY reader, and what it accepts through the conversion to float.
#include <cstddef>
#include <cstdint>

#include "formats/image/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto array = fovea::formats::ReadNpyFromMemory({data, size}, "fuzz");
  if (!array.ok()) return 0;
  const auto values = fovea::formats::ToFloatVector(*array);
  if (!fovea::formats::FromFloatVector(values, array->shape, array->dtype).ok()) __builtin_trap();
  return 0;
}
