// XNNPACK as the runtime uses it: the library started with an allocator that counts, operators that delete themselves,
// and its thread pool.
//
// XNNPACK keeps memory of its own: packed weights, and for each convolution an indirection buffer of a pointer a tap
// and output pixel. The counts say how much, so that it can be added to what a session is said to use.
#ifndef FOVEA_RUNTIME_EXEC_XNNPACK_LIBRARY_H_
#define FOVEA_RUNTIME_EXEC_XNNPACK_LIBRARY_H_

#include <pthreadpool.h>
#include <xnnpack.h>

#include <cstdint>
#include <memory>
#include <type_traits>

#include "runtime/include/fovea/status.h"

namespace fovea::exec {

// Starts the library once a process. kUnsupported: the processor is not one of XNNPACK's, or the program around us has
// started it with another allocator, so that nothing would be counted.
Status StartXnnpack();

// Bytes that XNNPACK has taken on the calling thread, less those that it has given back there. Differences tell what
// was taken in between.
int64_t XnnpackBytes();

struct DeleteXnnOperator {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using XnnOperator = std::unique_ptr<std::remove_pointer_t<xnn_operator_t>, DeleteXnnOperator>;

struct DeletePthreadpool {
  void operator()(pthreadpool_t pool) const { pthreadpool_destroy(pool); }
};
using Pthreadpool = std::unique_ptr<std::remove_pointer_t<pthreadpool_t>, DeletePthreadpool>;

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_XNNPACK_LIBRARY_H_
