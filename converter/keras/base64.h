// Base64 (RFC 4648, both alphabets); white space is skipped.
#ifndef FOVEA_CONVERTER_KERAS_BASE64_H_
#define FOVEA_CONVERTER_KERAS_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace fovea::converter::keras {

// nullopt: a character that does not belong there.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_BASE64_H_
