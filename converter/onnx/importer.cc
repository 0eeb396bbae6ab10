#include "converter/onnx/importer.h"

#include <algorithm>

#include "converter/unsupported.h"

namespace fovea::converter {

namespace {

constexpr int kMaxDepth = 16;                // of branches and functions in each other
constexpr int64_t kMaxInlined = 1'000'000;   // nodes
constexpr int64_t kExactIntegers = 1 << 24;  // float32 holds all integers up to here

bool IsDefaultDomain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

// A copy of a function's node: names made unique to the call, attribute references replaced by the call's attributes.
onnx::NodeProto Instantiate(const onnx::NodeProto& node, const onnx::FunctionProto& function,
                            const onnx::NodeProto& call) {
  onnx::NodeProto copy = node;
  copy.clear_attribute();
  for (const auto& attribute : node.attribute()) {
    if (attribute.ref_attr_name().empty()) {
      *copy.add_attribute() = attribute;
      continue;
    }
    const auto named = [&](const auto& candidate) { return candidate.name() == attribute.ref_attr_name(); };
    const auto given = std::find_if(call.attribute().begin(), call.attribute().end(), named);
    const auto fallback = std::find_if(function.attribute_proto().begin(), function.attribute_proto().end(), named);
    const bool is_given = given != call.attribute().end();
    if (!is_given && fallback == function.attribute_proto().end()) continue;
    onnx::AttributeProto* added = copy.add_attribute();
    *added = is_given ? *given : *fallback;
    added->set_name(attribute.name());
  }
  copy.set_name(NodeLabel(call) + "/" + NodeLabel(node));
  return copy;
}

std::string AttributesText(const onnx::NodeProto& node) {
  std::string text;
  const auto list = [](const auto& numbers) {
    std::string joined;
    for (int i = 0; i < std::min(numbers.size(), 12); ++i) joined += (i > 0 ? "," : "") + std::to_string(numbers[i]);
    return joined;
  };
  for (const auto& a : node.attribute()) {
    std::string value = a.has_i()           ? std::to_string(a.i())
                        : a.has_f()         ? std::to_string(a.f())
                        : a.has_s()         ? a.s()
                        : a.ints_size() > 0 ? list(a.ints())
                                            : list(a.floats());
    if (a.has_t() || a.has_g()) value = a.has_t() ? "tensor" : "graph";
    AppendAttribute(a.name(), std::move(value), &text);
  }
  return text;
}

}  // namespace

Result<ValueId> Importer::ConstantFrom(const std::string& name, const onnx::TensorProto& tensor) {
  Result<TensorData> data = ReadTensor(tensor, folder_);
  if (!data.ok()) return data.status().Prefixed("constant " + Quoted(name));
  if (data->dims.size() > kMaxTensorRank) {
    return Unsupported("constant " + Quoted(name) + " has " + std::to_string(data->dims.size()) +
                       " axes; fovea goes up to " + std::to_string(kMaxTensorRank));
  }
  return ConstantFrom(name, std::move(*data));
}

ValueId Importer::ConstantFrom(const std::string& name, TensorData data) {
  if (!data.is_integer()) return builder_.Constant(name, data.dtype, data.dims, std::move(data.floats));
  if (data.dims.size() <= 1) return builder_.Integers(name, data.dtype, data.dims, data.integers);
  const bool exact = std::all_of(data.integers.begin(), data.integers.end(),
                                 [](int64_t v) { return v >= -kExactIntegers && v <= kExactIntegers; });
  if (!exact) Warn("constant " + Quoted(name) + " has integers beyond 2^24, which float32 rounds");
  return builder_.Constant(name, data.dtype, data.dims, data.AsFloats());
}

bool Importer::IsKnown(const std::string& name, const Scope* scope) const {
  for (; scope != nullptr; scope = scope->outer) {
    if (scope->values.count(name) != 0 || scope->initializers.count(name) != 0) return true;
  }
  return false;
}

Result<ValueId> Importer::Lookup(const std::string& name, Scope* scope) {
  // Constants of an outer graph that only a branch reads are made in the branch's scope: they are the same numbers.
  for (const Scope* s = scope; s != nullptr; s = s->outer) {
    const auto value = s->values.find(name);
    if (value != s->values.end()) return value->second;
    const auto initializer = s->initializers.find(name);
    if (initializer == s->initializers.end()) continue;
    FOVEA_ASSIGN_OR_RETURN(const ValueId made, ConstantFrom(name, *initializer->second));
    if (s == scope) delete initializer->second->release_raw_data();  // large; not read again
    scope->values[name] = made;
    return made;
  }
  return CorruptFile("nothing produces " + Quoted(name));
}

Status Importer::ImportNodes(const NodeList& nodes, const std::set<std::string>& wanted, Scope* scope) {
  if (scope->depth > kMaxDepth) return CorruptFile("branches or functions nested more than 16 deep");
  inlined_nodes_ += nodes.size();
  if (inlined_nodes_ > kMaxInlined) return CorruptFile("more than a million nodes once functions are inlined");
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int> order,
                         NodeOrder(nodes, wanted, [&](const std::string& name) { return IsKnown(name, scope); }));
  scope->used.insert(wanted.begin(), wanted.end());
  for (const int i : order) scope->used.merge(NamesRead(nodes[i]));
  std::vector<bool> needed(static_cast<size_t>(nodes.size()), false);
  for (const int i : order) needed[static_cast<size_t>(i)] = true;
  for (int i = 0; i < nodes.size(); ++i) {
    if (nodes[i].op_type() != "Constant") ++report_->source_operators;
    if (!needed[static_cast<size_t>(i)]) ++graph_->history.dropped[nodes[i].op_type()];
  }
  for (const int i : order) FOVEA_RETURN_IF_ERROR(ImportNode(nodes[i], scope));
  return OkStatus();
}

Status Importer::ImportNode(const onnx::NodeProto& node, Scope* scope) {
  const std::string label = NodeLabel(node);
  const std::string where = "node " + Quoted(label) + " (" + node.op_type() + ")";
  std::vector<ValueId> inputs;
  bool known = true;
  Status failure;
  for (const std::string& name : node.input()) {
    ValueId value = ir::kNoValue;
    if (!name.empty()) {
      Result<ValueId> found = Lookup(name, scope);
      if (!found.ok() && found.status().code() != StatusCode::kUnsupported) return found.status().Prefixed(where);
      if (!found.ok()) failure = found.status();
      value = found.ok() ? *found : kUnknownValue;
    }
    known = known && value != kUnknownValue;
    inputs.push_back(value);
  }

  const auto function = functions_.find({node.domain(), node.op_type()});
  const ImportFn import = IsDefaultDomain(node.domain()) ? FindImporter(node.op_type()) : nullptr;
  if (function == functions_.end() && import == nullptr) {
    failure = Unsupported(IsDefaultDomain(node.domain())
                              ? WhyUnsupported(node.op_type())
                              : "operator of the domain " + Quoted(node.domain()) +
                                    ", which is not ONNX's own; export the model with ONNX's operators only");
  } else if (known) {
    builder_.SetSource(label, node.op_type());
    if (function != functions_.end()) {
      failure = CallFunction(*function->second, node, inputs, scope);
    } else {
      NodeContext context(this, scope, node, opset_, &builder_, inputs);
      const size_t nodes_before = graph_->nodes.size();
      failure = import(context);
      if (failure.ok() && node.op_type() != "Constant" && node.output_size() > 0) {
        const auto result = scope->values.find(node.output(0));
        if (result != scope->values.end()) graph_->Imported(node.op_type(), nodes_before, inputs, result->second);
      }
    }
    if (failure.ok()) return OkStatus();
    if (failure.code() != StatusCode::kUnsupported) return failure.Prefixed(where);
  }
  if (!failure.ok()) {
    report_->unsupported.push_back(MakeUnsupported(label, node.op_type(), AttributesText(node), failure.message()));
  }
  for (const std::string& name : node.output()) {
    if (!name.empty()) scope->values[name] = kUnknownValue;
  }
  return OkStatus();
}

Status Importer::CallFunction(const onnx::FunctionProto& function, const onnx::NodeProto& call,
                              std::vector<ValueId> inputs, Scope* scope) {
  Scope inner;
  inner.depth = scope->depth + 1;
  for (int i = 0; i < function.input_size(); ++i) {
    const bool given = static_cast<size_t>(i) < inputs.size();
    inner.values[function.input(i)] = given ? inputs[static_cast<size_t>(i)] : ir::kNoValue;
  }
  NodeList nodes;
  for (const auto& node : function.node()) *nodes.Add() = Instantiate(node, function, call);
  const int64_t outer_opset = opset_;
  for (const auto& import : function.opset_import()) {
    if (IsDefaultDomain(import.domain())) opset_ = import.version();
  }
  const std::set<std::string> wanted(function.output().begin(), function.output().end());
  const Status status = ImportNodes(nodes, wanted, &inner);
  opset_ = outer_opset;
  FOVEA_RETURN_IF_ERROR(status);
  for (int i = 0; i < std::min(call.output_size(), function.output_size()); ++i) {
    if (call.output(i).empty()) continue;
    FOVEA_ASSIGN_OR_RETURN(const ValueId value, Lookup(function.output(i), &inner));
    scope->values[call.output(i)] = value;
  }
  return OkStatus();
}

Result<std::vector<ValueId>> Importer::InlineGraph(const onnx::GraphProto& graph, Scope* outer) {
  Scope inner;
  inner.outer = outer;
  inner.depth = outer->depth + 1;
  onnx::GraphProto copy = graph;  // initializers are handed out as mutable
  for (auto& initializer : *copy.mutable_initializer()) inner.initializers[initializer.name()] = &initializer;
  std::set<std::string> wanted;
  for (const auto& output : copy.output()) wanted.insert(output.name());
  FOVEA_RETURN_IF_ERROR(ImportNodes(copy.node(), wanted, &inner));
  std::vector<ValueId> values;
  for (const auto& output : copy.output()) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId value, Lookup(output.name(), &inner));
    values.push_back(value);
  }
  return values;
}

}  // namespace fovea::converter
