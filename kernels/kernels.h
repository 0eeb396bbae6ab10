// The door to the kernels: include this one. Arithmetic only: no graph, files, threads, allocation, exceptions or
// state.
//
// Each operator has a folder with a header (Layer, Args, contract), the reference, and the vector rows; its table is
// listed by
// `<Op>Kernels()`, best row first, and Pick() chooses from it.
#ifndef FOVEA_KERNELS_KERNELS_H_
#define FOVEA_KERNELS_KERNELS_H_

#include "kernels/conv/conv.h"                      // IWYU pragma: export
#include "kernels/conv_transpose/conv_transpose.h"  // IWYU pragma: export
#include "kernels/copy/copy.h"                      // IWYU pragma: export
#include "kernels/dropout/dropout.h"                // IWYU pragma: export
#include "kernels/elementwise/elementwise.h"        // IWYU pragma: export
#include "kernels/gather/gather.h"                  // IWYU pragma: export
#include "kernels/isa.h"                            // IWYU pragma: export
#include "kernels/kernel.h"                         // IWYU pragma: export
#include "kernels/matmul/matmul.h"                  // IWYU pragma: export
#include "kernels/moments/moments.h"                // IWYU pragma: export
#include "kernels/normalize/normalize.h"            // IWYU pragma: export
#include "kernels/pad/pad.h"                        // IWYU pragma: export
#include "kernels/peak/peak.h"                      // IWYU pragma: export
#include "kernels/pool/pool.h"                      // IWYU pragma: export
#include "kernels/reduce/reduce.h"                  // IWYU pragma: export
#include "kernels/resize/resize.h"                  // IWYU pragma: export
#include "kernels/softmax/softmax.h"                // IWYU pragma: export
#include "kernels/view.h"                           // IWYU pragma: export

#endif  // FOVEA_KERNELS_KERNELS_H_
