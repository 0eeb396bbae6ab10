// Times every row of the convolution tables over the layers of the benchmark networks.
//
// usage: bench_kernels [--isa NAME] [--threads N] [--repeat K] [--rows N] [--filter TEXT] [--picks] [--assert-picks]
//                      [--json]
// --isa takes rows of one instruction set only; --filter takes lines whose network, shape or kernel contains TEXT;
// --rows shortens images to N rows, as in a band that stays in the cache; --picks leaves out rows that would not be
// chosen. The peak is measured in the same run, on one thread and times N. The rows of a layer are timed in turns, on
// the same memory.
// --assert-picks: exit code 1 when a pick takes over 10 % longer than the best row of its layer, by the minima, also
// after both have been timed again with three times the repeats.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/kernels/layers.h"
#include "bench/kernels/peak.h"
#include "kernels/conv/conv.h"
#include "kernels/conv_transpose/conv_transpose.h"

namespace fovea::bench {
namespace {

using kernels::Isa;

struct Options {
  const char* isa = nullptr;
  int threads = 1;
  int repeat = 5;
  int64_t rows = 0;
  std::string filter;
  bool picks = false;
  bool assert_picks = false;
  bool json = false;
};

constexpr double kSlowPick = 1.1;

// 64-byte aligned floats.
class Buffer {
 public:
  explicit Buffer(int64_t count)
      : data_(static_cast<float*>(::operator new(static_cast<size_t>(count + 16) * sizeof(float), kAlign))) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { ::operator delete(data_, kAlign); }
  float* data() const { return data_; }
  void Fill(int64_t count, float scale) {
    std::mt19937 random(1);
    for (int64_t i = 0; i < count; ++i) {
      data_[i] = scale * (static_cast<float>(random() % 2001) - 1000.0f) * 1e-3f;
    }
  }

 private:
  static constexpr std::align_val_t kAlign{64};
  float* data_;
};

kernels::View DenseView(float* data, const int64_t (&dims)[5]) {
  kernels::View view;
  view.data = data;
  view.rank = 5;
  int64_t stride = 1;
  for (int a = 4; a >= 0; --a) {
    view.dims[a] = dims[a];
    view.strides[a] = stride;
    stride *= dims[a];
  }
  return view;
}

// Shapes of one layer, dense views.
struct Case {
  kernels::ConvTransposeLayer layer;
  int64_t src_dims[5];
  int64_t dst_dims[5];
  int64_t pad;
  double flops;
};

Case CaseOf(const Layer& l) {
  Case c;
  const int64_t size[3] = {l.depth, l.rows, l.cols};
  c.pad = l.pad;
  c.layer.in_channels = l.in_channels;
  c.layer.out_channels = l.out_channels;
  c.layer.act.fn = l.act;
  c.src_dims[0] = c.dst_dims[0] = 1;
  c.src_dims[4] = l.in_channels;
  c.dst_dims[4] = l.out_channels;
  double macs = static_cast<double>(l.in_channels * l.out_channels);
  for (int a = 0; a < 3; ++a) {
    const bool has_axis = a > 0 || l.depth > 1;
    c.layer.kernel[a] = has_axis ? l.kernel : 1;
    c.layer.stride[a] = has_axis ? l.stride : 1;
    c.layer.upsample[a] = has_axis ? l.upsample : 1;
    const int64_t n = size[a];
    c.src_dims[a + 1] = n;
    c.dst_dims[a + 1] = !has_axis      ? n
                        : l.transposed ? (n - 1) * l.stride - 2 * l.pad + l.kernel + l.output_padding
                                       : (n * l.upsample + 2 * l.pad - l.kernel) / l.stride + 1;
    macs *= static_cast<double>(c.layer.kernel[a] * (l.transposed ? n : c.dst_dims[a + 1]));
  }
  c.flops = 2 * macs;
  return c;
}

// What a layer reads and writes.
struct Tensors {
  explicit Tensors(const Case& c) : src(Count(c.src_dims)), dst(Count(c.dst_dims)), weights(WeightCount(c)) {
    for (int a = 0; a < 3; ++a) args.pad[a] = c.layer.kernel[a] > 1 ? c.pad : 0;
    src.Fill(Count(c.src_dims), 1.0f);
    dst.Fill(Count(c.dst_dims), 0.0f);
    weights.Fill(WeightCount(c), 0.1f);
    args.src = DenseView(src.data(), c.src_dims);
    args.dst = DenseView(dst.data(), c.dst_dims);
  }
  static int64_t Count(const int64_t (&dims)[5]) { return dims[1] * dims[2] * dims[3] * dims[4]; }
  static int64_t WeightCount(const Case& c) {
    return c.layer.kernel[0] * c.layer.kernel[1] * c.layer.kernel[2] * c.layer.in_channels * c.layer.out_channels;
  }
  Buffer src, dst, weights;
  kernels::ConvArgs args;
};

template <class Row>
void RunThreaded(const Row& row, const Case& c, const kernels::ConvArgs& args, int threads, float* scratch,
                 int64_t scratch_floats) {
  const int64_t units = row.units(c.layer, args);
  if (threads == 1) return row.run(c.layer, args, 0, units, scratch);
  std::atomic<int64_t> next = 0;
  const auto work = [&](int thread) {
    for (int64_t unit = next++; unit < units; unit = next++) {
      row.run(c.layer, args, unit, unit + 1, scratch + thread * scratch_floats);
    }
  };
  std::vector<std::thread> pool;
  for (int i = 1; i < threads; ++i) pool.emplace_back(work, i);
  work(0);
  for (std::thread& thread : pool) thread.join();
}

double Median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

std::string Describe(const Layer& l) {
  const std::string depth = l.depth > 1 ? std::to_string(l.depth) + "x" : "";
  return std::string(l.transposed ? "convT " : "conv ") + std::to_string(l.kernel) + (l.depth > 1 ? "^3" : "^2") +
         (l.stride > 1 ? " s" + std::to_string(l.stride) : "") + (l.upsample > 1 ? " doubled" : "") + " " +
         std::to_string(l.in_channels) + ">" + std::to_string(l.out_channels) + " @" + depth + std::to_string(l.rows) +
         "x" + std::to_string(l.cols);
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    for (Isa isa : kernels::SupportedIsas()) peak_[static_cast<size_t>(isa)] = PeakGflops(isa);
  }

  void PrintPeaks() const {
    for (Isa isa : kernels::SupportedIsas()) {
      if (isa != Isa::kReference)
        std::fprintf(stderr, "peak %s: %.1f GFLOP/s a core\n", kernels::IsaName(isa), Peak(isa));
    }
  }

  template <class Row, class LayerType>
  void Time(const Layer& l, const Case& c, std::span<const Row> rows) {
    const LayerType& layer = c.layer;
    Isa cap = kernels::BestIsa();
    if (options_.isa != nullptr) kernels::ParseIsa(options_.isa, &cap);
    const Row* pick = kernels::Pick(rows, layer, cap);
    const Tensors tensors(c);
    std::vector<std::unique_ptr<Candidate<Row>>> candidates;
    Candidate<Row>* picked = nullptr;
    for (const Row& row : rows) {
      if (row.isa == Isa::kReference || row.isa > cap || !row.accepts(layer) || !Supported(row.isa)) continue;
      if (options_.isa != nullptr && row.isa != cap) continue;
      if (options_.picks && &row != pick) continue;
      const std::string line = std::string(l.network) + " " + Describe(l) + " " + row.name;
      if (line.find(options_.filter) == std::string::npos) continue;
      candidates.push_back(std::make_unique<Candidate<Row>>(c, tensors, row, options_.threads));
      if (&row == pick) picked = candidates.back().get();
    }
    for (int i = 0; i < options_.repeat; ++i) {
      for (const auto& candidate : candidates) candidate->RunTimed();
    }
    if (options_.assert_picks && picked != nullptr) CheckPick(l, candidates, *picked);
    for (const auto& candidate : candidates) Print(l, c, *candidate, candidate.get() == picked);
  }

  int slow_picks() const { return slow_picks_; }

 private:
  // A row on one layer, ready to run.
  template <class Row>
  class Candidate {
   public:
    Candidate(const Case& c, const Tensors& tensors, const Row& row, int threads)
        : row_(row), case_(c), threads_(threads), packed_(row.packed_floats(c.layer)), args_(tensors.args) {
      row.pack(c.layer, tensors.weights.data(), nullptr, packed_.data(), 0, 1);
      args_.packed = packed_.data();
      scratch_floats_ = (row.scratch_floats(c.layer, args_) + 15) / 16 * 16;
      scratch_ = std::make_unique<Buffer>(scratch_floats_ * threads);
      Run();  // a warm-up
    }

    void RunTimed() {
      const auto begin = std::chrono::steady_clock::now();
      Run();
      ms_.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }

    const Row& row() const { return row_; }
    double min_ms() const { return *std::min_element(ms_.begin(), ms_.end()); }
    double median_ms() const { return Median(ms_); }

   private:
    void Run() { RunThreaded(row_, case_, args_, threads_, scratch_->data(), scratch_floats_); }

    const Row& row_;
    const Case& case_;
    int threads_;
    Buffer packed_;
    std::unique_ptr<Buffer> scratch_;
    int64_t scratch_floats_ = 0;
    kernels::ConvArgs args_;
    std::vector<double> ms_;
  };

  double Peak(Isa isa) const { return peak_[static_cast<size_t>(isa)]; }
  static bool Supported(Isa isa) {
    for (Isa s : kernels::SupportedIsas()) {
      if (s == isa) return true;
    }
    return false;
  }

  template <class Candidates, class Picked>
  void CheckPick(const Layer& l, const Candidates& candidates, Picked& picked) {
    const auto best = [&] {
      return std::min_element(candidates.begin(), candidates.end(),
                              [](const auto& a, const auto& b) { return a->min_ms() < b->min_ms(); })
          ->get();
    };
    const auto slow = [&] { return picked.min_ms() > kSlowPick * best()->min_ms(); };
    for (int i = 0; i < 3 * options_.repeat && slow(); ++i) {
      auto* rival = best();
      picked.RunTimed();
      rival->RunTimed();
    }
    if (!slow()) return;
    ++slow_picks_;
    std::fprintf(stderr, "slow pick: %s %s: %s takes %.2f times as long as %s\n", l.network, Describe(l).c_str(),
                 picked.row().name, picked.min_ms() / best()->min_ms(), best()->row().name);
  }

  template <class Row>
  void Print(const Layer& l, const Case& c, const Candidate<Row>& candidate, bool picked) {
    const Row& row = candidate.row();
    const double min_ms = candidate.min_ms();
    const double gflops = c.flops / min_ms * 1e-6;
    const double percent = 100 * gflops / (Peak(row.isa) * options_.threads);
    const char* format =
        options_.json
            ? "{\"network\": \"%s\", \"layer\": \"%s\", \"kernel\": \"%s\", \"min_ms\": %.4f, \"median_ms\": %.4f, "
              "\"gflops\": %.2f, \"peak_percent\": %.1f, \"pick\": %s}"
            : "%-14s %-30s %-30s %9.3f %9.3f %8.1f %6.1f%% %s\n";
    const char* mark = options_.json ? (picked ? "true" : "false") : (picked ? "*" : "");
    if (options_.json) std::printf(first_ ? "  " : ",\n  ");
    std::printf(format, l.network, Describe(l).c_str(), row.name, min_ms, candidate.median_ms(), gflops, percent, mark);
    std::fflush(stdout);
    first_ = false;
  }

  const Options& options_;
  double peak_[8] = {};
  bool first_ = true;
  int slow_picks_ = 0;
};

int Usage() {
  std::fprintf(stderr,
               "usage: bench_kernels [--isa NAME] [--threads N] [--repeat K] [--rows N] [--filter TEXT] [--picks] "
               "[--assert-picks] [--json]\n");
  return 2;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    Isa isa;
    if (flag == "--json") {
      options.json = true;
    } else if (flag == "--picks") {
      options.picks = true;
    } else if (flag == "--assert-picks") {
      options.assert_picks = true;
    } else if (i + 1 >= argc) {
      return Usage();
    } else if (flag == "--isa" && kernels::ParseIsa(argv[i + 1], &isa)) {
      options.isa = argv[++i];
    } else if (flag == "--threads") {
      options.threads = std::max(1, std::atoi(argv[++i]));
    } else if (flag == "--repeat") {
      options.repeat = std::max(1, std::atoi(argv[++i]));
    } else if (flag == "--rows") {
      options.rows = std::max(1, std::atoi(argv[++i]));
    } else if (flag == "--filter") {
      options.filter = argv[++i];
    } else {
      return Usage();
    }
  }
  if (options.picks && options.assert_picks) return Usage();
  Bench bench(options);
  bench.PrintPeaks();
  if (options.json) {
    std::printf("[\n");
  } else {
    std::printf("%-14s %-30s %-30s %9s %9s %8s %7s\n", "network", "layer", "kernel (* the pick)", "min ms", "median",
                "GFLOP/s", "peak");
  }
  for (Layer l : Layers()) {
    if (options.rows > 0) l.rows = std::min(l.rows, options.rows);
    const Case c = CaseOf(l);
    if (l.transposed) {
      bench.Time<kernels::ConvTransposeKernel, kernels::ConvTransposeLayer>(l, c, kernels::ConvTransposeKernels());
    } else {
      bench.Time<kernels::ConvKernel, kernels::ConvLayer>(l, c, kernels::ConvKernels());
    }
  }
  if (options.json) std::printf("\n]\n");
  return bench.slow_picks() > 0 ? 1 : 0;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) { return fovea::bench::Main(argc, argv); }
