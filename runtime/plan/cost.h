// How long a plan takes, predicted from counts of what it does and what the machine can do.
//
// Used twice: to choose among plans, with nominal rates, so that the choice is a function of the network, the image and
// the options; and to say beforehand how long a run will take, with rates measured on the machine.
#ifndef FOVEA_RUNTIME_PLAN_COST_H_
#define FOVEA_RUNTIME_PLAN_COST_H_

#include <vector>

#include "runtime/plan/plan.h"

namespace fovea::plan {

struct MachineRates {
  double multiply_adds = 0;  // a second, float32, one thread, in registers
  double memory_bytes = 0;   // a second, of all threads together, reading or writing memory
};
// Of a current core with such vectors.
MachineRates NominalRates(kernels::Isa isa);

struct Cost {
  double seconds = 0;
  double redundant = 0;  // part of the seconds that computes what another tile computes, too: halos
  double packing = 0;    // part of the seconds that packs weights when they are used
};
// each: also the part of the seconds that each node takes.
Cost PredictCost(const Plan& plan, int threads, const MachineRates& rates, std::vector<double>* each = nullptr);
// What node n takes at least, whole and once, however the network is followed.
double LeastSeconds(const Plan& plan, size_t n, int threads, const MachineRates& rates);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_COST_H_
