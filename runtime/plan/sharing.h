// Which values share memory: groups, slots and buffers of a plan, see plan.h.
#ifndef FOVEA_RUNTIME_PLAN_SHARING_H_
#define FOVEA_RUNTIME_PLAN_SHARING_H_

#include <vector>

#include "runtime/plan/plan.h"

namespace fovea::plan {

// What an earlier attempt found impossible for some tile.
struct Forbidden {
  std::vector<uint8_t> alias;   // node: a reshape must copy
  std::vector<uint8_t> direct;  // output port: it must be copied to
};

// Fills plan->slots, groups, buffers (without sizes), direct, port_buffers and whole_channels. aliases[n]: reshape n is
// a view.
void ShareMemory(const Forbidden& forbidden, Plan* plan, std::vector<uint8_t>* aliases);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_SHARING_H_
