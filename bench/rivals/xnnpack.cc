// XNNPACK (Debian's snapshot of February 2022): 2-D convolution and deconvolution operators, channels last as ours.
#include <pthreadpool.h>
#include <xnnpack.h>

#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "bench/rivals/rival.h"

namespace fovea::bench {
namespace {

void Must(xnn_status status, const char* what) {
  if (status == xnn_status_success) return;
  std::fprintf(stderr, "XNNPACK: %s failed with status %d\n", what, static_cast<int>(status));
  std::exit(1);
}

// From [kh][kw][in][out] to [out][kh][kw][in].
std::vector<float> OutputsFirst(const Problem& p) {
  const auto out = static_cast<size_t>(p.shape.out_channels);
  const size_t rest = p.weights.size() / out;
  std::vector<float> result(p.weights.size());
  for (size_t i = 0; i < rest; ++i) {
    for (size_t o = 0; o < out; ++o) result[o * rest + i] = p.weights[i * out + o];
  }
  return result;
}

class XnnpackKernel : public RivalKernel {
 public:
  XnnpackKernel(const Problem& p, pthreadpool_t pool)
      : pool_(pool),
        // The library may read a little past the end of its input.
        src_(p.src.size() + XNN_EXTRA_BYTES / sizeof(float)),
        dst_(static_cast<size_t>(p.dst_count())) {
    std::copy(p.src.begin(), p.src.end(), src_.begin());
    const std::vector<float> weights = OutputsFirst(p);
    const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
    const auto in = static_cast<size_t>(p.shape.in_channels), out = static_cast<size_t>(p.shape.out_channels);
    const auto rows = static_cast<size_t>(p.src_size[1]), cols = static_cast<size_t>(p.src_size[2]);
    const uint32_t pad = u32(p.layer.pad), k = u32(p.layer.kernel), stride = u32(p.layer.stride);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const float low = p.relu ? 0.0f : -kInfinity;
    if (p.layer.transposed) {
      Must(xnn_create_deconvolution2d_nhwc_f32(pad, pad, pad, pad, k, k, stride, stride, 1, 1, 1, in, out, in, out,
                                               weights.data(), p.bias.data(), low, kInfinity, 0, &operator_),
           "xnn_create_deconvolution2d_nhwc_f32");
      const uint32_t extra = u32(p.layer.output_padding);
      Must(xnn_setup_deconvolution2d_nhwc_f32(operator_, 1, rows, cols, extra, extra, src_.data(), dst_.data(), pool_),
           "xnn_setup_deconvolution2d_nhwc_f32");
    } else {
      Must(xnn_create_convolution2d_nhwc_f32(pad, pad, pad, pad, k, k, stride, stride, 1, 1, 1, in, out, in, out,
                                             weights.data(), p.bias.data(), low, kInfinity, 0, &operator_),
           "xnn_create_convolution2d_nhwc_f32");
      Must(xnn_setup_convolution2d_nhwc_f32(operator_, 1, rows, cols, src_.data(), dst_.data(), pool_),
           "xnn_setup_convolution2d_nhwc_f32");
    }
  }
  ~XnnpackKernel() override { xnn_delete_operator(operator_); }

  void Run() override { Must(xnn_run_operator(operator_, pool_), "xnn_run_operator"); }
  std::string name() const override { return "xnnpack nhwc"; }
  std::vector<float> result() override { return dst_; }

 private:
  pthreadpool_t pool_;
  std::vector<float> src_, dst_;
  xnn_operator_t operator_ = nullptr;
};

class Xnnpack : public Rival {
 public:
  explicit Xnnpack(int threads) : pool_(threads > 1 ? pthreadpool_create(static_cast<size_t>(threads)) : nullptr) {
    Must(xnn_initialize(nullptr), "xnn_initialize");
    if (pool_ == nullptr) return;
    // As many tasks as threads, and none ends before all have begun: so each thread does its own, the caller the first.
    std::barrier<> meet(threads);
    pthreadpool_parallelize_1d(
        pool_,
        [](void* context, size_t task) {
          static_cast<std::barrier<>*>(context)->arrive_and_wait();
          KeepToProcessor(static_cast<int>(task));
        },
        &meet, static_cast<size_t>(threads), 0);
  }
  ~Xnnpack() override {
    if (pool_ != nullptr) pthreadpool_destroy(pool_);
  }
  std::string version() const override { return "XNNPACK (Debian)"; }
  std::unique_ptr<RivalKernel> Prepare(const Problem& problem) override {
    if (problem.layer.depth > 1) return nullptr;
    return std::make_unique<XnnpackKernel>(problem, pool_);
  }

 private:
  pthreadpool_t pool_;
};

}  // namespace

std::unique_ptr<Rival> MakeRival(int threads) { return std::make_unique<Xnnpack>(threads); }

}  // namespace fovea::bench
