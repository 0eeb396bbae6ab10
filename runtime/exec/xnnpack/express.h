// A node as operators of XNNPACK, where it has them.
//
// XNNPACK's 2-D operators are channels last as ours. What it lacks (nearest-neighbour resizing, normalisation, slices,
// other activations, ...) stays with our kernels. Formulas and limits are those of Debian's snapshot of February 2022;
// what it would refuse is asked for here, before it is created, since the library prints its refusals.
#ifndef FOVEA_RUNTIME_EXEC_XNNPACK_EXPRESS_H_
#define FOVEA_RUNTIME_EXEC_XNNPACK_EXPRESS_H_

#include <span>
#include <vector>

#include "runtime/exec/xnnpack/library.h"
#include "runtime/plan/resolve.h"

namespace fovea::exec {

// Where things are while the network runs; both stay where they are from one run to the next.
struct XnnPlace {
  std::span<float* const> in;  // of each input of the node; null: absent, or not needed (weights)
  float* out = nullptr;
  pthreadpool_t pool = nullptr;
  // Convolutions: as the model has them, alive while operators are made only. bias may be null.
  const float* weights = nullptr;
  const float* bias = nullptr;
};

struct XnnStep {
  std::vector<XnnOperator> operators;  // run one after another
  kernels::Activation rest;            // to be applied to the output in place; kIdentity: nothing
};

// True when ExpressNode can make the node's result. constant: of each input.
bool CanExpress(const plan::ResolvedNode& node, std::span<const bool> constant);

// The node's operators, set up. Errors: kOutOfMemory, kInternal (the library refuses what CanExpress allowed).
Result<XnnStep> ExpressNode(const plan::ResolvedNode& node, const XnnPlace& place);

// The two kinds of convolution (express_conv.cc).
bool CanExpressConv(const plan::ResolvedNode& node, std::span<const bool> constant);
Status ExpressConv(const plan::ResolvedNode& node, const XnnPlace& place, XnnStep* step);

// XNNPACK's word for a failed call, as a Status that names the node.
Status XnnStatus(const plan::ResolvedNode& node, xnn_status status);

// The bounds that XNNPACK applies to a result, and what of the activation they leave over.
struct XnnClamp {
  float low, high;
  kernels::Activation rest;
};
XnnClamp ClampOf(const kernels::Activation& act);

// Adds a created operator, or says why there is none.
Status AddOperator(const plan::ResolvedNode& node, xnn_status created, xnn_operator_t op, XnnStep* step);

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_XNNPACK_EXPRESS_H_
