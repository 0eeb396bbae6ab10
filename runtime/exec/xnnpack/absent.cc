// In place of the executor on XNNPACK where that is not built in.
#include "runtime/exec/runner.h"

namespace fovea::exec {

Result<std::unique_ptr<Runner>> CreateXnnpackRunner(std::shared_ptr<const ModelFile>, plan::ResolvedGraph,
                                                    const SessionOptions&, kernels::Isa) {
  return Unsupported(
      "this fovea was built without XNNPACK: install Debian's libxnnpack-dev and configure it with "
      "-DFOVEA_XNNPACK=ON");
}

}  // namespace fovea::exec
