#include "bench/rivals/problem.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace fovea::bench {
namespace {

using kernels::ConstView;
using kernels::ConvArgs;
using kernels::View;

std::vector<float> Noise(int64_t count, float scale, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = scale * (static_cast<float>(random() % 2001) - 1000.0f) * 1e-3f;
  return values;
}

View DenseView(float* data, const int64_t (&size)[3], int64_t channels) {
  View view;
  view.data = data;
  view.rank = 5;
  const int64_t dims[5] = {1, size[0], size[1], size[2], channels};
  int64_t stride = 1;
  for (int a = 4; a >= 0; --a) {
    view.dims[a] = dims[a];
    view.strides[a] = stride;
    stride *= dims[a];
  }
  return view;
}

// A table ends with the reference, which accepts everything.
template <class Row>
const Row& Reference(std::span<const Row> rows) {
  return rows.back();
}

template <class Row, class ShapeType>
void RunReference(const Row& row, const ShapeType& shape, ConvArgs args, const float* weights, const float* bias) {
  AlignedFloats packed(row.packed_floats(shape));
  row.pack(shape, weights, bias, packed.data(), 0, 1);
  args.packed = packed.data();
  AlignedFloats scratch(row.scratch_floats(shape, args));
  row.run(shape, args, 0, row.units(shape, args), scratch.data());
}

// One row of one plane of the result; absolute: of the absolute values of everything, without activation.
std::vector<float> ReferenceRow(const Problem& p, int64_t plane, int64_t row, bool absolute) {
  const auto with_sign = [absolute](std::vector<float> v) {
    if (absolute) std::for_each(v.begin(), v.end(), [](float& x) { x = std::abs(x); });
    return v;
  };
  std::vector<float> src = with_sign(p.src);
  const std::vector<float> weights = with_sign(p.weights), bias = with_sign(p.bias);
  kernels::ConvTransposeLayer shape = p.shape;
  if (absolute) shape.act = {};
  const int64_t size[3] = {1, 1, p.dst_size[2]};
  std::vector<float> result(static_cast<size_t>(size[2] * shape.out_channels));
  ConvArgs args;
  args.src = DenseView(src.data(), p.src_size, shape.in_channels);
  args.dst = DenseView(result.data(), size, shape.out_channels);
  args.dst_origin[0] = plane;
  args.dst_origin[1] = row;
  const int64_t origin[3] = {plane, row, 0};
  for (int a = 0; a < 3; ++a) {
    args.pad[a] = p.layer.transposed ? p.pad[a] + origin[a] : p.pad[a] - origin[a] * shape.stride[a];
  }
  if (p.layer.transposed) {
    RunReference(Reference(kernels::ConvTransposeKernels()), shape, args, weights.data(), bias.data());
  } else {
    RunReference<kernels::ConvKernel, kernels::ConvLayer>(Reference(kernels::ConvKernels()), shape, args,
                                                          weights.data(), bias.data());
  }
  return result;
}

}  // namespace

Problem::Problem(const Layer& l) : layer(l), relu(l.act == kernels::UnaryFn::kRelu) {
  const int64_t size[3] = {l.depth, l.rows, l.cols};
  shape.in_channels = l.in_channels;
  shape.out_channels = l.out_channels;
  shape.act.fn = relu ? kernels::UnaryFn::kRelu : kernels::UnaryFn::kIdentity;
  int64_t macs = l.in_channels * l.out_channels, pixels = 1, taps = 1;
  for (int a = 0; a < 3; ++a) {
    const bool has_axis = a > 0 || l.depth > 1;
    shape.kernel[a] = has_axis ? l.kernel : 1;
    shape.stride[a] = has_axis ? l.stride : 1;
    pad[a] = has_axis ? l.pad : 0;
    output_padding[a] = has_axis ? l.output_padding : 0;
    src_size[a] = size[a];
    dst_size[a] = !has_axis      ? size[a]
                  : l.transposed ? (size[a] - 1) * l.stride - 2 * l.pad + l.kernel + l.output_padding
                                 : (size[a] + 2 * l.pad - l.kernel) / l.stride + 1;
    macs *= shape.kernel[a] * (l.transposed ? size[a] : dst_size[a]);
    pixels *= size[a];
    taps *= shape.kernel[a];
  }
  flops = 2.0 * static_cast<double>(macs);
  src = Noise(pixels * l.in_channels, 1.0f, 1);
  weights = Noise(taps * l.in_channels * l.out_channels, 0.1f, 2);
  bias = Noise(l.out_channels, 0.1f, 3);
}

std::string Problem::Describe() const {
  const std::string depth = layer.depth > 1 ? std::to_string(layer.depth) + "x" : "";
  return std::string(layer.transposed ? "convT " : "conv ") + std::to_string(layer.kernel) +
         (layer.depth > 1 ? "^3" : "^2") + (layer.stride > 1 ? " s" + std::to_string(layer.stride) : "") + " " +
         std::to_string(layer.in_channels) + ">" + std::to_string(layer.out_channels) + " @" + depth +
         std::to_string(layer.rows) + "x" + std::to_string(layer.cols);
}

int64_t Problem::dst_count() const { return dst_size[0] * dst_size[1] * dst_size[2] * shape.out_channels; }

OurKernel::OurKernel(const Problem& problem, ThreadTeam& team)
    : problem_(problem), team_(team), dst_(static_cast<size_t>(problem.dst_count())) {
  args_.src.data = problem.src.data();
  View src = DenseView(nullptr, problem.src_size, problem.shape.in_channels);
  std::copy(src.dims, src.dims + 5, args_.src.dims);
  std::copy(src.strides, src.strides + 5, args_.src.strides);
  args_.src.rank = 5;
  args_.dst = DenseView(dst_.data(), problem.dst_size, problem.shape.out_channels);
  std::copy(problem.pad, problem.pad + 3, args_.pad);
  if (problem.layer.transposed) {
    transposed_ = kernels::Pick(kernels::ConvTransposeKernels(), problem.shape, kernels::BestIsa());
    Pack<kernels::ConvTransposeKernel, kernels::ConvTransposeLayer>(*transposed_, problem.shape);
  } else {
    conv_ = kernels::Pick<kernels::ConvKernel, kernels::ConvLayer>(kernels::ConvKernels(), problem.shape,
                                                                   kernels::BestIsa());
    Pack<kernels::ConvKernel, kernels::ConvLayer>(*conv_, problem.shape);
  }
}

template <class Row, class ShapeType>
void OurKernel::Pack(const Row& row, const ShapeType& shape) {
  name_ = row.name;
  packed_ = AlignedFloats(row.packed_floats(shape));
  row.pack(shape, problem_.weights.data(), problem_.bias.data(), packed_.data(), 0, 1);
  args_.packed = packed_.data();
  scratch_stride_ = (row.scratch_floats(shape, args_) + 15) / 16 * 16;
  scratch_ = AlignedFloats(scratch_stride_ * team_.threads());
}

void OurKernel::Run() {
  const auto run_units = [this](const auto& row, const auto& shape) {
    const int64_t units = row.units(shape, args_);
    if (team_.threads() == 1) return row.run(shape, args_, 0, units, scratch_.data());
    std::atomic<int64_t> next = 0;
    team_.Run([&](int thread) {
      for (int64_t unit = next++; unit < units; unit = next++) {
        row.run(shape, args_, unit, unit + 1, scratch_.data() + thread * scratch_stride_);
      }
    });
  };
  if (transposed_ != nullptr) {
    run_units(*transposed_, problem_.shape);
  } else {
    run_units(*conv_, static_cast<const kernels::ConvLayer&>(problem_.shape));
  }
}

double RelativeError(const Problem& p, const std::vector<float>& dst) {
  const auto first_middle_last = [](int64_t n) { return std::set<int64_t>{0, n / 2, n - 1}; };
  const int64_t terms = p.shape.kernel[0] * p.shape.kernel[1] * p.shape.kernel[2] * p.shape.in_channels + 1;
  const double unit = std::sqrt(static_cast<double>(terms)) * std::numeric_limits<float>::epsilon();
  const int64_t row_floats = p.dst_size[2] * p.shape.out_channels;
  double worst = 0;
  for (const int64_t plane : first_middle_last(p.dst_size[0])) {
    for (const int64_t row : first_middle_last(p.dst_size[1])) {
      const std::vector<float> expected = ReferenceRow(p, plane, row, false);
      const std::vector<float> magnitude = ReferenceRow(p, plane, row, true);
      const float* got = dst.data() + (plane * p.dst_size[1] + row) * row_floats;
      for (size_t i = 0; i < expected.size(); ++i) {
        const double error = std::abs(static_cast<double>(got[i]) - expected[i]) / (unit * magnitude[i] + 1e-30);
        if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
      }
    }
  }
  return worst;
}

}  // namespace fovea::bench
