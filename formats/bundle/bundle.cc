#include "formats/bundle/bundle.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "archive/zip.h"
#include "formats/bundle/readers.h"
#include "formats/bundle/sha256.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{1} << 20;

bool EndsWith(const std::string& text, std::string_view ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::string FolderOf(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash + 1);
}
std::string BaseName(const std::string& name) { return name.substr(FolderOf(name).size()); }

// Lower is better; -1: not a description.
int Rank(const std::string& base) {
  static constexpr const char* kNames[] = {"rdf.yaml",   "rdf.yml",     "bioimageio.yaml",  "bioimageio.yml",
                                           "model.yaml", "model.yml",   ".bioimageio.yaml", ".model.yaml",
                                           "config.xml", "config.json", "meta.json"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (base == kNames[i] || (kNames[i][0] == '.' && EndsWith(base, kNames[i]))) return static_cast<int>(i);
  }
  return -1;
}

// The description among `files`: the least deep, then the best name. Empty when there is none; kInvalidArgument when
// two are as good as each other.
Result<std::string> FindDescription(const std::vector<std::string>& files, const std::string& path) {
  std::string best;
  std::pair<long, int> best_key;
  bool tie = false;
  for (const std::string& file : files) {
    const int rank = Rank(BaseName(file));
    if (rank < 0) continue;
    const std::pair<long, int> key = {std::count(file.begin(), file.end(), '/'), rank};
    if (key.first > 1) continue;
    tie = !best.empty() && (key == best_key ? true : key < best_key ? false : tie);
    if (best.empty() || key < best_key) best = file, best_key = key;
  }
  if (tie) {
    return InvalidArgument(path + ": holds several descriptions like '" + best + "'; name the one that you mean");
  }
  return best;
}

Result<std::unique_ptr<archive::FileTree>> OpenTree(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return archive::OpenFolder(path);
  return archive::OpenZip(path);
}

bool IsZip(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::array<char, 4> magic{};
  in.read(magic.data(), magic.size());
  return in && magic == std::array<char, 4>{'P', 'K', 3, 4};
}

bool IsDescriptionFile(const std::string& path) {
  const std::string base = fs::path(path).filename().string();
  return Rank(base) >= 0 || EndsWith(base, ".yaml") || EndsWith(base, ".yml");
}

// "./a/../x.npy?download=1", "https://host/x.npy" -> the names to try.
std::vector<std::string> Candidates(const std::string& source, const std::string& prefix) {
  const std::string plain = source.substr(0, source.find('?'));
  std::vector<std::string> names;
  if (plain.find("://") == std::string::npos) {
    const std::string clean = fs::path(plain).lexically_normal().generic_string();
    if (!clean.empty() && clean != ".") names.push_back(prefix + clean);
  }
  if (!BaseName(plain).empty()) names.push_back(prefix + BaseName(plain));
  return names;
}

template <typename T>
void Fill(T* field, const T& other) {
  if (*field == T()) *field = other;
}

// What config.xml says and the YAML beside it does not.
void Merge(const BundleDescription& xml, BundleDescription* out) {
  if (out->pixel_x.value == 0 && out->pixel_y.value == 0) {
    out->pixel_x = xml.pixel_x;
    out->pixel_y = xml.pixel_y;
  }
  Fill(&out->test_input_size, xml.test_input_size);
  Fill(&out->test_output_size, xml.test_output_size);
  Fill(&out->test_memory, xml.test_memory);
  Fill(&out->test_runtime, xml.test_runtime);
  Fill(&out->tensorflow_tag, xml.tensorflow_tag);
  Fill(&out->tensorflow_signature, xml.tensorflow_signature);
  Fill(&out->preprocessing_files, xml.preprocessing_files);
  Fill(&out->postprocessing_files, xml.postprocessing_files);
  out->patch_size_px = xml.patch_size_px;
}

}  // namespace

Result<BundleDescription> ReadDescription(const std::string& text, const std::string& file_name) {
  BundleDescription out;
  const std::string base = BaseName(file_name);
  if (EndsWith(base, ".xml")) {
    FOVEA_RETURN_IF_ERROR(ReadConfigXml(text, &out));
  } else if (EndsWith(base, ".json")) {
    FOVEA_ASSIGN_OR_RETURN(const Node root, ParseJson(text));
    FOVEA_RETURN_IF_ERROR(base == "meta.json" ? ReadCsbdeepMeta(root, &out) : ReadCsbdeepConfig(root, &out));
  } else {
    FOVEA_ASSIGN_OR_RETURN(const Node root, ParseYaml(text));
    FOVEA_RETURN_IF_ERROR(ReadRdf(root, &out));
  }
  return out;
}

bool LooksLikeBundle(const std::string& path) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  if (!is_folder && fs::is_regular_file(path, error) && IsDescriptionFile(path)) return true;
  if (!is_folder && (!fs::is_regular_file(path, error) || !IsZip(path))) return false;  // a pipe would wait
  const auto tree = OpenTree(path);
  if (!tree.ok()) return false;
  const std::vector<std::string>& files = (*tree)->files();
  const auto name = FindDescription(files, path);
  if (!name.ok()) return true;
  // The config.json of a .keras file is not StarDist's.
  const bool is_keras = BaseName(*name) == "config.json" &&
                        std::find(files.begin(), files.end(), FolderOf(*name) + "model.weights.h5") != files.end();
  return !name->empty() && !is_keras;
}

Result<Bundle> OpenBundle(const std::string& path) {
  Bundle bundle;
  bundle.path_ = path;
  std::error_code error;
  if (!fs::exists(path, error)) return NotFound(path + ": no such file");
  bundle.is_folder_ = fs::is_directory(path, error);
  std::string root = path;
  if (!bundle.is_folder_ && IsDescriptionFile(path)) {
    const fs::path parent = fs::path(path).parent_path();
    root = parent.empty() ? "." : parent.string();
    bundle.is_folder_ = true;
    bundle.description_file_ = fs::path(path).filename().string();
  }
  if (bundle.is_folder_) bundle.folder_ = root;
  FOVEA_ASSIGN_OR_RETURN(bundle.tree_, OpenTree(root));
  if (bundle.description_file_.empty()) {
    FOVEA_ASSIGN_OR_RETURN(bundle.description_file_, FindDescription(bundle.files(), path));
    if (bundle.description_file_.empty()) {
      return NotFound(path + ": has no description of a model (rdf.yaml, model.yaml, config.xml, meta.json, ...)");
    }
  }
  bundle.prefix_ = FolderOf(bundle.description_file_);
  const auto read = [&](const std::string& name) { return bundle.Read(name, kMaxDocumentBytes); };
  FOVEA_ASSIGN_OR_RETURN(const std::string text, read(bundle.description_file_));
  Result<BundleDescription> description = ReadDescription(text, bundle.description_file_);
  if (!description.ok()) return description.status().Prefixed(path + ": " + bundle.description_file_);
  bundle.description_ = std::move(*description);

  // config.xml does not name its example; DeepImageJ 1 calls it so.
  for (const char* ending : {".tif", ".tiff"}) {
    BundleDescription& said = bundle.description_;
    if (said.format != "DeepImageJ config.xml") break;
    const std::string example = std::string("exampleImage") + ending, result = std::string("resultImage") + ending;
    if (bundle.tree_->Has(bundle.prefix_ + example)) said.inputs[0].sample.source = example;
    if (bundle.tree_->Has(bundle.prefix_ + result)) said.outputs[0].sample.source = result;
  }
  const std::string xml_file = bundle.prefix_ + "config.xml";
  if (xml_file != bundle.description_file_ && bundle.tree_->Has(xml_file)) {
    FOVEA_ASSIGN_OR_RETURN(const std::string xml_text, read(xml_file));
    const Result<BundleDescription> xml = ReadDescription(xml_text, xml_file);
    if (xml.ok()) {
      Merge(*xml, &bundle.description_);
    } else {
      bundle.description_.not_understood.emplace_back("config.xml", xml.status().message());
    }
  }
  const std::string thresholds_file = bundle.prefix_ + "thresholds.json";
  if (bundle.tree_->Has(thresholds_file)) {
    FOVEA_ASSIGN_OR_RETURN(const std::string json, read(thresholds_file));
    const Result<Node> thresholds = ParseJson(json);
    if (!thresholds.ok()) return thresholds.status().Prefixed(path + ": " + thresholds_file);
    ReadStardistThresholds(*thresholds, &bundle.description_);
  }
  return bundle;
}

Result<std::string> Bundle::Read(const std::string& name, uint64_t max_bytes) const {
  const Result<std::unique_ptr<archive::ByteSource>> source = tree_->Open(name);
  if (!source.ok()) return source.status().Prefixed(path_);
  Result<std::string> text = archive::ReadAll(source->get(), max_bytes);
  if (!text.ok()) return text.status().Prefixed(path_ + ": " + name);
  return text;
}

std::string Bundle::Locate(const FileReference& file) const {
  if (file.empty()) return "";
  for (const std::string& name : Candidates(file.source, prefix_)) {
    if (tree_->Has(name)) return name;
  }
  return "";
}

Status Bundle::Verify(const std::string& name, const std::string& sha256) const {
  if (sha256.empty()) return OkStatus();
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<archive::ByteSource> source, tree_->Open(name));
  Sha256 hash;
  std::vector<std::byte> piece(std::min<uint64_t>(source->size(), kPiece));
  for (uint64_t at = 0; at < source->size(); at += piece.size()) {
    const auto part = std::span(piece).first(std::min<uint64_t>(piece.size(), source->size() - at));
    FOVEA_RETURN_IF_ERROR(source->Read(at, part).Prefixed(path_ + ": " + name));
    hash.Add(part);
  }
  const std::string found = hash.Finish();
  if (found == sha256) return OkStatus();
  return CorruptFile(path_ + ": " + name + " is not the file that the description means (sha256 " +
                     found.substr(0, 12) + "..., not " + sha256.substr(0, 12) + "...); download it again");
}

}  // namespace fovea::formats
