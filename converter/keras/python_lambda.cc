// Formats: CPython's Python/marshal.c and Lib/opcode.py of the versions named in the header.
#include "converter/keras/python_lambda.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace fovea::converter::keras {

namespace {

constexpr size_t kMaxConstants = 64;

struct Constant {
  bool is_number = false;
  double number = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::optional<uint64_t> Little(size_t count) {
    if (bytes_.size() - at_ < count) return std::nullopt;
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[at_ + i])) << (8 * i);
    }
    at_ += count;
    return value;
  }
  std::optional<std::string_view> Take(size_t count) {
    if (bytes_.size() - at_ < count) return std::nullopt;
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

constexpr uint64_t kReferenced = 0x80;  // flag on the type byte: a later 'r' may name this object

// None, booleans, numbers and strings; strings and None are no numbers.
std::optional<Constant> ReadConstant(Reader* in, std::vector<Constant>* referenced) {
  const auto tag = in->Little(1);
  if (!tag) return std::nullopt;
  Constant value;
  switch (static_cast<char>(*tag & ~kReferenced)) {
    case 'N': break;
    case 'T': value = {true, 1}; break;
    case 'F': value = {true, 0}; break;
    case 'i': {
      const auto bits = in->Little(4);
      if (!bits) return std::nullopt;
      value = {true, static_cast<double>(static_cast<int32_t>(static_cast<uint32_t>(*bits)))};
      break;
    }
    case 'g': {
      const auto bits = in->Little(8);
      if (!bits) return std::nullopt;
      value = {true, std::bit_cast<double>(*bits)};
      break;
    }
    case 'r': {
      const auto index = in->Little(4);
      if (!index || *index >= referenced->size()) return std::nullopt;
      return (*referenced)[*index];
    }
    case 's':
    case 't':
    case 'u':
    case 'a':
    case 'A':
    case 'z':
    case 'Z': {
      const char kind = static_cast<char>(*tag & ~kReferenced);
      const auto length = in->Little(kind == 'z' || kind == 'Z' ? 1 : 4);
      if (!length || !in->Take(*length)) return std::nullopt;
      break;
    }
    default: return std::nullopt;
  }
  if ((*tag & kReferenced) != 0) referenced->push_back(value);
  return value;
}

struct Code {
  std::string_view bytes;
  std::vector<Constant> constants;
};

// header: integers before the bytecode, which differ in number between versions.
std::optional<Code> ReadCode(std::string_view marshalled, size_t header) {
  Reader in(marshalled);
  const auto tag = in.Little(1);
  if (!tag || static_cast<char>(*tag & ~kReferenced) != 'c') return std::nullopt;
  std::vector<Constant> referenced;
  if ((*tag & kReferenced) != 0) referenced.emplace_back();
  const auto arguments = in.Little(4);
  if (arguments != uint64_t{1} || !in.Take(4 * (header - 1))) return std::nullopt;
  const auto kind = in.Little(1);
  if (!kind || static_cast<char>(*kind & ~kReferenced) != 's') return std::nullopt;
  if ((*kind & kReferenced) != 0) referenced.emplace_back();
  Code code;
  const auto length = in.Little(4);
  if (!length) return std::nullopt;
  const auto bytes = in.Take(*length);
  if (!bytes) return std::nullopt;
  code.bytes = *bytes;
  const auto tuple = in.Little(1);
  if (!tuple) return std::nullopt;
  const char form = static_cast<char>(*tuple & ~kReferenced);
  if (form != '(' && form != ')') return std::nullopt;
  if ((*tuple & kReferenced) != 0) referenced.emplace_back();
  const auto count = in.Little(form == '(' ? 4 : 1);
  if (!count || *count > kMaxConstants) return std::nullopt;
  for (uint64_t i = 0; i < *count; ++i) {
    const auto constant = ReadConstant(&in, &referenced);
    if (!constant) return std::nullopt;
    code.constants.push_back(*constant);
  }
  return code;
}

struct Instruction {
  int op = 0, argument = 0;
};

// From 3.6 on every instruction has two bytes; before, those from 90 on had three and the others one.
std::optional<std::vector<Instruction>> Instructions(std::string_view bytes, bool two_bytes) {
  std::vector<Instruction> out;
  size_t at = 0;
  while (at < bytes.size()) {
    const int op = static_cast<unsigned char>(bytes[at]);
    const size_t size = two_bytes ? 2 : op >= 90 ? 3 : 1;
    if (bytes.size() - at < size) return std::nullopt;
    out.push_back({op, size > 1 ? static_cast<unsigned char>(bytes[at + 1]) : 0});
    if (size == 3 && bytes[at + 2] != 0) return std::nullopt;
    at += size;
  }
  return out;
}

std::optional<std::vector<LambdaStep>> Steps(const Code& code, bool two_bytes) {
  enum Op : int {
    kCache = 0,
    kNop = 9,
    kUnaryNegative = 11,
    kPower = 19,
    kMultiply = 20,
    kDivide = 21,
    kAdd = 23,
    kSubtract = 24,
    kTrueDivide = 27,
    kReturnValue = 83,
    kLoadConst = 100,
    kBinaryOp = 122,
    kLoadFast = 124,
    kResume = 151,
  };
  const auto instructions = Instructions(code.bytes, two_bytes);
  if (!instructions) return std::nullopt;
  std::vector<LambdaStep> steps;
  int depth = 0;
  for (size_t i = 0; i < instructions->size(); ++i) {
    const Instruction& now = (*instructions)[i];
    std::optional<LambdaStep::Kind> binary;
    switch (now.op) {
      case kCache:
      case kNop:
      case kResume: continue;
      case kLoadFast:
        if (now.argument != 0) return std::nullopt;
        steps.push_back({LambdaStep::kInput});
        ++depth;
        continue;
      case kLoadConst: {
        const size_t index = static_cast<size_t>(now.argument);
        if (index >= code.constants.size() || !code.constants[index].is_number) return std::nullopt;
        steps.push_back({LambdaStep::kNumber, code.constants[index].number});
        ++depth;
        continue;
      }
      case kUnaryNegative:
        if (depth < 1) return std::nullopt;
        steps.push_back({LambdaStep::kNegate});
        continue;
      case kReturnValue:
        if (depth != 1 || i + 1 != instructions->size()) return std::nullopt;
        return steps;
      case kAdd: binary = LambdaStep::kAdd; break;
      case kSubtract: binary = LambdaStep::kSubtract; break;
      case kMultiply: binary = LambdaStep::kMultiply; break;
      case kDivide:
      case kTrueDivide: binary = LambdaStep::kDivide; break;
      case kPower: binary = LambdaStep::kPower; break;
      case kBinaryOp:
        switch (now.argument) {
          case 0: binary = LambdaStep::kAdd; break;
          case 5: binary = LambdaStep::kMultiply; break;
          case 8: binary = LambdaStep::kPower; break;
          case 10: binary = LambdaStep::kSubtract; break;
          case 11: binary = LambdaStep::kDivide; break;
          default: return std::nullopt;
        }
        break;
      default: return std::nullopt;
    }
    if (depth < 2) return std::nullopt;
    steps.push_back({*binary});
    --depth;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<LambdaStep>> ReadLambda(std::string_view marshalled) {
  // Python 2.7 has four integers before the bytecode, 3.5 to 3.7 and 3.11 on five, 3.8 to 3.10 six.
  for (const size_t header : {size_t{4}, size_t{5}, size_t{6}}) {
    const std::optional<Code> code = ReadCode(marshalled, header);
    if (!code) continue;
    for (const bool two_bytes : {true, false}) {
      if (auto steps = Steps(*code, two_bytes)) return steps;
    }
  }
  return std::nullopt;
}

}  // namespace fovea::converter::keras
