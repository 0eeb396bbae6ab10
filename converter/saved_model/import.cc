#include "converter/saved_model/import.h"

namespace fovea::converter {

Status ImportSavedModel(const std::string& path, const Options& options, ir::Graph* graph, Report* report) {
  std::vector<std::string> warnings;
  FOVEA_ASSIGN_OR_RETURN(const TfGraph tf, ReadSavedModel(path, options, &warnings));
  report->source_format = tf.source_format;
  report->signature = tf.signature;
  report->tag = tf.tag;
  FOVEA_RETURN_IF_ERROR(ImportTfGraph(tf, options, graph, report).Prefixed(path));
  graph->warnings.insert(graph->warnings.end(), warnings.begin(), warnings.end());
  return OkStatus();
}

Status ImportFrozenGraph(const std::string& path, const Options& options, ir::Graph* graph, Report* report) {
  FOVEA_ASSIGN_OR_RETURN(const TfGraph tf, ReadFrozenGraph(path, options));
  report->source_format = tf.source_format;
  return ImportTfGraph(tf, options, graph, report).Prefixed(path);
}

}  // namespace fovea::converter
