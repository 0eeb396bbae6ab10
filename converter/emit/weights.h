// The weight section: constants one after another, each at a multiple of 64 bytes, shared data once. float32 constants
// stay where they are, so that a large model is in memory once while it is written.
#ifndef FOVEA_CONVERTER_EMIT_WEIGHTS_H_
#define FOVEA_CONVERTER_EMIT_WEIGHTS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::converter {

class WeightSection {
 public:
  // Places the data (once for each type) and says where it is in `value`.
  void Place(const ir::ConstData& data, WeightType type, fovea::Value* value);
  // Places float32 numbers, which outlive the section; the offset.
  uint64_t Append(std::span<const float> data);

  // The section, piece after piece. Valid until the next Place or Append.
  std::span<const std::span<const std::byte>> pieces() const { return pieces_; }
  std::vector<std::byte> Joined() const;

 private:
  struct Placed {
    ir::ConstData data;  // keeps the numbers, and their address from being reused
    uint64_t offset, bytes;
  };
  uint64_t AppendPiece(std::span<const std::byte> piece);

  uint64_t size_ = 0;
  std::vector<std::span<const std::byte>> pieces_;
  std::deque<std::vector<uint16_t>> halves_;  // those of pieces_ in 16-bit types
  std::map<std::pair<const void*, WeightType>, Placed> placed_;
};

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_EMIT_WEIGHTS_H_
