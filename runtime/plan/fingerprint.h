// 64 bits that stand for a sequence of numbers: equal sequences are equal, others almost never.
//
// For what may be wrong once in 2^64: whether something was looked at before, where missing a look costs a little
// memory or time and no result.
#ifndef FOVEA_RUNTIME_PLAN_FINGERPRINT_H_
#define FOVEA_RUNTIME_PLAN_FINGERPRINT_H_

#include <cstdint>

namespace fovea::plan {

class Fingerprint {
 public:
  // The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) on
  // what is there and the next number.
  void Add(int64_t number) {
    uint64_t z = (value_ ^ static_cast<uint64_t>(number)) + 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    value_ = z ^ (z >> 31);
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_FINGERPRINT_H_
