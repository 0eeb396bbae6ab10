#include "converter/emit/weights.h"

#include <bit>
#include <cstring>

#include "converter/emit/half.h"

namespace fovea::converter {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are written as they stand in memory");
constexpr size_t kAlignment = 64;

}  // namespace

uint64_t WeightSection::Align() {
  bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
  return bytes_.size();
}

uint64_t WeightSection::Append(const std::vector<float>& data) {
  const uint64_t offset = Align();
  const size_t size = data.size() * sizeof(float);
  bytes_.resize(bytes_.size() + size);
  if (size > 0) std::memcpy(bytes_.data() + offset, data.data(), size);
  return offset;
}

void WeightSection::Place(const ir::ConstData& data, WeightType type, fovea::Value* value) {
  value->is_const = true;
  value->weight_type = type;
  const auto key = std::make_pair(static_cast<const void*>(data.get()), type);
  auto found = placed_.find(key);
  if (found == placed_.end()) {
    Placed placed{data, 0, 0};
    if (type == WeightType::kFloat32) {
      placed.offset = Append(*data);
    } else {
      placed.offset = Align();
      for (const float x : *data) {
        const uint16_t half = type == WeightType::kFloat16 ? ToFloat16(x) : ToBFloat16(x);
        bytes_.push_back(static_cast<std::byte>(half & 0xff));
        bytes_.push_back(static_cast<std::byte>(half >> 8));
      }
    }
    placed.bytes = bytes_.size() - placed.offset;
    found = placed_.emplace(key, std::move(placed)).first;
  }
  value->offset = found->second.offset;
  value->bytes = found->second.bytes;
}

}  // namespace fovea::converter
