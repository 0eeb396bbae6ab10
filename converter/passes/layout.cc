// Channels last throughout: frontends of channels-first sources put a Transpose before and after each spatial operator;
// here every other operator is rebuilt in the axis order of its surroundings (frames.h), constants and parameters
// permuted with it, and inputs and outputs are stored in the order in which the network works (Port::source_axes). Of
// the Transposes only those stay that two fixed orders need between them; where only axes of size 1 move, a Reshape.
#include <algorithm>
#include <map>

#include "converter/ir/params.h"
#include "converter/ir/rename_axes.h"
#include "converter/passes/frames.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

template <class T>
std::vector<T> Permuted(const std::vector<T>& list, const Frame& frame) {
  std::vector<T> out;
  for (const int64_t axis : frame) out.push_back(list[static_cast<size_t>(axis)]);
  return out;
}

// Parameters of a flexible operator in a frame. (Reshape's are its result's dims and permuted where its groups are
// known.)
OpParams InFrame(const OpParams& params, const Frame& frame) {
  OpParams out = params;
  const Frame inverse = Inverse(frame);
  const auto axis = [&inverse](int64_t* a) { *a = inverse[static_cast<size_t>(*a)]; };
  if (auto* concat = std::get_if<ConcatParams>(&out)) axis(&concat->axis);
  if (auto* softmax = std::get_if<SoftmaxParams>(&out)) axis(&softmax->axis);
  if (auto* gather = std::get_if<GatherParams>(&out)) axis(&gather->axis);
  if (auto* arg = std::get_if<ArgReduceParams>(&out)) axis(&arg->axis);
  if (auto* dropout = std::get_if<DropoutParams>(&out)) {
    for (int64_t& a : dropout->axes) axis(&a);
  }
  if (auto* reduce = std::get_if<ReduceParams>(&out)) {
    for (int64_t& a : reduce->axes) axis(&a);
    std::sort(reduce->axes.begin(), reduce->axes.end());
  }
  if (auto* pad = std::get_if<PadParams>(&out)) {
    pad->begin = Permuted(pad->begin, frame);
    pad->end = Permuted(pad->end, frame);
  }
  if (auto* slice = std::get_if<SliceParams>(&out)) {
    slice->start = Permuted(slice->start, frame);
    slice->size = Permuted(slice->size, frame);
    slice->step = Permuted(slice->step, frame);
  }
  if (auto* tile = std::get_if<TileParams>(&out)) tile->repeats = Permuted(tile->repeats, frame);
  if (auto* expand = std::get_if<ExpandParams>(&out)) expand->dims = Permuted(expand->dims, frame);
  if (auto* resize = std::get_if<ResizeParams>(&out)) {
    resize->sizes = Permuted(resize->sizes, frame);
    if (!resize->scales.empty()) resize->scales = Permuted(resize->scales, frame);
    if (!resize->roi.empty()) {
      Frame both = frame;
      for (const int64_t a : frame) both.push_back(a + static_cast<int64_t>(frame.size()));
      resize->roi = Permuted(resize->roi, both);
    }
  }
  return out;
}

class Rebuild {
 public:
  Rebuild(const ir::Graph& old, Frames frames) : old_(old), frames_(std::move(frames)), builder_(&graph_) {}

  Result<ir::Graph> Run() {
    graph_.metadata = old_.metadata;
    graph_.warnings = old_.warnings;
    graph_.history = old_.history;
    for (const Frame& frame : frames_.inputs) new_axis_.push_back(Inverse(frame));
    FOVEA_RETURN_IF_ERROR(Inputs());
    for (size_t n = 0; n < old_.nodes.size(); ++n) {
      if (std::holds_alternative<TransposeParams>(old_.nodes[n].params)) continue;
      FOVEA_RETURN_IF_ERROR(AddNode(n));
    }
    FOVEA_RETURN_IF_ERROR(Outputs());
    return std::move(graph_);
  }

 private:
  struct Placed {
    ir::ValueId value = kNoValue;
    Frame frame;
  };

  Status Rename(std::vector<DimExpr>* sizes) const {
    for (DimExpr& size : *sizes) {
      FOVEA_ASSIGN_OR_RETURN(size, ir::RenameInputAxes(size, new_axis_));
    }
    return OkStatus();
  }

  Status Inputs() {
    for (size_t i = 0; i < old_.inputs.size(); ++i) {
      const ir::Port& port = old_.inputs[i];
      const ir::Value& value = ValueOf(old_, port.value);
      std::vector<DimExpr> dims = Permuted(value.dims, frames_.inputs[i]);
      FOVEA_RETURN_IF_ERROR(Rename(&dims));
      const ir::ValueId v = builder_.Input(port.name, value.dtype, std::move(dims));
      graph_.values[static_cast<size_t>(v)].name = value.name;
      graph_.values[static_cast<size_t>(v)].elements = value.elements;  // of elements only: no axis occurs
      ir::Port& moved = graph_.inputs.back();
      moved = port;
      moved.value = v;
      for (int& axis : moved.source_axes) axis = static_cast<int>(new_axis_[i][static_cast<size_t>(axis)]);
      placed_[port.value] = {v, frames_.inputs[i]};
    }
    return OkStatus();
  }

  // Value v of the old graph in a frame; transposes are shared.
  Result<ir::ValueId> Get(ir::ValueId v, const Frame& frame) {
    const TransposedSource source = TraceTransposes(old_, v);
    const Frame wanted = Compose(source.perm, frame);
    const ir::Value& root = ValueOf(old_, source.root);
    if (root.is_const()) return Constant(source.root, root.dims, wanted);
    const Placed& placed = placed_[source.root];
    if (placed.frame == wanted) return placed.value;
    const auto [found, missing] = transposed_.try_emplace({source.root, wanted}, kNoValue);
    if (missing) {
      FOVEA_ASSIGN_OR_RETURN(found->second, Transposed(placed.value, Compose(Inverse(placed.frame), wanted)));
    }
    return found->second;
  }

  Result<ir::ValueId> Transposed(ir::ValueId v, const Frame& perm) {
    const std::vector<DimExpr> dims = builder_.dims(v);
    if (MovesOnlyUnitAxes(dims, perm)) return builder_.Reshape(v, Permuted(dims, perm));
    return builder_.Transpose(v, perm);
  }

  // A constant of the old graph, read as one of these dims, in a frame.
  ir::ValueId Constant(ir::ValueId v, const std::vector<DimExpr>& dims, const Frame& frame) {
    const auto [found, missing] = transposed_.try_emplace({v, frame}, kNoValue);
    if (!missing) return found->second;
    ir::Value copy = ValueOf(old_, v);
    if (!std::is_sorted(frame.begin(), frame.end())) {
      copy.constant = std::make_shared<const std::vector<float>>(ir::PermutedData(*copy.constant, dims, frame));
      copy.elements.reset();
    }
    copy.dims = Permuted(dims, frame);
    found->second = static_cast<ir::ValueId>(graph_.values.size());
    graph_.values.push_back(std::move(copy));
    return found->second;
  }

  // An operand with fewer axes than the frame has.
  Result<ir::ValueId> Aligned(ir::ValueId v, const Frame& frame) {
    const std::vector<DimExpr>& own = ValueOf(old_, v).dims;
    if (own.empty() || std::is_sorted(frame.begin(), frame.end())) return Get(v, IdentityFrame(own.size()));
    std::vector<DimExpr> dims(frame.size() - own.size(), 1);
    dims.insert(dims.end(), own.begin(), own.end());
    if (IsConst(old_, v)) return Constant(v, dims, frame);
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId plain, Get(v, IdentityFrame(own.size())));
    FOVEA_RETURN_IF_ERROR(Rename(&dims));
    if (MovesOnlyUnitAxes(dims, frame)) return builder_.Reshape(plain, Permuted(dims, frame));
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId widened, builder_.Reshape(plain, dims));
    return builder_.Transpose(widened, frame);
  }

  Status AddNode(size_t n) {
    const ir::Node& node = old_.nodes[n];
    const bool flexible = IsFlexible(old_, node);
    const Frame& frame = frames_.nodes[n];
    builder_.SetSource(node.name, node.source);
    std::vector<ir::ValueId> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ir::ValueId v = node.inputs[i];
      if (v == kNoValue) {
        inputs.push_back(kNoValue);
        continue;
      }
      const bool follows = flexible && InputFollowsFrame(old_, node, i);
      const bool aligned =
          flexible && !follows &&
          (std::holds_alternative<BinaryParams>(node.params) || std::holds_alternative<SelectParams>(node.params));
      const Frame wanted = follows ? InputFrame(old_, node, frame) : IdentityFrame(ValueOf(old_, v).dims.size());
      FOVEA_ASSIGN_OR_RETURN(const ir::ValueId in, aligned ? Aligned(v, frame) : Get(v, wanted));
      inputs.push_back(in);
    }
    OpParams params = node.params;
    const Frame out_frame =
        flexible ? OutputFrame(old_, node, frame) : IdentityFrame(ValueOf(old_, node.output).dims.size());
    if (ReshapeParams* reshape = std::get_if<ReshapeParams>(&params)) {
      reshape->dims = Permuted(reshape->dims, out_frame);
    } else if (flexible) {
      params = InFrame(params, frame);
    }
    Status renamed;
    ir::ForEachSize(&params, [&](DimExpr& size) {
      Result<DimExpr> result = ir::RenameInputAxes(size, new_axis_);
      if (result.ok()) {
        size = *result;
      } else {
        renamed = result.status();
      }
    });
    FOVEA_RETURN_IF_ERROR(renamed);
    const ir::Value& output = ValueOf(old_, node.output);
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId out, builder_.Add(std::move(params), std::move(inputs), output.dtype));
    graph_.values[static_cast<size_t>(out)].name = output.name;
    placed_[node.output] = {out, out_frame};
    return OkStatus();
  }

  Status Outputs() {
    for (const ir::Port& port : old_.outputs) {
      const TransposedSource source = TraceTransposes(old_, port.value);
      ir::Port moved = port;
      if (IsConst(old_, source.root)) {
        FOVEA_ASSIGN_OR_RETURN(moved.value, Get(port.value, IdentityFrame(port.source_axes.size())));
      } else {
        const Placed& placed = placed_[source.root];
        const Frame stored = Compose(Inverse(placed.frame), source.perm);
        moved.value = placed.value;
        for (int& axis : moved.source_axes) axis = static_cast<int>(stored[static_cast<size_t>(axis)]);
      }
      graph_.outputs.push_back(std::move(moved));
    }
    return OkStatus();
  }

  const ir::Graph& old_;
  const Frames frames_;
  ir::Graph graph_;
  ir::Builder builder_;
  std::vector<Frame> new_axis_;                                      // of each model input: old axis -> new axis
  std::map<ir::ValueId, Placed> placed_;                             // old value -> where it is now
  std::map<std::pair<ir::ValueId, Frame>, ir::ValueId> transposed_;  // old value in another frame
};

}  // namespace

Status Layout(ir::Graph* graph) {
  FOVEA_ASSIGN_OR_RETURN(ir::Graph rebuilt, Rebuild(*graph, ChooseFrames(*graph)).Run());
  *graph = std::move(rebuilt);
  return DeadCode(graph);
}

}  // namespace fovea::converter
