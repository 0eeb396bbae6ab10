// fovea: runs converted networks on images.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tools/cli/args.h"
#include "tools/cli/program.h"
#include "tools/fovea/commands.h"

namespace fovea::cli {

std::span<const Command> Commands() {
  static const Command kCommands[] = {
      {"run", "run a network on images", RunCommand},
      {"info", "what a model is, takes and gives", InfoCommand},
      {"models", "the models in a folder", ModelsCommand},
      {"test", "run a model's self-test", TestCommand},
      {"plan", "what a run would use, without running", PlanCommand},
      {"bench", "time a network", BenchCommand},
      {"tensor", "run a network on raw .npy tensors", TensorCommand},
  };
  return kCommands;
}

}  // namespace fovea::cli

namespace {

using fovea::cli::Commands;

void PrintHelp(std::FILE* out) {
  std::fprintf(out,
               "usage: fovea COMMAND ...\n\n"
               "Runs deep-learning networks on microscopy images. Networks come from fovea-convert.\n\ncommands:\n");
  for (const auto& command : Commands()) std::fprintf(out, "  %-8s %s\n", command.name, command.about);
  std::fprintf(
      out,
      "\n  fovea COMMAND --help    options of a command\n"
      "  fovea --version\n\n"
      "exit codes: 0 done, 1 ran but a check failed, 2 bad input or usage, 3 over the memory budget, 130 cancelled\n"
      "environment: FOVEA_ISA caps the instruction set (reference, sse4, avx2, avx512, neon)\n");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fovea::cli;
  ReturnFreedMemory();
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    PrintHelp(stderr);
    return kBadInput;
  }
  if (words[0] == "--help" || words[0] == "-h" || (words[0] == "help" && words.size() == 1)) {
    PrintHelp(stdout);
    return kDone;
  }
  if (words[0] == "--version") {
    std::printf("fovea %s\n", FOVEA_VERSION);
    return kDone;
  }
  const std::string name = words[0] == "help" ? words[1] : words[0];
  std::vector<std::string> names;
  for (const auto& command : Commands()) {
    if (name == command.name) {
      if (words[0] == "help") return command.run({"--help"});
      try {
        return command.run({words.begin() + 1, words.end()});
      } catch (const std::bad_alloc&) {
        std::fputs("fovea: out of memory; give it a budget (--memory), or close other programs\n", stderr);
        return kBadInput;
      }
    }
    names.emplace_back(command.name);
  }
  const std::string near = Nearest(name, names);
  std::fprintf(stderr, "fovea: '%s' is not a command%s See fovea --help\n", name.c_str(),
               near.empty() ? "." : ("; did you mean " + near + "?").c_str());
  return kBadInput;
}
