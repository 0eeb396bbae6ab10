// One node of an ONNX graph while it is imported: what importers read (inputs, attributes, sizes) and where they put
// results.
//
// An importer is a function Status(NodeContext&). It returns kUnsupported with the reason (and the nearest alternative)
// for what fovea does not do: the node is then listed and the import goes on. Any other failure ends the import.
#ifndef FOVEA_CONVERTER_ONNX_NODE_CONTEXT_H_
#define FOVEA_CONVERTER_ONNX_NODE_CONTEXT_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "converter/ir/builder.h"
#include "converter/onnx/onnx.pb.h"
#include "converter/onnx/tensor.h"

namespace fovea::converter {

class Importer;
struct Scope;

using ir::ValueId;
using Dims = std::vector<DimExpr>;

class NodeContext {
 public:
  NodeContext(Importer* importer, Scope* scope, const onnx::NodeProto& node, int64_t opset, ir::Builder* builder,
              std::vector<ValueId> inputs);

  const int64_t opset;
  ir::Builder& b;

  const onnx::NodeProto& node() const { return node_; }
  const std::string& op() const { return node_.op_type(); }

  // Inputs. kNoValue where an optional one is absent.
  int input_count() const { return static_cast<int>(inputs_.size()); }
  bool Has(int i) const { return In(i) != kNoValue; }
  ValueId In(int i) const { return i < input_count() ? inputs_[static_cast<size_t>(i)] : kNoValue; }
  // In(i), which must be there.
  Result<ValueId> Need(int i) const;
  DType InType(int i) const { return b.value(In(i)).dtype; }

  // What inputs are known to hold. Errors: kUnsupported, naming the input and the option that helps.
  Result<Dims> SizesAt(int i) const;                     // sizes as expressions
  Result<std::vector<int64_t>> IntegersAt(int i) const;  // numbers that decide the structure
  Result<std::vector<float>> FloatsAt(int i) const;

  // Attributes.
  bool HasAttr(const char* name) const { return Find(name) != nullptr; }
  int64_t Int(const char* name, int64_t fallback) const;
  float Float(const char* name, float fallback) const;
  std::string String(const char* name, const char* fallback) const;
  std::vector<int64_t> Ints(const char* name) const;  // empty when absent
  std::vector<float> Floats(const char* name) const;
  const onnx::AttributeProto* Find(const char* name) const;

  // Outputs. Wants: the output exists and somebody reads it.
  int output_count() const { return node_.output_size(); }
  bool Wants(int i) const;
  Status Out(int i, ValueId value);
  Status Out(int i, Result<ValueId> value);
  // The size that the model declares for a graph output, where it is one and all its sizes are numbers.
  std::optional<std::vector<int64_t>> DeclaredDims(int i) const;

  void Warn(const std::string& text);
  Importer& importer() { return *importer_; }
  Scope& scope() { return *scope_; }

 private:
  std::string Decides(int i, const char* what) const;

  Importer* importer_;
  Scope* scope_;
  const onnx::NodeProto& node_;
  std::vector<ValueId> inputs_;
};

using ImportFn = Status (*)(NodeContext&);
struct OpRow {
  const char* name;
  ImportFn import;
};

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_NODE_CONTEXT_H_
