#include "tools/fovea/run_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include "formats/image/output_file.h"

namespace fovea::cli {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "fovea journal 2";
// A record has some states of writers and statistics of a network; more is none of ours.
constexpr uintmax_t kMostBytes = uintmax_t{256} << 20;
constexpr int64_t kMost = int64_t{1} << 40;  // tiles, pixels of a tile's side (as of --tile), objects

// Parsers of what is nested call themselves: bytes that are nested deeply would end the program.
class ShallowOnly : public nlohmann::json_sax<json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool key(std::string&) override { return true; }
  bool start_object(size_t) override { return ++depth_ < kDeepest; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(size_t) override { return ++depth_ < kDeepest; }
  bool end_array() override { return --depth_ >= 0; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  static constexpr int kDeepest = 16;
  int depth_ = 0;
};

Status Refused(const char* what, const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return IoError("cannot " + std::string(what) + " '" + path + "': " + std::strerror(errno) +
                 (full ? "; free some space, or write to another disk" : ""));
}

uint64_t Fnv1a(std::span<const uint8_t> bytes, uint64_t hash = 0xcbf29ce484222325u) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

// A number that is damaged may still be one, and would make a result with holes.
uint64_t SumOf(json record) {
  record.erase("sum");
  return Fnv1a(json::to_cbor(record));
}

// FNV-1a over the first and the last 64 KiB and 64 blocks of 4 KiB between them: enough to tell another image from the
// same one, without reading all of a large one.
Result<std::string> SampledHash(const std::string& path, int64_t size) {
  std::ifstream in(path, std::ios::binary);
  uint64_t hash = Fnv1a({});
  std::vector<uint8_t> block;
  const auto add = [&](int64_t at, int64_t bytes) {
    block.resize(static_cast<size_t>(std::clamp<int64_t>(size - at, 0, bytes)));
    in.clear();
    in.seekg(at);
    in.read(reinterpret_cast<char*>(block.data()), static_cast<std::streamsize>(block.size()));
    hash = Fnv1a({block.data(), static_cast<size_t>(in.gcount())}, hash);
  };
  constexpr int64_t kEnd = 64 << 10, kBlock = 4 << 10, kBlocks = 64;
  add(0, kEnd);
  for (int64_t i = 0; i < kBlocks; ++i) add(size / kBlocks * i, kBlock);
  add(std::max<int64_t>(0, size - kEnd), kEnd);
  if (in.bad()) return Refused("read", path);
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash));
  return std::string(text);
}

}  // namespace

Result<json> RunIdentity(const Model& model, const std::string& input, const json& options) {
  struct stat st {};
  if (stat(input.c_str(), &st) != 0) return Refused("read", input);
  FOVEA_ASSIGN_OR_RETURN(const std::string hash, SampledHash(input, st.st_size));
  json identity;
  identity["program"] = FOVEA_VERSION;
  identity["model"] = model.info().content_hash;
  identity["input"] = {{"bytes", st.st_size},
                       {"modified_ns", int64_t{st.st_mtim.tv_sec} * 1000000000 + st.st_mtim.tv_nsec},
                       {"hash", hash}};
  identity["options"] = options;
  return identity;
}

std::string DifferenceOf(const json& was, const json& is) {
  const auto text = [](const json& object, const std::string& key) {
    return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
  };
  for (const char* key : {"program", "model", "input", "options"}) {
    if (was.is_object() && was.contains(key) && was[key] == is[key]) continue;
    const std::string what = key;
    if (what == "model") return "the model has changed";
    if (what == "input") return "the input has changed";
    if (what == "program") return "it was made by fovea " + text(was, key) + ", this is fovea " + text(is, key);
    const json before = was.is_object() && was.contains(key) && was[key].is_object() ? was[key] : json::object();
    for (const auto& [option, value] : is[key].items()) {
      if (!before.contains(option)) return "it ran without " + option;
      if (before[option] != value)
        return option + " was '" + text(before, option) + "', now it is '" + text(is[key], option) + "'";
    }
    for (const auto& [option, value] : before.items()) {
      if (!is[key].contains(option))
        return "it ran with " + option + (text(before, option).empty() ? "" : " " + text(before, option));
    }
  }
  return {};
}

std::string JournalPath(const std::string& output) { return formats::OutputFile::PartName(output) + ".journal"; }

Result<std::optional<JournalEntry>> ReadJournal(const std::string& output) {
  const std::string path = JournalPath(output);
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::optional<JournalEntry>();
  const Status damaged = CorruptFile(path + ": is damaged; run without --resume to begin anew");
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > kMostBytes) return damaged;
  const std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  ShallowOnly shallow;
  if (!json::sax_parse(bytes, &shallow, json::input_format_t::cbor, true)) return damaged;
  const json record = json::from_cbor(bytes, true, false);
  if (!record.is_object() || record.value("format", json()) != kFormat) return damaged;
  if (record.value("sum", json()) != SumOf(record)) return damaged;
  JournalEntry entry;
  const auto number = [&](const char* key, int64_t* to) {
    if (!record.contains(key) || !record[key].is_number_integer()) return false;
    *to = record[key].get<int64_t>();
    return *to >= 0 && *to <= kMost;
  };
  int64_t label_type = 0;
  if (!number("sample", &entry.sample) || !number("tile", &entry.tile) || !number("objects", &entry.objects) ||
      !number("most_objects", &entry.most_objects) || !number("label_type", &label_type) ||
      !number("passes_done", &entry.passes_done)) {
    return damaged;
  }
  entry.label_type = label_type == static_cast<int64_t>(DType::kUInt32) ? DType::kUInt32 : DType::kUInt16;
  if (label_type != static_cast<int64_t>(entry.label_type)) return damaged;  // RunFile knows these two
  for (int s = 0; s < 3; ++s) {
    if (!number(("tile_" + std::to_string(s)).c_str(), &entry.tile_size[s])) return damaged;
  }
  if (!record.contains("states") || !record["states"].is_array() || !record.contains("identity")) return damaged;
  for (const json& state : record["states"]) {
    if (!state.is_binary()) return damaged;
    entry.states.push_back(state.get_binary());
  }
  if (!record.contains("statistics") || !record["statistics"].is_binary()) return damaged;
  entry.statistics = record["statistics"].get_binary();
  entry.identity = record["identity"];
  return std::optional<JournalEntry>(std::move(entry));
}

Status WriteJournal(const std::string& output, const JournalEntry& entry) {
  json record;
  record["format"] = kFormat;
  record["identity"] = entry.identity;
  record["sample"] = entry.sample;
  record["tile"] = entry.tile;
  record["objects"] = entry.objects;
  record["most_objects"] = entry.most_objects;
  record["label_type"] = static_cast<int>(entry.label_type);
  for (int s = 0; s < 3; ++s) record["tile_" + std::to_string(s)] = entry.tile_size[s];
  record["states"] = json::array();
  for (const auto& state : entry.states) record["states"].push_back(json::binary(state));
  record["statistics"] = json::binary(entry.statistics);
  record["passes_done"] = entry.passes_done;
  record["sum"] = SumOf(record);
  return ReplaceFile(JournalPath(output), json::to_cbor(record));
}

void RemoveJournal(const std::string& output) { unlink(JournalPath(output).c_str()); }

Status ReplaceFile(const std::string& path, const std::vector<uint8_t>& bytes) {
  const std::string next = path + ".new";
  const int fd = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return Refused("write", path);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = write(fd, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    done += static_cast<size_t>(put);
  }
  const bool written = done == bytes.size() && fsync(fd) == 0;
  if (close(fd) != 0 || !written || std::rename(next.c_str(), path.c_str()) != 0) {
    const Status status = Refused("write", path);
    unlink(next.c_str());
    return status;
  }
  // The name itself is in the folder's data.
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int folder_fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    fsync(folder_fd);
    close(folder_fd);
  }
  return OkStatus();
}

}  // namespace fovea::cli
