// The graph section of a .fov file, a FlatBuffer, as a Graph.
#include <runtime/model/model_generated.h>

#include <cstring>
#include <utility>

#include "runtime/model/fields.h"
#include "runtime/model/file_layout.h"

namespace fovea {
namespace {

// Tables that the FlatBuffers verifier looks at: ten or so a node.
constexpr flatbuffers::uoffset_t kMaxTables = 1 << 20;
constexpr flatbuffers::uoffset_t kMaxNesting = 16;

class Decoder {
 public:
  // A FlatBuffer may refer to one table or vector many times. What is allocated in all is kept below a multiple of the
  // section's size that honest files, where nothing is shared, do not reach.
  explicit Decoder(size_t section_bytes) : budget_(uint64_t{section_bytes} * 32 + 4096) {}

  Result<Graph> Run(const fb::Graph& in) {
    Graph graph;
    FOVEA_RETURN_IF_ERROR(List(in.values(), &graph.values));
    FOVEA_RETURN_IF_ERROR(List(in.nodes(), &graph.nodes));
    FOVEA_RETURN_IF_ERROR(List(in.inputs(), &graph.inputs));
    FOVEA_RETURN_IF_ERROR(List(in.outputs(), &graph.outputs));
    FOVEA_RETURN_IF_ERROR(List(in.self_tests(), &graph.self_tests));
    FOVEA_RETURN_IF_ERROR(List(in.preprocessing(), &graph.preprocessing));
    FOVEA_RETURN_IF_ERROR(List(in.postprocessing(), &graph.postprocessing));
    Metadata& m = graph.metadata;
    FOVEA_RETURN_IF_ERROR(Text(in.name(), &m.name));
    FOVEA_RETURN_IF_ERROR(Text(in.description(), &m.description));
    FOVEA_RETURN_IF_ERROR(Text(in.authors(), &m.authors));
    FOVEA_RETURN_IF_ERROR(Text(in.licence(), &m.licence));
    FOVEA_RETURN_IF_ERROR(Text(in.citation(), &m.citation));
    FOVEA_RETURN_IF_ERROR(Text(in.source_format(), &m.source_format));
    FOVEA_RETURN_IF_ERROR(List(in.properties(), &m.properties));
    return graph;
  }

 private:
  Status Charge(uint64_t bytes) {
    if (bytes > budget_) return CorruptFile("the graph section refers to the same parts again and again");
    budget_ -= bytes;
    return OkStatus();
  }

  Status Text(const flatbuffers::String* in, std::string* out) {
    if (in == nullptr) return OkStatus();
    FOVEA_RETURN_IF_ERROR(Charge(in->size()));
    out->assign(in->c_str(), in->size());
    return OkStatus();
  }
  template <class T>
  Status Numbers(const flatbuffers::Vector<T>* in, std::vector<T>* out) {
    if (in == nullptr) return OkStatus();
    FOVEA_RETURN_IF_ERROR(Charge(uint64_t{in->size()} * sizeof(T)));
    // Copied: the verifier checks that a vector's length is aligned, not that its elements are.
    out->resize(in->size());
    if (!out->empty()) std::memcpy(out->data(), in->Data(), out->size() * sizeof(T));
    for (T& number : *out) number = flatbuffers::EndianScalar(number);
    return OkStatus();
  }
  template <class Table, class T>
  Status List(const flatbuffers::Vector<flatbuffers::Offset<Table>>* in, std::vector<T>* out) {
    if (in == nullptr) return OkStatus();
    FOVEA_RETURN_IF_ERROR(Charge(uint64_t{in->size()} * sizeof(T)));
    for (const Table* table : *in) {
      T item{};
      FOVEA_RETURN_IF_ERROR(Item(*table, &item));
      out->push_back(std::move(item));
    }
    return OkStatus();
  }

  Status Item(const fb::Size& in, DimExpr* out) {
    std::vector<int64_t> tokens;
    FOVEA_RETURN_IF_ERROR(Numbers(in.tokens(), &tokens));
    FOVEA_ASSIGN_OR_RETURN(*out, DimExpr::Decode(tokens));
    return OkStatus();
  }

  Status Item(const fb::Value& in, Value* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.name(), &out->name));
    FOVEA_RETURN_IF_ERROR(List(in.dims(), &out->dims).Prefixed("value " + Quoted(out->name)));
    if (in.weight_type() > static_cast<uint8_t>(WeightType::kBFloat16)) {
      return Unsupported("value " + Quoted(out->name) +
                         ": weights of an unknown type; the file was written by a newer "
                         "fovea");
    }
    out->is_const = in.is_const();
    out->weight_type = static_cast<WeightType>(in.weight_type());
    out->offset = in.offset();
    out->bytes = in.bytes();
    return OkStatus();
  }

  Status Item(const fb::Attribute& in, Attribute* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.name(), &out->name));
    FOVEA_RETURN_IF_ERROR(Numbers(in.ints(), &out->ints));
    FOVEA_RETURN_IF_ERROR(Numbers(in.floats(), &out->floats));
    return Numbers(in.sizes(), &out->sizes);
  }

  Status Item(const fb::Node& in, Node* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.name(), &out->name));
    FOVEA_RETURN_IF_ERROR(Numbers(in.inputs(), &out->inputs));
    out->output = in.output();
    std::vector<Attribute> attributes;
    FOVEA_RETURN_IF_ERROR(List(in.attributes(), &attributes));
    Result<OpParams> params = FromAttributes(static_cast<OpKind>(in.kind()), attributes);
    if (!params.ok()) return params.status().Prefixed("node " + Quoted(out->name));
    out->params = *std::move(params);
    return OkStatus();
  }

  Status Item(const fb::Port& in, Port* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.name(), &out->name));
    FOVEA_RETURN_IF_ERROR(Text(in.axes(), &out->axes));
    FOVEA_RETURN_IF_ERROR(Numbers(in.source_axes(), &out->source_axes));
    if (in.dtype() >= kDTypeCount) {
      return Unsupported("port " + Quoted(out->name) +
                         ": an unknown element type; the file was written by a newer "
                         "fovea");
    }
    out->dtype = static_cast<DType>(in.dtype());
    out->value = in.value();
    out->is_shape = in.is_shape();
    if (in.rules() == nullptr) return OkStatus();
    FOVEA_RETURN_IF_ERROR(Charge(uint64_t{in.rules()->size()} * sizeof(AxisRule)));
    for (size_t i = 0; i < in.rules()->size(); ++i) {
      fb::AxisRule rule(0, 0);
      std::memcpy(static_cast<void*>(&rule), in.rules()->Data() + i * sizeof(rule), sizeof(rule));
      out->rules.push_back({rule.min(), rule.step()});
    }
    return OkStatus();
  }

  Status Item(const fb::Property& in, std::pair<std::string, std::string>* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.key(), &out->first));
    return Text(in.value(), &out->second);
  }

  Status Item(const fb::TestTensor& in, SelfTest::Tensor* out) {
    FOVEA_RETURN_IF_ERROR(Numbers(in.dims(), &out->dims));
    out->offset = in.offset();
    out->bytes = in.bytes();
    return OkStatus();
  }

  Status Item(const fb::SelfTest& in, SelfTest* out) {
    FOVEA_RETURN_IF_ERROR(List(in.inputs(), &out->inputs));
    FOVEA_RETURN_IF_ERROR(List(in.expected(), &out->expected));
    out->rtol = in.rtol();
    out->atol = in.atol();
    out->mismatches_per_million = in.mismatches_per_million();
    out->with_steps = in.with_steps();
    return OkStatus();
  }

  Status Item(const fb::StepArgument& in, StepArgument* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.key(), &out->key));
    std::vector<double> numbers;
    FOVEA_RETURN_IF_ERROR(Numbers(in.numbers(), &numbers));
    std::vector<std::string> texts;
    if (in.texts() != nullptr) {
      FOVEA_RETURN_IF_ERROR(Charge(uint64_t{in.texts()->size()} * sizeof(std::string)));
      for (const flatbuffers::String* text : *in.texts()) FOVEA_RETURN_IF_ERROR(Text(text, &texts.emplace_back()));
    }
    if (in.kind() >= std::variant_size_v<StepValue>) {
      return Unsupported("the argument " + Quoted(out->key) +
                         " has a value of an unknown kind; the file was written by a newer fovea");
    }
    const bool single = in.kind() <= 1 ? numbers.size() == 1 && texts.empty() : texts.size() == 1 && numbers.empty();
    if ((in.kind() <= 2 && !single) || (in.kind() == 3 && !texts.empty()) || (in.kind() == 4 && !numbers.empty())) {
      return CorruptFile("the argument " + Quoted(out->key) + " has no value of its kind");
    }
    switch (in.kind()) {
      case 0: out->value = numbers[0]; break;
      case 1: out->value = numbers[0] != 0; break;
      case 2: out->value = std::move(texts[0]); break;
      case 3: out->value = std::move(numbers); break;
      default: out->value = std::move(texts); break;
    }
    return OkStatus();
  }

  Status Item(const fb::Step& in, Step* out) {
    FOVEA_RETURN_IF_ERROR(Text(in.name(), &out->name));
    FOVEA_RETURN_IF_ERROR(Text(in.tensor(), &out->tensor));
    return List(in.arguments(), &out->arguments).Prefixed("step " + Quoted(out->name));
  }

  uint64_t budget_;
};

}  // namespace

Result<Graph> DecodeGraph(std::span<const std::byte> section) {
  if (section.size() >= FLATBUFFERS_MAX_BUFFER_SIZE || section.size() < 16) {
    return CorruptFile("a graph section of " + std::to_string(section.size()) + " bytes");
  }
  const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(section.data());
  flatbuffers::Verifier verifier(bytes, section.size(), kMaxNesting, kMaxTables);
  if (!fb::VerifyGraphBuffer(verifier)) return CorruptFile("the graph section is not a valid FlatBuffer");
  return Decoder(section.size()).Run(*fb::GetGraph(bytes));
}

}  // namespace fovea
