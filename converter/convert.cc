#include "converter/convert.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include "converter/foreign.h"
#include "converter/keras/import.h"
#include "converter/onnx/import.h"
#include "converter/passes/pipeline.h"
#include "converter/saved_model/import.h"
#include "converter/tfjs/import.h"

namespace fovea::converter {
namespace {

// The first bytes of a file (none for a folder) and its name: what a source is recognised by.
struct Head {
  std::string path;
  bool is_folder = false;
  std::array<unsigned char, 64> bytes{};
  size_t size = 0;
};

// An ONNX file is a protobuf message ModelProto whose writers put ir_version (field 1, a small number) first, or, less
// often, one of its strings (producer_name 2, producer_version 3, domain 4, doc_string 6), the graph (7) or
// opset_import (8).
bool IsOnnx(const Head& head) {
  if (head.is_folder || head.size < 2) return false;
  const unsigned char tag = head.bytes[0];
  if (tag == 0x08) return head.bytes[1] > 0 && head.bytes[1] < 0x80;
  // Other protobuf files (frozen graphs) start with a length-delimited field 1.
  return tag == 0x12 || tag == 0x1a || tag == 0x22 || tag == 0x32 || tag == 0x3a || tag == 0x42;
}

// The signature that opens an HDF5 file: section II.A of the HDF5 file format specification.
bool IsHdf5(const Head& head) {
  static constexpr unsigned char kSignature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  return head.size >= sizeof(kSignature) && std::memcmp(head.bytes.data(), kSignature, sizeof(kSignature)) == 0;
}

std::span<const unsigned char> Bytes(const Head& head) { return std::span(head.bytes).first(head.size); }

// A folder is one where saved_model.pb lies in it or in a folder of it; the reader says where it does not.
bool IsSavedModel(const Head& head) {
  return head.is_folder || LooksLikeZip(Bytes(head)) || LooksLikeSavedModel(Bytes(head)) ||
         std::filesystem::path(head.path).filename() == "saved_model.pb";
}

bool IsGraphDef(const Head& head) { return LooksLikeGraphDef(Bytes(head)); }

// model.json, or a folder with it. JSON that is something else is told so by the importer.
bool IsTfjs(const Head& head) {
  if (head.is_folder) {
    const std::filesystem::path folder = head.path;
    std::error_code error;
    return std::filesystem::exists(folder / "model.json", error) &&
           !std::filesystem::exists(folder / "saved_model.pb", error);
  }
  return head.size > 0 && head.bytes[0] == '{';
}

// One row a kind of source; the first that recognises the file imports it.
struct Frontend {
  const char* name;
  bool (*recognises)(const Head& head);
  Status (*import)(const std::string& path, const Options& options, ir::Graph* graph, Report* report);
  bool has_weights_apart;  // so that --no-weights means something
};
constexpr Frontend kFrontends[] = {
    {"TF.js", IsTfjs, ImportTfjs, false},
    {"SavedModel", IsSavedModel, ImportSavedModel, true},
    {"frozen GraphDef", IsGraphDef, ImportFrozenGraph, false},
    {"ONNX", IsOnnx, ImportOnnx, false},
    {"Keras HDF5", IsHdf5, ImportKeras, true},
};

Result<Head> ReadHead(const std::string& path) {
  Head head;
  head.path = path;
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return NotFound(path + ": no such file");
  head.is_folder = std::filesystem::is_directory(status);
  if (head.is_folder) return head;
  if (!std::filesystem::is_regular_file(status)) return InvalidArgument(path + ": not a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return IoError(path + ": cannot be opened");
  file.read(reinterpret_cast<char*>(head.bytes.data()), static_cast<std::streamsize>(head.bytes.size()));
  head.size = static_cast<size_t>(file.gcount());
  return head;
}

}  // namespace

Result<ir::Graph> Convert(const std::string& path, const Options& options, Report* report) {
  const auto begin = std::chrono::steady_clock::now();
  Report unread;
  if (report == nullptr) report = &unread;
  FOVEA_ASSIGN_OR_RETURN(const Head head, ReadHead(path));
  const std::string foreign = ForeignFile(Bytes(head));
  if (!foreign.empty()) return Unsupported(path + ": " + foreign);
  std::string known;
  for (const Frontend& frontend : kFrontends) {
    known += (known.empty() ? "" : ", ") + std::string(frontend.name);
    if (!frontend.recognises(head)) continue;
    if ((options.no_weights || options.random_weights) && !frontend.has_weights_apart) {
      return InvalidArgument(path + ": a " + frontend.name +
                             " model; --no-weights and --random-weights are for SavedModels and Keras files");
    }
    ir::Graph graph;
    FOVEA_RETURN_IF_ERROR(frontend.import(path, options, &graph, report));
    FOVEA_RETURN_IF_ERROR(RunPasses(&graph, options, report).Prefixed(path));
    if (graph.metadata.source_format.empty()) graph.metadata.source_format = report->source_format;
    report->warnings.insert(report->warnings.end(), graph.warnings.begin(), graph.warnings.end());
    report->history = graph.history;
    report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return graph;
  }
  if (head.size == 0) return CorruptFile(path + ": an empty file");
  return Unsupported(path + ": not a model that fovea can read (" + known + ")");
}

}  // namespace fovea::converter
