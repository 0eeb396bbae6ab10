// The command line of fovea-convert: its options, and the converter's options that they mean.
#ifndef FOVEA_TOOLS_CONVERT_OPTIONS_H_
#define FOVEA_TOOLS_CONVERT_OPTIONS_H_

#include <string>
#include <vector>

#include "converter/convert.h"
#include "tools/cli/args.h"
#include "tools/convert/build_bundle.h"

namespace fovea::cli {

struct ConvertLine {
  converter::Options options;
  std::vector<std::string> in;
  std::string out, compare;
  BundleLine bundle;  // --bundle and what goes with it
  bool ignore_sha256 = false;
  bool json = false, quiet = false, version = false;

  // Words that FillOptions turns into options.
  std::vector<std::string> set, axes, size, test_inputs, test_outputs, inputs, outputs;
  std::string weights = "f32", dropout, random_weights;
};

void DeclareOptions(Args* args, ConvertLine* line);

// Reads the files that options name, too.
Status FillOptions(ConvertLine* line);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_OPTIONS_H_
