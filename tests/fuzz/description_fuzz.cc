// Descriptions of models from anywhere: the first byte chooses the format, the rest is the file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/bundle/bundle.h"
#include "formats/bundle/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fovea::formats;
  if (size == 0) return 0;
  static constexpr const char* kNames[] = {"rdf.yaml", "config.xml", "config.json", "meta.json"};
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)ReadDescription(text, kNames[data[0] % 4]).ok();
  (void)ParsePhysicalSize(text);
  return 0;
}
