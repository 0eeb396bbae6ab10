#include "formats/image/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fovea::formats {
namespace {

void AppendUtf8(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// UTF-16 units; pairs are joined by the caller's loop.
std::string UnitsToUtf8(const std::vector<uint32_t>& units) {
  std::string out;
  for (size_t i = 0; i < units.size(); ++i) {
    uint32_t code = units[i];
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < units.size() && units[i + 1] >= 0xdc00 && units[i + 1] < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (units[++i] - 0xdc00);
    } else if (code >= 0xd800 && code < 0xe000) {
      code = 0xfffd;
    }
    AppendUtf8(code, &out);
  }
  return out;
}

std::vector<uint32_t> Utf8ToUnits(std::string_view text) {
  std::vector<uint32_t> units;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    const int more = lead < 0x80 ? 0 : lead >= 0xf0 && lead < 0xf8 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : -1;
    if (more < 0 || lead >= 0xf8) {
      units.push_back(0xfffd);
      continue;
    }
    uint32_t code = more == 0 ? lead : lead & (0x3fu >> more);
    int taken = 0;
    for (; taken < more && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80; ++taken) {
      code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3fu);
    }
    if (taken < more || code > 0x10ffff) code = 0xfffd;
    if (code >= 0x10000) {
      units.push_back(0xd800 + ((code - 0x10000) >> 10));
      units.push_back(0xdc00 + ((code - 0x10000) & 0x3ff));
    } else {
      units.push_back(code);
    }
  }
  return units;
}

std::string_view Trim(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

}  // namespace

std::string NumberText(double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

double ParseNumber(std::string_view text, double otherwise) {
  text = Trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && std::isfinite(value) ? value : otherwise;
}

int64_t ParseInteger(std::string_view text, int64_t otherwise) {
  text = Trim(text);
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? value : otherwise;
}

std::string Utf16ToUtf8(std::span<const uint8_t> bytes, bool big_endian) {
  std::vector<uint32_t> units(bytes.size() / 2);
  for (size_t i = 0; i < units.size(); ++i) {
    const uint32_t first = bytes[2 * i], second = bytes[2 * i + 1];
    units[i] = big_endian ? first << 8 | second : second << 8 | first;
  }
  return UnitsToUtf8(units);
}

std::vector<uint8_t> Utf8ToUtf16(std::string_view text, bool big_endian) {
  std::vector<uint8_t> bytes;
  for (const uint32_t unit : Utf8ToUnits(text)) {
    bytes.push_back(static_cast<uint8_t>(big_endian ? unit >> 8 : unit));
    bytes.push_back(static_cast<uint8_t>(big_endian ? unit : unit >> 8));
  }
  return bytes;
}

std::string DecodeUnicodeEscapes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    uint32_t code = 0;
    if (text[i] == '\\' && i + 6 <= text.size() && text[i + 1] == 'u') {
      const char* end = text.data() + i + 6;
      const auto parsed = std::from_chars(text.data() + i + 2, end, code, 16);
      if (parsed.ec == std::errc() && parsed.ptr == end) {
        AppendUtf8(code >= 0xd800 && code < 0xe000 ? 0xfffd : code, &out);
        i += 5;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

std::string EncodeUnicodeEscapes(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const uint32_t unit : Utf8ToUnits(text)) {
    if (unit < 0x80) {
      out.push_back(static_cast<char>(unit));
    } else {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[unit >> shift & 15]);
    }
  }
  return out;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string NormalizeUnit(std::string_view unit) {
  const std::string trimmed(Trim(unit));
  const std::string lower = LowerCase(trimmed);
  const auto is = [&lower](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), lower) != names.end();
  };
  if (is({"um", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres", "\xce\xbcm"})) {
    return "\xc2\xb5m";  // with the micro sign, not the Greek letter
  }
  if (is({"nanometer", "nanometers", "nanometre", "nanometres"})) return "nm";
  if (is({"millimeter", "millimeters", "millimetre", "millimetres"})) return "mm";
  if (is({"centimeter", "centimeters", "centimetre", "centimetres"})) return "cm";
  if (is({"in", "inches"})) return "inch";
  if (is({"pixel", "pixels", "pixel units", "px"})) return "";
  return trimmed;
}

double MetresPer(std::string_view unit) {
  const std::string name = NormalizeUnit(unit);
  if (name == "\xc2\xb5m") return 1e-6;
  if (name == "nm") return 1e-9;
  if (name == "mm") return 1e-3;
  if (name == "cm") return 1e-2;
  if (name == "m") return 1;
  if (name == "pm") return 1e-12;
  if (name == "\xc3\x85") return 1e-10;
  if (name == "inch") return 0.0254;
  return 0;
}

double SecondsPer(std::string_view unit) {
  const std::string name = LowerCase(Trim(unit));
  if (name.empty() || name == "s" || name == "sec" || name == "second" || name == "seconds") return 1;
  if (name == "ms" || name == "msec") return 1e-3;
  if (name == "us" || name == "\xc2\xb5s") return 1e-6;
  if (name == "ns") return 1e-9;
  if (name == "min" || name == "minute" || name == "minutes") return 60;
  if (name == "h" || name == "hour" || name == "hours") return 3600;
  if (name == "d" || name == "day") return 86400;
  return 0;
}

}  // namespace fovea::formats
