// Tracer: notes when steps and their tasks ran. Each thread writes to its own list, which never grows during a run.
#ifndef FOVEA_RUNTIME_EXEC_TRACER_H_
#define FOVEA_RUNTIME_EXEC_TRACER_H_

#include <algorithm>
#include <chrono>
#include <vector>

#include "runtime/include/fovea/session.h"

namespace fovea::exec {

class Tracer {
 public:
  Tracer(int threads, size_t most_events) : lists_(static_cast<size_t>(threads) + 1), most_(most_events) {
    for (List& list : lists_) list.events.reserve(most_);
    Begin();
  }

  // Forgets what was noted; times are from now.
  void Begin() {
    for (List& list : lists_) list.events.clear();
    start_ = Clock::now();
  }

  double Now() const { return std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }

  // thread -1: a whole step.
  void Note(const TraceEvent& event) {
    std::vector<TraceEvent>& events = lists_[static_cast<size_t>(event.thread + 1)].events;
    if (events.size() < most_) events.push_back(event);
  }

  std::vector<TraceEvent> Events() const {
    std::vector<TraceEvent> all;
    for (const List& list : lists_) all.insert(all.end(), list.events.begin(), list.events.end());
    std::stable_sort(all.begin(), all.end(),
                     [](const TraceEvent& a, const TraceEvent& b) { return a.begin_ms < b.begin_ms; });
    return all;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct alignas(64) List {
    std::vector<TraceEvent> events;
  };
  std::vector<List> lists_;  // whole steps, then one a thread
  size_t most_;
  Clock::time_point start_;
};

// Notes its own life. tracer may be null.
class TracedTask {
 public:
  TracedTask(Tracer* tracer, size_t step, int thread) : tracer_(tracer) {
    if (tracer_ != nullptr) event_ = {static_cast<int>(step), thread, tracer_->Now(), 0};
  }
  TracedTask(const TracedTask&) = delete;
  TracedTask& operator=(const TracedTask&) = delete;
  ~TracedTask() {
    if (tracer_ == nullptr) return;
    event_.end_ms = tracer_->Now();
    tracer_->Note(event_);
  }

 private:
  Tracer* tracer_;
  TraceEvent event_;
};

class TracedStep : public TracedTask {
 public:
  TracedStep(Tracer* tracer, size_t step) : TracedTask(tracer, step, -1) {}
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_TRACER_H_
