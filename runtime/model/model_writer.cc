#include "runtime/model/model_writer.h"

#include <fcntl.h>
#include <runtime/model/model_generated.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/model/fields.h"
#include "runtime/model/file_layout.h"
#include "runtime/model/model_file.h"

namespace fovea {
namespace {

using flatbuffers::Offset;

// Everything is written in the order of the graph and nothing is shared, so equal graphs give equal bytes.
class Encoder {
 public:
  std::vector<std::byte> Run(const Graph& graph) {
    const auto values = List<fb::Value>(graph.values);
    const auto nodes = List<fb::Node>(graph.nodes);
    const auto inputs = List<fb::Port>(graph.inputs);
    const auto outputs = List<fb::Port>(graph.outputs);
    const auto tests = List<fb::SelfTest>(graph.self_tests);
    const auto preprocessing = List<fb::Step>(graph.preprocessing);
    const auto postprocessing = List<fb::Step>(graph.postprocessing);
    const Metadata& m = graph.metadata;
    const auto properties = List<fb::Property>(m.properties);
    const auto name = Text(m.name), description = Text(m.description), authors = Text(m.authors);
    const auto licence = Text(m.licence), citation = Text(m.citation), source_format = Text(m.source_format);
    fb::FinishGraphBuffer(builder_,
                          fb::CreateGraph(builder_, values, nodes, inputs, outputs, name, description, authors, licence,
                                          citation, source_format, properties, tests, preprocessing, postprocessing));
    const auto* const begin = reinterpret_cast<const std::byte*>(builder_.GetBufferPointer());
    return {begin, begin + builder_.GetSize()};
  }

 private:
  // Absent rather than empty: offset 0 is FlatBuffers' null.
  Offset<flatbuffers::String> Text(const std::string& text) {
    return text.empty() ? Offset<flatbuffers::String>() : builder_.CreateString(text);
  }
  template <class T>
  Offset<flatbuffers::Vector<T>> Numbers(const std::vector<T>& numbers) {
    return numbers.empty() ? Offset<flatbuffers::Vector<T>>() : builder_.CreateVector(numbers);
  }
  template <class Table, class T>
  Offset<flatbuffers::Vector<Offset<Table>>> List(const std::vector<T>& items) {
    std::vector<Offset<Table>> offsets;
    for (const T& item : items) offsets.push_back(Item(item));
    return offsets.empty() ? Offset<flatbuffers::Vector<Offset<Table>>>() : builder_.CreateVector(offsets);
  }

  Offset<fb::Size> Item(const DimExpr& e) { return fb::CreateSize(builder_, Numbers(e.Encode())); }

  Offset<fb::Value> Item(const Value& v) {
    const auto name = Text(v.name);
    const auto dims = List<fb::Size>(v.dims);
    return fb::CreateValue(builder_, name, dims, v.is_const, static_cast<uint8_t>(v.weight_type), v.offset, v.bytes);
  }
  Offset<fb::Attribute> Item(const Attribute& a) {
    const auto name = builder_.CreateString(a.name);
    const auto ints = Numbers(a.ints);
    const auto floats = Numbers(a.floats);
    const auto sizes = Numbers(a.sizes);
    return fb::CreateAttribute(builder_, name, ints, floats, sizes);
  }
  Offset<fb::Node> Item(const Node& n) {
    const auto name = Text(n.name);
    const auto inputs = Numbers(n.inputs);
    const auto attributes = List<fb::Attribute>(ToAttributes(n.params));
    return fb::CreateNode(builder_, name, static_cast<uint16_t>(KindOf(n.params)), inputs, n.output, attributes);
  }
  Offset<fb::Port> Item(const Port& p) {
    const auto name = Text(p.name);
    const auto axes = Text(p.axes);
    const auto source_axes = Numbers(p.source_axes);
    std::vector<fb::AxisRule> rules;
    for (const AxisRule& r : p.rules) rules.emplace_back(r.min, r.step);
    const auto rule_vector =
        rules.empty() ? Offset<flatbuffers::Vector<const fb::AxisRule*>>() : builder_.CreateVectorOfStructs(rules);
    return fb::CreatePort(builder_, name, p.value, static_cast<uint8_t>(p.dtype), source_axes, axes, rule_vector,
                          p.is_shape);
  }
  Offset<fb::Property> Item(const std::pair<std::string, std::string>& p) {
    const auto key = Text(p.first), value = Text(p.second);
    return fb::CreateProperty(builder_, key, value);
  }
  Offset<fb::TestTensor> Item(const SelfTest::Tensor& t) {
    return fb::CreateTestTensor(builder_, Numbers(t.dims), t.offset, t.bytes);
  }
  Offset<fb::SelfTest> Item(const SelfTest& t) {
    const auto inputs = List<fb::TestTensor>(t.inputs);
    const auto expected = List<fb::TestTensor>(t.expected);
    return fb::CreateSelfTest(builder_, inputs, expected, t.rtol, t.atol, t.mismatches_per_million, t.with_steps);
  }

  Offset<fb::StepArgument> Item(const StepArgument& a) {
    std::vector<double> numbers;
    std::vector<std::string> texts;
    switch (a.value.index()) {
      case 0: numbers = {std::get<double>(a.value)}; break;
      case 1: numbers = {std::get<bool>(a.value) ? 1.0 : 0.0}; break;
      case 2: texts = {std::get<std::string>(a.value)}; break;
      case 3: numbers = std::get<std::vector<double>>(a.value); break;
      default: texts = std::get<std::vector<std::string>>(a.value); break;
    }
    const auto key = Text(a.key);
    const auto number_vector = Numbers(numbers);
    const auto text_vector = texts.empty() ? Offset<flatbuffers::Vector<Offset<flatbuffers::String>>>()
                                           : builder_.CreateVectorOfStrings(texts);
    return fb::CreateStepArgument(builder_, key, static_cast<uint8_t>(a.value.index()), number_vector, text_vector);
  }
  Offset<fb::Step> Item(const Step& s) {
    const auto name = Text(s.name), tensor = Text(s.tensor);
    const auto arguments = List<fb::StepArgument>(s.arguments);
    return fb::CreateStep(builder_, name, arguments, tensor);
  }

  flatbuffers::FlatBufferBuilder builder_;
};

// Everything in front of the weights: header, graph, padding.
using Chunks = std::span<const std::span<const std::byte>>;

Result<std::vector<std::byte>> SerializeHead(const Graph& graph, Chunks weights) {
  uint64_t weight_bytes = 0;
  for (const std::span<const std::byte> chunk : weights) weight_bytes += chunk.size();
  FOVEA_RETURN_IF_ERROR(VerifyGraph(graph, weight_bytes));
  const std::vector<std::byte> section = Encoder().Run(graph);
  // What a reader will see: sizes without a value, for one, are only found there.
  const Result<Graph> read = DecodeGraph(section);
  FOVEA_RETURN_IF_ERROR(read.status());
  FOVEA_RETURN_IF_ERROR(VerifyGraph(*read, weight_bytes));

  FileHeader header;
  header.graph_offset = kHeaderBytes;
  header.graph_bytes = section.size();
  const size_t end = kHeaderBytes + section.size();
  header.weight_offset = (end + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
  header.weight_bytes = weight_bytes;
  std::vector<std::byte> head(kHeaderBytes);
  head.insert(head.end(), section.begin(), section.end());
  head.resize(header.weight_offset);
  std::vector<std::span<const std::byte>> content{std::span<const std::byte>(head).subspan(kHeaderBytes)};
  content.insert(content.end(), weights.begin(), weights.end());
  HashContent(content, nullptr, &header);
  StoreHeader(header, std::span(head).first<kHeaderBytes>());
  return head;
}

bool WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::vector<std::byte>> SerializeModel(const Graph& graph, std::span<const std::byte> weights) {
  FOVEA_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, SerializeHead(graph, {&weights, 1}));
  bytes.insert(bytes.end(), weights.begin(), weights.end());
  return bytes;
}

std::string TemporaryName(const std::string& path) { return path + ".part-" + std::to_string(getpid()); }

Status WriteModel(const std::string& path, const Graph& graph, std::span<const std::byte> weights) {
  return WriteModel(path, graph, Chunks(&weights, 1));
}

Status WriteModel(const std::string& path, const Graph& graph, Chunks weights) {
  const Result<std::vector<std::byte>> head = SerializeHead(graph, weights);
  FOVEA_RETURN_IF_ERROR(head.status().Prefixed(path));
  const std::string temporary = TemporaryName(path);
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return IoError(path + ": cannot be written: " + std::strerror(errno));
  bool good = WriteAll(fd, *head);
  for (size_t i = 0; good && i < weights.size(); ++i) good = WriteAll(fd, weights[i]);
  good = good && fsync(fd) == 0;
  int error = errno;
  if (close(fd) != 0 && good) {
    error = errno;
    good = false;
  }
  if (good && std::rename(temporary.c_str(), path.c_str()) != 0) {
    error = errno;
    good = false;
  }
  if (good) return OkStatus();
  unlink(temporary.c_str());
  return IoError(path + ": cannot be written: " + std::strerror(error));
}

}  // namespace fovea
