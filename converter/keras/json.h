// JSON from strangers: parsed without exceptions, within a depth and a size, and read with defaults.
#ifndef FOVEA_CONVERTER_KERAS_JSON_H_
#define FOVEA_CONVERTER_KERAS_JSON_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/include/fovea/status.h"

namespace fovea::converter::keras {

// Keeps the order of the file.
using Json = nlohmann::ordered_json;

inline constexpr size_t kMaxJsonBytes = size_t{256} << 20;

// kCorruptFile: not JSON, nested more than 100 deep, larger than kMaxJsonBytes. NaN and Infinity, which Python writes,
// are read as null.
Result<Json> ParseJson(std::string_view text, const std::string& what);

// The member, or null when `object` is no object or has no such member; a member that is JSON null counts as absent.
const Json* Find(const Json& object, std::string_view key);

// The member where it is of that kind.
std::optional<std::string> FindString(const Json& object, std::string_view key);
std::optional<int64_t> FindInteger(const Json& object, std::string_view key);

// An integer, or a float without a fraction (Python 2 wrote some sizes so), of at most 2^53.
std::optional<int64_t> AsInteger(const Json& value);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_JSON_H_
