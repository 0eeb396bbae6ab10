// The instruction set that a caller's word caps kernels to.
#ifndef FOVEA_RUNTIME_API_CAP_H_
#define FOVEA_RUNTIME_API_CAP_H_

#include <algorithm>
#include <string>

#include "kernels/kernels.h"
#include "runtime/include/fovea/status.h"

namespace fovea::api {

// isa: as SessionOptions::isa.
inline Result<kernels::Isa> IsaCap(const std::string& isa) {
  const kernels::Isa best = kernels::BestIsa();
  if (isa.empty()) return best;
  kernels::Isa wanted;
  if (!kernels::ParseIsa(isa.c_str(), &wanted)) {
    return InvalidArgument("no instruction set is called '" + isa +
                           "'; there are reference, sse4, neon, avx2 and avx512");
  }
  return std::min(best, wanted);
}

}  // namespace fovea::api

#endif  // FOVEA_RUNTIME_API_CAP_H_
