// Models and other files that fovea does not read, recognised by their first bytes or by the names in their folder or
// zip, so that a user is told what to do instead of "unknown".
#ifndef FOVEA_CONVERTER_FOREIGN_H_
#define FOVEA_CONVERTER_FOREIGN_H_

#include <span>
#include <string>
#include <vector>

namespace fovea::converter {

// "a PyTorch file: export it with torch.onnx.export ..."; empty for what is unknown.
std::string ForeignFile(std::span<const unsigned char> head);
// The same for a folder or zip with these files, which has no saved_model.pb: other models in it are named.
std::string ForeignTree(const std::vector<std::string>& files);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_FOREIGN_H_
