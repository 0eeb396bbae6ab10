#include "tools/fovea/record.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <span>

#include "formats/bundle/sha256.h"
#include "formats/image/output_file.h"
#include "tools/fovea/model_source.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int64_t kEndBytes = int64_t{32} << 20;
constexpr uintmax_t kMostRecordBytes = 1 << 20;

// About what is printed, and what a repetition sets itself.
constexpr const char* kNotRecorded[] = {"--output", "--json",   "--quiet",    "--progress",
                                        "--resume", "--record", "--no-record"};

std::string Absolute(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

Result<std::string> HashFile(const std::string& path) {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return NotFound(path + ": can't be read");
  const bool ends = bytes > 2 * kEndBytes;
  formats::Sha256 hash;
  std::vector<char> block(1 << 18);
  for (int64_t at = 0; at < bytes;) {
    if (ends && at == kEndBytes) {
      at = bytes - kEndBytes;
      file.seekg(at);
    }
    const int64_t limit = ends && at < kEndBytes ? kEndBytes : bytes;
    const int64_t n = std::min<int64_t>(static_cast<int64_t>(block.size()), limit - at);
    if (!file.read(block.data(), n)) return IoError(path + ": can't be read");
    hash.Add(std::as_bytes(std::span(block.data(), static_cast<size_t>(n))));
    at += n;
  }
  return (ends ? "sha256-ends:" : "sha256:") + hash.Finish();
}

std::string Quoted(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n'\"\\$&|;<>()*?[]#~`!{}") == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::vector<std::string> OptionWords(const std::vector<std::pair<std::string, std::string>>& options) {
  std::vector<std::string> words;
  for (const auto& [name, value] : options) {
    words.push_back(name);
    if (!value.empty()) words.push_back(value);
  }
  return words;
}

// The strings of a record; throws json::exception for anything else.
RunRecord FromJson(const nlohmann::json& json) {
  RunRecord record;
  record.version = json.at("version").get<std::string>();
  record.model = json.at("model").at("path").get<std::string>();
  record.model_hash = json.at("model").at("content_hash").get<std::string>();
  record.input = json.at("input").at("path").get<std::string>();
  record.input_hash = json.at("input").at("hash").get<std::string>();
  record.output = json.at("output").get<std::string>();
  record.options = json.at("options").get<std::vector<std::pair<std::string, std::string>>>();
  if (json.contains("report")) record.data_set = json.at("report").value("data_set", nlohmann::json());
  for (const nlohmann::json& result : json.at("results")) {
    record.results.emplace_back(result.at("path").get<std::string>(), result.at("hash").get<std::string>());
  }
  return record;
}

}  // namespace

std::string RecordPath(const std::string& result) { return result + ".json"; }

Status WriteRecord(const Model& model, const std::string& model_path, const std::string& input,
                   const std::string& output, const std::vector<std::pair<std::string, std::string>>& options,
                   const ordered_json& report) {
  std::vector<std::pair<std::string, std::string>> kept;
  for (auto [name, value] : options) {
    if (std::find(std::begin(kNotRecorded), std::end(kNotRecorded), name) != std::end(kNotRecorded)) continue;
    if (name == "--overlay" || name == "--cache") value = Absolute(value);
    kept.emplace_back(name, value);
  }
  std::string command = "fovea run " + Quoted(model_path) + " " + Quoted(input) + " -o " + Quoted(output);
  for (const std::string& word : OptionWords(kept)) command += " " + Quoted(word);
  std::error_code error;
  ordered_json json = {{"fovea_record", 1}, {"version", FOVEA_VERSION}, {"date", Date()}, {"command", command}};
  const ModelInfo about = model.info();
  json["model"] = {{"path", Absolute(model_path)}, {"name", about.name}, {"content_hash", about.content_hash}};
  FOVEA_ASSIGN_OR_RETURN(const std::string input_hash, HashFile(input));
  json["input"] = {{"path", Absolute(input)}, {"bytes", fs::file_size(input, error)}, {"hash", input_hash}};
  json["output"] = Absolute(output);
  json["options"] = kept;
  json["results"] = ordered_json::array();
  for (const auto& path : report.value("outputs", ordered_json::array())) {
    FOVEA_ASSIGN_OR_RETURN(const std::string hash, HashFile(path.get<std::string>()));
    json["results"].push_back({{"path", Absolute(path.get<std::string>())}, {"hash", hash}});
  }
  json["report"] = report;
  const std::string text = json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  formats::OutputFile file;
  Status written = file.Create(RecordPath(output));
  if (written.ok()) written = file.WriteAt(0, text.data(), text.size());
  if (written.ok()) written = file.Commit();
  if (written.ok()) return written;
  return IoError(written.message() + "; the result is complete, its record is missing");
}

Result<RunRecord> ReadRecord(const std::string& named) {
  const std::string path = named.ends_with(".json") ? named : RecordPath(named);
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) return NotFound(path + ": no record of a run here");
  if (bytes > kMostRecordBytes) return CorruptFile(path + ": too large for the record of a run");
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("fovea_record")) {
    return CorruptFile(path + ": not the record of a run (fovea run writes one beside each result)");
  }
  if (json["fovea_record"] != 1) return Unsupported(path + ": made by a newer fovea; update this one");
  try {
    return FromJson(json);
  } catch (const nlohmann::json::exception&) {
    return CorruptFile(path + ": the record is damaged; run the command that it names by hand");
  }
}

Result<std::vector<std::string>> WordsOf(const RunRecord& record, const std::vector<std::string>& more) {
  FOVEA_ASSIGN_OR_RETURN(const Model model, LoadModel(record.model));
  if (model.info().content_hash != record.model_hash) {
    return InvalidArgument(record.model + ": not the model of the record (content hash " + model.info().content_hash +
                           ", recorded " + record.model_hash + ")");
  }
  FOVEA_ASSIGN_OR_RETURN(const std::string hash, HashFile(record.input));
  if (hash != record.input_hash) return InvalidArgument(record.input + ": has changed since the recorded run");
  std::vector<std::string> words = {record.model, record.input};
  const bool named = std::any_of(more.begin(), more.end(), [](const std::string& word) {
    return word == "-o" || word == "--output" || word.starts_with("--output=");
  });
  if (!named) words.insert(words.end(), {"--output", record.output});
  const std::vector<std::string> options = OptionWords(record.options);
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string Difference(const RunRecord& record, const ordered_json& report) {
  const auto& outputs = report.value("outputs", ordered_json::array());
  if (outputs.size() != record.results.size()) return "another number of results than recorded";
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto hash = HashFile(outputs[i].get<std::string>());
    if (!hash.ok() || *hash != record.results[i].second) {
      const auto recorded = "of fovea " + record.version;
      return outputs[i].get<std::string>() + " is not, bit for bit, the recorded result " + recorded;
    }
  }
  return {};
}

}  // namespace fovea::cli
