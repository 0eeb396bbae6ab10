#include "formats/image/imagej.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "formats/image/text.h"

namespace fovea::formats {
namespace {

constexpr int64_t kMaxAxis = int64_t{1} << 31;

constexpr uint32_t Type(const char (&name)[5]) {
  return static_cast<uint32_t>(static_cast<unsigned char>(name[0])) << 24 |
         static_cast<uint32_t>(static_cast<unsigned char>(name[1])) << 16 |
         static_cast<uint32_t>(static_cast<unsigned char>(name[2])) << 8 |
         static_cast<uint32_t>(static_cast<unsigned char>(name[3]));
}
constexpr uint32_t kMagic = Type("IJIJ"), kInfo = Type("info"), kLabels = Type("labl"), kRanges = Type("rang"),
                   kLuts = Type("luts"), kProperties = Type("prop");

uint64_t Load(const uint8_t* at, size_t bytes, bool big_endian) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | at[big_endian ? i : bytes - 1 - i];
  return value;
}

// Keys that become fields of ImageInfo, or follow from the pixels; all others travel as properties.
bool IsStructural(std::string_view key) {
  static constexpr std::string_view kKeys[] = {"ImageJ",  "images",  "channels", "slices", "frames",    "hyperstack",
                                               "unit",    "spacing", "min",      "max",    "finterval", "tunit",
                                               "xorigin", "yorigin", "zorigin",  "order",  "zunit",     "yunit"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

// Names channels after the slice labels where a label depends on its channel only.
void DeriveChannelNames(ImageInfo* info) {
  if (info->c < 2 || static_cast<int64_t>(info->slice_labels.size()) != info->plane_count()) return;
  for (size_t i = 0; i < info->slice_labels.size(); ++i) {
    if (info->slice_labels[i].empty()) return;
    if (info->slice_labels[i] != info->slice_labels[i % static_cast<size_t>(info->c)]) return;
  }
  info->channel_names.assign(info->slice_labels.begin(), info->slice_labels.begin() + info->c);
}

}  // namespace

bool IsImageJText(std::string_view description) { return description.starts_with("ImageJ="); }

ImageJLayout ParseImageJText(std::string_view description, int64_t samples, int64_t pages, ImageInfo* info) {
  ImageJLayout layout;
  int64_t images = 0, channels = 1, slices = 1, frames = 1;
  double min = 0, max = 0, interval = 0, seconds = 1;
  PixelSize& size = info->pixel_size;
  const auto axis = [](std::string_view value) { return std::clamp<int64_t>(ParseInteger(value, 1), 1, kMaxAxis); };
  while (!description.empty()) {
    const size_t line_end = std::min(description.find('\n'), description.size());
    const std::string_view line = description.substr(0, line_end);
    description.remove_prefix(std::min(line_end + 1, description.size()));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "images") images = axis(value);
    if (key == "channels") channels = axis(value);
    if (key == "slices") slices = axis(value);
    if (key == "frames") frames = axis(value);
    if (key == "unit") size.unit = NormalizeUnit(DecodeUnicodeEscapes(value));
    if (key == "spacing") size.z = ParseNumber(value, 0);
    if (key == "finterval") interval = ParseNumber(value, 0);
    if (key == "tunit") seconds = SecondsPer(value);
    if (key == "xorigin") size.origin_x_px = ParseNumber(value, 0);
    if (key == "yorigin") size.origin_y_px = ParseNumber(value, 0);
    if (key == "zorigin") size.origin_z_px = ParseNumber(value, 0);
    if (key == "min") min = ParseNumber(value, 0);
    if (key == "max") max = ParseNumber(value, 0);
    if (key == "order" && value.size() == 3) layout.order = LowerCase(value);
    if (!IsStructural(key)) info->properties.emplace_back(std::string(key), std::string(value));
  }
  std::string sorted = layout.order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != "ctz") layout.order = "czt";
  size.frame_interval_s = interval * (seconds > 0 ? seconds : 1);
  if (max > min) info->display_ranges = {{min, max}};

  if (samples > 1) channels = channels % samples == 0 ? channels / samples : 1;
  layout.images = std::max(images, pages);
  const auto fits = [&] {
    int64_t product = 0;
    return !__builtin_mul_overflow(channels, slices, &product) && !__builtin_mul_overflow(product, frames, &product) &&
           product == layout.images;
  };
  if (!fits() && images > 0 && images < pages) layout.images = images;
  if (!fits()) {  // stacks written by hand: keep what divides
    int64_t fixed = 0;
    if (!__builtin_mul_overflow(channels, slices, &fixed) && layout.images % fixed == 0) {
      frames = layout.images / fixed;
    } else {
      channels = frames = 1;
      slices = layout.images;
    }
  }
  layout.c = channels;
  layout.z = slices;
  layout.t = frames;
  return layout;
}

void ParseImageJItems(std::span<const uint8_t> items, const std::vector<uint64_t>& counts, bool big_endian,
                      ImageInfo* info) {
  if (counts.size() < 2 || counts[0] < 12 || counts[0] > items.size() || Load(items.data(), 4, big_endian) != kMagic) {
    return;
  }
  const size_t header_entries = static_cast<size_t>((counts[0] - 4) / 8);
  size_t next_item = 1;
  size_t at = static_cast<size_t>(counts[0]);
  std::vector<std::string> labels;
  std::vector<Lut> luts;
  for (size_t entry = 0; entry < header_entries; ++entry) {
    const auto type = static_cast<uint32_t>(Load(items.data() + 4 + entry * 8, 4, big_endian));
    const uint64_t n = Load(items.data() + 8 + entry * 8, 4, big_endian);
    for (uint64_t i = 0; i < n; ++i) {
      if (next_item >= counts.size() || counts[next_item] > items.size() - at) return;
      const std::span<const uint8_t> item = items.subspan(at, static_cast<size_t>(counts[next_item++]));
      at += item.size();
      if (type == kInfo) {
        info->notes = Utf16ToUtf8(item, big_endian);
      } else if (type == kLabels) {
        labels.push_back(Utf16ToUtf8(item, big_endian));
      } else if (type == kRanges) {
        info->display_ranges.clear();
        for (size_t r = 0; r + 16 <= item.size(); r += 16) {
          info->display_ranges.push_back({std::bit_cast<double>(Load(&item[r], 8, big_endian)),
                                          std::bit_cast<double>(Load(&item[r + 8], 8, big_endian))});
        }
      } else if (type == kLuts && item.size() == std::tuple_size_v<Lut>) {
        std::copy(item.begin(), item.end(), luts.emplace_back().begin());
      } else if (type != 0) {
        ImageJBlock block{type, {item.begin(), item.end()}};
        if (type == kProperties && big_endian != (std::endian::native == std::endian::big)) {
          for (size_t b = 0; b + 1 < block.bytes.size(); b += 2) std::swap(block.bytes[b], block.bytes[b + 1]);
        }
        info->imagej_blocks.push_back(std::move(block));
      }
    }
  }
  if (!luts.empty()) info->luts = std::move(luts);
  if (!labels.empty() && labels.size() <= static_cast<size_t>(info->plane_count())) {
    labels.resize(static_cast<size_t>(info->plane_count()));
    info->slice_labels = std::move(labels);
    DeriveChannelNames(info);
  }
}

std::string MakeImageJText(const ImageInfo& info, bool interleaved) {
  std::string text = "ImageJ=1.54f\n";
  const auto put = [&text](const char* key, const std::string& value) { text += key + ("=" + value) + "\n"; };
  const int64_t images = interleaved ? info.t * info.z : info.plane_count();
  if (images > 1) put("images", std::to_string(images));
  const bool channels_key = info.c > 1 && (!interleaved || info.dtype != DType::kUInt8);
  if (channels_key) put("channels", std::to_string(info.c));
  if (info.z > 1) put("slices", std::to_string(info.z));
  if (info.t > 1) put("frames", std::to_string(info.t));
  if (images > 1 && (info.c > 1) + (info.z > 1) + (info.t > 1) > 1) put("hyperstack", "true");
  const bool has_mode = std::any_of(info.properties.begin(), info.properties.end(),
                                    [](const auto& property) { return property.first == "mode"; });
  // ImageJ shows at most 7 channels as a composite.
  if (channels_key && !has_mode) put("mode", info.c <= 7 ? "composite" : "grayscale");
  const PixelSize& size = info.pixel_size;
  if (!size.unit.empty()) put("unit", EncodeUnicodeEscapes(size.unit));
  if (size.z > 0) put("spacing", NumberText(size.z));
  if (size.frame_interval_s > 0) put("finterval", NumberText(size.frame_interval_s));
  if (size.origin_x_px != 0) put("xorigin", NumberText(size.origin_x_px));
  if (size.origin_y_px != 0) put("yorigin", NumberText(size.origin_y_px));
  if (size.origin_z_px != 0) put("zorigin", NumberText(size.origin_z_px));
  if (!info.display_ranges.empty()) {
    put("min", NumberText(info.display_ranges[0].min));
    put("max", NumberText(info.display_ranges[0].max));
  }
  for (const auto& [key, value] : info.properties) {
    if (key == "mode" && !channels_key) continue;
    const bool safe = key.find_first_of("=\n") == std::string::npos && value.find('\n') == std::string::npos;
    if (safe && !key.empty() && !IsStructural(key)) put(key.c_str(), EncodeUnicodeEscapes(value));
  }
  return text;
}

ImageJItems MakeImageJItems(const ImageInfo& info) {
  constexpr bool kBig = std::endian::native == std::endian::big;
  struct Item {
    uint32_t type;
    std::vector<std::vector<uint8_t>> parts;
  };
  std::vector<Item> items;
  if (!info.notes.empty()) items.push_back({kInfo, {Utf8ToUtf16(info.notes, kBig)}});
  std::vector<std::string> labels = info.slice_labels;
  if (labels.empty() && info.c > 1 && static_cast<int64_t>(info.channel_names.size()) == info.c) {
    // ImageJ knows no channel names; it shows slice labels in their place.
    for (int64_t i = 0; i < info.t * info.z; ++i) {
      labels.insert(labels.end(), info.channel_names.begin(), info.channel_names.end());
    }
  }
  const bool any_label = std::any_of(labels.begin(), labels.end(), [](const std::string& l) { return !l.empty(); });
  if (any_label && static_cast<int64_t>(labels.size()) == info.plane_count()) {
    Item item{kLabels, {}};
    for (const std::string& label : labels) item.parts.push_back(Utf8ToUtf16(label, kBig));
    items.push_back(std::move(item));
  }
  if (info.display_ranges.size() > 1) {
    std::vector<uint8_t> bytes(info.display_ranges.size() * 16);
    for (size_t i = 0; i < info.display_ranges.size(); ++i) {
      std::memcpy(&bytes[i * 16], &info.display_ranges[i].min, 8);
      std::memcpy(&bytes[i * 16 + 8], &info.display_ranges[i].max, 8);
    }
    items.push_back({kRanges, {std::move(bytes)}});
  }
  // A lone table is the page's colour map instead.
  if (info.luts.size() > 1) {
    Item item{kLuts, {}};
    for (const Lut& lut : info.luts) item.parts.emplace_back(lut.begin(), lut.end());
    items.push_back(std::move(item));
  }
  for (const ImageJBlock& block : info.imagej_blocks) {
    if (!items.empty() && items.back().type == block.type) {
      items.back().parts.push_back(block.bytes);
    } else {
      items.push_back({block.type, {block.bytes}});
    }
  }
  ImageJItems made;
  if (items.empty()) return made;
  const auto put = [&made](uint32_t value) {
    uint8_t bytes[4];
    std::memcpy(bytes, &value, 4);
    made.bytes.insert(made.bytes.end(), bytes, bytes + 4);
  };
  put(kMagic);
  for (const Item& item : items) {
    put(item.type);
    put(static_cast<uint32_t>(item.parts.size()));
  }
  made.counts.push_back(static_cast<uint32_t>(made.bytes.size()));
  for (const Item& item : items) {
    for (const auto& part : item.parts) {
      made.counts.push_back(static_cast<uint32_t>(part.size()));
      made.bytes.insert(made.bytes.end(), part.begin(), part.end());
    }
  }
  return made;
}

}  // namespace fovea::formats
