// Slices of partitioned variables: how a checkpoint names them and how graphs ask for them.
//
// A slice is one extent [start, start + length) an axis; a missing length means the whole axis. Its key in the index is
// the ordered code of 0, the variable's name, the rank and the extents (tensorflow/core/util/
// saved_tensor_slice_util.cc, lib/strings/ordered_code.cc); its text in RestoreV2's shape_and_slices is the full
// variable's sizes and the extents: "16 4 0,8:-" (util/tensor_slice_set, TensorSlice::Parse).
#ifndef FOVEA_CONVERTER_SAVED_MODEL_SLICE_H_
#define FOVEA_CONVERTER_SAVED_MODEL_SLICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "converter/saved_model/tensorflow.pb.h"
#include "runtime/include/fovea/status.h"

namespace fovea::converter {

struct Extent {
  int64_t start = 0, length = -1;  // -1: the whole axis
};
using Slice = std::vector<Extent>;

Slice ToSlice(const tfproto::TensorSliceProto& proto);
std::string SliceKey(const std::string& name, const Slice& slice);

// Whole axes made explicit. kCorruptFile where the slice does not lie within dims.
Result<Slice> Resolve(const Slice& slice, const std::vector<int64_t>& dims);
bool Overlap(const Slice& a, const Slice& b);  // both resolved
std::vector<int64_t> SliceDims(const Slice& resolved);

// The extents of "16 4 0,8:-"; empty for "" (the whole variable).
Result<Slice> ParseSliceSpec(const std::string& spec);

// Copies between a whole tensor of `dims` and its slice, both row-major float32.
void CopySliceIn(const std::vector<float>& part, const Slice& slice, const std::vector<int64_t>& dims,
                 std::vector<float>* whole);
std::vector<float> CopySliceOut(const std::vector<float>& whole, const Slice& slice, const std::vector<int64_t>& dims);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_SLICE_H_
