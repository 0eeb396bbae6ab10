// The operators of a fovea model and their parameters: one vocabulary for the converter's IR, the model file and the
// runtime.
//
// Spatial operators (Conv, ConvTranspose, Pool, DepthToSpace, SpaceToDepth, GroupNorm) take tensors of rank 3, 4 or 5
// with axes N, [D,] [H,] W, C: channels last. Arrays of three are in D, H, W order, and axes that a tensor lacks have
// the neutral value (kernel 1, stride 1, pad 0). All other operators work on tensors of any rank up to kMaxTensorRank.
//
// Each parameter struct lists its fields once, in Fields(): writing, reading with checks, printing (`fovea info --ops`,
// --dump-ir) and comparison are all derived from that list.
#ifndef FOVEA_RUNTIME_MODEL_OPS_H_
#define FOVEA_RUNTIME_MODEL_OPS_H_

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "kernels/kernels.h"
#include "runtime/include/fovea/dtype.h"
#include "runtime/model/dim_expr.h"

namespace fovea {

inline constexpr int kMaxTensorRank = 6;

// Stored in .fov files: append only, never renumber. Inputs in brackets are optional (absent: kNoValue).
enum class OpKind : uint16_t {
  kConv = 1,           // x, weights [kd,kh,kw,Cin/groups,Cout] (always rank 5), [bias [Cout]], [residual like y] -> y
  kConvTranspose = 2,  // x, weights [kd,kh,kw,Cin/groups,Cout], [bias [Cout]] -> y
  kPool = 3,           // x -> y
  kResize = 4,         // x, [scales: model input read at plan time, see ResizeParams] -> y
  kPad = 5,            // x, [value: one element] -> y
  kDepthToSpace = 6,   // x -> y
  kSpaceToDepth = 7,   // x -> y
  kConcat = 8,         // x... -> y
  kSlice = 9,          // x -> y
  kTranspose = 10,     // x -> y
  kReshape = 11,       // x -> y
  kExpand = 12,        // x -> y
  kTile = 13,          // x -> y
  kGather = 14,        // x, indices -> y
  kUnary = 15,         // x -> y
  kBinary = 16,        // a, b -> y, numpy broadcasting
  kSelect = 17,        // condition, a, b -> y, numpy broadcasting
  kSoftmax = 18,       // x -> y
  kReduce = 19,        // x -> y
  kArgReduce = 20,     // x -> y
  kGroupNorm = 21,     // x, [scale [C]], [bias [C]] -> y
  kLayerNorm = 22,     // x, [scale], [bias]: shape of the normalised axes -> y
  kLrn = 23,           // x -> y
  kMatMul = 24,        // a, b -> y, numpy matmul
  kCast = 25,          // x -> y
  kDims = 26,          // -> y: a vector of sizes, known when planned
  kDropout = 27,       // x -> y
};
const char* OpKindName(OpKind kind);  // "conv", "depth_to_space"

inline constexpr int kNoValue = -1;
using Int3 = std::array<int64_t, 3>;
using Dim3 = std::array<DimExpr, 3>;

struct ConvParams {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dim3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};  // zeros around the image
  int64_t groups = 1;
  kernels::Activation act;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("kernel", s.kernel), v("stride", s.stride), v("dilation", s.dilation), v("pad_begin", s.pad_begin);
    v("pad_end", s.pad_end), v("groups", s.groups), v("act", s.act);
  }
};

// Output size: (in - 1) stride + (kernel - 1) dilation + 1 - pad_begin - pad_end; output padding is a negative pad_end.
struct ConvTransposeParams {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dim3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};
  int64_t groups = 1;
  kernels::Activation act;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("kernel", s.kernel), v("stride", s.stride), v("dilation", s.dilation), v("pad_begin", s.pad_begin);
    v("pad_end", s.pad_end), v("groups", s.groups), v("act", s.act);
  }
};

struct PoolParams {
  kernels::PoolKind kind = kernels::PoolKind::kMax;
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dim3 pad_begin{0, 0, 0}, pad_end{0, 0, 0};
  bool ceil_mode = false;  // the last window must start inside the image or the padding before it
  bool count_include_pad = false;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("kind", s.kind), v("kernel", s.kernel), v("stride", s.stride), v("dilation", s.dilation);
    v("pad_begin", s.pad_begin), v("pad_end", s.pad_end), v("ceil_mode", s.ceil_mode);
    v("count_include_pad", s.count_include_pad);
  }
};

struct ResizeParams {
  kernels::ResizeMode mode = kernels::ResizeMode::kNearest;
  kernels::ResizeCoordinates coordinates = kernels::ResizeCoordinates::kHalfPixel;
  kernels::ResizeRounding rounding = kernels::ResizeRounding::kRoundPreferFloor;
  float cubic_a = -0.75f;
  bool exclude_outside = false;
  bool antialias = false;
  float extrapolation_value = 0;
  std::vector<DimExpr> sizes;  // output size of every axis
  std::vector<double> scales;  // of every axis, for the coordinates; empty: out / in
  std::vector<float> roi;      // begin of every axis, then end of every axis; empty: 0 and 1
  int64_t scales_input = -1;   // >= 0: scales are the elements of that model input (sizes use ScaleFloorByInput)
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("mode", s.mode), v("coordinates", s.coordinates), v("rounding", s.rounding), v("cubic_a", s.cubic_a);
    v("exclude_outside", s.exclude_outside), v("antialias", s.antialias);
    v("extrapolation_value", s.extrapolation_value), v("sizes", s.sizes), v("scales", s.scales), v("roi", s.roi);
    v("scales_input", s.scales_input);
  }
};

// Every axis of x; negative amounts crop.
struct PadParams {
  kernels::PadMode mode = kernels::PadMode::kConstant;
  std::vector<DimExpr> begin, end;
  float value = 0;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("mode", s.mode), v("begin", s.begin), v("end", s.end), v("value", s.value);
  }
};

// Stored in .fov files: append only. With blocks (bd, bh, bw) and C output channels, the input channel of block
// position (id, ih, iw) and output channel c is ((id bh + ih) bw + iw) C + c for kDcr and ((c bd + id) bh + ih) bw + iw
// for kCrd.
enum class BlockOrder : uint8_t { kDcr = 0, kCrd = 1 };

struct DepthToSpaceParams {
  Int3 block{1, 1, 1};
  BlockOrder order = BlockOrder::kDcr;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("block", s.block), v("order", s.order);
  }
};
struct SpaceToDepthParams {
  Int3 block{1, 1, 1};
  BlockOrder order = BlockOrder::kDcr;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("block", s.block), v("order", s.order);
  }
};

struct ConcatParams {
  int64_t axis = 0;  // 0 .. rank - 1, here and below
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("axis", s.axis);
  }
};

// For every axis: element i of y is element start + i step of x, i < size.
struct SliceParams {
  std::vector<DimExpr> start, size;
  std::vector<int64_t> step;  // not 0
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("start", s.start), v("size", s.size), v("step", s.step);
  }
};
struct TransposeParams {
  std::vector<int64_t> perm;  // axis i of y is axis perm[i] of x
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("perm", s.perm);
  }
};
struct ReshapeParams {
  std::vector<DimExpr> dims;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("dims", s.dims);
  }
};
struct ExpandParams {
  std::vector<DimExpr> dims;  // y's dims; x is broadcast to them (axes aligned at the right)
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("dims", s.dims);
  }
};
struct TileParams {
  std::vector<DimExpr> repeats;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("repeats", s.repeats);
  }
};
struct GatherParams {
  int64_t axis = 0;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("axis", s.axis);
  }
};
struct UnaryParams {
  kernels::Activation fn;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("fn", s.fn);
  }
};
struct BinaryParams {
  kernels::BinaryFn fn = kernels::BinaryFn::kAdd;
  kernels::Activation act;  // applied to the result
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("fn", s.fn), v("act", s.act);
  }
};
struct SelectParams {
  template <class V, class S>
  static void Fields(V&, S&) {}
};
struct SoftmaxParams {
  int64_t axis = 0;
  bool log = false;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("axis", s.axis), v("log", s.log);
  }
};
struct ReduceParams {
  kernels::ReduceFn fn = kernels::ReduceFn::kSum;
  std::vector<int64_t> axes;
  bool keep_dims = true;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("fn", s.fn), v("axes", s.axes), v("keep_dims", s.keep_dims);
  }
};
struct ArgReduceParams {
  int64_t axis = 0;
  bool max = true, keep_dims = true, last = false;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("axis", s.axis), v("max", s.max), v("keep_dims", s.keep_dims), v("last", s.last);
  }
};
struct GroupNormParams {
  int64_t groups = 0;  // 0: one a channel (instance normalisation)
  float epsilon = 1e-5f;
  kernels::Activation act;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("groups", s.groups), v("epsilon", s.epsilon), v("act", s.act);
  }
};
struct LayerNormParams {
  int64_t axis = 0;  // this and all later axes are normalised together
  float epsilon = 1e-5f;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("axis", s.axis), v("epsilon", s.epsilon);
  }
};
struct LrnParams {  // over the last axis
  int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("size", s.size), v("alpha", s.alpha), v("beta", s.beta), v("bias", s.bias);
  }
};
struct MatMulParams {
  template <class V, class S>
  static void Fields(V&, S&) {}
};
// To integers: truncated, then wrapped to the type's width; to bool: x != 0; to float16: rounded to its precision.
struct CastParams {
  DType to = DType::kFloat32;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("to", s.to);
  }
};
struct DimsParams {
  std::vector<DimExpr> dims;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("dims", s.dims);
  }
};

// Kept elements times `scale`, the others times 0, decided by a hash of seed, stream and place; see
// kernels/dropout/dropout.h.
struct DropoutParams {
  float keep = 1, scale = 1;  // keep: probability in [0, 1]
  int64_t seed = 0;           // the user's
  int64_t stream = 0;         // a number of the node, so that nodes decide independently
  // Axes along which decisions differ, slowest first: an element's place is its row-major index over these axes.
  std::vector<int64_t> axes;
  template <class V, class S>
  static void Fields(V& v, S& s) {
    v("keep", s.keep), v("scale", s.scale), v("seed", s.seed), v("stream", s.stream), v("axes", s.axes);
  }
};

// In the order of OpKind: alternative i belongs to OpKind(i + 1).
using OpParams = std::variant<ConvParams, ConvTransposeParams, PoolParams, ResizeParams, PadParams, DepthToSpaceParams,
                              SpaceToDepthParams, ConcatParams, SliceParams, TransposeParams, ReshapeParams,
                              ExpandParams, TileParams, GatherParams, UnaryParams, BinaryParams, SelectParams,
                              SoftmaxParams, ReduceParams, ArgReduceParams, GroupNormParams, LayerNormParams, LrnParams,
                              MatMulParams, CastParams, DimsParams, DropoutParams>;
inline OpKind KindOf(const OpParams& p) { return static_cast<OpKind>(p.index() + 1); }

// Neutral parameters. kUnsupported: a number that is no operator of this version.
Result<OpParams> MakeParams(OpKind kind);
// "kernel=1,3,3 stride=1,2,2 act=relu": the fields that are not neutral, in the order of Fields().
std::string ParamsToString(const OpParams& params);
// The same operator with the same parameters; sizes are compared as expressions, floats by their bits.
bool SameParams(const OpParams& a, const OpParams& b);
// Along axes that become twice as long, output position o is input position o / 2, for all sizes.
bool RepeatsEachTwice(const ResizeParams& params);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_OPS_H_
