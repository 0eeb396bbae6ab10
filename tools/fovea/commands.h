// The sub-commands of `fovea`, one file each. Each takes the words after its name and returns an exit code.
#ifndef FOVEA_TOOLS_FOVEA_COMMANDS_H_
#define FOVEA_TOOLS_FOVEA_COMMANDS_H_

#include <span>
#include <string>
#include <vector>

namespace fovea::cli {

struct Command {
  const char* name;
  const char* about;
  int (*run)(const std::vector<std::string>& words);
};
std::span<const Command> Commands();

int RunCommand(const std::vector<std::string>& words);
int TensorCommand(const std::vector<std::string>& words);
int InfoCommand(const std::vector<std::string>& words);
int TestCommand(const std::vector<std::string>& words);
int BenchCommand(const std::vector<std::string>& words);
int ModelsCommand(const std::vector<std::string>& words);
int PlanCommand(const std::vector<std::string>& words);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_COMMANDS_H_
