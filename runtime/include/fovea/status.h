// Status and Result<T>: how every part of fovea reports failure. No exceptions cross a folder's edge.
//
// A Status is a code and one sentence meant for the user: it names the file, node or shape, says what is wrong and,
// where there is one, the remedy. Kernels and Session::Run do not return rich errors; load and plan check everything.
#ifndef FOVEA_STATUS_H_
#define FOVEA_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace fovea {

enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,  // the caller's request makes no sense (usage, shapes that do not fit)
  kNotFound,         // a file or name that does not exist
  kCorruptFile,      // the bytes contradict the format
  kUnsupported,      // well-formed, but not something fovea does
  kOverBudget,       // would need more memory than the user allows; the message names the smallest budget
  kOutOfMemory,      // an allocation failed
  kIo,               // the operating system refused a read, write or rename
  kCancelled,        // the caller asked to stop
  kInternal,         // a bug in fovea
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // kOverBudget: the smallest budget that would do, in bytes; 0: not known.
  uint64_t needed_bytes() const { return needed_bytes_; }

  // The same failure with `context` in front: "net.fov: node 'conv1': ...".
  Status Prefixed(const std::string& context) const {
    Status status = *this;
    if (!ok()) status.message_ = context + ": " + message_;
    return status;
  }

 private:
  friend Status OverBudget(std::string, uint64_t);

  uint64_t needed_bytes_ = 0;
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return {}; }
inline Status InvalidArgument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
inline Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status CorruptFile(std::string m) { return {StatusCode::kCorruptFile, std::move(m)}; }
inline Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status OverBudget(std::string m, uint64_t needed_bytes = 0) {
  Status status(StatusCode::kOverBudget, std::move(m));
  status.needed_bytes_ = needed_bytes;
  return status;
}
inline Status OutOfMemory(std::string m) { return {StatusCode::kOutOfMemory, std::move(m)}; }
inline Status IoError(std::string m) { return {StatusCode::kIo, std::move(m)}; }
inline Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
inline Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

// A value or the Status that explains its absence. Dereferencing a failed Result is a bug of the caller.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor): reads as `return v;`
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor): reads as `return s;`

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

// Leaves the enclosing function with the failure. For functions that return Status or Result<...>.
#define FOVEA_RETURN_IF_ERROR(expr)                \
  do {                                             \
    ::fovea::Status fovea_status_ = (expr);        \
    if (!fovea_status_.ok()) return fovea_status_; \
  } while (false)

#define FOVEA_CONCAT_INNER_(a, b) a##b
#define FOVEA_CONCAT_(a, b) FOVEA_CONCAT_INNER_(a, b)
// FOVEA_ASSIGN_OR_RETURN(auto x, MakeX()); leaves the enclosing function when MakeX fails.
#define FOVEA_ASSIGN_OR_RETURN(decl, expr) FOVEA_ASSIGN_OR_RETURN_(decl, expr, FOVEA_CONCAT_(fovea_result_, __LINE__))
#define FOVEA_ASSIGN_OR_RETURN_(decl, expr, name) \
  auto name = (expr);                             \
  if (!name.ok()) return name.status();           \
  decl = std::move(*name)

}  // namespace fovea

#endif  // FOVEA_STATUS_H_
