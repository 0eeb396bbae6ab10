// When nodes in bands make their rows, and how many at once.
//
// Rows come in steps: a kernel's tiles on an image a sixteenth as large are 64 rows of the image. What comes before the
// largest steps (the way down of a U-Net) makes rows as its input does, because the step waits for all of them. What
// comes after would make as many at once, or, slowed down to the pace of the image, in steps that wait for one another.
// So it is late: it makes rows when they are read. A skip connection then waits for the receptive field and one largest
// step, and no more.
#ifndef FOVEA_RUNTIME_PLAN_ROW_STEPS_H_
#define FOVEA_RUNTIME_PLAN_ROW_STEPS_H_

#include "runtime/plan/plan.h"

namespace fovea::plan {

// How rows are made. All give the same bits.
enum class RowPolicy : uint8_t {
  kEager,  // as soon as they can be, at the pace of the image: skip connections wait longer, windows are smaller
  kLate,   // late nodes from the largest steps on
  kDouble  // the same, and kernels with large packed weights make two of their tiles' rows in a step: weights that are
           // packed when they are used are packed half as often, and skip connections wait for twice the step
};

// Sets Plan::row_steps and Plan::late. Needs graph, links with their phases, operators, packable and constant.
void ChooseRowSteps(RowPolicy policy, Plan* plan);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_ROW_STEPS_H_
