#include "tools/fovea/done_list.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tools/fovea/run_journal.h"

namespace fovea::cli {
namespace {

using nlohmann::json;

std::string NameOf(const std::string& path) { return std::filesystem::path(path).filename().string(); }

// Size and time of the file: it is still the one that was made.
json StampOf(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return json();
  return {{"bytes", st.st_size}, {"modified_ns", int64_t{st.st_mtim.tv_sec} * 1000000000 + st.st_mtim.tv_nsec}};
}

}  // namespace

DoneList::DoneList(const std::string& folder) : path_((std::filesystem::path(folder) / ".fovea-done.json").string()) {
  std::ifstream in(path_);
  if (!in) return;
  const json all = json::parse(in, nullptr, false);
  if (all.is_object() && all.contains("outputs") && all["outputs"].is_object()) outputs_ = all["outputs"];
}

bool DoneList::Has(const std::string& output, const json& identity, std::string* changed) const {
  changed->clear();
  const auto found = outputs_.find(NameOf(output));
  if (found == outputs_.end() || !found->is_object()) return false;
  const json stamp = StampOf(output);
  if (stamp.is_null() || found->value("file", json()) != stamp) return false;
  *changed = DifferenceOf(found->value("identity", json()), identity);
  return changed->empty();
}

Status DoneList::Add(const std::string& output, const json& identity) {
  outputs_[NameOf(output)] = {{"identity", identity}, {"file", StampOf(output)}};
  const std::string text = json{{"outputs", outputs_}}.dump(1, ' ', false, json::error_handler_t::replace);
  return ReplaceFile(path_, {text.begin(), text.end()});
}

}  // namespace fovea::cli
