#include <algorithm>

#include "converter/saved_model/flatten.h"
#include "converter/saved_model/import.h"
#include "converter/saved_model/interface.h"
#include "converter/saved_model/parse.h"
#include "converter/saved_model/table.h"

namespace fovea::converter {

using archive::OpenFile;

namespace {

constexpr unsigned char kNode = 0x0a;       // GraphDef.node and NodeDef.name: field 1, length-delimited
constexpr unsigned char kMetaGraph = 0x12;  // SavedModel.meta_graphs: field 2
constexpr unsigned char kMetaInfo = 0x0a;   // MetaGraphDef.meta_info_def: field 1
constexpr unsigned char kGraph = 0x12;      // MetaGraphDef.graph_def: field 2

// The byte after the tag `head[at]` and the length behind it; 0 where there is none.
unsigned char FirstOf(std::span<const unsigned char> head, size_t at) {
  std::string_view rest(reinterpret_cast<const char*>(head.data()), head.size());
  rest.remove_prefix(std::min(at + 1, rest.size()));
  uint64_t length = 0;
  if (!TakeVarint(&rest, &length) || length == 0 || rest.empty()) return 0;
  return static_cast<unsigned char>(rest.front());
}

}  // namespace

bool LooksLikeZip(std::span<const unsigned char> head) {
  return head.size() >= 4 && head[0] == 'P' && head[1] == 'K' && head[2] == 3 && head[3] == 4;
}

bool LooksLikeSavedModel(std::span<const unsigned char> head) {
  // Version 1, then a graph. An ONNX file with IR version 1 has printable text where the graph's fields begin.
  if (head.size() < 5 || head[0] != 0x08 || head[1] != 1 || head[2] != kMetaGraph) return false;
  const unsigned char first = FirstOf(head, 2);
  return first == kMetaInfo || first == kGraph;
}

bool LooksLikeGraphDef(std::span<const unsigned char> head) {
  return head.size() >= 4 && head[0] == kNode && FirstOf(head, 0) == kNode;
}

Result<TfGraph> ReadFrozenGraph(ByteSource* source, const Options& options) {
  tfproto::GraphDef def;
  FOVEA_RETURN_IF_ERROR(ParseMessage(source, &def));
  if (def.node_size() == 0) return CorruptFile("it holds no graph");
  FOVEA_ASSIGN_OR_RETURN(const Interface interface, FromNames(def, options));
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<Flattener> flattener, Flattener::Create(&def, nullptr, options));
  TfGraph graph;
  FOVEA_RETURN_IF_ERROR(Flatten(interface, flattener.get(), &graph));
  if (!flattener->variables().empty()) {
    return Unsupported("the graph is not frozen: it reads " + std::to_string(flattener->variables().size()) +
                       " variables (such as '" + flattener->variables()[0].def->name() +
                       "') whose values are not in the file");
  }
  graph.nodes = std::move(flattener->nodes());
  graph.source_format = "frozen GraphDef";
  graph.metadata.source_format = graph.source_format;
  return graph;
}

Result<TfGraph> ReadFrozenGraph(const std::string& path, const Options& options) {
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenFile(path));
  Result<TfGraph> graph = ReadFrozenGraph(source.get(), options);
  if (!graph.ok()) return graph.status().Prefixed(path);
  return graph;
}

}  // namespace fovea::converter
