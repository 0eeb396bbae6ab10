// Weight cache: packed weights of one model for one instruction set in a file, so that the next load maps them.
//
// The packed form follows from the model's content, the instruction set, the picked kernels and the version of the
// kernels' packing (kernels::kPackingVersion): all of them are in the file, and its name is a hash of them. A file that
// differs in any, or whose checksum does not match, is as good as absent and is replaced. Files are written to a
// temporary name under a lock and renamed, never in place, so that what other processes have mapped stays as it is.
//
// The file, numbers as the machine has them: 8 bytes magic, u64 bytes of the key, u64 bytes of the weights, 16 bytes
// checksum (XXH3-128 of the XXH3-128 of the key and of each piece of kPieceBytes of the weights); the key as text;
// zeros up to a multiple of 4096; the weights.
#ifndef FOVEA_RUNTIME_EXEC_WEIGHT_CACHE_H_
#define FOVEA_RUNTIME_EXEC_WEIGHT_CACHE_H_

#include <cstddef>
#include <span>
#include <string>

#include "runtime/exec/memory.h"
#include "runtime/model/model_file.h"
#include "runtime/plan/plan.h"

namespace fovea::exec {

// Bytes of a file, mapped for reading; unmapped when destroyed. Movable.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* data, size_t bytes) : data_(data), bytes_(bytes) {}
  Mapping(Mapping&& other) noexcept { *this = std::move(other); }
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), bytes_}; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class WeightCache {
 public:
  // directory: where the files are; made when a file is stored. isa: the cap that kernels were picked under.
  WeightCache(const std::string& directory, const ModelFile& file, const plan::Plan& plan, kernels::Isa isa);

  const std::string& path() const { return path_; }

  // Maps the file and checks it, on all threads. Null when there is none that can be trusted; otherwise the packed
  // weights, plan.packed_weight_bytes of them, which stay valid as long as `mapping`.
  const float* Find(const ParallelFor& parallel, Mapping* mapping) const;

  // Writes the file. kIoError when that can't be; the caller goes on with its own copy. Does nothing when another
  // process is writing it.
  Status Store(std::span<const std::byte> weights, const ParallelFor& parallel) const;

 private:
  std::string directory_, path_, key_;
  uint64_t weight_bytes_;
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_WEIGHT_CACHE_H_
