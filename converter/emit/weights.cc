#include "converter/emit/weights.h"

#include <array>
#include <bit>

#include "converter/emit/half.h"

namespace fovea::converter {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are written as they stand in memory");
constexpr size_t kAlignment = 64;
constexpr std::array<std::byte, kAlignment> kPadding{};

}  // namespace

uint64_t WeightSection::AppendPiece(std::span<const std::byte> piece) {
  const size_t missing = (kAlignment - size_ % kAlignment) % kAlignment;
  if (missing > 0) pieces_.push_back(std::span(kPadding).first(missing));
  const uint64_t offset = size_ + missing;
  if (!piece.empty()) pieces_.push_back(piece);
  size_ = offset + piece.size();
  return offset;
}

uint64_t WeightSection::Append(std::span<const float> data) { return AppendPiece(std::as_bytes(data)); }

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
      std::vector<uint16_t>& halves = halves_.emplace_back();
      halves.reserve(data->size());
      for (const float x : *data) halves.push_back(type == WeightType::kFloat16 ? ToFloat16(x) : ToBFloat16(x));
      placed.offset = AppendPiece(std::as_bytes(std::span(halves)));
    }
    placed.bytes = size_ - placed.offset;
    found = placed_.emplace(key, std::move(placed)).first;
  }
  value->offset = found->second.offset;
  value->bytes = found->second.bytes;
}

std::vector<std::byte> WeightSection::Joined() const {
  std::vector<std::byte> bytes;
  bytes.reserve(size_);
  for (const std::span<const std::byte> piece : pieces_) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

}  // namespace fovea::converter
