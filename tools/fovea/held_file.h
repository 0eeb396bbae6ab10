// Pixels that a run holds until a sample is complete (the values that labels are made of, the plane of an overlay), on
// disk beside the output, so that an interrupted run has them again: "folder/.name.held.part", tight float32 planes in
// the machine's byte order. The file is of one sample at a time; the journal says which.
#ifndef FOVEA_TOOLS_FOVEA_HELD_FILE_H_
#define FOVEA_TOOLS_FOVEA_HELD_FILE_H_

#include <string>
#include <vector>

#include "formats/image/output_file.h"

namespace fovea::cli {

class HeldFile {
 public:
  // output: path of the result. planes: of all channels.
  HeldFile(const std::string& output, int64_t planes, int64_t rows, int64_t cols);

  // A sample begins: nothing was written to it.
  void Begin() { changed_.clear(); }
  // Values were written to this place of a plane.
  void Note(int64_t plane, int64_t y, int64_t x, int64_t rows, int64_t cols);
  // What was noted since the last Save is on disk. pixels: all planes. Errors: kIo; what was saved before stays.
  Status Save(const float* pixels);
  // All that was saved by the process that was interrupted; 0 elsewhere. Errors: kNotFound, kCorruptFile, kIo.
  Status Load(float* pixels);
  // Whether the file outlives the process.
  void Keep(bool keep);

  // What an interrupted process has left.
  static void Remove(const std::string& output);

 private:
  struct Place {
    int64_t plane, y, x, rows, cols;
  };
  uint64_t bytes() const { return static_cast<uint64_t>(planes_ * rows_ * cols_) * sizeof(float); }
  Status SavePlace(const Place& place, const float* pixels);

  const std::string path_;
  const int64_t planes_, rows_, cols_;
  bool open_ = false, keep_ = false;
  std::vector<Place> changed_;
  formats::OutputFile file_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_HELD_FILE_H_
