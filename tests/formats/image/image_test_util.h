// Helpers of the image tests: whole-image reads, temporary folders, synthetic images.
#ifndef FOVEA_TESTS_FORMATS_IMAGE_IMAGE_TEST_UTIL_H_
#define FOVEA_TESTS_FORMATS_IMAGE_IMAGE_TEST_UTIL_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "formats/image/image.h"

namespace fovea::formats {

#define ASSERT_OK(expr)                                                 \
  do {                                                                  \
    const ::fovea::Status assert_ok_status_ = (expr);                   \
    ASSERT_TRUE(assert_ok_status_.ok()) << assert_ok_status_.message(); \
  } while (false)

// A folder of its own for each test, removed afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "fovea-formats-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string File(const std::string& name) const { return (path_ / name).string(); }
  size_t FileCount() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

inline std::vector<uint8_t> FileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void WriteBytes(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// All planes in the order (t, z, c), each y rows of x, or interleaved (t, z, y, x, c) where the file is.
inline Result<std::vector<uint8_t>> ReadWhole(ImageReader& reader) {
  const ImageInfo& info = reader.info();
  const size_t element = DTypeBytes(info.dtype);
  const size_t plane_elements = static_cast<size_t>(info.y * info.x);
  const bool interleaved = info.axes.ends_with("S");
  std::vector<uint8_t> all(static_cast<size_t>(info.plane_count()) * plane_elements * element);
  std::vector<uint8_t> plane(plane_elements * element);
  for (int64_t t = 0; t < info.t; ++t) {
    for (int64_t z = 0; z < info.z; ++z) {
      for (int64_t c = 0; c < info.c; ++c) {
        FOVEA_RETURN_IF_ERROR(reader.Read({t, z, c, 0, 0, info.y, info.x}, plane.data()));
        uint8_t* base = all.data() + static_cast<size_t>(t * info.z + z) * static_cast<size_t>(info.c) * plane.size();
        for (size_t i = 0; i < plane_elements; ++i) {
          const size_t to = interleaved ? i * static_cast<size_t>(info.c) + static_cast<size_t>(c)
                                        : static_cast<size_t>(c) * plane_elements + i;
          std::copy_n(plane.data() + i * element, element, base + to * element);
        }
      }
    }
  }
  return all;
}

}  // namespace fovea::formats

#endif  // FOVEA_TESTS_FORMATS_IMAGE_IMAGE_TEST_UTIL_H_
