#include <algorithm>

#include "converter/ir/params.h"
#include "converter/passes/passes.h"
#include "converter/tensorflow/idioms.h"
#include "converter/tensorflow/importer.h"
#include "converter/tensorflow/importers.h"
#include "converter/unsupported.h"

namespace fovea::converter::tf {
namespace {

bool IsOneOf(const std::string& op, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* name) { return op == name; });
}

bool IsMerge(const TfNode& node) { return IsOneOf(node.op, {"Merge", "RefMerge"}); }
bool IsSwitch(const TfNode& node) { return IsOneOf(node.op, {"Switch", "RefSwitch"}); }
bool IsPlaceholder(const TfNode& node) { return IsOneOf(node.op, {"Placeholder", "PlaceholderV2"}); }

// Operators that do the same to an image in blocks as to the image.
bool WorksOnBlocks(const std::string& op) {
  return IsOneOf(op, {"BiasAdd", "Identity", "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus",
                      "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"});
}
bool TakesBlocks(const std::string& op) {
  return IsOneOf(op, {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "BatchToSpaceND", "Identity"});
}

bool HasPendingPads(const Blocked& blocked) {
  const auto any = [](const Dims& pads) {
    return std::any_of(pads.begin(), pads.end(), [](const DimExpr& pad) { return !(pad == DimExpr(0)); });
  };
  return any(blocked.pad_begin) || any(blocked.pad_end);
}

}  // namespace

Result<Tensor> Importer::Lookup(const Edge& edge, const std::string& name) const {
  if (edge.node < 0) return CorruptFile("nothing produces '" + name + "'");
  const std::vector<Tensor>& outputs = values_[static_cast<size_t>(edge.node)];
  if (static_cast<size_t>(edge.output) >= outputs.size()) {
    const TfNode& from = index_.node(edge.node);
    if (IsOneOf(from.op, {"Assert", "NoOp"})) return CorruptFile("'" + name + "' is read, but carries no data");
    return CorruptFile("node '" + from.name + "' (" + from.op + ") has no output " + std::to_string(edge.output));
  }
  return outputs[static_cast<size_t>(edge.output)];
}

void Importer::Unsupported(const TfNode& node, const std::string& reason) {
  report_->unsupported.push_back(MakeUnsupported(node.name, node.op, AttributesText(node), reason));
}

// Backwards from the outputs, then forwards over what was reached.
Status Importer::Walk() {
  const size_t count = static_cast<size_t>(index_.size());
  needed_.assign(count, false);
  values_.assign(count, {});
  std::vector<bool> needs_port(tf_.inputs.size(), false);
  std::vector<Edge> open;
  for (const TfPort& output : tf_.outputs) {
    const Edge edge = index_.Resolve(output.tensor);
    if (edge.node < 0) return NotFound("output '" + output.name + "': the graph has no tensor '" + output.tensor + "'");
    open.push_back(edge);
  }
  std::set<std::pair<int, int>> seen;
  while (!open.empty()) {
    const Edge edge = open.back();
    open.pop_back();
    if (edge.node < 0 || !seen.insert({edge.node, edge.output}).second) continue;
    const TfNode& node = index_.node(edge.node);
    const auto port = ports_.find({edge.node, edge.output});
    if (port != ports_.end()) {
      needs_port[static_cast<size_t>(port->second)] = true;
      continue;
    }
    needed_[static_cast<size_t>(edge.node)] = true;
    if (FindSet(edge.node) != nullptr || IsTrainingFlag(node)) continue;
    const std::vector<Edge>& inputs = index_.inputs(edge.node);
    const int merge = inference_.merge_input[static_cast<size_t>(edge.node)];
    if (IsMerge(node)) {
      if (merge >= 0) open.push_back(inputs[static_cast<size_t>(merge)]);
    } else if (IsSwitch(node)) {
      if (!inputs.empty()) open.push_back(inputs[0]);
    } else {
      open.insert(open.end(), inputs.begin(), inputs.end());
    }
  }

  for (size_t port = 0; port < tf_.inputs.size(); ++port) {
    if (!needs_port[port]) continue;
    FOVEA_RETURN_IF_ERROR(AddInput(static_cast<int>(port)).Prefixed("input '" + tf_.inputs[port].name + "'"));
  }
  std::vector<bool> reached(count, false);
  for (const int n : index_.order()) {
    if (!needed_[static_cast<size_t>(n)]) continue;
    reached[static_cast<size_t>(n)] = true;
    FOVEA_RETURN_IF_ERROR(ImportNode(n));
  }
  for (size_t n = 0; n < count; ++n) {
    if (needed_[n] && !reached[n]) {
      const TfNode& node = index_.node(static_cast<int>(n));
      Unsupported(node, "part of a loop, or behind one; export the model with its loop unrolled");
    }
  }
  return UnsupportedStatus(*report_);
}

Status Importer::ImportBranch(int n, std::vector<Tensor>* outputs) {
  const TfNode& node = index_.node(n);
  const std::vector<Edge>& inputs = index_.inputs(n);
  const size_t i = static_cast<size_t>(n);
  if (IsSwitch(node)) {
    if (inputs.empty()) return CorruptFile("it has no inputs");
    if (!inference_.taken[i]) return ::fovea::Unsupported(WhyUnsupported("Switch"));
    FOVEA_ASSIGN_OR_RETURN(const Tensor data, Lookup(inputs[0], node.inputs[0]));
    if (const auto flag = inference_.assumed[i]) {
      const std::string name = index_.node(*flag).name;
      const std::string text = "the flag '" + name + "' is taken to be false (--set " + name + "=true otherwise)";
      std::vector<std::string>& warnings = graph_->warnings;
      if (std::find(warnings.begin(), warnings.end(), text) == warnings.end()) warnings.push_back(text);
    }
    outputs->assign(2, data);
    return OkStatus();
  }
  const int live = inference_.merge_input[i];
  if (live < 0) return ::fovea::Unsupported(WhyUnsupported("Merge"));
  FOVEA_ASSIGN_OR_RETURN(const Tensor data, Lookup(inputs[static_cast<size_t>(live)], node.name));
  const ValueId which = builder_.Integers(node.name + ":1", DType::kInt32, {}, {live});
  *outputs = {data, Tensor{which, false, {}, {}}};
  return OkStatus();
}

Status Importer::ImportNode(int n) {
  const TfNode& node = index_.node(n);
  const std::string where = "node '" + node.name + "' (" + node.op + ")";
  std::vector<Tensor>& outputs = values_[static_cast<size_t>(n)];
  const std::vector<Edge>& edges = index_.inputs(n);
  builder_.SetSource(node.name, node.op);

  if (const NamedTensor* set = FindSet(n)) return AddSet(n, *set).Prefixed("--set " + set->name);
  if (IsTrainingFlag(node)) {
    outputs = {Tensor{builder_.Constant(node.name, DType::kBool, {}, std::vector<float>{0}), false, {}, {}}};
    return OkStatus();
  }
  std::vector<Tensor> kept = outputs;  // outputs that are ports: the node itself may be cut in two
  const auto restore = [&] {
    if (outputs.size() < kept.size()) outputs.resize(kept.size());
    for (size_t i = 0; i < kept.size(); ++i) {
      if (ports_.count({n, static_cast<int>(i)}) != 0) outputs[i] = kept[i];
    }
  };

  Status failure;
  bool known = true;
  const size_t nodes_before = graph_->nodes.size();
  std::vector<ValueId> data_inputs;
  if (IsMerge(node) || IsSwitch(node)) {
    failure = ImportBranch(n, &outputs);
    known = failure.ok() && !outputs[0].unknown;
  } else {
    std::vector<Tensor> inputs;
    bool random = IsRandomSource(node.op);
    std::optional<Blocked> blocked;
    for (size_t i = 0, data = 0; i < node.inputs.size(); ++i) {
      if (ParseRef(node.inputs[i]).control) continue;
      Result<Tensor> input = Lookup(edges[data++], node.inputs[i]);
      // A node that could not be placed (behind a loop) is listed by itself.
      if (!input.ok() && edges[data - 1].node >= 0 && values_[static_cast<size_t>(edges[data - 1].node)].empty()) {
        input = Tensor{ir::kNoValue, true, {}, {}};
      }
      if (!input.ok()) return input.status().Prefixed(where);
      known = known && !input->unknown;
      random = random || input->random.has_value();
      if (input->blocked) blocked = input->blocked;
      data_inputs.push_back(input->value);
      inputs.push_back(*std::move(input));
    }
    const ImportFn import = FindImporter(node.op);
    outputs.clear();
    if (!random && import == nullptr) {
      failure = IsPlaceholder(node) ? ::fovea::Unsupported(
                                          "an input that is not among the model's inputs; name it as one with "
                                          "--inputs, or give its value with --set " +
                                          node.name + "=...")
                                    : ::fovea::Unsupported(WhyUnsupported(node.op));
    } else if (known) {
      const bool takes = TakesBlocks(node.op), works = WorksOnBlocks(node.op);
      NodeContext context(node, &builder_, std::move(inputs), &outputs);
      if (blocked && ((!takes && !works) || (!takes && HasPendingPads(*blocked)))) {
        failure = ::fovea::Unsupported(
            "it works on an image in blocks (SpaceToBatchND); convolutions, bias, batch "
            "normalisation and activations do");
      } else {
        failure = random ? ImportRandom(context, {options_.dropout_seed, n}) : import(context);
      }
      if (failure.ok() && blocked && works && !outputs.empty()) outputs[0].blocked = blocked;
    }
  }
  if (!failure.ok() && failure.code() != StatusCode::kUnsupported) return failure.Prefixed(where);
  if (!failure.ok()) Unsupported(node, failure.message());
  if (!failure.ok() || !known) {
    // As many outputs as anybody may ask for: readers are skipped.
    outputs.assign(64, Tensor{ir::kNoValue, true, {}, {}});
  }
  Count(node, nodes_before, data_inputs, outputs);
  restore();
  return OkStatus();
}

void Importer::Count(const TfNode& node, size_t nodes_before, const std::vector<ValueId>& inputs,
                     const std::vector<Tensor>& outputs) {
  if (node.op == "Const" || IsPlaceholder(node)) return;
  const ValueId result = outputs.empty() ? ir::kNoValue : outputs[0].value;
  if (IsMerge(node) || IsSwitch(node) || (result == ir::kNoValue && graph_->nodes.size() == nodes_before)) {
    ++graph_->history.dropped[node.op];  // no arithmetic: control, and random numbers that become means
  } else {
    graph_->Imported(node.op, nodes_before, inputs, result);
  }
}

Status Importer::AddOutputs() {
  for (const TfPort& output : tf_.outputs) {
    FOVEA_ASSIGN_OR_RETURN(const Tensor found, Lookup(index_.Resolve(output.tensor), output.tensor));
    const std::string where = "output '" + output.name + "'";
    if (found.random) return ::fovea::Unsupported(where + " is random numbers");
    if (found.blocked) return ::fovea::Unsupported(where + " is an image in blocks (SpaceToBatchND)");
    if (found.value == ir::kNoValue) return ::fovea::Unsupported(where + " carries no data");
    ValueId result = found.value;
    const auto same = [&](const ir::Port& port) { return port.value == result; };
    // An input, a constant or another output passed on: an output needs a node of its own.
    if (builder_.value(result).producer < 0 || std::any_of(graph_->outputs.begin(), graph_->outputs.end(), same)) {
      ir::Value passed = builder_.value(result);
      passed.name = output.name;
      passed.constant = nullptr;
      passed.producer = static_cast<int>(graph_->nodes.size());
      graph_->values.push_back(std::move(passed));
      const ValueId made = static_cast<ValueId>(graph_->values.size() - 1);
      graph_->nodes.push_back({output.name, "Identity", UnaryParams{}, {result}, made, false});
      result = made;
    }
    builder_.Output(output.name, result);
  }
  return OkStatus();
}

Status Importer::Import() {
  if (tf_.outputs.empty()) return CorruptFile("the graph has no outputs");
  FOVEA_ASSIGN_OR_RETURN(index_, GraphIndex::Make(tf_));
  FOVEA_RETURN_IF_ERROR(ResolvePorts());
  const auto is_input = [this](int n) { return ports_.count({n, 0}) != 0; };
  const auto given = [this](int n) -> std::optional<double> {
    const NamedTensor* set = FindSet(n);
    if (set == nullptr || set->data.size() != 1) return std::nullopt;
    return static_cast<double>(set->data[0]);
  };
  inference_ = Infer(index_, given, is_input);
  graph_->metadata = tf_.metadata;
  graph_->history.dropped = tf_.left_out;
  report_->source_operators = tf_.source_operators;
  graph_->metadata.source_format = tf_.source_format;
  FOVEA_RETURN_IF_ERROR(Walk());
  return AddOutputs();
}

}  // namespace fovea::converter::tf

namespace fovea::converter {
namespace {

// Inputs that nothing reads any more, and whose sizes nothing depends on.
std::set<std::string> UnusedInputs(const ir::Graph& graph) {
  std::vector<bool> read(graph.values.size(), false);
  for (const ir::Node& node : graph.nodes) {
    for (const ir::ValueId v : node.inputs) {
      if (v != kNoValue) read[static_cast<size_t>(v)] = true;
    }
  }
  std::set<std::string> unused;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    if (read[static_cast<size_t>(graph.inputs[i].value)]) continue;
    std::vector<int> ranks;
    std::vector<int64_t> values;
    for (size_t k = 0; k < graph.inputs.size(); ++k) {
      const size_t rank = graph.values[static_cast<size_t>(graph.inputs[k].value)].dims.size();
      ranks.push_back(k == i ? 0 : static_cast<int>(rank));
      values.push_back(k == i ? 0 : 1 << 20);
    }
    bool refers = false;
    const auto look = [&](const DimExpr& e) { refers = refers || !e.RefersOnlyTo(ranks, values); };
    for (const ir::Node& node : graph.nodes) {
      ir::ForEachSize(node.params, look);
      for (const DimExpr& e : graph.values[static_cast<size_t>(node.output)].dims) look(e);
    }
    if (!refers) unused.insert(graph.inputs[i].name);
  }
  return unused;
}

}  // namespace

Status ImportTfGraph(const TfGraph& tf, const Options& options, ir::Graph* graph, Report* report) {
  report->source_format = tf.source_format;
  TfGraph used = tf;
  // Twice where inputs turn out to feed only what was dropped: sizes name inputs by their number, so the others have
  // to come first.
  for (int round = 0; round < 2; ++round) {
    *graph = ir::Graph();
    FOVEA_RETURN_IF_ERROR(tf::Importer(used, options, graph, report).Import());
    FOVEA_RETURN_IF_ERROR(DeadCode(graph));
    const std::set<std::string> unused = UnusedInputs(*graph);
    if (unused.empty()) break;
    const auto is_used = [&](const TfPort& port) { return unused.count(port.name) == 0; };
    std::stable_partition(used.inputs.begin(), used.inputs.end(), is_used);
    if (round == 0) continue;
    while (!graph->inputs.empty() && unused.count(graph->inputs.back().name) != 0) graph->inputs.pop_back();
  }
  FOVEA_RETURN_IF_ERROR(tf::RecogniseIdioms(graph, options, report));
  tf::NameAxes(graph);
  return OkStatus();
}

}  // namespace fovea::converter
