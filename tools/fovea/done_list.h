// Which results of a folder are complete, and what they were made from: a hidden file beside them.
#ifndef FOVEA_TOOLS_FOVEA_DONE_LIST_H_
#define FOVEA_TOOLS_FOVEA_DONE_LIST_H_

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::cli {

class DoneList {
 public:
  // Reads what is there; a list that can't be read counts as empty: files are made anew.
  explicit DoneList(const std::string& folder);

  // Whether `output` is there as Add left it. The result is the difference that forbids to go on (see DifferenceOf) in
  // *changed, or empty.
  bool Has(const std::string& output, const nlohmann::json& identity, std::string* changed) const;
  Status Add(const std::string& output, const nlohmann::json& identity);

 private:
  const std::string path_;
  nlohmann::json outputs_ = nlohmann::json::object();  // by file name
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_DONE_LIST_H_
