#include "formats/image/tiff_level.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "formats/image/tiff_structure.h"

namespace fovea::formats {
namespace {

constexpr int64_t kBlockBytes = int64_t{256} << 10;

// 2 x 2 pixels to one; `rows` and `cols` are inside the image, the rest of the chunk is padding. Pixels of src lie
// src_cols apart from row to row; dst is tight and as large as the part inside needs.
template <class T>
void HalveAs(const uint8_t* src, int64_t src_cols, int64_t rows, int64_t cols, int64_t samples, bool nearest,
             uint8_t* dst) {
  const auto at = [&](int64_t y, int64_t x, int64_t s) {
    T value;
    std::memcpy(&value, src + static_cast<size_t>((y * src_cols + x) * samples + s) * sizeof(T), sizeof(T));
    return value;
  };
  for (int64_t y = 0; y < rows; y += 2) {
    for (int64_t x = 0; x < cols; x += 2) {
      for (int64_t s = 0; s < samples; ++s) {
        T value = at(y, x, s);
        if (!nearest) {
          const bool below = y + 1 < rows, right = x + 1 < cols;
          double sum = static_cast<double>(value), count = 1;
          if (right) sum += static_cast<double>(at(y, x + 1, s)), ++count;
          if (below) sum += static_cast<double>(at(y + 1, x, s)), ++count;
          if (right && below) sum += static_cast<double>(at(y + 1, x + 1, s)), ++count;
          const double mean = sum / count;
          value = std::is_floating_point_v<T> ? static_cast<T>(mean) : static_cast<T>(std::nearbyint(mean));
        }
        std::memcpy(dst, &value, sizeof(T));
        dst += sizeof(T);
      }
    }
  }
}

using HalveFunction = void (*)(const uint8_t*, int64_t, int64_t, int64_t, int64_t, bool, uint8_t*);

HalveFunction HalveOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8: return HalveAs<int8_t>;
    case DType::kUInt16: return HalveAs<uint16_t>;
    case DType::kInt16: return HalveAs<int16_t>;
    case DType::kUInt32: return HalveAs<uint32_t>;
    case DType::kInt32: return HalveAs<int32_t>;
    case DType::kFloat32: return HalveAs<float>;
    case DType::kFloat64: return HalveAs<double>;
    default: return HalveAs<uint8_t>;
  }
}

}  // namespace

TiffLevel::TiffLevel(const LevelShape& shape, const Body* body, uint64_t base, TiffLevel* next)
    : shape_(shape), body_(*body), base_(base), next_(next) {
  if (body_.store != nullptr) located_.resize(static_cast<size_t>(shape_.pages * shape_.page_chunks()));
}

int64_t TiffLevel::TableBytes() const {
  // Offsets and counts of a page are gathered, added and serialised; a state of all is made and written.
  return 3 * static_cast<int64_t>(sizeof(Location)) * shape_.pages * shape_.page_chunks();
}

int64_t TiffLevel::BodyBytes() const { return shape_.pages * shape_.page_chunks() * shape_.chunk_bytes(); }

uint64_t TiffLevel::PlaceOf(int64_t number) const {
  const int64_t page = number / shape_.page_chunks(), i = number % shape_.page_chunks();
  return base_ + static_cast<uint64_t>(page * shape_.page_bytes() + i * shape_.chunk_bytes());
}

Status TiffLevel::Write(int64_t page, int64_t sample, const Region& region, const uint8_t* src) {
  const int64_t row_bytes = region.width * shape_.element_bytes;
  const int64_t bottom = region.y + region.height, end = region.x + region.width;
  if (body_.store == nullptr && !shape_.tiled) {
    // Strips follow one another without gaps: one chunk of all rows.
    return WritePiece(
        {page * shape_.page_chunks(), 0, 0, region.y, region.x, sample, region.height, region.width, src, row_bytes});
  }
  for (int64_t cy = region.y / shape_.chunk_height; cy * shape_.chunk_height < bottom; ++cy) {
    const int64_t top = cy * shape_.chunk_height;
    const int64_t y0 = std::max(region.y, top), y1 = std::min(bottom, top + shape_.chunk_height);
    for (int64_t cx = region.x / shape_.chunk_width; cx * shape_.chunk_width < end; ++cx) {
      const int64_t left = cx * shape_.chunk_width;
      const int64_t x0 = std::max(region.x, left), x1 = std::min(end, left + shape_.chunk_width);
      const uint8_t* corner = src + (y0 - region.y) * row_bytes + (x0 - region.x) * shape_.element_bytes;
      const int64_t number = (page * shape_.down() + cy) * shape_.across() + cx;
      FOVEA_RETURN_IF_ERROR(
          WritePiece({number, cy, cx, y0 - top, x0 - left, sample, y1 - y0, x1 - x0, corner, row_bytes}));
    }
  }
  return OkStatus();
}

// Puts the values of one sample into a row of pixels; `dst` is the pixel of the first value.
void TiffLevel::Insert(const uint8_t* src, int64_t count, int64_t sample, uint8_t* dst) const {
  const auto bytes = static_cast<size_t>(shape_.element_bytes);
  if (shape_.samples == 1) {
    std::memcpy(dst, src, static_cast<size_t>(count) * bytes);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(dst + (i * shape_.samples + sample) * shape_.element_bytes, src + i * shape_.element_bytes, bytes);
  }
}

template <class Get, class Put>
Status TiffLevel::Merge(const Piece& piece, const Get& get, const Put& put) {
  const int64_t pixel_bytes = shape_.samples * shape_.element_bytes, row_bytes = shape_.row_bytes();
  const bool full_rows = piece.width == shape_.chunk_width;
  if (full_rows && shape_.samples == 1 && piece.src_row_bytes == row_bytes) {
    return put(piece.y * row_bytes, piece.src, piece.height * row_bytes);
  }
  const int64_t step = full_rows ? std::max<int64_t>(1, kBlockBytes / row_bytes) : 1;
  for (int64_t row = 0; row < piece.height; row += step) {
    const int64_t rows = std::min(step, piece.height - row);
    const int64_t span = full_rows ? rows * row_bytes : piece.width * pixel_bytes;
    block_.resize(static_cast<size_t>(span));
    const int64_t at = (piece.y + row) * row_bytes + piece.x * pixel_bytes;
    // Samples of one pixel come in separate calls: keep those that are there.
    if (shape_.samples > 1) FOVEA_RETURN_IF_ERROR(get(at, block_.data(), span));
    for (int64_t i = 0; i < rows; ++i) {
      Insert(piece.src + (row + i) * piece.src_row_bytes, piece.width, piece.sample, block_.data() + i * row_bytes);
    }
    FOVEA_RETURN_IF_ERROR(put(at, block_.data(), span));
  }
  return OkStatus();
}

Status TiffLevel::WritePiece(const Piece& piece) {
  if (body_.store != nullptr) return Collect(piece);
  const uint64_t place = PlaceOf(piece.number);
  return Merge(
      piece,
      [&](int64_t offset, uint8_t* dst, int64_t bytes) {
        return body_.file->ReadAt(place + static_cast<uint64_t>(offset), dst, static_cast<size_t>(bytes));
      },
      [&](int64_t offset, const uint8_t* src, int64_t bytes) {
        return body_.file->WriteAt(place + static_cast<uint64_t>(offset), src, static_cast<size_t>(bytes));
      });
}

Status TiffLevel::Collect(const Piece& piece) {
  const auto [found, is_new] = pending_.try_emplace(piece.number);
  Pending& pending = found->second;
  if (is_new) {
    if (located_[static_cast<size_t>(piece.number)].offset != 0) {
      pending_.erase(found);
      return InvalidArgument("pixels of '" + body_.path + "' were written twice");
    }
    FOVEA_ASSIGN_OR_RETURN(pending.slot, body_.store->Take());
    pending.missing = shape_.InsideRows(piece.cy) * shape_.InsideCols(piece.cx) * shape_.samples;
  }
  FOVEA_RETURN_IF_ERROR(Merge(
      piece,
      [&](int64_t offset, uint8_t* dst, int64_t bytes) { return body_.store->Read(pending.slot, offset, dst, bytes); },
      [&](int64_t offset, const uint8_t* src, int64_t bytes) {
        return body_.store->Write(pending.slot, offset, src, bytes);
      }));
  pending.missing -= piece.height * piece.width;
  if (pending.missing > 0) return OkStatus();
  std::vector<uint8_t> bytes(static_cast<size_t>(shape_.chunk_rows(piece.cy) * shape_.row_bytes()));
  FOVEA_RETURN_IF_ERROR(body_.store->Read(pending.slot, 0, bytes.data(), static_cast<int64_t>(bytes.size())));
  body_.store->Give(pending.slot);
  pending_.erase(found);
  return Append(piece.number, &bytes);
}

Status TiffLevel::PassOn(int64_t number, const std::vector<uint8_t>& bytes) {
  const int64_t page = number / shape_.page_chunks(), cy = number / shape_.across() % shape_.down();
  const int64_t cx = number % shape_.across();
  const int64_t rows = shape_.InsideRows(cy), cols = shape_.InsideCols(cx);
  Region half;
  half.y = cy * shape_.chunk_height / 2;
  half.x = cx * shape_.chunk_width / 2;
  half.height = (rows + 1) / 2;
  half.width = (cols + 1) / 2;
  const int64_t pixels = half.height * half.width, element = shape_.element_bytes;
  std::vector<uint8_t> halved(static_cast<size_t>(pixels * shape_.samples * element));
  HalveOf(body_.dtype)(bytes.data(), shape_.chunk_width, rows, cols, shape_.samples, body_.nearest, halved.data());
  if (shape_.samples == 1) return next_->Write(page, 0, half, halved.data());
  std::vector<uint8_t> plane(static_cast<size_t>(pixels * element));
  for (int64_t s = 0; s < shape_.samples; ++s) {
    for (int64_t i = 0; i < pixels; ++i) {
      std::memcpy(plane.data() + i * element, halved.data() + (i * shape_.samples + s) * element,
                  static_cast<size_t>(element));
    }
    FOVEA_RETURN_IF_ERROR(next_->Write(page, s, half, plane.data()));
  }
  return OkStatus();
}

Status TiffLevel::Append(int64_t number, std::vector<uint8_t>* bytes) {
  if (next_ != nullptr) FOVEA_RETURN_IF_ERROR(PassOn(number, *bytes));
  Location& location = located_[static_cast<size_t>(number)];
  if (!compressed()) {
    location = {PlaceOf(number), bytes->size()};
    return body_.file->WriteAt(location.offset, bytes->data(), bytes->size());
  }
  if (body_.predicts) {
    DifferenceRows(bytes->data(), static_cast<int64_t>(bytes->size()) / shape_.row_bytes(), shape_.chunk_width,
                   shape_.samples, static_cast<size_t>(shape_.element_bytes));
  }
  std::vector<uint8_t> encoded;
  if (body_.compression == WriteOptions::kLzw) {
    encoded = EncodeLzw(*bytes);
  } else {
    FOVEA_ASSIGN_OR_RETURN(encoded, EncodeDeflate(*bytes));
  }
  FOVEA_RETURN_IF_ERROR(body_.file->WriteAt(*body_.end, encoded.data(), encoded.size()));
  location = {*body_.end, encoded.size()};
  *body_.end += encoded.size() + (encoded.size() & 1);
  return OkStatus();
}

Status TiffLevel::Complete() {
  while (!pending_.empty()) {
    const auto [number, pending] = *pending_.begin();
    const int64_t cy = number / shape_.across() % shape_.down();
    std::vector<uint8_t> bytes(static_cast<size_t>(shape_.chunk_rows(cy) * shape_.row_bytes()));
    FOVEA_RETURN_IF_ERROR(body_.store->Read(pending.slot, 0, bytes.data(), static_cast<int64_t>(bytes.size())));
    body_.store->Give(pending.slot);
    pending_.erase(pending_.begin());
    FOVEA_RETURN_IF_ERROR(Append(number, &bytes));
  }
  for (size_t i = 0; i < located_.size(); ++i) {
    if (located_[i].offset != 0) continue;
    const int64_t cy = static_cast<int64_t>(i) / shape_.across() % shape_.down();
    std::vector<uint8_t> zeros(static_cast<size_t>(shape_.chunk_rows(cy) * shape_.row_bytes()));
    FOVEA_RETURN_IF_ERROR(Append(static_cast<int64_t>(i), &zeros));
  }
  return OkStatus();
}

void TiffLevel::AddChunks(int64_t page, IfdBuilder* ifd) const {
  const int64_t chunks = shape_.page_chunks();
  std::vector<uint64_t> offsets, counts;
  for (int64_t i = 0; i < chunks; ++i) {
    Location location = {PlaceOf(page * chunks + i),
                         static_cast<uint64_t>(shape_.chunk_rows(i / shape_.across()) * shape_.row_bytes())};
    if (compressed()) location = located_[static_cast<size_t>(page * chunks + i)];
    offsets.push_back(location.offset);
    counts.push_back(location.bytes);
  }
  if (shape_.tiled) {
    ifd->AddLong(kTagTileWidth, static_cast<uint32_t>(shape_.chunk_width));
    ifd->AddLong(kTagTileLength, static_cast<uint32_t>(shape_.chunk_height));
  } else {
    ifd->AddLong(kTagRowsPerStrip, static_cast<uint32_t>(shape_.chunk_height));
  }
  ifd->AddOffsets(shape_.tiled ? kTagTileOffsets : kTagStripOffsets, offsets);
  ifd->AddOffsets(shape_.tiled ? kTagTileByteCounts : kTagStripByteCounts, counts);
}

void TiffLevel::Save(StateWriter* state) const {
  state->Put(pending_.size());
  for (const auto& [number, pending] : pending_) {
    state->Put(static_cast<uint64_t>(number));
    state->Put(static_cast<uint64_t>(pending.slot));
    state->Put(static_cast<uint64_t>(pending.missing));
  }
  state->Put(located_.size());
  for (const Location& location : located_) {
    state->Put(location.offset);
    state->Put(location.bytes);
  }
}

bool TiffLevel::HoldsWhatIsPending() const {
  return std::all_of(pending_.begin(), pending_.end(),
                     [this](const auto& pending) { return body_.store->Holds(pending.second.slot); });
}

Status TiffLevel::Load(StateReader* state) {
  const uint64_t count = state->GetCount();
  for (uint64_t i = 0; i < count; ++i) {
    const auto number = static_cast<int64_t>(state->Get());
    Pending& pending = pending_[number];
    pending.slot = static_cast<int64_t>(state->Get());
    pending.missing = static_cast<int64_t>(state->Get());
    if (number < 0 || number >= chunks()) return CorruptFile("damaged");
  }
  if (state->GetCount() != located_.size()) return CorruptFile("damaged");
  for (Location& location : located_) {
    location.offset = state->Get();
    location.bytes = state->Get();
  }
  return state->ok() ? OkStatus() : CorruptFile("damaged");
}

}  // namespace fovea::formats
