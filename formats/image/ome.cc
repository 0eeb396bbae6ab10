#include "formats/image/ome.h"

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>
#include <sstream>

#include "formats/image/text.h"

namespace fovea::formats {
namespace {

constexpr int64_t kMaxPlanes = int64_t{1} << 22;
constexpr const char* kMicrometre = "\xc2\xb5m";

const char* LocalName(const pugi::xml_node& node) {
  const char* colon = std::strchr(node.name(), ':');
  return colon != nullptr ? colon + 1 : node.name();
}

pugi::xml_node Child(const pugi::xml_node& parent, const char* name) {
  for (const pugi::xml_node child : parent.children()) {
    if (std::strcmp(LocalName(child), name) == 0) return child;
  }
  return {};
}

pugi::xml_node Root(const pugi::xml_document& document) { return Child(document, "OME"); }

std::string BaseName(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string RootUuid(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  return Root(document).attribute("UUID").value();
}

// Sizes of y and z in the unit of x, where the units can be converted.
double LengthIn(const std::string& unit, const pugi::xml_node& node, const char* value_name, const char* unit_name) {
  const double value = ParseNumber(node.attribute(value_name).value(), 0);
  const double from = MetresPer(node.attribute(unit_name).as_string(kMicrometre));
  const double to = MetresPer(unit);
  return from > 0 && to > 0 && from != to ? value * (from / to) : value;
}

void ParseCalibration(const pugi::xml_node& pixels, ImageInfo* info) {
  PixelSize& size = info->pixel_size;
  size = PixelSize();
  const std::string unit = NormalizeUnit(pixels.attribute("PhysicalSizeXUnit").as_string(kMicrometre));
  size.x = ParseNumber(pixels.attribute("PhysicalSizeX").value(), 0);
  size.y = LengthIn(unit, pixels, "PhysicalSizeY", "PhysicalSizeYUnit");
  size.z = LengthIn(unit, pixels, "PhysicalSizeZ", "PhysicalSizeZUnit");
  if (size.x > 0 || size.y > 0 || size.z > 0) size.unit = unit;
  const double seconds = SecondsPer(pixels.attribute("TimeIncrementUnit").as_string("s"));
  size.frame_interval_s = ParseNumber(pixels.attribute("TimeIncrement").value(), 0) * (seconds > 0 ? seconds : 1);
  const pugi::xml_node plane = Child(pixels, "Plane");
  const auto origin = [&](const char* value, const char* value_unit, double pixel) {
    const double position = LengthIn(unit, plane, value, value_unit);
    return pixel > 0 && position != 0 ? -position / pixel : 0.0;
  };
  size.origin_x_px = origin("PositionX", "PositionXUnit", size.x);
  size.origin_y_px = origin("PositionY", "PositionYUnit", size.y);
  size.origin_z_px = origin("PositionZ", "PositionZUnit", size.z);
}

void ParseChannels(const pugi::xml_node& pixels, int64_t channels, ImageInfo* info) {
  bool named = false;
  std::vector<std::string> names;
  for (const pugi::xml_node child : pixels.children()) {
    if (std::strcmp(LocalName(child), "Channel") != 0 || static_cast<int64_t>(names.size()) >= channels) continue;
    names.emplace_back(child.attribute("Name").value());
    named = named || !names.back().empty();
  }
  if (named && static_cast<int64_t>(names.size()) == channels) info->channel_names = std::move(names);
}

// One <TiffData>: assigns PlaneCount pages from page IFD on to the planes from First{Z,C,T} on.
Status Assign(const pugi::xml_node& data, const std::string& own_name, const std::string& own_uuid, int64_t samples,
              int64_t pages, OmeLayout* layout) {
  const auto number = [&](const char* name, int64_t otherwise) {
    return ParseInteger(data.attribute(name).value(), otherwise);
  };
  int32_t file = 0;
  const pugi::xml_node uuid = Child(data, "UUID");
  const std::string file_name = BaseName(uuid.attribute("FileName").value());
  if (!file_name.empty() && file_name != own_name && (own_uuid.empty() || own_uuid != uuid.text().get())) {
    const auto found = std::find(layout->files.begin() + 1, layout->files.end(), file_name);
    file = static_cast<int32_t>(found - layout->files.begin());
    if (found == layout->files.end()) layout->files.push_back(file_name);
  }
  const int64_t total = static_cast<int64_t>(layout->planes.size());
  const int64_t first_page = number("IFD", 0);
  const int64_t everything = file == 0 ? std::min(pages, total) : total;
  const int64_t count = number("PlaneCount", data.attribute("IFD") ? 1 : everything);
  int64_t at[3] = {number("FirstZ", 0), number("FirstC", 0) / samples, number("FirstT", 0)};
  const int64_t size[3] = {layout->z, layout->c, layout->t};
  if (first_page < 0 || count < 0 || count > total) return CorruptFile("its OME-XML assigns impossible pages");
  for (int axis = 0; axis < 3; ++axis) {
    if (at[axis] < 0 || at[axis] >= size[axis]) return CorruptFile("its OME-XML assigns a page outside the image");
  }
  for (int64_t i = 0; i < count; ++i) {
    layout->planes[static_cast<size_t>((at[2] * layout->z + at[0]) * layout->c + at[1])] = {file, first_page + i};
    if (i + 1 == count) break;
    size_t step = 0;
    for (; step < 3; ++step) {  // to the next plane in the file's order
      const int axis = layout->order[step] == 'z' ? 0 : layout->order[step] == 'c' ? 1 : 2;
      if (++at[axis] < size[axis]) break;
      at[axis] = 0;
    }
    if (step == 3) return CorruptFile("its OME-XML assigns more pages than the image has planes");
  }
  return OkStatus();
}

void AssignInOrder(OmeLayout* layout) {
  for (int64_t i = 0; i < static_cast<int64_t>(layout->planes.size()); ++i) {
    int64_t rest = i, z = 0, c = 0, t = 0;
    for (const char axis : layout->order) {
      const int64_t size = axis == 'z' ? layout->z : axis == 'c' ? layout->c : layout->t;
      (axis == 'z' ? z : axis == 'c' ? c : t) = rest % size;
      rest /= size;
    }
    layout->planes[static_cast<size_t>((t * layout->z + z) * layout->c + c)] = {0, i};
  }
}

const char* OmeTypeName(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return "float";
    case DType::kFloat64: return "double";
    case DType::kBool: return "uint8";
    default: return DTypeName(dtype);
  }
}

}  // namespace

bool IsOmeXml(std::string_view description) {
  // Near the start: an XML declaration and a comment may come first.
  const std::string_view head = description.substr(0, 8192);
  const size_t start = head.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return start != std::string_view::npos && head[start] == '<' &&
         (head.find("<OME ") != std::string_view::npos || head.find("<OME>") != std::string_view::npos ||
          head.find(":OME ") != std::string_view::npos);
}

std::string OmeMetadataFile(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  return BaseName(Child(Root(document), "BinaryOnly").attribute("MetadataFile").value());
}

Result<OmeLayout> ParseOmeXml(const std::string& xml, const std::string& own_xml, const std::string& own_name,
                              int64_t samples, int64_t pages, ImageInfo* info) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) return CorruptFile("its OME-XML is broken: " + std::string(parsed.description()));
  const pugi::xml_node pixels = Child(Child(Root(document), "Image"), "Pixels");
  if (!pixels) return CorruptFile("its OME-XML describes no image");
  const auto number = [&](const char* name) { return ParseInteger(pixels.attribute(name).value(), 0); };
  OmeLayout layout;
  layout.files.push_back(own_name);
  layout.width = number("SizeX");
  layout.height = number("SizeY");
  layout.t = number("SizeT");
  layout.z = number("SizeZ");
  const int64_t size_c = number("SizeC");
  layout.c = size_c % samples == 0 ? size_c / samples : size_c;
  int64_t planes = 0;
  if (layout.t < 1 || layout.z < 1 || layout.c < 1 || __builtin_mul_overflow(layout.t, layout.z, &planes) ||
      __builtin_mul_overflow(planes, layout.c, &planes) || planes > kMaxPlanes) {
    return CorruptFile("its OME-XML gives an impossible number of planes");
  }
  const std::string order = LowerCase(pixels.attribute("DimensionOrder").value());
  std::string sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted == "ctxyz" && order.starts_with("xy")) layout.order = order.substr(2);
  ParseCalibration(pixels, info);
  ParseChannels(pixels, layout.c * samples, info);

  const std::string own_uuid = RootUuid(own_xml);
  bool assigned = false;
  int64_t elements = 0;
  for (const pugi::xml_node child : pixels.children()) assigned |= std::strcmp(LocalName(child), "TiffData") == 0;
  if (!assigned && planes > pages) return CorruptFile("its OME-XML gives more planes than the file has pages");
  layout.planes.resize(static_cast<size_t>(planes));
  if (!assigned) AssignInOrder(&layout);
  for (const pugi::xml_node child : pixels.children()) {
    if (std::strcmp(LocalName(child), "TiffData") != 0) continue;
    if (++elements > kMaxPlanes) break;
    FOVEA_RETURN_IF_ERROR(Assign(child, own_name, own_uuid, samples, pages, &layout));
  }
  return layout;
}

bool OmeSupports(DType dtype) { return dtype != DType::kFloat16 && dtype != DType::kInt64 && dtype != DType::kUInt64; }

std::string MakeOmeXml(const ImageInfo& info, const std::string& file_name, bool interleaved) {
  pugi::xml_document document;
  pugi::xml_node ome = document.append_child("OME");
  ome.append_attribute("xmlns") = "http://www.openmicroscopy.org/Schemas/OME/2016-06";
  ome.append_attribute("xmlns:xsi") = "http://www.w3.org/2001/XMLSchema-instance";
  ome.append_attribute("xsi:schemaLocation") =
      "http://www.openmicroscopy.org/Schemas/OME/2016-06 http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd";
  ome.append_attribute("Creator") = "fovea";
  pugi::xml_node image = ome.append_child("Image");
  image.append_attribute("ID") = "Image:0";
  image.append_attribute("Name") = file_name.c_str();
  pugi::xml_node pixels = image.append_child("Pixels");
  const auto integer = [](pugi::xml_node node, const char* name, int64_t value) {
    node.append_attribute(name) = static_cast<long long>(value);
  };
  pixels.append_attribute("ID") = "Pixels:0";
  pixels.append_attribute("DimensionOrder") = "XYCZT";
  pixels.append_attribute("Type") = OmeTypeName(info.dtype);
  integer(pixels, "SizeX", info.x);
  integer(pixels, "SizeY", info.y);
  integer(pixels, "SizeC", info.c);
  integer(pixels, "SizeZ", info.z);
  integer(pixels, "SizeT", info.t);
  const PixelSize& size = info.pixel_size;
  const std::string unit = size.unit == "inch" ? "in" : size.unit;  // the schema's symbol
  const auto length = [&](const char* name, double value) {
    if (!(value > 0) || size.unit.empty()) return;
    pixels.append_attribute(name) = NumberText(value).c_str();
    pixels.append_attribute((std::string(name) + "Unit").c_str()) = unit.c_str();
  };
  length("PhysicalSizeX", size.x);
  length("PhysicalSizeY", size.y);
  length("PhysicalSizeZ", size.z);
  if (size.frame_interval_s > 0) {
    pixels.append_attribute("TimeIncrement") = NumberText(size.frame_interval_s).c_str();
    pixels.append_attribute("TimeIncrementUnit") = "s";
  }
  const int64_t pages_c = interleaved ? 1 : info.c;
  for (int64_t c = 0; c < pages_c; ++c) {
    pugi::xml_node channel = pixels.append_child("Channel");
    channel.append_attribute("ID") = ("Channel:0:" + std::to_string(c)).c_str();
    if (!interleaved && static_cast<int64_t>(info.channel_names.size()) == info.c) {
      channel.append_attribute("Name") = info.channel_names[static_cast<size_t>(c)].c_str();
    }
    integer(channel, "SamplesPerPixel", interleaved ? info.c : 1);
  }
  pugi::xml_node data = pixels.append_child("TiffData");
  integer(data, "IFD", 0);
  integer(data, "PlaneCount", info.t * info.z * pages_c);
  const bool has_origin = size.origin_x_px != 0 || size.origin_y_px != 0 || size.origin_z_px != 0;
  if (has_origin && !size.unit.empty()) {
    pugi::xml_node plane = pixels.append_child("Plane");
    for (const char* first : {"TheZ", "TheT", "TheC"}) integer(plane, first, 0);
    const auto position = [&](const char* name, double origin_px, double pixel) {
      if (origin_px == 0 || !(pixel > 0)) return;
      plane.append_attribute(name) = NumberText(-origin_px * pixel).c_str();
      plane.append_attribute((std::string(name) + "Unit").c_str()) = unit.c_str();
    };
    position("PositionX", size.origin_x_px, size.x);
    position("PositionY", size.origin_y_px, size.y);
    position("PositionZ", size.origin_z_px, size.z);
  }
  std::ostringstream stream;
  document.save(stream, "", pugi::format_raw, pugi::encoding_utf8);
  return stream.str();
}

}  // namespace fovea::formats
