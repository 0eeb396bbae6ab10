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
  bool says_output = false;                  // outputs end in the name of the first one, as further ones do in theirs
};

// What names say that fovea chooses.
struct ResultNaming {
  std::string model;   // without folder and extension
  std::string output;  // of the first file, where there are several an input; otherwise empty
};

// words: files, folders (their images, sorted) and patterns. out: a file for one input, otherwise a folder, made when
// it is not there; "": the result goes beside its one input, "cells_MODEL.tif", those of one folder into
// "FOLDER_MODEL/". Files of a folder keep their names, and say the output where there are several: "cells_OUTPUT.tif";
// so does a file that is named like that, while the further ones of "cells.tif" are its siblings.
// Errors: kNotFound (no image), kInvalidArgument (two results of one name), kIo.
Result<RunPaths> MatchPaths(const std::vector<std::string>& words, const std::string& out, const ResultNaming& naming);

// "out.tif" and "prob" -> "out_prob.tif", with what a file name can't have as _; ".ome.tif" counts as one extension.
std::string SiblingPath(const std::string& path, const std::string& name);
// The inverse; the path itself when it does not end so.
std::string WithoutSuffix(const std::string& path, const std::string& name);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_PATHS_H_
