// Raw bytes of strips or tiles that are begun and not complete: the first ones in memory, further ones in a scratch
// file beside the output, so that memory stays bounded in whatever order pixels come.
//
// A slot holds one chunk, at most slot_bytes. Errors: kIo from the scratch file.
#ifndef FOVEA_FORMATS_IMAGE_CHUNK_STORE_H_
#define FOVEA_FORMATS_IMAGE_CHUNK_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "formats/image/output_file.h"
#include "formats/image/state_bytes.h"

namespace fovea::formats {

class ChunkStore {
 public:
  // path: of the output. resumable: slots outlive the process (see Save).
  void Open(const std::string& path, int64_t slot_bytes, bool resumable);
  Result<int64_t> Take();  // zeros
  void Give(int64_t slot);
  Status Write(int64_t slot, int64_t offset, const uint8_t* src, int64_t bytes);
  Status Read(int64_t slot, int64_t offset, uint8_t* dst, int64_t bytes) const;

  // What the state as of now needs is on disk and stays there until the next Save, whatever is written meanwhile.
  Status Save(StateWriter* state);
  // most_slots: of a run without mistakes, so that a state that is forged can't ask for more.
  Status Load(StateReader* state, int64_t most_slots);
  // After Load: whether the slot was taken and its bytes are there.
  bool Holds(int64_t slot) const;
  void Keep(bool keep);
  void RemoveStale() const;  // what an interrupted process may have left and nobody needs

  static int64_t MemoryBytes(int64_t slot_bytes) { return SlotsInMemory(slot_bytes) * slot_bytes; }

 private:
  static int64_t SlotsInMemory(int64_t slot_bytes);
  Status OpenFile(bool resume);
  // The file: two copies of the slots in memory, of the last Save and the one before, then the other slots.
  uint64_t FileOffset(int64_t slot) const;
  uint64_t CopyOffset(int64_t slot) const;

  std::string path_;
  int64_t slot_bytes_ = 0, slots_ = 0;
  bool resumable_ = false, keep_ = false;
  int64_t copies_ = 0;            // which of the two is the last
  std::vector<int64_t> free_;     // to be taken, last first
  std::vector<int64_t> retired_;  // given back after the last Save, which still needs them
  std::vector<uint8_t> saved_;    // slot: taken at the last Save
  std::vector<std::vector<uint8_t>> memory_;
  OutputFile file_;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_CHUNK_STORE_H_
