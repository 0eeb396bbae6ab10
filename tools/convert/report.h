// The converter's report, for people and as JSON.
#ifndef FOVEA_TOOLS_CONVERT_REPORT_H_
#define FOVEA_TOOLS_CONVERT_REPORT_H_

#include <string>
#include <vector>

#include "converter/convert.h"
#include "runtime/include/fovea/model.h"
#include "tools/convert/compare.h"

namespace fovea::cli {

// quiet: warnings only, on stderr.
void PrintReport(const Model& model, const converter::Report& report, const std::string& path, bool quiet);
std::string ReportToJson(const Model& model, const converter::Report& report, const std::string& path);

// One line an output; true when each differs by at most 1e-5 of its range.
bool PrintDifferences(const std::vector<OutputDifference>& differences, bool json);

// Of a conversion that failed.
std::string FailureToJson(const Status& status, const converter::Report& report);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_REPORT_H_
