// A JPEG file is a TIFF with one JPEG-compressed strip, but for the TIFF header: that is put in front, and the TIFF
// reader does the rest, row by row in bounded memory.
#include <bit>
#include <cstring>

#include "formats/image/raster.h"
#include "formats/image/tiff.h"
#include "formats/image/tiff_encode.h"
#include "formats/image/tiff_page.h"

namespace fovea::formats {
namespace {

struct JpegFrame {
  uint16_t height = 0, width = 0;
  uint8_t precision = 0, components = 0;
  uint16_t subsampling[2] = {1, 1};  // of the first component: horizontal, vertical
  bool colour_transformed = true;    // YCbCr, as nearly always
};

Result<JpegFrame> ReadFrame(const ByteSource& source) {
  const Status broken = CorruptFile("'" + source.name() + "' is not a complete JPEG file");
  JpegFrame frame;
  uint64_t at = 2;
  for (int markers = 0; markers < 4096; ++markers) {
    uint8_t head[4] = {};
    if (!source.ReadAt(at, head, 4).ok() || head[0] != 0xff) return broken;
    const uint8_t marker = head[1];
    if (marker == 0xff) {  // fill bytes
      ++at;
      continue;
    }
    const uint64_t length = static_cast<uint64_t>(head[2] << 8 | head[3]);
    const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (length < 2 || marker == 0xda || marker == 0xd9) return broken;
    if (marker == 0xee && length >= 14) {
      uint8_t adobe[12] = {};
      FOVEA_RETURN_IF_ERROR(source.ReadAt(at + 4, adobe, sizeof adobe));
      if (std::memcmp(adobe, "Adobe", 5) == 0) frame.colour_transformed = adobe[11] != 0;
    }
    if (is_frame) {
      uint8_t data[17] = {};
      const size_t wanted = length >= 19 ? 17 : length >= 11 ? 9 : 0;
      if (wanted == 0) return broken;
      FOVEA_RETURN_IF_ERROR(source.ReadAt(at + 4, data, wanted));
      frame.precision = data[0];
      frame.height = static_cast<uint16_t>(data[1] << 8 | data[2]);
      frame.width = static_cast<uint16_t>(data[3] << 8 | data[4]);
      frame.components = data[5];
      if (frame.components == 3) {
        frame.subsampling[0] = data[7] >> 4;
        frame.subsampling[1] = data[7] & 15;
        if (data[6] == 'R' && data[9] == 'G' && data[12] == 'B') frame.colour_transformed = false;
      }
      return frame;
    }
    at += 2 + length;
  }
  return broken;
}

}  // namespace

bool IsJpeg(std::span<const uint8_t> b) { return b.size() >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff; }

Result<std::unique_ptr<ImageReader>> OpenJpeg(std::unique_ptr<ByteSource> source) {
  FOVEA_ASSIGN_OR_RETURN(const JpegFrame frame, ReadFrame(*source));
  if (frame.precision != 8 || (frame.components != 1 && frame.components != 3)) {
    return Unsupported("'" + source->name() + "' is a JPEG of " + std::to_string(frame.components) + " components of " +
                       std::to_string(frame.precision) + " bits; fovea reads grey and colour of 8 bits");
  }
  if (source->size() > 0x7fffffff) return Unsupported("'" + source->name() + "' has more than 2 GB");
  const bool ycbcr = frame.components == 3 && frame.colour_transformed;
  std::vector<uint8_t> head;
  uint32_t strip_offset = 0;
  for (int pass = 0; pass < 2; ++pass) {  // the directory's length is known after the first
    IfdBuilder ifd(false);
    ifd.AddLong(kTagImageWidth, frame.width);
    ifd.AddLong(kTagImageLength, frame.height);
    ifd.AddShorts(kTagBitsPerSample, std::vector<uint16_t>(frame.components, 8));
    ifd.AddShort(kTagCompression, kCompressionJpeg);
    ifd.AddShort(kTagPhotometric, ycbcr                   ? kPhotometricYCbCr
                                  : frame.components == 3 ? kPhotometricRgb
                                                          : kPhotometricMinIsBlack);
    ifd.AddLong(kTagStripOffsets, strip_offset);
    ifd.AddShort(kTagSamplesPerPixel, frame.components);
    ifd.AddLong(kTagRowsPerStrip, frame.height);
    ifd.AddLong(kTagStripByteCounts, static_cast<uint32_t>(source->size()));
    ifd.AddShort(kTagPlanarConfig, 1);
    if (ycbcr) ifd.AddShorts(kTagYCbCrSubsampling, {frame.subsampling[0], frame.subsampling[1]});
    const std::vector<uint8_t> directory = ifd.Serialize(8, true);
    const bool little = std::endian::native == std::endian::little;
    const uint16_t magic = 42;
    const uint32_t first = 8;
    head.assign(8, static_cast<uint8_t>(little ? 'I' : 'M'));
    std::memcpy(head.data() + 2, &magic, 2);
    std::memcpy(head.data() + 4, &first, 4);
    head.insert(head.end(), directory.begin(), directory.end());
    strip_offset = static_cast<uint32_t>(head.size());
  }
  return OpenTiff(MakePrefixedSource(std::move(head), std::move(source)), "JPEG");
}

}  // namespace fovea::formats
