// What the description of a bundle that has not been converted says, for info and models.
#ifndef FOVEA_TOOLS_FOVEA_BUNDLE_PAGE_H_
#define FOVEA_TOOLS_FOVEA_BUNDLE_PAGE_H_

#include <nlohmann/json.hpp>
#include <string>

#include "formats/bundle/bundle.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// One line of a page: a label and a text that is wrapped below itself. Nothing for an empty text.
void PageLine(const std::string& label, const std::string& text);

// "x, y: any multiple of 16; 1 channel" of an input or output.
std::string ImageText(const formats::TensorDescription& tensor);
std::string ImageText(const TensorSpec& spec);

// "Run `fovea-convert X -o NAME.fov`, then ..."; or why that will not do.
std::string RemedyText(const formats::Bundle& bundle);

void PrintBundlePage(const formats::Bundle& bundle);
nlohmann::ordered_json BundleToJson(const formats::Bundle& bundle);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_BUNDLE_PAGE_H_
