// What a report says of operators that fovea does not have.
#ifndef FOVEA_CONVERTER_UNSUPPORTED_H_
#define FOVEA_CONVERTER_UNSUPPORTED_H_

#include <span>
#include <string>
#include <string_view>

#include "converter/convert.h"

namespace fovea::converter {

// `why`: "what it is; what to do instead". The part before the first "; " becomes the reason, the rest the alternative.
UnsupportedNode MakeUnsupported(std::string name, std::string op, std::string attributes, const std::string& why);

// "fovea has no such operator; ..." with the nearest of the names that it has, or advice where none is near.
std::string NoSuchOperator(const std::string& op, std::span<const std::string_view> known);

// A name=value for a list of attributes; long values are cut.
void AppendAttribute(const std::string& name, std::string value, std::string* attributes);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_UNSUPPORTED_H_
