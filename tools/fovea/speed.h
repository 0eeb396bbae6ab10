// The machine's speed, for predicted seconds: measured once (about half a second) and kept in the user's cache folder.
#ifndef FOVEA_TOOLS_FOVEA_SPEED_H_
#define FOVEA_TOOLS_FOVEA_SPEED_H_

#include <string>

#include "runtime/include/fovea/measure.h"

namespace fovea::cli {

// From $XDG_CACHE_HOME/fovea/speed.json (~/.cache without it), or measured and written there; a folder that cannot be
// written does not matter. again: measured in any case. Errors: those of the instruction set's name.
Result<MachineSpeed> SpeedOfMachine(const std::string& isa, int threads, bool again);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_SPEED_H_
