// Which files `fovea run` reads, and the name of each result.
#ifndef FOVEA_TOOLS_FOVEA_RUN_PATHS_H_
#define FOVEA_TOOLS_FOVEA_RUN_PATHS_H_

#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::cli {

struct RunPaths {
  std::vector<std::string> inputs, outputs;  // one output an input
  bool folder = false;                       // outputs are files of one folder
};

// words: files, folders (their images, sorted) and patterns. out: a file for one input, otherwise a folder, made when
// it is not there. Errors: kNotFound (no image), kInvalidArgument (two results of one name), kIo.
Result<RunPaths> MatchPaths(const std::vector<std::string>& words, const std::string& out);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_PATHS_H_
