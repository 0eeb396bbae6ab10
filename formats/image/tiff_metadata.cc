#include "formats/image/tiff_metadata.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "formats/image/imagej.h"
#include "formats/image/ome.h"
#include "formats/image/text.h"

namespace fovea::formats {
namespace {

constexpr uint64_t kMaxItemBytes = uint64_t{1} << 28;  // ImageJ overlays can be large
constexpr int64_t kMaxPlanes = int64_t{1} << 22;
constexpr uint64_t kMaxXmlBytes = uint64_t{1} << 26;

void ReadResolution(const TiffStructure& structure, const TiffDirectory& directory, bool imagej, ImageInfo* info) {
  PixelSize& size = info->pixel_size;
  const double x = structure.Real(directory, kTagXResolution), y = structure.Real(directory, kTagYResolution);
  const auto unit = structure.IntegerOr(directory, kTagResolutionUnit, 2);
  const uint64_t resolution_unit = unit.ok() ? *unit : 2;
  if (!(x > 0) || !(y > 0)) return;
  if (size.unit.empty() && resolution_unit == 2) {
    // 72 dpi is what programs write that know nothing; ImageJ reads it as uncalibrated, too.
    if (x == 72) return;
    size.unit = "inch";
  } else if (size.unit.empty() && resolution_unit == 3) {
    size.unit = "cm";
  } else if (size.unit.empty() && !imagej) {
    return;  // no unit: only the aspect ratio is meant
  } else if (size.unit.empty()) {
    return;
  }
  size.x = 1 / x;
  size.y = 1 / y;
}

// Tables that change how pixels look, not what they are.
void ReadLut(const TiffStructure& structure, const TiffDirectory& directory, const TiffPage& page, ImageInfo* info) {
  const TiffTag* map = FindTag(directory, kTagColorMap);
  const bool palette = page.photometric == kPhotometricPalette && page.bits <= 8;
  // ImageJ's table of images that are wider than a palette's.
  const bool imagej = page.photometric == kPhotometricMinIsBlack && page.bits > 8 && IsImageJText(info->description);
  if ((palette || imagej) && map != nullptr && map->type == kTiffShort) {
    const uint64_t entries = uint64_t{1} << std::min<uint64_t>(8, page.bits);
    if (map->count < 3 * entries) return;
    Lut lut{};
    for (uint64_t i = 0; i < 3 * entries; ++i) {
      const auto value = structure.Integer(*map, i);
      if (!value.ok()) return;
      lut[static_cast<size_t>(i / entries * 256 + i % entries)] = static_cast<uint8_t>(*value >> 8);
    }
    info->luts = {lut};
  } else if (page.photometric == 0 && page.bits == 8 && page.samples == 1) {
    Lut lut{};
    for (size_t i = 0; i < lut.size(); ++i) lut[i] = static_cast<uint8_t>(255 - i % 256);
    info->luts = {lut};
  }
}

// tifffile's description {"shape": [31, 61, 57], "axes": "ZYX"}: the lengths, and the axes when given.
bool ParseShaped(const std::string& description, std::vector<int64_t>* shape, std::string* axes) {
  if (!description.starts_with("{\"shape\"")) return false;
  const size_t open = description.find('['), close = description.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return false;
  for (size_t at = open + 1; at < close;) {
    const size_t end = std::min(description.find(',', at), close);
    shape->push_back(ParseInteger(description.substr(at, end - at), -1));
    if (shape->back() < 1 || shape->size() > 16) return false;
    at = end + 1;
  }
  const size_t key = description.find("\"axes\"", close);
  if (key != std::string::npos) {
    const size_t from = description.find('"', description.find(':', key));
    const size_t to = from == std::string::npos ? from : description.find('"', from + 1);
    if (to != std::string::npos) *axes = description.substr(from + 1, to - from - 1);
  }
  return true;
}

struct PageCounts {
  int64_t t = 1, z = 1, c = 1;
  std::string order = "czt";  // fastest first
  std::string axes;           // letters for what the pages count, slowest first
};

// Axes of a stack that tifffile described. False when the description contradicts the pages.
bool CountShaped(const std::vector<int64_t>& shape, const std::string& axes, const TiffPage& page, int64_t pages,
                 PageCounts* counts) {
  std::vector<int64_t> plane = {page.height, page.width};
  if (page.samples > 1) plane.insert(page.separate ? plane.begin() : plane.end(), page.samples);
  if (shape.size() < plane.size() || !std::equal(plane.rbegin(), plane.rend(), shape.rbegin())) return false;
  const size_t extra = shape.size() - plane.size();
  int64_t product = 1;
  for (size_t i = 0; i < extra; ++i) {
    if (__builtin_mul_overflow(product, shape[i], &product)) return false;
  }
  if (product != pages || pages == 1) return false;
  PageCounts found;
  found.order.clear();
  const bool named = axes.size() == shape.size();
  for (size_t i = extra; i-- > 0;) {
    const char letter = named ? axes[i] : 'Q';
    if (shape[i] > 1) found.axes.insert(found.axes.begin(), letter);
    int64_t* count = letter == 'T' ? &found.t : letter == 'C' ? &found.c : letter == 'Z' ? &found.z : nullptr;
    if (count == nullptr || found.order.find(static_cast<char>(letter - 'A' + 'a')) != std::string::npos) {
      // Axes of unknown meaning: all pages are one stack.
      found = PageCounts();
      found.z = pages;
      found.axes.push_back('Q');
      break;
    }
    *count = shape[i];
    found.order.push_back(static_cast<char>(letter - 'A' + 'a'));
  }
  for (const char axis : {'c', 'z', 't'}) {
    if (found.order.find(axis) == std::string::npos) found.order.push_back(axis);
  }
  *counts = found;
  return true;
}

std::string AxesOf(int64_t t, int64_t z, int64_t c, const std::string& order) {
  std::string axes;
  for (size_t i = order.size(); i-- > 0;) {
    const int64_t count = order[i] == 't' ? t : order[i] == 'z' ? z : c;
    if (count > 1) axes.push_back(static_cast<char>(order[i] - 'a' + 'A'));
  }
  return axes;
}

// Planes in canonical order from pages (numbers `pages`) in file order.
std::vector<TiffPlane> OrderPlanes(const PageCounts& counts, const std::vector<int64_t>& pages) {
  std::vector<TiffPlane> planes(pages.size());
  for (size_t i = 0; i < pages.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i), t = 0, z = 0, c = 0;
    for (const char axis : counts.order) {
      const int64_t size = axis == 't' ? counts.t : axis == 'z' ? counts.z : counts.c;
      (axis == 't' ? t : axis == 'z' ? z : c) = rest % size;
      rest /= size;
    }
    planes[static_cast<size_t>((t * counts.z + z) * counts.c + c)] = {0, pages[i]};
  }
  return planes;
}

void SetSizes(const PageCounts& counts, const TiffPage& page, ImageInfo* info) {
  info->dtype = page.dtype;
  info->t = counts.t;
  info->z = counts.z;
  info->c = counts.c * page.samples;
  info->y = page.height;
  info->x = page.width;
  info->axes = counts.axes;
  info->axes += page.samples == 1 ? "YX" : page.separate ? "SYX" : "YXS";
}

// True when the file is an OME-TIFF and `stack` was filled; false when it is to be read as a plain TIFF.
Result<bool> ReadOme(const ByteSource& source, const TiffStructure& structure, ImageInfo* info, TiffStack* stack) {
  const TiffPage& page = stack->first;
  const auto pages = static_cast<int64_t>(structure.directory_offsets().size());
  std::string xml = info->description;
  const size_t slash = source.name().rfind('/');
  const std::string own_name = slash == std::string::npos ? source.name() : source.name().substr(slash + 1);
  const std::string context = "'" + source.name() + "'";
  if (const std::string companion = OmeMetadataFile(xml); !companion.empty()) {
    const auto file = source.folder().empty() ? Result<std::unique_ptr<ByteSource>>(NotFound("no folder"))
                                              : OpenFileSource(source.folder() + companion);
    // Without its companion the file's own pages are still an image.
    if (!file.ok()) {
      info->warnings.push_back("it is part of a set of files that '" + companion +
                               "' describes, which is not beside it: this file's own pages alone are read");
      return false;
    }
    const ByteSource& text = **file;
    if (text.size() > kMaxXmlBytes) return Unsupported("'" + text.name() + "' has more than 64 MB of OME-XML");
    xml.resize(static_cast<size_t>(text.size()));
    FOVEA_RETURN_IF_ERROR(text.ReadAt(0, xml.data(), xml.size()));
  }
  auto parsed = ParseOmeXml(xml, info->description, own_name, page.samples, pages, info);
  if (!parsed.ok()) {
    if (pages == 1) {  // one page is unambiguous without its description
      info->warnings.push_back(parsed.status().message() + ": its one page is read, without calibration");
      return false;
    }
    return parsed.status().Prefixed(context);
  }
  OmeLayout& layout = *parsed;
  if (layout.width != page.width || layout.height != page.height) {
    if (pages == 1) {
      info->warnings.push_back("its OME-XML is of an image of another size: its one page is read");
      return false;
    }
    return CorruptFile(context + ": its OME-XML says " + std::to_string(layout.width) + " x " +
                       std::to_string(layout.height) + " pixels, its pages have " + std::to_string(page.width) + " x " +
                       std::to_string(page.height));
  }
  for (size_t i = 1; i < layout.files.size(); ++i) {
    std::error_code error;
    const std::string path = source.folder() + layout.files[i];
    if (source.folder().empty() || !std::filesystem::is_regular_file(path, error)) {
      return NotFound(context + " is part of a set of files, and '" + layout.files[i] + "' is not beside it");
    }
    layout.files[i] = path;
  }
  layout.files[0] = source.name();
  for (const OmePlane& plane : layout.planes) {
    if (plane.file < 0 || (plane.file == 0 && plane.page >= pages)) {
      return CorruptFile(context + ": its OME-XML names planes that no page of the file holds");
    }
    if (plane.file == 0 && plane.page > 0) {  // companions' pages are checked when they are read
      const uint64_t directory = structure.directory_offsets()[static_cast<size_t>(plane.page)];
      FOVEA_ASSIGN_OR_RETURN(const TiffPage other, ReadTiffPage(source, structure, directory));
      if (!other.SameShape(page)) {
        return CorruptFile(context + ": page " + std::to_string(plane.page + 1) +
                           " has another size or type than the first");
      }
    }
    stack->planes.push_back({plane.file, plane.page});
  }
  stack->files = layout.files;
  SetSizes({layout.t, layout.z, layout.c, layout.order, AxesOf(layout.t, layout.z, layout.c, layout.order)}, page,
           info);
  info->format = "OME-TIFF";
  return true;
}

// Planes beyond the directories: plain bytes after the first page's (ImageJ stacks over 4 GB, tifffile's
// truncate=True).
Status MakeContiguous(const ByteSource& source, const TiffStructure& structure, int64_t planes, TiffStack* stack) {
  const TiffPage& page = stack->first;
  const int64_t plane_bytes = (page.width * page.samples * page.bits + 7) / 8 * page.height;
  FOVEA_ASSIGN_OR_RETURN(const uint64_t offset, structure.Integer(page.offsets, 0));
  int64_t total = 0;
  if (planes > kMaxPlanes) {
    return Unsupported("'" + source.name() + "' has more than " + std::to_string(kMaxPlanes) + " planes");
  }
  if (!page.raw() || page.tiled || __builtin_mul_overflow(planes, plane_bytes, &total) || offset > source.size() ||
      static_cast<uint64_t>(total) > source.size() - offset) {
    return CorruptFile("'" + source.name() + "' is cut short: it promises " + std::to_string(planes) +
                       " planes and has pages for " + std::to_string(structure.directory_offsets().size()));
  }
  stack->contiguous = true;
  stack->contiguous_offset = offset;
  return OkStatus();
}

}  // namespace

Result<TiffStack> ReadTiffStack(const ByteSource& source, const TiffStructure& structure, ImageInfo* info) {
  const std::vector<uint64_t>& directories = structure.directory_offsets();
  TiffStack stack;
  stack.files = {source.name()};
  FOVEA_ASSIGN_OR_RETURN(stack.first, ReadTiffPage(source, structure, directories[0]));
  const TiffPage& page = stack.first;
  FOVEA_ASSIGN_OR_RETURN(const TiffDirectory directory, structure.ReadDirectory(directories[0]));
  info->description = structure.Text(directory, kTagImageDescription, kMaxXmlBytes);
  info->software = structure.Text(directory, kTagSoftware, 4096);
  info->date = structure.Text(directory, kTagDateTime, 4096);
  ReadLut(structure, directory, page, info);

  if (IsOmeXml(info->description)) {
    FOVEA_ASSIGN_OR_RETURN(const bool ome, ReadOme(source, structure, info, &stack));
    if (ome) return stack;
    info->pixel_size = PixelSize();
    info->channel_names.clear();
  }

  std::vector<int64_t> pages = {0};
  for (size_t i = 1; i < directories.size(); ++i) {
    const auto other = ReadTiffPage(source, structure, directories[i]);
    if (!other.ok() && other.status().code() != StatusCode::kUnsupported) return other.status();
    if (other.ok() && other->SameShape(page) && (!other->reduced || page.reduced)) {
      pages.push_back(static_cast<int64_t>(i));
    } else {
      ++info->ignored_pages;
    }
  }
  const int64_t page_count = static_cast<int64_t>(pages.size());
  PageCounts counts;
  int64_t planes = page_count;
  const bool imagej = IsImageJText(info->description);
  info->format = imagej ? "ImageJ TIFF" : "TIFF";
  if (imagej) {
    const ImageJLayout layout = ParseImageJText(info->description, page.samples, page_count, info);
    counts = {layout.t, layout.z, layout.c, layout.order, AxesOf(layout.t, layout.z, layout.c, layout.order)};
    planes = layout.images;
  } else {
    std::vector<int64_t> shape;
    std::string axes;
    counts.z = page_count;
    if (page_count > 1) counts.axes.push_back('I');
    if (ParseShaped(info->description, &shape, &axes)) {
      int64_t total = 1, plane = 0;
      for (const int64_t length : shape) {
        if (__builtin_mul_overflow(total, length, &total)) total = 0;
      }
      plane = page.width * page.height * page.samples;
      if (page_count == 1 && total > plane && total % plane == 0) planes = total / plane;
      CountShaped(shape, axes, page, planes, &counts);
      if (counts.t * counts.z * counts.c != planes) planes = page_count;
    }
  }
  ReadResolution(structure, directory, imagej, info);
  if (planes > page_count) {
    FOVEA_RETURN_IF_ERROR(MakeContiguous(source, structure, planes, &stack));
    pages.resize(static_cast<size_t>(planes));
    for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int64_t>(i);
  } else {
    pages.resize(static_cast<size_t>(planes));
  }
  stack.planes = OrderPlanes(counts, pages);
  SetSizes(counts, page, info);
  const TiffTag* item_counts = FindTag(directory, kTagImageJCounts);
  const TiffTag* items = FindTag(directory, kTagImageJMetadata);
  if (imagej && item_counts != nullptr && items != nullptr && items->type == kTiffByte) {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, structure.Bytes(*items, kMaxItemBytes));
    std::vector<uint64_t> sizes;
    for (uint64_t i = 0; i < std::min<uint64_t>(item_counts->count, uint64_t{1} << 22); ++i) {
      FOVEA_ASSIGN_OR_RETURN(const uint64_t size, structure.Integer(*item_counts, i));
      sizes.push_back(size);
    }
    ParseImageJItems(bytes, sizes, structure.big_endian(), info);
  }
  return stack;
}

}  // namespace fovea::formats
