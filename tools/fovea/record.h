// The record of a run: RESULT.json beside each result: what is needed to make it again and what was
// measured.
//
//   {"fovea_record": 1, "version", "date" (UTC), "command",
//    "model": {"path", "name", "content_hash"}, "input": {"path", "bytes", "hash"}, "output",
//    "options": [[name, value] ...], "results": [{"path", "hash"} ...], "report": what --json prints}
//
// Where steps went by statistics of several images, the report has them ("data_set"), and a repetition takes them from
// there: it has one image only.
//
// A hash is "sha256:" of the whole file, or, of files over 64 MiB, "sha256-ends:" of their first and last 32 MiB.
// Options are those that decide the result and those about memory and threads; not those about what is printed. Paths
// are absolute, so that a record means the same wherever it is read.
#ifndef FOVEA_TOOLS_FOVEA_RECORD_H_
#define FOVEA_TOOLS_FOVEA_RECORD_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "runtime/include/fovea/model.h"

namespace fovea::cli {

struct RunRecord {
  std::string version, model, model_hash, input, input_hash, output;
  std::vector<std::pair<std::string, std::string>> options;  // value "" for flags
  std::vector<std::pair<std::string, std::string>> results;  // path, hash
  nlohmann::json data_set;                                   // of the report (data_set.h), or null
};

std::string RecordPath(const std::string& result);  // "labels.tif" -> "labels.tif.json"

// Of a run that is done; report: with "outputs". Written under a temporary name, then renamed.
Status WriteRecord(const Model& model, const std::string& model_path, const std::string& input,
                   const std::string& output, const std::vector<std::pair<std::string, std::string>>& options,
                   const nlohmann::ordered_json& report);

// path: of a record, or of the result beside it. Errors name the file; a record is checked before it is believed.
Result<RunRecord> ReadRecord(const std::string& path);

// The words of `fovea run` that repeat it; `more` come last and so override. Fails when the model or the input is not
// what it was.
Result<std::vector<std::string>> WordsOf(const RunRecord& record, const std::vector<std::string>& more);

// "" when every result has the bits that were recorded, otherwise which has not.
std::string Difference(const RunRecord& record, const nlohmann::ordered_json& report);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RECORD_H_
