// fovea run: networks on images.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "formats/image/output_file.h"
#include "tools/cli/program.h"
#include "tools/cli/temporary.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/data_set.h"
#include "tools/fovea/example_range.h"
#include "tools/fovea/model_source.h"
#include "tools/fovea/record.h"
#include "tools/fovea/result_options.h"
#include "tools/fovea/run_all.h"
#include "tools/fovea/run_checkpoints.h"
#include "tools/fovea/run_paths.h"

namespace fovea::cli {
namespace {

Result<ProgressKind> ParseProgress(const std::string& word, bool quiet) {
  if (word == "json") return ProgressKind::kJson;
  if (word == "line") return ProgressKind::kLine;
  if (!word.empty() && word != "none") {
    return InvalidArgument("--progress '" + word + "' is not known; choose line, json or none");
  }
  return word.empty() && !quiet && StderrIsTerminal() ? ProgressKind::kLine : ProgressKind::kNone;
}

// Options about how a result is made and told; all others decide its bytes.
bool IsNeutral(const std::string& name) {
  static const std::vector<std::string> kNeutral = {"--output", "--memory", "--threads",  "--cache",
                                                    "--bands",  "--json",   "--quiet",    "--progress",
                                                    "--resume", "--record", "--no-record"};
  return std::find(kNeutral.begin(), kNeutral.end(), name) != kNeutral.end();
}

nlohmann::json DecidingWords(const Args& args) {
  nlohmann::json words = nlohmann::json::object();
  for (const auto& [name, value] : args.given()) {
    if (IsNeutral(name)) continue;
    words[name] = words.contains(name) ? words[name].get<std::string>() + " " + value : value;
  }
  return words;
}

// OK unless the first word is an image, by its first bytes.
Status CheckModelComesFirst(const std::string& path) {
  static const std::pair<std::string, const char*> kImages[] = {
      {{"II*\0", 4}, "TIFF"}, {{"MM\0*", 4}, "TIFF"},   {{"II+\0", 4}, "TIFF"}, {{"MM\0+", 4}, "TIFF"},
      {"\x89PNG", "PNG"},     {"\xff\xd8\xff", "JPEG"}, {"\x93NUMPY", "NumPy"}};
  char bytes[6] = {};
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return OkStatus();
  std::ifstream(path, std::ios::binary).read(bytes, sizeof(bytes));
  for (const auto& [start, kind] : kImages) {
    if (std::string(bytes, start.size()) != start) continue;
    return InvalidArgument(path + ": it is a " + kind + " image; MODEL comes first, then INPUT");
  }
  return OkStatus();
}

bool IsRecorded(const RunRecord& record, const std::pair<std::string, std::string>& option) {
  return std::find(record.options.begin(), record.options.end(), option) != record.options.end();
}

// Whether options decide another result than the recorded one: then nothing that the record tells of is replaced.
Result<bool> IsAnotherRun(const RunRecord& record, const Args& args, const RunPaths& paths,
                          const std::string& overlay) {
  const auto changed = std::find_if(args.given().begin(), args.given().end(), [&](const auto& option) {
    return !IsNeutral(option.first) && option.first != "--overlay" && !IsRecorded(record, option);
  });
  if (changed == args.given().end()) return false;
  const auto same = [](const std::string& a, const std::string& b) {
    return std::filesystem::absolute(a).lexically_normal() == std::filesystem::absolute(b).lexically_normal();
  };
  const auto replaced = std::find_if(paths.outputs.begin(), paths.outputs.end(),
                                     [&](const auto& out) { return same(out, record.output); });
  if (replaced != paths.outputs.end()) {
    return InvalidArgument(*replaced + ": with another " + changed->first +
                           " this would replace the recorded result; name another by -o OUT");
  }
  if (!overlay.empty() && IsRecorded(record, {"--overlay", overlay})) {
    return InvalidArgument(overlay + ": with another " + changed->first +
                           " this would replace the recorded picture; name another by --overlay FILE.png");
  }
  return true;
}

// again: of the run that `words` repeat, or null.
int RunWords(const std::vector<std::string>& words, const RunRecord* again) {
  Args args("fovea run", "MODEL INPUT... [-o OUT]",
            "Runs a network on images. MODEL: a .fov file, or a bundle as it was downloaded (folder or zip). INPUT: "
            "files, folders or patterns; OUT: a file for one input, a folder for "
            "several. Axes are matched by "
            "name; planes, time points and (for one-channel networks) channels are processed one after another; sizes "
            "are brought to "
            "what the network takes by mirroring and cropped back; calibration and names are kept.");
  std::vector<std::string> free;
  std::string out, progress;
  bool json = false, quiet = false, record = false, no_record = false;
  ResultWords results;
  RunOptions options;
  args.Text("--output, -o", &out, "OUT",
            "file (.tif, .ome.tif, .png, .npy) or folder; without it beside the input, with the model's name: "
            "cells_MODEL.tif, or FOLDER_MODEL/ with the names of the files; several outputs are several files, which "
            "say theirs: cells_MODEL_OUTPUT.tif");
  results.Declare(&args);
  args.Text("--progress", &progress, "KIND", "on stderr: line (default on a terminal), json (an object a line), none");
  args.Flag("--resume", &options.resume,
            "go on with an interrupted run of the same command, and keep what this one has done if it is interrupted "
            "(Ctrl-C, kill, power cut) after its first second, a tile at a time; without it that begins after 10 "
            "seconds; skip the files of a folder that are done");
  args.Flag("--record", &record,
            "with --again: also record the repeated run; otherwise every result gets a record, OUT.json: model, "
            "options, hashes, times and memory, from which --again OUT repeats the run");
  args.Flag("--no-record", &no_record, "write no record");
  args.Flag("--json", &json, "print one JSON object about the run");
  args.Flag("--quiet, -q", &quiet, "no progress, no summary");
  args.Positional("MODEL and INPUT", &free, 2, -1);
  args.Epilogue(
      "example: fovea run nuclei.fov cells.tif -o labels.tif --normalize zero-mean --labels --overlay look.png\n"
      "again:   fovea run --again OUT.json: a recorded run once more; exit 1 when the result is not the same bits. "
      "Further options override; those that change the result need -o OUT\n"
      "steps:   fovea run --steps: all steps for --pre and --post, with definitions\n\n"
      "exit codes: 0 done, 1 some of several files failed, 2 bad input or usage, 3 over the memory budget, 130 "
      "cancelled");
  if (words.size() == 1 && words[0] == "--steps") return std::fputs(StepPage().c_str(), stdout), kDone;
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea run", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  if (record && no_record) return Fail("fovea run", InvalidArgument("--record and --no-record exclude one another"));
  CatchInterrupts();
  EndSoonAfterInterrupt(kPromptMs, [] {
    formats::RemoveTemporaryFiles();
    RemoveTemporaryFolders();
    std::fprintf(stderr, "\nfovea run: cancelled%s\n", WhatIsKept().c_str());
  });

  const Status decided = results.Decide(args, &options);
  if (!decided.ok()) return Fail("fovea run", decided);
  const auto kind = ParseProgress(progress, quiet);
  if (!kind.ok()) return Fail("fovea run", kind.status());
  options.progress = *kind;
  options.words = DecidingWords(args);

  const Status first = CheckModelComesFirst(free[0]);
  if (!first.ok()) return Fail("fovea run", first);
  const Result<Model> model = LoadModel(free[0]);
  if (!model.ok()) return Fail("fovea run", model.status());
  const Status steps = results.DecideSteps(*model, &options);
  if (!steps.ok()) return Fail("fovea run", steps);
  if (again != nullptr && !again->data_set.is_null()) {
    auto dataset = DatasetFromJson(again->data_set, options.processing.pre);
    if (!dataset.ok()) return Fail("fovea run", dataset.status());
    options.processing.dataset = *std::move(dataset);
  }
  options.example_range = ExampleRange(*model);
  const std::vector<int> images = ImageOutputs(*model);
  const std::filesystem::path named = std::filesystem::path(free[0] + "/.").lexically_normal().parent_path();
  ResultNaming naming{named.stem().string(), ""};
  if (images.size() > 1) naming.output = model->outputs()[static_cast<size_t>(images[0])].name;
  const auto paths = MatchPaths({free.begin() + 1, free.end()}, out, naming);
  if (!paths.ok()) return Fail("fovea run", paths.status());
  options.says_output = paths->says_output;
  if (!options.overlay.empty() && paths->inputs.size() > 1) {
    return Fail("fovea run", InvalidArgument("--overlay names one picture, but there are several inputs"));
  }

  // A repeated run leaves the record that it is compared with; one with other options is a run of its own.
  if (again != nullptr) {
    const auto another = IsAnotherRun(*again, args, *paths, options.overlay);
    if (!another.ok()) return Fail("fovea run", another.status());
    if (*another) again = nullptr;
  }
  options.record.write = record || (!no_record && again == nullptr);
  options.record.again = again;
  options.record.model_path = free[0];
  options.record.given = args.given();
  const int code = RunAll(*model, options, *paths, json ? Telling::kJson : quiet ? Telling::kNothing : Telling::kText);
  if (code == kInterrupted) HandOverRemovedFiles();
  return code;
}

// Takes `--again RECORD` out of `words`; "" when it is not there.
std::string TakeAgain(std::vector<std::string>* words) {
  for (size_t i = 0; i < words->size(); ++i) {
    const auto at = words->begin() + static_cast<std::ptrdiff_t>(i);
    if (at->starts_with("--again=")) {
      std::string record = at->substr(8);
      words->erase(at);
      return record;
    }
    if (*at == "--again" && i + 1 < words->size()) {
      std::string record = (*words)[i + 1];
      words->erase(at, at + 2);
      return record;
    }
  }
  return {};
}

}  // namespace

int RunCommand(const std::vector<std::string>& words) {
  std::vector<std::string> rest = words;
  const std::string path = TakeAgain(&rest);
  if (path.empty()) return RunWords(words, nullptr);
  const auto record = ReadRecord(path);
  if (!record.ok()) return Fail("fovea run", record.status());
  const auto repeated = WordsOf(*record, rest);
  if (!repeated.ok()) return Fail("fovea run", repeated.status().Prefixed(path));
  return RunWords(*repeated, &*record);
}

}  // namespace fovea::cli
