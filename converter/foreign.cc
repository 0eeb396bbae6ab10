#include "converter/foreign.h"

#include <algorithm>
#include <string_view>

namespace fovea::converter {

namespace {

using namespace std::string_view_literals;

constexpr const char* kTorch =
    "a PyTorch file: it needs the program that made it; export the model there with torch.onnx.export(model, example, "
    "'model.onnx')";
constexpr const char* kOffice = "an Office document, not a model";
constexpr const char* kImage = "an image, not a model: fovea run MODEL.fov takes it";

struct Magic {
  size_t at;
  std::string_view bytes;
  const char* what;
};
constexpr Magic kMagics[] = {
    {0, "FOVEA\r\n"sv, "converted already: fovea run takes it as it is"},
    {0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46"sv, kTorch},  // pickle, then PyTorch's magic number
    {4, "TFL3"sv, "a TensorFlow Lite file: convert the SavedModel or .h5 file that it was made from"},
    {0, "MATLAB 5.0"sv, "a MATLAB file: export the network there with exportONNXNetwork"},
    {0, "\x93NUMPY"sv, "an array, not a model"},
    {0, "II*\0"sv, kImage},
    {0, "MM\0*"sv, kImage},
    {0, "II+\0"sv, kImage},
    {0, "MM\0+"sv, kImage},
    {0, "\x89PNG"sv, kImage},
    {0, "\xff\xd8\xff"sv, kImage},
    {0, "\xd0\xcf\x11\xe0"sv, kOffice},
    {0, "%PDF"sv, "a PDF, not a model"},
    {0, "PK\5\6"sv, "an empty zip"},
};

bool EndsWith(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool IsModelFile(const std::string& file) {
  for (const std::string_view end : {".onnx", ".h5", ".hdf5", ".pb"}) {
    if (EndsWith(file, end)) return true;
  }
  return file == "model.json" || EndsWith(file, "/model.json");
}

}  // namespace

std::string ForeignFile(std::span<const unsigned char> head) {
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  for (const Magic& magic : kMagics) {
    if (bytes.size() >= magic.at && bytes.substr(magic.at).substr(0, magic.bytes.size()) == magic.bytes) {
      return magic.what;
    }
  }
  // The length of a JSON text in eight bytes, and the text.
  if (bytes.size() > 10 && bytes.substr(5, 5) == "\0\0\0{\""sv) {
    return "a safetensors file: it holds weights without the network; export the model to ONNX with the program that "
           "made it";
  }
  // OpenVINO's description of a network.
  if (bytes.substr(0, 5) == "<?xml" && bytes.find("<net ") != std::string_view::npos) {
    return "an OpenVINO network: convert the file that it was made from";
  }
  return "";
}

std::string ForeignTree(const std::vector<std::string>& files) {
  const auto has = [&](std::string_view name) {
    return std::any_of(files.begin(), files.end(), [&](const std::string& file) {
      return file == name || EndsWith(file, "/" + std::string(name));
    });
  };
  if (has("model.weights.h5") && has("config.json")) {
    return "a .keras file, which fovea does not read: load it in Keras and save it with model.save('model.h5') or "
           "model.export('folder')";
  }
  if (has("data.pkl")) return kTorch;
  if (has("[Content_Types].xml")) return kOffice;
  std::string named;
  int count = 0;
  for (const std::string& file : files) {
    if (!IsModelFile(file) || ++count > 5) continue;
    named += (named.empty() ? "" : ", ") + file;
  }
  return named.empty() ? ""
                       : "there is no saved_model.pb in it, but " + named +
                             ": unpack it if it is packed, and name "
                             "that file";
}

}  // namespace fovea::converter
