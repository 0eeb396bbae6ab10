// Threads that each keep to one processor, and 64-byte aligned memory.
#ifndef FOVEA_BENCH_THREADS_H_
#define FOVEA_BENCH_THREADS_H_

#include <barrier>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace fovea::bench {

// Moves the calling thread to the index-th processor that the process could use when it started. Schedulers of small
// virtual machines may otherwise keep two busy threads on one processor.
void KeepToProcessor(int index);

// Runs a body on a fixed number of threads; the calling thread is the first of them.
class ThreadTeam {
 public:
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  int threads() const { return threads_; }
  void Run(const std::function<void(int thread)>& body);

 private:
  int threads_;
  const std::function<void(int)>* body_ = nullptr;  // null: the team ends
  std::barrier<> meet_;
  std::vector<std::thread> workers_;
};

class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(int64_t count)
      : data_(static_cast<float*>(::operator new(static_cast<size_t>(count + 16) * sizeof(float), kAlign))) {}
  float* data() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kAlign); }
  };
  std::unique_ptr<float, Free> data_;
};

}  // namespace fovea::bench

#endif  // FOVEA_BENCH_THREADS_H_
