// The sorted table in which a checkpoint keeps its index (variables.index).
//
// The format is leveldb's table, and TensorFlow's: blocks of prefix-compressed entries, each followed by a type byte
// (0 stored, 1 snappy) and the masked CRC-32C of both; an index block of block handles; a footer of 48 bytes with two
// handles and a magic number (leveldb, doc/table_format.md). It is read here and not by leveldb::Table because that
// trusts lengths once the checksums are right, and anybody can write right checksums: an entry whose two 32-bit
// lengths add up to more than 2^32 makes it read outside the block.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_TABLE_H_
#define FOVEA_CONVERTER_SAVED_MODEL_TABLE_H_

#include <map>
#include <string>
#include <string_view>

#include "runtime/include/fovea/status.h"

namespace fovea::converter {

// All entries. Every length, checksum and the order of keys are checked; entries may unpack to at most 64 times the
// file. kCorruptFile otherwise.
Result<std::map<std::string, std::string>> ReadTable(std::string_view file);

// Little-endian base-128 number at the front of *bytes, which loses it. False when cut off or beyond 64 bits.
bool TakeVarint(std::string_view* bytes, uint64_t* value);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_TABLE_H_
