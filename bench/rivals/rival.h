// A library that is timed against fovea's kernels. Each rival is one source file and one program.
#ifndef FOVEA_BENCH_RIVALS_RIVAL_H_
#define FOVEA_BENCH_RIVALS_RIVAL_H_

#include <memory>
#include <string>
#include <vector>

#include "bench/rivals/problem.h"

namespace fovea::bench {

// One convolution, set up and ready to run again and again. Whatever a library does once per network (packing weights,
// choosing an algorithm, bringing the input into its own layout) happens before Run.
class RivalKernel {
 public:
  virtual ~RivalKernel() = default;
  virtual void Run() = 0;
  virtual std::string name() const = 0;     // the implementation that the library chose, where it tells
  virtual std::vector<float> result() = 0;  // of the last Run, D, H, W, C
};

class Rival {
 public:
  virtual ~Rival() = default;
  virtual std::string version() const = 0;
  // Null: the library cannot do this one. Errors end the program with a sentence on stderr.
  virtual std::unique_ptr<RivalKernel> Prepare(const Problem& problem) = 0;
};

// Defined by the rival's source file; its threads keep to processors of their own.
std::unique_ptr<Rival> MakeRival(int threads);

}  // namespace fovea::bench

#endif  // FOVEA_BENCH_RIVALS_RIVAL_H_
