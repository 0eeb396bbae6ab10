// oneDNN: convolution and deconvolution primitives with bias and ReLU, in whatever memory layout the library prefers;
// bringing the input into it is not timed, as a whole network would stay in that layout.
#include <omp.h>

#include <dnnl.hpp>

#include "bench/rivals/rival.h"

namespace fovea::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

memory::dims Dims(const int64_t (&v)[3], bool volume) {
  return volume ? memory::dims{v[0], v[1], v[2]} : memory::dims{v[1], v[2]};
}

memory::dims Tensor(int64_t channels, const memory::dims& size) {
  memory::dims dims = {1, channels};
  dims.insert(dims.end(), size.begin(), size.end());
  return dims;
}

memory::desc AnyLayout(const memory::dims& dims) { return {dims, memory::data_type::f32, Tag::any}; }

class OneDnnKernel : public RivalKernel {
 public:
  OneDnnKernel(const dnnl::engine& engine, const Problem& p)
      : stream_(engine), engine_(engine), volume_(p.layer.depth > 1) {
    const memory::dims src_dims = Tensor(p.shape.in_channels, Dims(p.src_size, volume_));
    dst_dims_ = Tensor(p.shape.out_channels, Dims(p.dst_size, volume_));
    const memory::dims kernel = Dims(p.shape.kernel, volume_);
    memory::dims weight_dims = {p.shape.out_channels, p.shape.in_channels};
    weight_dims.insert(weight_dims.end(), kernel.begin(), kernel.end());
    const memory::desc bias_desc({p.shape.out_channels}, memory::data_type::f32, Tag::a);
    const memory::dims stride = Dims(p.shape.stride, volume_), pad = Dims(p.pad, volume_);
    memory::dims pad_after = pad;
    for (size_t a = 0; a < pad.size(); ++a) {
      if (p.layer.transposed) pad_after[a] -= Dims(p.output_padding, volume_)[a];
    }
    dnnl::primitive_attr attributes;
    if (p.relu) {
      dnnl::post_ops ops;
      ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
      attributes.set_post_ops(ops);
    }
    const auto use = [&](const auto& desc, auto primitive) {
      name_ = desc.impl_info_str();
      src_ = Given(p.src, src_dims, volume_ ? Tag::ndhwc : Tag::nhwc, desc.src_desc());
      // ours: [kd][kh][kw][in][out]
      weights_ = Given(p.weights, weight_dims, volume_ ? Tag::cdeba : Tag::cdba, desc.weights_desc());
      dst_ = memory(desc.dst_desc(), engine_);
      primitive_ = primitive;
    };
    const auto inference = dnnl::prop_kind::forward_inference;
    if (p.layer.transposed) {
      const dnnl::deconvolution_forward::desc desc(inference, dnnl::algorithm::deconvolution_direct,
                                                   AnyLayout(src_dims), AnyLayout(weight_dims), bias_desc,
                                                   AnyLayout(dst_dims_), stride, pad, pad_after);
      const dnnl::deconvolution_forward::primitive_desc chosen(desc, attributes, engine_);
      use(chosen, dnnl::deconvolution_forward(chosen));
    } else {
      const dnnl::convolution_forward::desc desc(inference, dnnl::algorithm::convolution_auto, AnyLayout(src_dims),
                                                 AnyLayout(weight_dims), bias_desc, AnyLayout(dst_dims_), stride, pad,
                                                 pad_after);
      const dnnl::convolution_forward::primitive_desc chosen(desc, attributes, engine_);
      use(chosen, dnnl::convolution_forward(chosen));
    }
    bias_ = Given(p.bias, {p.shape.out_channels}, Tag::a, bias_desc);
    arguments_ = {{DNNL_ARG_SRC, src_}, {DNNL_ARG_WEIGHTS, weights_}, {DNNL_ARG_BIAS, bias_}, {DNNL_ARG_DST, dst_}};
  }

  void Run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  std::string name() const override { return name_; }
  std::vector<float> result() override {
    std::vector<float> values(Count(dst_dims_));
    memory plain({dst_dims_, memory::data_type::f32, volume_ ? Tag::ndhwc : Tag::nhwc}, engine_, values.data());
    dnnl::reorder(dst_, plain).execute(stream_, dst_, plain);
    stream_.wait();
    return values;
  }

 private:
  static size_t Count(const memory::dims& dims) {
    size_t n = 1;
    for (const auto d : dims) n *= static_cast<size_t>(d);
    return n;
  }

  // Our values, which lie as `tag` says, in the layout that the library asked for.
  memory Given(const std::vector<float>& values, const memory::dims& dims, Tag tag, const memory::desc& wanted) {
    memory plain({dims, memory::data_type::f32, tag}, engine_, const_cast<float*>(values.data()));
    memory result(wanted, engine_);
    dnnl::reorder(plain, result).execute(stream_, plain, result);
    stream_.wait();
    return result;
  }

  dnnl::stream stream_;
  dnnl::engine engine_;
  bool volume_;
  std::string name_;
  memory::dims dst_dims_;
  memory src_, weights_, bias_, dst_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
};

class OneDnn : public Rival {
 public:
  explicit OneDnn(int threads) : engine_(dnnl::engine::kind::cpu, 0) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
#pragma omp parallel
    KeepToProcessor(omp_get_thread_num());
  }
  std::string version() const override {
    const dnnl_version_t* v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }
  std::unique_ptr<RivalKernel> Prepare(const Problem& problem) override {
    return std::make_unique<OneDnnKernel>(engine_, problem);
  }

 private:
  dnnl::engine engine_;
};

}  // namespace

std::unique_ptr<Rival> MakeRival(int threads) { return std::make_unique<OneDnn>(threads); }

}  // namespace fovea::bench
