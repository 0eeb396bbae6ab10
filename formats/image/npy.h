// NumPy .npy files: format 1.0 to 3.0, both byte orders, C and Fortran order, all fovea element types.
//
// Tolerated: headers as DeepImageJ writes them - a shape such as "(64,64,1,1,0, )" whose zero-length axis contradicts
// the data that follow (that axis is read as 1), and header lengths that are not a multiple of 64. Refused with one
// sentence: objects (pickles), strings, structured and complex types, shapes larger than the file.
#ifndef FOVEA_FORMATS_IMAGE_NPY_H_
#define FOVEA_FORMATS_IMAGE_NPY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/include/fovea/dtype.h"
#include "runtime/include/fovea/status.h"

namespace fovea::formats {

class ByteSource;

struct NpyArray {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;   // empty: one scalar
  std::vector<std::byte> data;  // C order, host byte order
};

struct NpyHeader {
  DType dtype = DType::kFloat32;
  bool swapped = false;  // stored in the other byte order
  bool fortran_order = false;
  std::vector<int64_t> shape;
  uint64_t data_offset = 0;
};

bool IsNpy(std::span<const uint8_t> first_bytes);
Result<NpyHeader> ReadNpyHeader(const ByteSource& source);  // its shape is known to fit the file

Result<NpyArray> ReadNpy(const std::string& path);
Result<NpyArray> ReadNpyFromMemory(std::span<const uint8_t> bytes, const std::string& name);

// Through a temporary name and a rename. `data`: C order, host byte order.
Status WriteNpy(const std::string& path, const NpyArray& array);
Status WriteNpy(const std::string& path, DType dtype, const std::vector<int64_t>& shape, const void* data);

// The header that WriteNpy puts in front of the data: format 1.0, C order, a multiple of 64 bytes.
std::string NpyHeaderText(DType dtype, const std::vector<int64_t>& shape);

// Product of the lengths, or -1 when one is negative or the product times element_bytes does not fit.
int64_t ElementCount(const std::vector<int64_t>& shape, size_t element_bytes);

std::vector<float> ToFloatVector(const NpyArray& array);
// Integers round half to even and saturate, NaN becomes 0. `values` must have as many elements as `shape`.
Result<NpyArray> FromFloatVector(std::span<const float> values, const std::vector<int64_t>& shape, DType dtype);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_NPY_H_
