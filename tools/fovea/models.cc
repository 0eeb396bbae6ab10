// fovea models: what lies in a folder of models and bundles.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tools/cli/program.h"
#include "tools/fovea/bundle_page.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string file, name, image, licence, state;
  nlohmann::ordered_json json;
};

Entry OfModel(const std::string& path) {
  Entry entry;
  const Result<Model> model = Model::Load(path);
  entry.json = {{"path", path}, {"converted", true}};
  if (!model.ok()) {
    entry.state = "damaged: " + model.status().message();
    entry.json["error"] = model.status().message();
    return entry;
  }
  const ModelInfo info = model->info();
  entry.name = info.name;
  entry.licence = info.licence;
  entry.state = "ready";
  if (!model->inputs().empty()) entry.image = ImageText(model->inputs()[0]);
  entry.json.update({{"name", info.name},
                     {"description", info.description},
                     {"licence", info.licence},
                     {"authors", info.authors},
                     {"file_bytes", info.file_bytes},
                     {"parameters", info.parameters},
                     {"image", entry.image}});
  return entry;
}

Entry OfBundle(const std::string& path) {
  Entry entry;
  const Result<formats::Bundle> bundle = formats::OpenBundle(path);
  if (!bundle.ok()) {
    entry.state = "can't be read: " + bundle.status().message();
    entry.json = {{"path", path}, {"converted", false}, {"error", bundle.status().message()}};
    return entry;
  }
  const formats::BundleDescription& description = bundle->description();
  entry.name = description.name;
  entry.licence = description.licence;
  entry.image = ImageText(description.inputs[0]);
  const auto weights = bundle->ChooseWeights();
  entry.state = weights.ok()                                          ? "fovea run takes it"
                : weights.status().code() == StatusCode::kUnsupported ? "PyTorch weights only"
                                                                      : "weights are missing";
  entry.json = BundleToJson(*bundle);
  return entry;
}

// A published network that is no bundle, by its form: what fovea-convert reads. "": none.
std::string UnconvertedKind(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (fs::exists(path / "saved_model.pb", error)) return "SavedModel";
    return fs::exists(path / "model.json", error) ? "TF.js" : "";
  }
  static const std::pair<const char*, const char*> kKinds[] = {
      {".onnx", "ONNX"}, {".h5", "Keras"}, {".hdf5", "Keras"}, {".pb", "frozen graph"}};
  for (const auto& [extension, kind] : kKinds) {
    if (path.extension() == extension) return kind;
  }
  return {};
}

Entry OfUnconverted(const fs::path& path, const std::string& kind) {
  Entry entry;
  entry.state = kind + ", not converted: fovea-convert " + path.string() + " -o " +
                (path.parent_path() / path.stem()).string() + ".fov";
  entry.json = {{"path", path.string()}, {"converted", false}, {"kind", kind}, {"remedy", entry.state}};
  return entry;
}

size_t Characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// `width` characters (one of UTF-8 counts as one); what is longer ends with an ellipsis.
std::string Fitted(const std::string& text, size_t width) {
  const size_t characters = Characters(text);
  if (characters <= width) return text + std::string(width - characters, ' ');
  std::string out;
  size_t count = 0;
  for (const char c : text) {
    if ((c & 0xc0) != 0x80 && ++count == width) break;
    out += c;
  }
  return out + "…";
}

void PrintTable(const std::vector<Entry>& entries) {
  size_t file = 4, name = 4, image = 5;
  for (const Entry& entry : entries) {
    file = std::min<size_t>(std::max(file, Characters(entry.file)), 34);
    name = std::min<size_t>(std::max(name, Characters(entry.name)), 44);
    image = std::min<size_t>(std::max(image, Characters(entry.image)), 48);
  }
  const auto row = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d,
                       const std::string& e) {
    std::printf("%s  %s  %s  %s  %s\n", Fitted(a, file).c_str(), Fitted(b, name).c_str(), Fitted(c, image).c_str(),
                Fitted(d, 14).c_str(), e.c_str());
  };
  row("file", "name", "image", "licence", "state");
  for (const Entry& entry : entries) row(entry.file, entry.name, entry.image, entry.licence, entry.state);
  std::printf("\nfovea info FILE tells all about one of them.\n");
}

}  // namespace

int ModelsCommand(const std::vector<std::string>& words) {
  Args args("fovea models", "DIR",
            "Lists the models of a folder: .fov files, and bundles of DeepImageJ, bioimage.io, CSBDeep and StarDist "
            "(folders and zips), and networks that are not converted yet, with what is needed to run them.");
  std::vector<std::string> free;
  bool json = false;
  args.Flag("--json", &json, "one JSON object with all that the files say");
  args.Positional("DIR", &free, 1, 1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea models", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  std::error_code error;
  if (!fs::is_directory(free[0], error)) {
    return Fail("fovea models", InvalidArgument(free[0] + ": not a folder; fovea info tells about one model"));
  }
  std::vector<fs::path> paths;
  for (fs::directory_iterator it(free[0], error), end; !error && it != end; it.increment(error)) {
    paths.push_back(it->path());
  }
  if (error) return Fail("fovea models", IoError(free[0] + ": can't be listed: " + error.message()));
  std::sort(paths.begin(), paths.end());
  std::vector<Entry> entries;
  for (const fs::path& path : paths) {
    const std::string text = path.string();
    if (path.extension() == ".fov") {
      entries.push_back(OfModel(text));
    } else if ((fs::is_directory(path, error) || path.extension() == ".zip") && formats::LooksLikeBundle(text)) {
      entries.push_back(OfBundle(text));
    } else if (const std::string kind = UnconvertedKind(path); !kind.empty()) {
      entries.push_back(OfUnconverted(path, kind));
    } else {
      continue;
    }
    entries.back().file = path.filename().string();
  }
  if (json) {
    nlohmann::ordered_json out = {{"folder", free[0]}, {"models", nlohmann::ordered_json::array()}};
    for (Entry& entry : entries) out["models"].push_back(std::move(entry.json));
    std::printf("%s\n", out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    return kDone;
  }
  if (entries.empty()) {
    std::printf("%s: no models; published bundles and .fov files would be listed\n", free[0].c_str());
    return kDone;
  }
  PrintTable(entries);
  return kDone;
}

}  // namespace fovea::cli
