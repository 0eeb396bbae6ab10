#include "converter/ir/params.h"

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

}  // namespace fovea::ir
