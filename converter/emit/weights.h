// The weight section: constants one after another, each at a multiple of 64 bytes, shared data once.
#ifndef FOVEA_CONVERTER_EMIT_WEIGHTS_H_
#define FOVEA_CONVERTER_EMIT_WEIGHTS_H_

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::converter {

class WeightSection {
 public:
  // Places the data (once for each type) and says where it is in `value`.
  void Place(const ir::ConstData& data, WeightType type, fovea::Value* value);
  // Places float32 numbers; the offset.
  uint64_t Append(const std::vector<float>& data);
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  struct Placed {
    ir::ConstData data;  // keeps the address from being reused
    uint64_t offset, bytes;
  };
  uint64_t Align();
  std::vector<std::byte> bytes_;
  std::map<std::pair<const void*, WeightType>, Placed> placed_;
};

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_EMIT_WEIGHTS_H_
