// What a package says of itself: from a file, from options, from the terminal.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "archive/file_tree.h"
#include "formats/bundle/readers.h"
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
  const Node& pixel = root->At("pixel_size");
  for (const auto& [key, size] : {std::pair("x", &out->pixel_x), {"y", &out->pixel_y}, {"z", &out->pixel_z}}) {
    if (!pixel.At(key).is_null()) *size = formats::ParsePhysicalSize(pixel.At(key).Text());
  }
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

// Asks until there is an answer; kCancelled at the end of the input.
Status Ask(const char* what, std::string* field) {
  while (field->empty()) {
    std::fprintf(stderr, "%s: ", what);
    if (!std::getline(std::cin, *field)) return Cancelled(std::string(what) + " was not answered");
  }
  return OkStatus();
}

Status AskForMissing(BundleDescription* out) {
  if (isatty(STDIN_FILENO) == 0) return InvalidArgument("--ask needs a terminal to ask on");
  FOVEA_RETURN_IF_ERROR(Ask("Name of the model (5 to 128 letters, digits, blanks, _+-())", &out->name));
  FOVEA_RETURN_IF_ERROR(Ask("What it does, in a sentence", &out->description));
  FOVEA_RETURN_IF_ERROR(Ask("Licence (an SPDX identifier such as MIT or CC-BY-4.0)", &out->licence));
  std::string answer;
  if (out->authors.empty()) {
    FOVEA_RETURN_IF_ERROR(Ask("Author (Name; affiliation)", &answer));
    const auto [name, affiliation] = Halves(answer);
    out->authors.push_back({name, affiliation, ""});
  }
  answer.clear();
  if (out->citations.empty()) {
    FOVEA_RETURN_IF_ERROR(Ask("Article to cite (Text; doi or url)", &answer));
    out->citations.push_back(CitationOf(answer));
  }
  return OkStatus();
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
