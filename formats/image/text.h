// Text helpers of the metadata readers and writers. Numbers never depend on the locale.
#ifndef FOVEA_FORMATS_IMAGE_TEXT_H_
#define FOVEA_FORMATS_IMAGE_TEXT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::formats {

std::string NumberText(double value);                         // the shortest text that reads back as `value`
double ParseNumber(std::string_view text, double otherwise);  // finite, or `otherwise`
int64_t ParseInteger(std::string_view text, int64_t otherwise);

std::string Utf16ToUtf8(std::span<const uint8_t> bytes, bool big_endian);  // stray surrogates become U+FFFD
std::vector<uint8_t> Utf8ToUtf16(std::string_view text, bool big_endian);
std::string DecodeUnicodeEscapes(std::string_view text);  // "\u00B5m" -> "µm"
std::string EncodeUnicodeEscapes(std::string_view text);  // everything beyond ASCII
std::string LowerCase(std::string_view text);             // ASCII

// One spelling a unit: "um", "microns", "micrometre" -> "µm"; "in" -> "inch"; "pixel" -> ""; unknown ones unchanged.
std::string NormalizeUnit(std::string_view unit);
// Metres in one `unit`; 0 when it is not a known length.
double MetresPer(std::string_view unit);
// Seconds in one `unit`; 0 when it is not a known duration.
double SecondsPer(std::string_view unit);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TEXT_H_
