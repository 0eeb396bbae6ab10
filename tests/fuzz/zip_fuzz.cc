// Zips from anywhere: their directory, every file of theirs, and the model in them.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "archive/zip.h"
#include "converter/saved_model/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fovea;
  const auto tree = archive::OpenZipBytes(std::string(data, data + size), "fuzz");
  if (!tree.ok()) return 0;
  for (const std::string& name : (*tree)->files()) {
    const auto source = (*tree)->Open(name);
    if (!source.ok()) continue;
    (void)archive::ReadAll(source->get(), 1 << 20).ok();
    std::byte last[3];
    const uint64_t bytes = (*source)->size();
    if (bytes >= sizeof last) (void)(*source)->Read(bytes - sizeof last, last).ok();
  }
  std::vector<std::string> warnings;
  (void)converter::ReadSavedModel(tree->get(), {}, &warnings).ok();
  return 0;
}
