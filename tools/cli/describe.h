// Models in words and as JSON: what info, convert and errors say of tensors, sizes and receptive fields.
#ifndef FOVEA_TOOLS_CLI_DESCRIBE_H_
#define FOVEA_TOOLS_CLI_DESCRIBE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// "1x?x?x1": -1 is shown as an open size.
std::string Join(const std::vector<int64_t>& dims, const char* separator = "x");
// "any multiple of 16".
std::string DescribeRule(const SizeRule& rule);
// Name, type, axes and sizes; the rules of open axes on lines of their own.
std::string DescribeSpec(const TensorSpec& spec);
// "y 92 before, 92 after, x ..."; names the tensors when there are several.
std::string DescribeField(const Model& model, const ReceptiveField& field);

nlohmann::ordered_json SpecToJson(const TensorSpec& spec);
nlohmann::ordered_json FieldToJson(const Model& model, const ReceptiveField& field);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_DESCRIBE_H_
