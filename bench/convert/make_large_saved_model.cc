// Writes a SavedModel of any size, a chain of convolutions with a checkpoint in several shards, to measure what the
// converter needs for it. usage: make_large_saved_model FOLDER MEGABYTES
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "converter/saved_model/crc32c.h"
#include "tests/converter/saved_model/support.h"

namespace fovea::bench {
namespace {

namespace fs = std::filesystem;
using fovea::testing::AddNode;
using fovea::testing::Attr;
using fovea::testing::SetShape;

constexpr int64_t kChannels = 1024;
constexpr int kShards = 4;
constexpr int kFloat = 1;  // DT_FLOAT

std::string Number(int n) { return std::to_string(n); }

// conv_n reads kernel_n, for each n.
tfproto::SavedModel MakeGraph(int convolutions) {
  tfproto::SavedModel model;
  model.set_saved_model_schema_version(1);
  tfproto::MetaGraphDef* meta = model.add_meta_graphs();
  meta->mutable_meta_info_def()->add_tags("serve");
  tfproto::GraphDef* graph = meta->mutable_graph_def();
  Attr(AddNode(graph, "x", "Placeholder", {}), "dtype").set_type(kFloat);
  std::string last = "x";
  for (int n = 0; n < convolutions; ++n) {
    tfproto::NodeDef& kernel = AddNode(graph, "kernel_" + Number(n), "VariableV2", {});
    Attr(kernel, "dtype").set_type(kFloat);
    SetShape(Attr(kernel, "shape").mutable_shape(), {3, 3, kChannels, kChannels});
    tfproto::NodeDef& conv = AddNode(graph, "conv_" + Number(n), "Conv2D", {last, "kernel_" + Number(n)});
    for (int i = 0; i < 4; ++i) Attr(conv, "strides").mutable_list()->add_i(1);
    Attr(conv, "padding").set_s("SAME");
    last = conv.name();
  }
  tfproto::SignatureEntry* entry = meta->add_signature_def();
  entry->set_key("serving_default");
  for (const bool input : {true, false}) {
    tfproto::SignatureDef* signature = entry->mutable_value();
    tfproto::TensorInfoEntry* port = input ? signature->add_inputs() : signature->add_outputs();
    port->set_key(input ? "x" : "y");
    port->mutable_value()->set_name(input ? "x:0" : last + ":0");
    port->mutable_value()->set_dtype(kFloat);
    SetShape(port->mutable_value()->mutable_tensor_shape(), {1, -1, -1, kChannels});
  }
  return model;
}

bool Write(const fs::path& folder, int64_t megabytes) {
  constexpr int64_t kFloats = 9 * kChannels * kChannels;
  const int convolutions = static_cast<int>(std::max<int64_t>(1, megabytes * 1'000'000 / (4 * kFloats)));
  fs::create_directories(folder / "variables");
  std::ofstream(folder / "saved_model.pb", std::ios::binary) << MakeGraph(convolutions).SerializeAsString();
  std::map<std::string, std::string> entries;
  tfproto::BundleHeaderProto header;
  header.set_num_shards(kShards);
  entries[""] = header.SerializeAsString();
  std::vector<std::ofstream> shards;
  std::vector<int64_t> offsets(kShards, 0);
  for (int s = 0; s < kShards; ++s) {
    char name[64];
    std::snprintf(name, sizeof name, "variables.data-%05d-of-%05d", s, kShards);
    shards.emplace_back(folder / "variables" / name, std::ios::binary);
  }
  std::vector<float> weights(static_cast<size_t>(kFloats));
  uint32_t state = 1;
  for (int n = 0; n < convolutions; ++n) {
    for (float& w : weights) {  // small and incompressible
      state = state * 1664525 + 1013904223;
      w = static_cast<float>(static_cast<int32_t>(state)) * 1e-12f;
    }
    const auto bytes = std::as_bytes(std::span(weights));
    const int shard = n % kShards;
    tfproto::BundleEntryProto entry;
    entry.set_dtype(kFloat);
    SetShape(entry.mutable_shape(), {3, 3, kChannels, kChannels});
    entry.set_shard_id(shard);
    entry.set_offset(offsets[static_cast<size_t>(shard)]);
    entry.set_size(static_cast<int64_t>(bytes.size()));
    entry.set_crc32c(converter::MaskCrc32c(converter::Crc32c(bytes)));
    entries["kernel_" + Number(n)] = entry.SerializeAsString();
    shards[static_cast<size_t>(shard)].write(reinterpret_cast<const char*>(bytes.data()),
                                             static_cast<std::streamsize>(bytes.size()));
    offsets[static_cast<size_t>(shard)] += static_cast<int64_t>(bytes.size());
  }
  std::ofstream(folder / "variables" / "variables.index", std::ios::binary) << testing::WriteTable(entries, true);
  for (std::ofstream& shard : shards) {
    shard.close();
    if (!shard) return false;
  }
  return true;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: %s FOLDER MEGABYTES\n", argv[0]), 2;
  if (fovea::bench::Write(argv[1], std::atoll(argv[2]))) return 0;
  return std::fprintf(stderr, "%s: cannot be written\n", argv[1]), 1;
}
