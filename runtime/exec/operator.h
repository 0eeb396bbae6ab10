// Operator: one node made ready to run: its kernels picked, and its calls bound to operands.
//
// This is the one place that knows how each operator of the model maps to kernels. Both executors use it: the reference
// with whole tensors and a cap of Isa::kReference, the fast one with regions. Kernels are picked by layer and
// instruction set alone.
#ifndef FOVEA_RUNTIME_EXEC_OPERATOR_H_
#define FOVEA_RUNTIME_EXEC_OPERATOR_H_

#include <array>
#include <span>
#include <variant>

#include "runtime/exec/cast.h"
#include "runtime/exec/operand.h"
#include "runtime/plan/resolve.h"

namespace fovea::exec {

template <class Row, class Layer, class Args>
struct TypedCall {
  const Row* row = nullptr;
  Layer layer{};
  Args args{};
};

using ConvCall = TypedCall<kernels::ConvKernel, kernels::ConvLayer, kernels::ConvArgs>;
using ConvTransposeCall = TypedCall<kernels::ConvTransposeKernel, kernels::ConvTransposeLayer, kernels::ConvArgs>;
using PoolCall = TypedCall<kernels::PoolKernel, kernels::PoolLayer, kernels::PoolArgs>;
using ResizeCall = TypedCall<kernels::ResizeKernel, kernels::ResizeLayer, kernels::ResizeArgs>;
using PadCall = TypedCall<kernels::PadKernel, kernels::PadLayer, kernels::PadArgs>;
using CopyCall = TypedCall<kernels::CopyKernel, kernels::CopyLayer, kernels::CopyArgs>;
using GatherCall = TypedCall<kernels::GatherKernel, kernels::GatherLayer, kernels::GatherArgs>;
using UnaryCall = TypedCall<kernels::UnaryKernel, kernels::Activation, kernels::UnaryArgs>;
using BinaryCall = TypedCall<kernels::BinaryKernel, kernels::BinaryLayer, kernels::BinaryArgs>;
using SelectCall = TypedCall<kernels::SelectKernel, kernels::SelectLayer, kernels::SelectArgs>;
using SoftmaxCall = TypedCall<kernels::SoftmaxKernel, kernels::SoftmaxLayer, kernels::SoftmaxArgs>;
using ReduceCall = TypedCall<kernels::ReduceKernel, kernels::ReduceLayer, kernels::ReduceArgs>;
using ArgReduceCall = TypedCall<kernels::ArgReduceKernel, kernels::ArgReduceLayer, kernels::ReduceArgs>;
using GroupNormCall = TypedCall<kernels::GroupNormKernel, kernels::GroupNormLayer, kernels::GroupNormArgs>;
using LayerNormCall = TypedCall<kernels::LayerNormKernel, kernels::LayerNormLayer, kernels::LayerNormArgs>;
using LrnCall = TypedCall<kernels::LrnKernel, kernels::LrnLayer, kernels::LrnArgs>;
using MatMulCall = TypedCall<kernels::MatMulKernel, kernels::MatMulLayer, kernels::MatMulArgs>;
using DropoutCall = TypedCall<kernels::DropoutKernel, kernels::DropoutLayer, kernels::DropoutArgs>;
using CastCall = TypedCall<CastKernel, DType, kernels::UnaryArgs>;

// One bound kernel call. Units [0, Units()) may run in any order and partition.
class Call {
 public:
  using Any = std::variant<std::monostate, ConvCall, ConvTransposeCall, PoolCall, ResizeCall, PadCall, CopyCall,
                           GatherCall, UnaryCall, BinaryCall, SelectCall, SoftmaxCall, ReduceCall, ArgReduceCall,
                           GroupNormCall, LayerNormCall, LrnCall, MatMulCall, DropoutCall, CastCall>;
  Any any;  // monostate: nothing to do

  int64_t Units() const;
  int64_t ScratchFloats() const;
  void Run(int64_t unit_begin, int64_t unit_end, float* scratch) const;
};

class Operator {
 public:
  // exact_order: only convolutions that keep to the order of kernels/conv/conv.h.
  Operator(const plan::ResolvedNode& node, kernels::Isa cap, bool exact_order);

  const plan::ResolvedNode& node() const { return *node_; }
  const char* kernel_name() const { return name_; }
  // What output regions must be aligned to along D, H, W, for the picked kernel's sake.
  std::array<int64_t, 3> lattice() const;
  // Where along each axis of the output that lattice is counted from, see plan/phases.h; 0 unless set.
  void SetPhase(std::span<const int64_t> phase);

  // That will run units of its calls, for how some kernels cut their work; 1 unless set.
  void SetThreads(int threads) { threads_ = threads; }

  // False for convolutions by Winograd's algorithm.
  bool keeps_exact_order() const { return conv_ == nullptr || conv_->exact_order; }

  // Convolutions: floats of packed weights, and packing part `part` of `parts`. 0 for other operators. weights and bias
  // as in the model; bias may be null.
  int64_t PackedFloats() const;
  void Pack(const float* weights, const float* bias, float* packed, int part, int parts) const;

  // Convolutions that may be bound without packed weights: they pack what they need as they run.
  bool packs_when_run() const { return conv_ != nullptr && conv_->packs_when_run; }

  // Others whose weights are packed when they are used can run a slice of output channels at a time, so that few
  // packed weights are there at once. Slice cuts so that a slice packs to about most_floats, if it can be cut so; until
  // then, and for other operators, there is one slice of all channels.
  void Slice(int64_t most_floats);
  int64_t slices() const { return slices_; }
  // Floats that packing a slice takes: its packed weights, then, when there are several, its weights side by side.
  int64_t SliceFloats() const;
  // Copies slice `slice` of the weights behind the packed weights at `memory`; then PackSlice. Each does part `part` of
  // `parts`, and all parts of the one must have been done before the other begins.
  void GatherSlice(int64_t slice, const float* weights, float* memory, int part, int parts) const;
  void PackSlice(int64_t slice, const float* weights, const float* bias, float* memory, int part, int parts) const;
  // As Bind, with what PackSlice left.
  void BindSlice(int64_t slice, std::span<const Operand> in, const Operand& out, const float* memory,
                 Call* bound) const;

  // Calls that make out's region, to be run one after another; the number depends on the operands' strides only.
  // in: one an input of the node, holding at least what the region needs. packed: for convolutions; null where
  // packs_when_run(). Constant time, no allocation.
  int64_t CallCount(std::span<const Operand> in, const Operand& out) const;
  void Bind(int64_t call, std::span<const Operand> in, const Operand& out, const float* packed, Call* bound) const;

  // True when `out` may lie on input `input` (same dims, same strides).
  bool AllowsInPlace(size_t input) const;
  // True when input `input` must be whole and tight (small vectors that kernels take as arrays).
  bool NeedsTight(size_t input) const;
  bool NeedsTightOutput() const;

 private:
  void BindConv(const kernels::ConvTransposeLayer& layer, std::span<const Operand> in, const Operand& out,
                const float* packed, Call* bound) const;
  // Output channels [first, last) of a slice, and the layer that makes them.
  int64_t SliceFirst(int64_t slice) const;
  kernels::ConvTransposeLayer SliceLayer(int64_t slice) const;
  int64_t SlicePackedFloats() const;
  void BindPool(std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindResize(std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindPad(std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindConcat(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindBlocks(std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindMoved(std::span<const Operand> in, const Operand& out, Call* bound) const;
  size_t TileWalked() const;
  int64_t TileCalls() const;
  int64_t GatherCalls(std::span<const Operand> in, const Operand& out) const;
  void BindTile(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindGather(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindReduced(std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindNorm(int64_t call, std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindDropout(const Operand& in, const Operand& out, Call* bound) const;
  void BindMatMul(std::span<const Operand> in, const Operand& out, Call* bound) const;
  void BindCopy(const kernels::View& src, const kernels::View& dst, Call* bound) const;

  const plan::ResolvedNode* node_;
  const char* name_ = "";
  std::array<int64_t, kMaxTensorRank> phase_{};
  int threads_ = 1;
  int64_t slices_ = 1;
  kernels::ConvTransposeLayer conv_layer_;  // of both kinds of convolution
  const kernels::ConvKernel* conv_ = nullptr;
  const kernels::ConvTransposeKernel* conv_transpose_ = nullptr;
  const kernels::PoolKernel* pool_ = nullptr;
  const kernels::ResizeKernel* resize_ = nullptr;
  const kernels::PadKernel* pad_ = nullptr;
  const kernels::CopyKernel* copy_ = nullptr;
  const kernels::GatherKernel* gather_ = nullptr;
  const kernels::UnaryKernel* unary_ = nullptr;    // also the activation that a convolution leaves over
  const kernels::BinaryKernel* binary_ = nullptr;  // also the residual that a convolution leaves over
  const kernels::SelectKernel* select_ = nullptr;
  const kernels::SoftmaxKernel* softmax_ = nullptr;
  const kernels::ReduceKernel* reduce_ = nullptr;
  const kernels::ArgReduceKernel* arg_reduce_ = nullptr;
  const kernels::GroupNormKernel* group_norm_ = nullptr;
  const kernels::LayerNormKernel* layer_norm_ = nullptr;
  const kernels::LrnKernel* lrn_ = nullptr;
  const kernels::MatMulKernel* mat_mul_ = nullptr;
  const kernels::DropoutKernel* dropout_ = nullptr;

  kernels::Activation unary_layer_;
  kernels::PoolLayer pool_layer_;
  kernels::ResizeLayer resize_layer_;
  kernels::BinaryLayer binary_layer_{};
  kernels::SoftmaxLayer softmax_layer_;
  kernels::ReduceLayer reduce_layer_;
  kernels::ArgReduceLayer arg_reduce_layer_;
  kernels::GroupNormLayer group_norm_layer_;
  kernels::LayerNormLayer layer_norm_layer_;
  kernels::LrnLayer lrn_layer_;
  kernels::DropoutLayer dropout_layer_;
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_OPERATOR_H_
