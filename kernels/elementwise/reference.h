// The reference rows of the elementwise operators and the loops their vector rows share.
#ifndef FOVEA_KERNELS_ELEMENTWISE_REFERENCE_H_
#define FOVEA_KERNELS_ELEMENTWISE_REFERENCE_H_

#include "kernels/elementwise/elementwise.h"
#include "kernels/loop.h"

namespace fovea::kernels::reference {

Loop<2> UnaryLoop(const UnaryArgs& args);    // src, dst
Loop<3> BinaryLoop(const BinaryArgs& args);  // a, b, dst
Loop<4> SelectLoop(const SelectArgs& args);  // condition, a, b, dst

int64_t UnaryUnits(const Activation&, const UnaryArgs& args);
int64_t BinaryUnits(const BinaryLayer&, const BinaryArgs& args);
int64_t SelectUnits(const SelectLayer&, const SelectArgs& args);

void Unary(const Activation& f, const UnaryArgs& args, int64_t unit_begin, int64_t unit_end, float*);
void Binary(const BinaryLayer& layer, const BinaryArgs& args, int64_t unit_begin, int64_t unit_end, float*);
void Select(const SelectLayer&, const SelectArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_ELEMENTWISE_REFERENCE_H_
