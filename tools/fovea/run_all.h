// All files of one command, one after another: what is told of each, the summary, and which are done already.
#ifndef FOVEA_TOOLS_FOVEA_RUN_ALL_H_
#define FOVEA_TOOLS_FOVEA_RUN_ALL_H_

#include "tools/fovea/run_options.h"
#include "tools/fovea/run_paths.h"

namespace fovea::cli {

enum class Telling : uint8_t { kText, kJson, kNothing };

// Goes on after a file that fails. Returns the exit code: of the failure for one file, kCheckFailed when some of
// several failed. With options.resume files of a folder that an earlier run of the same command completed are left out:
// the folder's ".fovea-done.json" names them.
int RunAll(const Model& model, const RunOptions& options, const RunPaths& paths, Telling telling);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_ALL_H_
