// ImageJ itself (Debian's imagej under a virtual display), asked by a macro.
#ifndef FOVEA_TESTS_SUPPORT_IMAGEJ_H_
#define FOVEA_TESTS_SUPPORT_IMAGEJ_H_

#include <string>

#include "tests/support/process.h"

namespace fovea::testing {

// Whether ImageJ, Java and xvfb-run are here.
bool HaveImageJ();

// Writes `macro` to `folder`/macro.ijm and runs it; getArgument() gives it the folder's path with '/' at its end. What
// it prints is `out`. An error in a macro opens a dialog and waits for ever, so it is ended after a minute.
ProcessResult RunImageJ(const std::string& macro, const std::string& folder);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_SUPPORT_IMAGEJ_H_
