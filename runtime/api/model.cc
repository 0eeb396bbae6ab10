#include "runtime/include/fovea/model.h"

#include "runtime/api/guard.h"
#include "runtime/api/ports.h"
#include "runtime/model/model_file.h"
#include "runtime/plan/receptive_field.h"
#include "runtime/plan/resolve.h"

namespace fovea {

struct Model::Ports {
  std::vector<TensorSpec> inputs, outputs;
};

namespace {

TensorSpec SpecOf(const Graph& graph, const Port& port) {
  TensorSpec spec;
  spec.name = port.name;
  spec.dtype = port.dtype;
  spec.axes = port.axes;
  spec.source_axes = port.source_axes;
  spec.is_shape = port.is_shape;
  for (const DimExpr& dim : graph.values[static_cast<size_t>(port.value)].dims) {
    spec.dims.push_back(dim.IsConst() ? dim.Const() : -1);
  }
  for (const AxisRule& rule : port.rules) spec.rules.push_back({rule.min, rule.step});
  return spec;
}

// Reads a float32 blob of the weight section; the verifier has checked its bounds.
SelfTestCase::Tensor TensorOf(const ModelFile& file, const SelfTest::Tensor& stored) {
  Value value;
  value.is_const = true;
  value.offset = stored.offset;
  value.bytes = stored.bytes;
  for (int64_t d : stored.dims) value.dims.emplace_back(d);
  std::vector<float> storage;
  const std::span<const float> floats = file.Floats(value, &storage);
  return {stored.dims, std::vector<float>(floats.begin(), floats.end())};
}

}  // namespace

Result<Model> Model::Load(const std::string& path) {
  return api::WithHeap([&]() -> Result<Model> {
    FOVEA_ASSIGN_OR_RETURN(auto file, ModelFile::Open(path));
    return FromFile(std::move(file));
  });
}

Result<Model> Model::FromBytes(std::span<const std::byte> bytes, const std::string& name) {
  return api::WithHeap([&]() -> Result<Model> {
    FOVEA_ASSIGN_OR_RETURN(auto file, ModelFile::FromBytes(bytes, name));
    return FromFile(std::move(file));
  });
}

Model Model::FromFile(std::shared_ptr<const ModelFile> file) {
  const Graph& graph = file->graph();
  auto ports = std::make_shared<Ports>();
  for (const Port& port : graph.inputs) ports->inputs.push_back(SpecOf(graph, port));
  for (const Port& port : graph.outputs) {
    ports->outputs.push_back(SpecOf(graph, port));
    ports->outputs.back().is_probability = api::IsProbability(graph, port.value);
  }
  Model model;
  model.file_ = std::move(file);
  model.ports_ = std::move(ports);
  return model;
}

std::span<const TensorSpec> Model::inputs() const { return ports_->inputs; }
std::span<const TensorSpec> Model::outputs() const { return ports_->outputs; }

ModelInfo Model::info() const {
  const Graph& graph = file_->graph();
  const Metadata& from = graph.metadata;
  ModelInfo info{from.name,          from.description, from.authors,          from.licence,        from.citation,
                 from.source_format, from.properties,  file_->content_hash(), file_->file_bytes(), 0};
  for (const Value& value : graph.values) {
    if (!value.is_const) continue;
    int64_t elements = 1;
    for (const DimExpr& dim : value.dims) elements *= dim.Const();
    info.parameters += elements;
  }
  return info;
}

std::vector<SelfTestCase> Model::self_tests() const {
  std::vector<SelfTestCase> cases;
  for (const SelfTest& test : file_->graph().self_tests) {
    SelfTestCase& at = cases.emplace_back();
    at.rtol = test.rtol;
    at.atol = test.atol;
    at.mismatches_per_million = test.mismatches_per_million;
    at.with_steps = test.with_steps;
    for (const SelfTest::Tensor& tensor : test.inputs) at.inputs.push_back(TensorOf(*file_, tensor));
    for (const SelfTest::Tensor& tensor : test.expected) at.expected.push_back(TensorOf(*file_, tensor));
  }
  return cases;
}

std::span<const Step> Model::preprocessing() const { return file_->graph().preprocessing; }
std::span<const Step> Model::postprocessing() const { return file_->graph().postprocessing; }

std::vector<int64_t> Model::LegalSize(int input, std::span<const int64_t> wanted) const {
  const Port& port = file_->graph().inputs[static_cast<size_t>(input)];
  std::vector<int64_t> legal;
  for (size_t a = 0; a < wanted.size(); ++a) {
    legal.push_back(api::LegalAxisSize(file_->graph(), port, a, wanted[a]));
  }
  return legal;
}

std::vector<std::vector<int64_t>> Model::DefaultSizes() const { return api::DefaultInputDims(file_->graph()); }

Result<std::vector<std::vector<int64_t>>> Model::OutputSizes(std::span<const std::vector<int64_t>> input_dims) const {
  const Graph& graph = file_->graph();
  FOVEA_RETURN_IF_ERROR(api::CheckSizes(graph, input_dims));
  FOVEA_ASSIGN_OR_RETURN(const plan::ResolvedGraph resolved, plan::Resolve(graph, input_dims, {}));
  std::vector<std::vector<int64_t>> sizes;
  for (const Port& port : graph.outputs) sizes.push_back(resolved.dims[static_cast<size_t>(port.value)]);
  return sizes;
}

Result<std::vector<OperatorInfo>> Model::Operators(std::span<const std::vector<int64_t>> input_dims) const {
  const Graph& graph = file_->graph();
  FOVEA_RETURN_IF_ERROR(api::CheckSizes(graph, input_dims));
  FOVEA_ASSIGN_OR_RETURN(const plan::ResolvedGraph resolved, plan::Resolve(graph, input_dims, {}));
  std::vector<OperatorInfo> operators;
  for (const plan::ResolvedNode& node : resolved.nodes) {
    OperatorInfo& info = operators.emplace_back();
    info.name = node.node->name;
    info.kind = OpKindName(node.kind);
    info.parameters = ParamsToString(node.node->params);
    info.output_dims = node.out;
    info.multiply_adds = plan::MultiplyAdds(node);
    for (int input : node.node->inputs) {
      if (input == kNoValue) continue;
      const Value& value = graph.values[static_cast<size_t>(input)];
      if (value.is_const) info.weight_bytes += static_cast<int64_t>(value.bytes);
    }
  }
  return operators;
}

Result<std::vector<ReceptiveField>> Model::ReceptiveFields() const {
  // Only sizes are computed, so the image can be large enough for any network to be far from its borders.
  const Graph& graph = file_->graph();
  std::vector<std::vector<int64_t>> large = DefaultSizes();
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    for (size_t a = 0; a < graph.inputs[i].axes.size(); ++a) {
      if (std::string("zyx").find(graph.inputs[i].axes[a]) == std::string::npos) continue;
      large[i][a] = api::LegalAxisSize(graph, graph.inputs[i], a, 4096);
    }
  }
  auto fields = plan::MeasureReceptiveFields(graph, large);
  return fields.ok() ? std::move(fields) : plan::MeasureReceptiveFields(graph, DefaultSizes());
}

}  // namespace fovea
