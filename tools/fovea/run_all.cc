#include "tools/fovea/run_all.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tools/cli/program.h"
#include "tools/fovea/data_set.h"
#include "tools/fovea/done_list.h"
#include "tools/fovea/run_file.h"
#include "tools/fovea/run_journal.h"

namespace fovea::cli {
namespace {

using nlohmann::ordered_json;

void PrintNotes(const ordered_json& report) {
  for (const auto& note : report.value("notes", ordered_json::array())) {
    std::printf("  note: %s\n", note.get<std::string>().c_str());
  }
}

std::string PeakOf(const ordered_json& report) {
  return HumanBytes(report["measured_peak_bytes"].get<uint64_t>()) + " (predicted " +
         HumanBytes(report["predicted_peak_bytes"].get<uint64_t>()) + ")";
}

void PrintOne(const std::string& input, const std::string& output, const ordered_json& report) {
  std::printf("%s -> %s  %.2f s, %s", input.c_str(), output.c_str(), report["seconds"].get<double>(),
              report["strategy"].get<std::string>().c_str());
  if (report.value("tiles_reused", int64_t{0}) > 0) {
    std::printf(", %lld of %lld tiles reused", static_cast<long long>(report["tiles_reused"].get<int64_t>()),
                static_cast<long long>(report["tiles"].get<int64_t>() * report["samples"].get<int64_t>()));
  }
  if (report.contains("objects")) {
    std::printf(", %lld objects", static_cast<long long>(report["objects"].get<int64_t>()));
  }
  std::printf("; peak %s\n", PeakOf(report).c_str());
  PrintNotes(report);
}

// A row a file, as files are done; columns as wide as the longest name.
class Table {
 public:
  explicit Table(const std::vector<std::string>& inputs) {
    for (const std::string& input : inputs) width_ = std::max(width_, NameOf(input).size());
  }
  void Row(const std::string& input, const ordered_json& report) {
    if (!begun_) std::printf("%-*s  %9s  %9s  %8s  %s\n", Width(), "file", "Mpx", "seconds", "Mpx/s", "result");
    begun_ = true;
    if (!report.contains("seconds")) {
      const std::string result = report.contains("error") ? "failed" : "done before";
      std::printf("%-*s  %9s  %9s  %8s  %s\n", Width(), NameOf(input).c_str(), "-", "-", "-", result.c_str());
      return;
    }
    const double megapixels = report["pixels"].get<double>() * 1e-6, seconds = report["seconds"].get<double>();
    std::string result = "peak " + PeakOf(report);
    if (report.contains("objects")) result = std::to_string(report["objects"].get<int64_t>()) + " objects, " + result;
    std::printf("%-*s  %9.2f  %9.2f  %8.2f  %s\n", Width(), NameOf(input).c_str(), megapixels, seconds,
                megapixels / std::max(seconds, 1e-9), result.c_str());
    PrintNotes(report);
    std::fflush(stdout);
    megapixels_ += megapixels;
    seconds_ += seconds;
  }
  void Total(size_t done, size_t skipped, size_t failed, uint64_t peak) const {
    std::printf("%-*s  %9.2f  %9.2f  %8.2f  %zu done", Width(), "total", megapixels_, seconds_,
                megapixels_ / std::max(seconds_, 1e-9), done);
    if (skipped > 0) std::printf(", %zu done before", skipped);
    if (failed > 0) std::printf(", %zu failed", failed);
    std::printf("; peak %s\n", HumanBytes(peak).c_str());
  }

 private:
  static std::string NameOf(const std::string& path) { return std::filesystem::path(path).filename().string(); }
  int Width() const { return static_cast<int>(width_); }

  size_t width_ = 5;
  bool begun_ = false;
  double megapixels_ = 0, seconds_ = 0;
};

class AllFiles {
 public:
  AllFiles(const Model& model, const RunOptions& options, const RunPaths& paths, Telling telling)
      : model_(model),
        options_(options),
        paths_(paths),
        telling_(telling),
        table_(paths.inputs),
        done_list_(std::filesystem::path(paths.outputs.at(0)).parent_path().string()) {
    options_.files = paths.inputs.size();
  }

  int Run();

 private:
  Status MeasureDataSet();
  Status RunOne(size_t i, ordered_json* report);
  Status MakeResult(size_t i, ordered_json* report);

  const Model& model_;
  RunOptions options_;
  const RunPaths& paths_;
  const Telling telling_;
  Table table_;
  DoneList done_list_;  // of folders
  std::optional<FittedSession> kept_;
  size_t skipped_ = 0;
  bool same_ = true;  // as recorded, where a run is repeated
};

// Statistics over all files, for steps that want them. They decide each result, as options do.
Status AllFiles::MeasureDataSet() {
  DatasetStatistics& dataset = options_.processing.dataset;
  if (dataset.empty()) {
    std::vector<std::string> left_out;
    FOVEA_ASSIGN_OR_RETURN(dataset, MeasureInputs(model_, options_, paths_.inputs, &left_out));
    for (const std::string& why : left_out) {
      if (!dataset.empty()) std::fprintf(stderr, "fovea run: not in the data set's statistics: %s\n", why.c_str());
    }
  }
  if (dataset.empty()) return OkStatus();
  options_.words["the data set's statistics"] = TextOf(dataset);
  if (telling_ == Telling::kText) {
    std::printf("steps go by statistics of the %lld images together\n", static_cast<long long>(dataset.images));
  }
  return OkStatus();
}

// Runs, compares with the record that is repeated, and records.
Status AllFiles::MakeResult(size_t i, ordered_json* report) {
  const std::string &input = paths_.inputs[i], &output = paths_.outputs[i];
  const RecordOptions& record = options_.record;
  FOVEA_RETURN_IF_ERROR(RunFile(model_, options_, input, output, &kept_, report));
  const Processing& processing = options_.processing;
  if (!processing.dataset.empty()) (*report)["data_set"] = ToJson(processing.dataset, processing.pre);
  if (record.again != nullptr) {
    const std::string difference = Difference(*record.again, *report);
    same_ = difference.empty();
    (*report)["same_as_recorded"] = same_;
    (*report)["notes"].push_back(same_ ? "the same bits as recorded" : difference);
  }
  if (!record.write) return OkStatus();
  return WriteRecord(model_, record.model_path, input, output, record.given, *report);
}

// Fills the report; one that has no "seconds" is of a file that was done before.
Status AllFiles::RunOne(size_t i, ordered_json* report) {
  const std::string &input = paths_.inputs[i], &output = paths_.outputs[i];
  if (!paths_.folder) return MakeResult(i, report);
  FOVEA_ASSIGN_OR_RETURN(const nlohmann::json identity, RunIdentity(model_, input, options_.words));
  if (options_.resume) {
    std::string changed;
    if (done_list_.Has(output, identity, &changed)) {
      *report = {{"input", input}, {"outputs", {output}}, {"skipped", true}};
      ++skipped_;
      return OkStatus();
    }
    if (!changed.empty()) {
      return InvalidArgument(output + ": is the result of another run: " + changed +
                             "; run without --resume to make it anew");
    }
  }
  FOVEA_RETURN_IF_ERROR(MakeResult(i, report));
  return done_list_.Add(output, identity);
}

int AllFiles::Run() {
  const size_t count = paths_.inputs.size();
  ordered_json files = ordered_json::array();
  std::vector<std::string> failed;
  int last_failure = kDone;
  uint64_t peak = 0;
  if (const Status measured = MeasureDataSet(); !measured.ok()) return Fail("fovea run", measured);
  for (size_t i = 0; i < count; ++i) {
    const std::string& input = paths_.inputs[i];
    if (i > 0) ForgetPeakResidentBytes();
    ordered_json report;
    const Status status = RunOne(i, &report);
    peak = std::max(peak, PeakResidentBytes());
    if (!status.ok()) {
      const bool named = status.message().find(input) != std::string::npos;
      last_failure = Fail("fovea run", named ? status : status.Prefixed(input));
      if (status.code() == StatusCode::kCancelled) return kInterrupted;
      failed.push_back(input);
      report = {{"input", input}, {"error", status.message()}};
    }
    if (telling_ == Telling::kText) {
      if (count > 1) {
        table_.Row(input, report);
      } else if (report.value("skipped", false)) {
        std::printf("%s is done already\n", paths_.outputs[i].c_str());
      } else if (status.ok()) {
        PrintOne(input, paths_.outputs[i], report);
      }
    }
    files.push_back(report);
  }
  if (telling_ == Telling::kText && count > 1) {
    table_.Total(count - failed.size() - skipped_, skipped_, failed.size(), peak);
  } else if (telling_ == Telling::kJson) {
    // One file: its report; several: their list and the totals that the contract names.
    ordered_json all = count == 1 ? files[0] : ordered_json{{"files", files}};
    if (count > 1) all["measured_peak_bytes"] = peak;
    std::printf("%s\n", all.dump(2, ' ', false, ordered_json::error_handler_t::replace).c_str());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return Fail("fovea run", IoError("the results are written, but what is said about them could not be printed"));
  }
  if (failed.empty()) return same_ ? kDone : kCheckFailed;
  if (count == 1) return last_failure;
  std::fprintf(stderr, "fovea run: %zu of %zu files failed\n", failed.size(), count);
  return kCheckFailed;
}

}  // namespace

int RunAll(const Model& model, const RunOptions& options, const RunPaths& paths, Telling telling) {
  return AllFiles(model, options, paths, telling).Run();
}

}  // namespace fovea::cli
