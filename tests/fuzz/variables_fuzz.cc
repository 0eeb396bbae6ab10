// variables.index from anywhere. Chance does not find checksums, so the target writes them: the first byte says whether
// the rest is a whole index, one block of entries, or the block of blocks' positions. The shard is the same bytes.
#include <array>
#include <cstddef>
#include <cstdint>

#include "converter/saved_model/bundle.h"
#include "converter/saved_model/crc32c.h"
#include "converter/saved_model/table.h"
#include "tests/fuzz/memory_tree.h"

namespace {

using namespace fovea;

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Appends a block with its type and checksum; gives its position in the table's words.
std::string AppendBlock(std::string block, char type, std::string* table) {
  std::string handle;
  AppendVarint(table->size(), &handle);
  AppendVarint(block.size(), &handle);
  block.push_back(type);
  const uint32_t crc = converter::MaskCrc32c(converter::Crc32c(std::as_bytes(std::span(block))));
  for (int i = 0; i < 4; ++i) block.push_back(static_cast<char>(crc >> (8 * i)));
  *table += block;
  return handle;
}

std::string TableAround(const std::string& block, char kind) {
  std::string table;
  const char type = static_cast<char>(kind >> 1 & 1);  // stored or snappy
  std::string index = AppendBlock(block, type, &table);
  if ((kind & 4) == 0) {
    std::string entry{'\0', '\1', static_cast<char>(index.size()), 'k'};
    entry += index + std::string("\0\0\0\0\1\0\0\0", 8);
    index = AppendBlock(entry, 0, &table);
  }
  std::string footer = std::string("\0\0", 2) + index;
  footer.resize(40, '\0');
  return table + footer + std::string("\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string rest(data + 1, data + size);
  const std::string index = data[0] % 2 == 0 ? rest : TableAround(rest, static_cast<char>(data[0]));
  fuzz::MemoryTree tree({{"v.index", index}, {"v.data-00000-of-00001", rest}});
  auto bundle = converter::Bundle::Open(&tree, "v");
  if (!bundle.ok()) return 0;
  for (const std::string& name : bundle->Names()) {
    (void)bundle->Read({{name, "", name}}).ok();
    (void)bundle->Read({{name, "4 4 0,2:-", name}}).ok();
    (void)bundle->ReadString(name).ok();
  }
  return 0;
}
