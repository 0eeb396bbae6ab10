#include "converter/ir/params.h"

#include <charconv>
#include <type_traits>

namespace fovea::ir {
namespace {

template <class Fn>
struct SizeVisitor {
  Fn& fn;
  template <class T>
  void operator()(const char*, T& field) {
    using Field = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Field, DimExpr>) {
      fn(field);
    } else if constexpr (std::is_same_v<Field, Dim3> || std::is_same_v<Field, std::vector<DimExpr>>) {
      for (auto& size : field) fn(size);
    }
  }
};

std::string Number(double x) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<float>(x)).ptr;
  return {text, end};
}

std::string Text(const DimExpr& x) { return x.ToString(); }
std::string Text(bool x) { return x ? "true" : "false"; }
std::string Text(int64_t x) { return std::to_string(x); }
std::string Text(float x) { return Number(x); }
std::string Text(double x) { return Number(x); }
std::string Text(DType x) { return DTypeName(x); }
std::string Text(kernels::BinaryFn x) { return kernels::BinaryFnName(x); }
std::string Text(const kernels::Activation& x) {
  std::string text = kernels::UnaryFnName(x.fn);
  if (x.alpha != 0 || x.beta != 0) text += "(" + Number(x.alpha) + "," + Number(x.beta) + ")";
  return text;
}
template <class E>
requires std::is_enum_v<E> std::string Text(E x) { return std::to_string(static_cast<int>(x)); }
template <class List>
requires requires(const List& list) { list.size(); }
std::string Text(const List& list) {
  std::string text;
  for (const auto& x : list) text += (text.empty() ? "" : ",") + Text(x);
  return "[" + text + "]";
}

// Name=value of every field, in order.
struct TextVisitor {
  std::vector<std::pair<const char*, std::string>> fields;
  template <class T>
  void operator()(const char* name, const T& field) {
    fields.emplace_back(name, Text(field));
  }
};

template <class P>
std::vector<std::pair<const char*, std::string>> FieldTexts(const P& params) {
  TextVisitor visitor;
  P::Fields(visitor, params);
  return std::move(visitor.fields);
}

// Fields one after another, each compared with the field of the same number in the other struct.
struct AddressVisitor {
  std::vector<const void*> fields;
  template <class T>
  void operator()(const char*, const T& field) {
    fields.push_back(&field);
  }
};
struct EqualVisitor {
  const std::vector<const void*>& others;
  size_t next = 0;
  bool equal = true;
  template <class T>
  void operator()(const char*, const T& field) {
    equal = equal && field == *static_cast<const T*>(others[next]);
    ++next;
  }
};

}  // namespace

void ForEachSize(OpParams* params, const std::function<void(DimExpr&)>& fn) {
  std::visit(
      [&fn](auto& p) {
        SizeVisitor<const std::function<void(DimExpr&)>> visitor{fn};
        std::remove_reference_t<decltype(p)>::Fields(visitor, p);
      },
      *params);
}

void ForEachSize(const OpParams& params, const std::function<void(const DimExpr&)>& fn) {
  std::visit(
      [&fn](const auto& p) {
        SizeVisitor<const std::function<void(const DimExpr&)>> visitor{fn};
        std::remove_cvref_t<decltype(p)>::Fields(visitor, p);
      },
      params);
}

std::string ParamsToString(const OpParams& params) {
  return std::visit(
      [](const auto& p) {
        using P = std::remove_cvref_t<decltype(p)>;
        const auto fields = FieldTexts(p), defaults = FieldTexts(P{});
        std::string text;
        for (size_t i = 0; i < fields.size(); ++i) {
          if (fields[i].second == defaults[i].second) continue;
          if (!text.empty()) text += ' ';
          text += std::string(fields[i].first) + "=" + fields[i].second;
        }
        return text;
      },
      params);
}

bool SameParams(const OpParams& a, const OpParams& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b](const auto& p) {
        using P = std::remove_cvref_t<decltype(p)>;
        AddressVisitor addresses;
        P::Fields(addresses, std::get<P>(b));
        EqualVisitor visitor{addresses.fields};
        P::Fields(visitor, p);
        return visitor.equal;
      },
      a);
}

}  // namespace fovea::ir
