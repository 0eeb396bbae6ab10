#include "runtime/include/fovea/measure.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <vector>

#include "runtime/api/cap.h"
#include "runtime/api/ports.h"
#include "runtime/exec/accuracy.h"
#include "runtime/exec/thread_pool.h"
#include "runtime/plan/fuse_upsampling.h"

namespace fovea {

Result<double> FmaPeakGflops(const std::string& isa, int threads) {
  FOVEA_ASSIGN_OR_RETURN(const kernels::Isa cap, api::IsaCap(isa));
  exec::ThreadPool pool(threads);
  struct Work {
    kernels::Isa isa;
    std::atomic<double> flops{0};
  };
  double best = 0;
  for (int i = 0; i < 12; ++i) {
    Work work{cap, {}};
    const auto start = std::chrono::steady_clock::now();
    pool.Run(
        pool.threads(),
        [](void* context, int64_t, int) {
          Work& w = *static_cast<Work*>(context);
          w.flops.fetch_add(kernels::MultiplyAddsInRegisters(w.isa, 1'000'000));
        },
        &work);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 1e-9 * work.flops / seconds);
  }
  return best;
}

Result<MachineSpeed> MeasureSpeed(const std::string& isa, int threads) {
  MachineSpeed speed;
  FOVEA_ASSIGN_OR_RETURN(const double peak, FmaPeakGflops(isa, threads));
  speed.multiply_adds = 0.5e9 * peak / threads;
  // Copies of memory that no cache holds: read, and written.
  constexpr size_t kBytes = size_t{128} << 20;
  std::vector<char> from(kBytes, 1), to(kBytes, 2);
  struct Work {
    const char* from;
    char* to;
    int64_t tasks;
  } work{from.data(), to.data(), threads};
  exec::ThreadPool pool(threads);
  for (int i = 0; i < 4; ++i) {
    const auto start = std::chrono::steady_clock::now();
    pool.Run(
        threads,
        [](void* context, int64_t task, int) {
          const Work& w = *static_cast<Work*>(context);
          const size_t begin = kBytes / static_cast<size_t>(w.tasks) * static_cast<size_t>(task);
          std::memcpy(w.to + begin, w.from + begin, kBytes / static_cast<size_t>(w.tasks));
        },
        &work);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    speed.memory_bytes = std::max(speed.memory_bytes, 2.0 * static_cast<double>(kBytes) / seconds);
  }
  return speed;
}

Result<AccuracyReport> MeasureAccuracy(const Model& model, const std::vector<std::vector<int64_t>>& input_dims,
                                       const SessionOptions& options, std::span<const float* const> inputs,
                                       const std::function<bool()>& cancelled) {
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, input_dims, options));
  FOVEA_ASSIGN_OR_RETURN(const kernels::Isa cap, api::IsaCap(options.isa));
  FOVEA_ASSIGN_OR_RETURN(plan::ResolvedGraph resolved, plan::Resolve(model.file()->graph(), input_dims, {}));
  plan::FuseUpsampling(cap, options.exact_convolution, &resolved);  // as the session does
  if (cancelled) session.SetCancel(cancelled);
  std::vector<std::vector<float>> results;
  std::vector<float*> pointers;
  for (const auto& dims : session.output_dims()) {
    pointers.push_back(results.emplace_back(static_cast<size_t>(plan::Elements(dims))).data());
  }
  FOVEA_RETURN_IF_ERROR(session.Run(inputs, pointers));
  exec::ThreadPool pool(options.threads);
  return exec::CompareWithDouble({*model.file(), resolved, cap, options.exact_convolution, pool, cancelled}, inputs,
                                 pointers);
}

}  // namespace fovea
