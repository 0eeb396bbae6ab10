// The rewrites, one a file (its opening says what it does and when), for pipeline.cc and their tests. Each leaves a
// compact graph that computes the same.
#ifndef FOVEA_CONVERTER_PASSES_PASSES_H_
#define FOVEA_CONVERTER_PASSES_PASSES_H_

#include "converter/ir/graph.h"

namespace fovea::converter {

Status FoldConstants(ir::Graph* graph);
Status RemoveIdentity(ir::Graph* graph);
Status FuseDepthToSpace(ir::Graph* graph);
Status FuseGroupNorm(ir::Graph* graph);
Status Layout(ir::Graph* graph);
Status ComposeReshapes(ir::Graph* graph);
Status MergePads(ir::Graph* graph);
Status FoldPad(ir::Graph* graph);
Status SimplifyAffine(ir::Graph* graph);
Status FoldBatchNorm(ir::Graph* graph);
Status FuseActivation(ir::Graph* graph);
Status FuseResidual(ir::Graph* graph);
Status SplitDoubled(ir::Graph* graph);
Status CommonSubexpressions(ir::Graph* graph);
Status DeadCode(ir::Graph* graph);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_PASSES_PASSES_H_
