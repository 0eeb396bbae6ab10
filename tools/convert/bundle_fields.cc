// What a package says of itself: from a file, from options, from the terminal.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "archive/file_tree.h"
#include "formats/bundle/readers.h"
#include "formats/bundle/writers.h"
#include "tools/convert/build_bundle.h"

namespace fovea::cli {
namespace {

using formats::BundleDescription;
using formats::Node;

// "Left; right" -> both parts, trimmed.
std::pair<std::string, std::string> Halves(const std::string& word) {
  const size_t at = word.find(';');
  const auto trimmed = [](std::string text) {
    while (!text.empty() && text.front() == ' ') text.erase(text.begin());
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  };
  if (at == std::string::npos) return {trimmed(word), ""};
  return {trimmed(word.substr(0, at)), trimmed(word.substr(at + 1))};
}

formats::Citation CitationOf(const std::string& word) {
  auto [text, where] = Halves(word);
  const std::string prefix = "https://doi.org/";
  if (where.rfind(prefix, 0) == 0) where = where.substr(prefix.size());
  const bool is_doi = where.rfind("10.", 0) == 0;
  return {text, is_doi ? where : "", is_doi ? "" : where};
}

// A length in one of the units that bioimage.io's axes have. unit: of a map, for numbers that stand alone.
Result<formats::PhysicalSize> LengthOf(const Node& value, const std::string& unit) {
  const formats::PhysicalSize size = formats::ParsePhysicalSize(value.Text() + unit);
  for (const char* known : {"nm", "µm", "mm", "cm"}) {
    if (size.value > 0 && size.unit == known) return size;
  }
  return InvalidArgument("'" + value.Text() + unit +
                         "' is no length in nm, um, mm or cm; write 0.325um (x and y), {x: 0.3um, y: 0.3um, z: 2um} "
                         "or {x: 0.3, y: 0.3, unit: micrometer}");
}

Status ReadPixelSize(const Node& pixel, BundleDescription* out) {
  if (pixel.is_null()) return OkStatus();
  if (!pixel.is_map()) {
    FOVEA_ASSIGN_OR_RETURN(out->pixel_x, LengthOf(pixel, ""));
    out->pixel_y = out->pixel_x;
    return OkStatus();
  }
  for (const auto& [key, value] : pixel.map) {
    if (key == "unit") continue;
    formats::PhysicalSize* size = key == "x"   ? &out->pixel_x
                                  : key == "y" ? &out->pixel_y
                                  : key == "z" ? &out->pixel_z
                                               : nullptr;
    if (size == nullptr) return InvalidArgument("'" + key + "' is not known; there are x, y, z and unit");
    const bool alone = value.Text().find_first_not_of("0123456789.,eE+- ") == std::string::npos;
    FOVEA_ASSIGN_OR_RETURN(*size, LengthOf(value, alone ? pixel.At("unit").Text() : ""));
  }
  return OkStatus();
}

Status ReadMetadataFile(const std::string& path, BundleDescription* out) {
  FOVEA_ASSIGN_OR_RETURN(const auto source, archive::OpenFile(path));
  const Result<std::string> text = archive::ReadAll(source.get(), formats::kMaxDocumentBytes);
  FOVEA_RETURN_IF_ERROR(text.status().Prefixed(path));
  const Result<Node> root = formats::ParseYaml(*text);
  FOVEA_RETURN_IF_ERROR(root.status().Prefixed(path));
  static constexpr std::string_view kKnown[] = {
      "name", "description",   "authors",        "cite",   "license",    "version",           "git_repo",
      "tags", "preprocessing", "postprocessing", "macros", "pixel_size", "tensorflow_version"};
  for (const auto& [key, value] : root->map) {
    if (std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown)) continue;
    return InvalidArgument(
        path + ": '" + key +
        "' is not known; there are name, description, authors, cite, license, "
        "version, git_repo, tags, preprocessing, postprocessing, macros, pixel_size and tensorflow_version");
  }
  BundleDescription read;
  formats::ReadMetadata(*root, &read);
  const auto take = [](auto value, auto* field) {
    if (!value.empty()) *field = std::move(value);
  };
  take(read.name, &out->name);
  take(read.description, &out->description);
  take(read.licence, &out->licence);
  take(read.version, &out->version);
  take(read.repository, &out->repository);
  take(read.authors, &out->authors);
  take(read.citations, &out->citations);
  take(read.tags, &out->tags);
  FOVEA_RETURN_IF_ERROR(ReadPixelSize(root->At("pixel_size"), out).Prefixed(path + ": pixel_size"));
  for (const auto& [key, steps] :
       {std::pair("preprocessing", &out->preprocessing), {"postprocessing", &out->postprocessing}}) {
    if (root->At(key).is_null()) continue;
    Result<std::vector<Step>> parsed = ParseSteps(root->At(key).Text());
    FOVEA_RETURN_IF_ERROR(parsed.status().Prefixed(path + ": " + key));
    *steps = std::move(*parsed);
  }
  if (!root->At("tensorflow_version").is_null()) {
    formats::WeightsDescription weights;
    weights.tensorflow_version = root->At("tensorflow_version").Text();
    out->weights.push_back(std::move(weights));
  }
  for (const Node* macro : root->At("macros").Elements()) out->attachments.push_back({macro->Text(), ""});
  return OkStatus();
}

// What is wrong with `field` ("name") of a description, "" when nothing.
std::string ComplaintAbout(const std::string& field, const BundleDescription& description) {
  for (const std::string& complaint : formats::RdfComplaints(description)) {
    if (complaint.starts_with(field)) return complaint;
  }
  return {};
}

// Asks until there is an answer that the package would be accepted with; kCancelled at the end of the input.
// take: puts the answer into *out, over an earlier one.
template <typename Take>
Status Ask(const char* what, const std::string& field, BundleDescription* out, Take take) {
  for (std::string answer, wrong = "?"; !wrong.empty();) {
    std::fprintf(stderr, "%s: ", what);
    if (!std::getline(std::cin, answer)) return Cancelled(std::string(what) + " was not answered");
    if (answer.empty()) continue;
    take(answer);
    wrong = ComplaintAbout(field, *out);
    if (!wrong.empty()) std::fprintf(stderr, "%s\n", wrong.c_str());
  }
  return OkStatus();
}

Status AskForMissing(BundleDescription* out) {
  if (isatty(STDIN_FILENO) == 0) return InvalidArgument("--ask needs a terminal to ask on");
  const auto text = [out](const char* what, const char* field, std::string* to) {
    return to->empty() ? Ask(what, field, out, [to](const std::string& answer) { *to = answer; }) : OkStatus();
  };
  FOVEA_RETURN_IF_ERROR(text("Name of the model (5 to 128 letters, digits, blanks, _+-())", "name", &out->name));
  FOVEA_RETURN_IF_ERROR(text("What it does, in a sentence", "description", &out->description));
  FOVEA_RETURN_IF_ERROR(text("Licence (an SPDX identifier such as MIT or CC-BY-4.0)", "license", &out->licence));
  if (out->authors.empty()) {
    FOVEA_RETURN_IF_ERROR(Ask("Author (Name; affiliation)", "authors", out, [out](const std::string& answer) {
      const auto [name, affiliation] = Halves(answer);
      out->authors = {{name, affiliation, ""}};
    }));
  }
  if (!out->citations.empty()) return OkStatus();
  return Ask("Article to cite (Text; doi or url)", "cite", out,
             [out](const std::string& answer) { out->citations = {CitationOf(answer)}; });
}

}  // namespace

Status FillDescription(const BundleLine& line, BundleDescription* description) {
  if (!line.metadata.empty()) FOVEA_RETURN_IF_ERROR(ReadMetadataFile(line.metadata, description));
  if (!line.name.empty()) description->name = line.name;
  if (!line.description.empty()) description->description = line.description;
  if (!line.licence.empty()) description->licence = line.licence;
  if (!line.authors.empty()) description->authors.clear();
  for (const std::string& word : line.authors) {
    const auto [name, affiliation] = Halves(word);
    description->authors.push_back({name, affiliation, ""});
  }
  if (!line.citations.empty()) description->citations.clear();
  for (const std::string& word : line.citations) description->citations.push_back(CitationOf(word));
  for (const auto& [text, steps] :
       {std::pair(&line.pre, &description->preprocessing), {&line.post, &description->postprocessing}}) {
    if (text->empty()) continue;
    FOVEA_ASSIGN_OR_RETURN(*steps, ParseSteps(*text));
  }
  return line.ask ? AskForMissing(description) : OkStatus();
}

}  // namespace fovea::cli
