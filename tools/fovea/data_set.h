// Statistics over all inputs of one `fovea run`, for steps of a data set (per_dataset, or axes with batch): the inputs
// are read through before the first one runs. Only the model's steps before the network have them; what comes after it
// would need all results at once.
#ifndef FOVEA_TOOLS_FOVEA_DATA_SET_H_
#define FOVEA_TOOLS_FOVEA_DATA_SET_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/fovea/run_options.h"

namespace fovea::cli {

// Of all inputs that can be read; *left_out gets a sentence for each of the others. Empty when no step wants any.
// Errors: kCancelled.
Result<DatasetStatistics> MeasureInputs(const Model& model, const RunOptions& options,
                                        const std::vector<std::string>& inputs, std::vector<std::string>* left_out);

// As text that decides whether two runs have the same, and as a record keeps them.
std::string TextOf(const DatasetStatistics& statistics);
nlohmann::ordered_json ToJson(const DatasetStatistics& statistics, const std::vector<Step>& steps);
// Errors: kInvalidArgument when they were taken by other steps; kCorruptFile.
Result<DatasetStatistics> DatasetFromJson(const nlohmann::json& json, const std::vector<Step>& steps);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_DATA_SET_H_
