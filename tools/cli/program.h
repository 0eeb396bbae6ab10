// What all programs share: exit codes, how a failure is told, what the process uses, and Ctrl-C.
#ifndef FOVEA_TOOLS_CLI_PROGRAM_H_
#define FOVEA_TOOLS_CLI_PROGRAM_H_

#include <cstdint>
#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::cli {

// The contract of design.md, section 4.
enum ExitCode : int { kDone = 0, kCheckFailed = 1, kBadInput = 2, kOverTheBudget = 3, kInterrupted = 130 };

ExitCode ExitCodeOf(const Status& status);

// "program: message" on stderr; the exit code that goes with it.
int Fail(const std::string& program, const Status& status);

// Peak and present resident memory of this process (VmHWM, VmRSS), in bytes; 0 where /proc does not tell.
uint64_t PeakResidentBytes();
uint64_t ResidentBytes();
// What this process may come to use without the system swapping or ending it: memory that is free or easily freed, at
// most what a container (cgroup) or `ulimit -d` allows. 0 where the system does not tell.
uint64_t UsableMemoryBytes();
// Of the program's code and constants: what is mapped and was not needed so far.
uint64_t UntouchedProgramBytes();
// From now on the peak is that of what follows; nothing where the system does not allow it.
void ForgetPeakResidentBytes();

// Large blocks go back to the system as soon as they are freed, so that what is resident is what is in use. glibc
// otherwise begins to keep them once one was freed.
void ReturnFreedMemory();

// Processors that this process may use.
int AvailableThreads();

// Ctrl-C and SIGTERM set a flag instead of ending the process, so that nothing is left half-written. A second one ends
// it, unless EndSoonAfterInterrupt does: Ctrl-C in a terminal and the program that started this one may both send one.
void CatchInterrupts();
bool Interrupted();
// After an interrupt the program has `milliseconds` to end by itself; then `last` is called from a thread of its own
// and the process ends with kInterrupted. For work that can't look at Interrupted() all the time. Call it once, after
// CatchInterrupts.
void EndSoonAfterInterrupt(int milliseconds, void (*last)());
// For a process that is about to end and has removed files that it holds open: a child process holds them until this
// one has gone, so that the system frees their blocks, which can take seconds, behind the user's back. The child has
// nothing else of ours open and needs no memory of its own. Nothing happens where no such file is open.
void HandOverRemovedFiles();
// For EndSoonAfterInterrupt, so that Ctrl-C ends a program within 200 ms.
constexpr int kPromptMs = 120;

// Seconds since an arbitrary start, monotonic.
double Seconds();

bool StderrIsTerminal();
// "12.3 MB", "1.2 GB".
std::string HumanBytes(uint64_t bytes);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_PROGRAM_H_
