#include "formats/image/chunk_store.h"

#include <unistd.h>

#include <algorithm>

namespace fovea::formats {
namespace {

constexpr int64_t kMemoryBytes = int64_t{8} << 20;

std::string ScratchPath(const std::string& path) { return path + ".chunks"; }

}  // namespace

int64_t ChunkStore::SlotsInMemory(int64_t slot_bytes) {
  return std::max<int64_t>(1, kMemoryBytes / std::max<int64_t>(1, slot_bytes));
}

void ChunkStore::Open(const std::string& path, int64_t slot_bytes, bool resumable) {
  path_ = path;
  slot_bytes_ = slot_bytes;
  resumable_ = resumable;
}

uint64_t ChunkStore::FileOffset(int64_t slot) const {
  return static_cast<uint64_t>((SlotsInMemory(slot_bytes_) + slot) * slot_bytes_);
}

uint64_t ChunkStore::CopyOffset(int64_t slot) const {
  return static_cast<uint64_t>((copies_ * SlotsInMemory(slot_bytes_) + slot) * slot_bytes_);
}

Status ChunkStore::OpenFile(bool resume) {
  if (file_.is_open()) return OkStatus();
  FOVEA_RETURN_IF_ERROR(resumable_ ? file_.CreateResumable(ScratchPath(path_), resume)
                                   : file_.Create(ScratchPath(path_)));
  if (keep_) file_.Keep(true);
  return OkStatus();
}

Result<int64_t> ChunkStore::Take() {
  int64_t slot = slots_;
  if (free_.empty()) {
    ++slots_;
  } else {
    // The lowest one: memory before the file.
    const auto lowest = std::min_element(free_.begin(), free_.end());
    slot = *lowest;
    free_.erase(lowest);
  }
  if (slot < SlotsInMemory(slot_bytes_)) {
    if (memory_.size() <= static_cast<size_t>(slot)) memory_.resize(static_cast<size_t>(slot) + 1);
    memory_[static_cast<size_t>(slot)].assign(static_cast<size_t>(slot_bytes_), 0);
  } else {
    const std::vector<uint8_t> zeros(static_cast<size_t>(slot_bytes_));
    FOVEA_RETURN_IF_ERROR(Write(slot, 0, zeros.data(), slot_bytes_));
  }
  return slot;
}

void ChunkStore::Give(int64_t slot) {
  const bool needed = static_cast<size_t>(slot) < saved_.size() && saved_[static_cast<size_t>(slot)] != 0;
  // What is in memory was copied to the file by Save, so only slots of the file have to wait.
  (needed && slot >= SlotsInMemory(slot_bytes_) ? retired_ : free_).push_back(slot);
}

Status ChunkStore::Write(int64_t slot, int64_t offset, const uint8_t* src, int64_t bytes) {
  if (slot < SlotsInMemory(slot_bytes_)) {
    std::copy_n(src, bytes, memory_[static_cast<size_t>(slot)].data() + offset);
    return OkStatus();
  }
  FOVEA_RETURN_IF_ERROR(OpenFile(false));
  return file_.WriteAt(FileOffset(slot) + static_cast<uint64_t>(offset), src, static_cast<size_t>(bytes));
}

Status ChunkStore::Read(int64_t slot, int64_t offset, uint8_t* dst, int64_t bytes) const {
  if (slot < SlotsInMemory(slot_bytes_)) {
    std::copy_n(memory_[static_cast<size_t>(slot)].data() + offset, bytes, dst);
    return OkStatus();
  }
  return file_.ReadAt(FileOffset(slot) + static_cast<uint64_t>(offset), dst, static_cast<size_t>(bytes));
}

Status ChunkStore::Save(StateWriter* state) {
  free_.insert(free_.end(), retired_.begin(), retired_.end());
  retired_.clear();
  saved_.assign(static_cast<size_t>(slots_), 1);
  for (const int64_t slot : free_) saved_[static_cast<size_t>(slot)] = 0;
  copies_ = 1 - copies_;
  for (size_t slot = 0; slot < std::min(memory_.size(), saved_.size()); ++slot) {
    if (saved_[slot] == 0) continue;
    FOVEA_RETURN_IF_ERROR(OpenFile(false));
    const uint64_t offset = CopyOffset(static_cast<int64_t>(slot));
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(offset, memory_[slot].data(), memory_[slot].size()));
  }
  if (file_.is_open()) FOVEA_RETURN_IF_ERROR(file_.Sync());
  state->Put(file_.is_open() ? 1 : 0);
  state->Put(static_cast<uint64_t>(copies_));
  state->Put(static_cast<uint64_t>(slots_));
  state->Put(free_.size());
  for (const int64_t slot : free_) state->Put(static_cast<uint64_t>(slot));
  return OkStatus();
}

Status ChunkStore::Load(StateReader* state, int64_t most_slots) {
  const bool has_file = state->Get() != 0;
  copies_ = static_cast<int64_t>(state->Get() & 1);
  slots_ = static_cast<int64_t>(state->Get());
  free_.resize(state->GetCount());
  for (int64_t& slot : free_) slot = static_cast<int64_t>(state->Get());
  if (!state->ok() || slots_ < 0 || slots_ > most_slots) return CorruptFile("damaged");
  saved_.assign(static_cast<size_t>(slots_), 1);
  for (const int64_t slot : free_) {
    if (slot < 0 || slot >= slots_) return CorruptFile("damaged");
    saved_[static_cast<size_t>(slot)] = 0;
  }
  if (!has_file) return RemoveStale(), OkStatus();
  FOVEA_RETURN_IF_ERROR(OpenFile(true));
  for (int64_t slot = 0; slot < std::min(slots_, SlotsInMemory(slot_bytes_)); ++slot) {
    std::vector<uint8_t>& bytes = memory_.emplace_back(static_cast<size_t>(slot_bytes_));
    FOVEA_RETURN_IF_ERROR(file_.ReadAt(CopyOffset(slot), bytes.data(), bytes.size()));
  }
  return OkStatus();
}

bool ChunkStore::Holds(int64_t slot) const {
  if (slot < 0 || slot >= slots_ || saved_[static_cast<size_t>(slot)] == 0) return false;
  return slot < SlotsInMemory(slot_bytes_) ? slot < static_cast<int64_t>(memory_.size()) : file_.is_open();
}

void ChunkStore::RemoveStale() const {
  if (resumable_) unlink(OutputFile::PartName(ScratchPath(path_)).c_str());
}

void ChunkStore::Keep(bool keep) {
  keep_ = keep;
  if (file_.is_open()) file_.Keep(keep);
}

}  // namespace fovea::formats
