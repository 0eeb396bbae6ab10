// weightsManifest: which weights lie where in the shards, and how they are packed.
#ifndef FOVEA_CONVERTER_TFJS_MANIFEST_H_
#define FOVEA_CONVERTER_TFJS_MANIFEST_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "converter/keras/json.h"
#include "converter/tfjs/import.h"

namespace fovea::converter::tfjs {

using keras::Json;

struct StoredWeight {
  std::string name;
  std::vector<int64_t> dims;
  uint64_t count = 0;  // elements
  std::string dtype;   // "float32", "int32", "bool", "uint8", "float16", "complex64", "string"
  std::string packed;  // "uint8", "uint16", "float16"; empty: as dtype says
  double scale = 1, min = 0;
};

// Calls visit for every weight in the order of the manifest, with its bytes. Shards are read a group at a time; their
// sizes must be those that the manifest asks for.
Status ForEachWeight(const Json& manifest, const ShardReader& read_shard,
                     const std::function<Status(const StoredWeight&, std::string_view bytes)>& visit);

// The numbers of a weight. kUnsupported for complex numbers and text.
Result<std::vector<float>> Unpack(const StoredWeight& weight, std::string_view bytes);

}  // namespace fovea::converter::tfjs

#endif  // FOVEA_CONVERTER_TFJS_MANIFEST_H_
