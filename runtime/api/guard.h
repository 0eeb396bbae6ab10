// Nothing that programs call may throw. The runtime throws nothing itself, but the C++ heap does when it is exhausted.
#ifndef FOVEA_RUNTIME_API_GUARD_H_
#define FOVEA_RUNTIME_API_GUARD_H_

#include <new>

#include "runtime/include/fovea/status.h"

namespace fovea::api {

// What body returns, a Status or Result; kOutOfMemory when some allocation in it failed. Everything that it had made is
// gone then. (In builds without exceptions the process ends instead.)
template <class Body>
auto WithHeap(const Body& body) -> decltype(body()) {
#ifdef __cpp_exceptions
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return OutOfMemory("out of memory");  // short enough to need no memory
  }
#else
  return body();
#endif
}

}  // namespace fovea::api

#endif  // FOVEA_RUNTIME_API_GUARD_H_
