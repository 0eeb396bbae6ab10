// One node of a TensorFlow graph while it is imported: what importers read (inputs, attributes, sizes) and where they
// put results.
//
// An importer is a function Status(NodeContext&). It returns kUnsupported with the reason (and the nearest alternative)
// for what fovea does not do: the node is then listed and the import goes on. Any other failure ends the import.
#ifndef FOVEA_CONVERTER_TENSORFLOW_NODE_CONTEXT_H_
#define FOVEA_CONVERTER_TENSORFLOW_NODE_CONTEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "converter/ir/builder.h"
#include "converter/tensorflow/graph_index.h"
#include "converter/tensorflow/random.h"

namespace fovea::converter::tf {

using ir::ValueId;
using Dims = std::vector<DimExpr>;

// An image in SpaceToBatchND's rearrangement that has not been rearranged: operators between it and BatchToSpaceND work
// on the image itself, with dilated windows.
struct Blocked {
  std::vector<int64_t> block;  // of each spatial axis
  Dims pad_begin, pad_end;     // zeros around the image that the next convolution has to add
};

// What stands for a tensor of the source graph.
struct Tensor {
  ValueId value = ir::kNoValue;
  bool unknown = false;  // of a node that is not supported: its readers are skipped
  std::optional<RandomTensor> random;
  std::optional<Blocked> blocked;  // value is the image
};

class NodeContext {
 public:
  NodeContext(const TfNode& node, ir::Builder* builder, std::vector<Tensor> inputs, std::vector<Tensor>* outputs)
      : b(*builder), node_(node), inputs_(std::move(inputs)), outputs_(*outputs) {}

  ir::Builder& b;

  const TfNode& node() const { return node_; }
  const std::string& op() const { return node_.op; }

  int input_count() const { return static_cast<int>(inputs_.size()); }
  const Tensor& Input(int i) const { return inputs_[static_cast<size_t>(i)]; }
  // The value of input i, which must be there. kCorruptFile otherwise.
  Result<ValueId> Need(int i) const;
  ValueId In(int i) const { return Input(i).value; }

  // What inputs are known to hold. Errors: kUnsupported, naming the input and the option that helps.
  Result<Dims> SizesAt(int i) const;                     // sizes as expressions
  Result<std::vector<int64_t>> IntegersAt(int i) const;  // numbers that decide the structure
  Result<std::vector<float>> FloatsAt(int i) const;
  Result<int64_t> IntegerAt(int i) const;  // a single one
  // An axis in [0, rank), given as a constant input.
  Result<int64_t> AxisAt(int i, int rank) const;

  bool HasAttr(const char* name) const { return node_.attrs.count(name) != 0; }
  int64_t Int(const char* name, int64_t fallback) const;
  float Float(const char* name, float fallback) const;
  bool Bool(const char* name, bool fallback) const;
  std::string String(const char* name, const char* fallback) const;
  std::vector<int64_t> Ints(const char* name) const;  // empty when absent
  std::vector<std::string> Strings(const char* name) const;
  Result<DType> Type(const char* name, DType fallback) const;  // kUnsupported: none of ours

  Status Out(int i, ValueId value) { return Out(i, Tensor{value, false, {}, {}}); }
  Status Out(int i, Result<ValueId> value);
  Status Out(int i, Tensor tensor);
  ValueId OutValue(int i) const { return outputs_[static_cast<size_t>(i)].value; }  // that Out() has set

  void Warn(const std::string& text);

 private:
  std::string Decides(int i, const char* what) const;

  const TfNode& node_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor>& outputs_;
};

using ImportFn = Status (*)(NodeContext&);
struct OpRow {
  const char* name;
  ImportFn import;
};

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_NODE_CONTEXT_H_
