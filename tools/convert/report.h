// The converter's report, for people and as JSON.
#ifndef FOVEA_TOOLS_CONVERT_REPORT_H_
#define FOVEA_TOOLS_CONVERT_REPORT_H_

#include <string>

#include "converter/convert.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// quiet: warnings only, on stderr.
void PrintReport(const Model& model, const converter::Report& report, const std::string& path, bool quiet);
std::string ReportToJson(const Model& model, const converter::Report& report, const std::string& path);

// Every unsupported node, on stderr.
void PrintUnsupported(const converter::Report& report);
std::string FailureToJson(const Status& status, const converter::Report& report);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_REPORT_H_
