// What is derived from the Fields() lists of ops.h: visiting a parameter struct field by field beside its neutral
// value, the names of enumeration values, and the attributes of the model file.
//
// Neutral values (those of a default-constructed struct) are part of the format: attributes that have them are not
// written, so that a field added later leaves files that do not use it readable by older programs.
#ifndef FOVEA_RUNTIME_MODEL_FIELDS_H_
#define FOVEA_RUNTIME_MODEL_FIELDS_H_

#include <bit>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "runtime/model/ops.h"

namespace fovea {

// Number of values of an enumeration, and the name of each.
template <class E>
struct EnumTraits;
#define FOVEA_ENUM_TRAITS(E, values)      \
  template <>                             \
  struct EnumTraits<E> {                  \
    static constexpr int kCount = values; \
    static const char* Name(E value);     \
  }
FOVEA_ENUM_TRAITS(kernels::PoolKind, 2);
FOVEA_ENUM_TRAITS(kernels::ResizeMode, 3);
FOVEA_ENUM_TRAITS(kernels::ResizeCoordinates, 7);
FOVEA_ENUM_TRAITS(kernels::ResizeRounding, 4);
FOVEA_ENUM_TRAITS(kernels::PadMode, 5);
FOVEA_ENUM_TRAITS(kernels::UnaryFn, kernels::kUnaryFnCount);
FOVEA_ENUM_TRAITS(kernels::BinaryFn, kernels::kBinaryFnCount);
FOVEA_ENUM_TRAITS(kernels::ReduceFn, 10);
FOVEA_ENUM_TRAITS(BlockOrder, 2);
FOVEA_ENUM_TRAITS(DType, kDTypeCount);
#undef FOVEA_ENUM_TRAITS

// Bitwise for floats: -0 is not 0, and NaN equals itself.
template <class T>
bool SameField(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
  } else if constexpr (std::is_same_v<T, kernels::Activation>) {
    return a.fn == b.fn && SameField(a.alpha, b.alpha) && SameField(a.beta, b.beta);
  } else if constexpr (std::is_same_v<T, std::vector<float>> || std::is_same_v<T, std::vector<double>>) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!SameField(a[i], b[i])) return false;
    }
    return true;
  } else {
    return a == b;
  }
}

// f(name, field of params, the same field of other) for each field; P may be const.
template <class P, class F>
void ForEachField(P& params, const std::remove_const_t<P>& other, const F& f) {
  std::vector<const void*> fields;
  const auto collect = [&fields](const char*, const auto& field) { fields.push_back(&field); };
  std::remove_const_t<P>::Fields(collect, other);
  size_t next = 0;
  const auto visit = [&](const char* name, auto& field) {
    // The two passes go through one list, so field i has one type.
    f(name, field, *static_cast<const std::remove_const_t<std::remove_reference_t<decltype(field)>>*>(fields[next++]));
  };
  std::remove_const_t<P>::Fields(visit, params);
}
template <class P, class F>
void ForEachField(P& params, const F& f) {
  const std::remove_const_t<P> neutral{};
  ForEachField(params, neutral, f);
}

// One field in the model file. Numbers are in one of the vectors, which one is up to the field's type:
//   ints    integers, booleans (0, 1), enumerations
//   floats  numbers; an Activation is three: function, alpha, beta
//   sizes   expressions, each as its number of tokens and its tokens
struct Attribute {
  std::string name;
  std::vector<int64_t> ints;
  std::vector<double> floats;
  std::vector<int64_t> sizes;
};
std::vector<Attribute> ToAttributes(const OpParams& params);
// Fields without an attribute are neutral. kUnsupported: a name or enumeration value of a newer fovea; kCorruptFile:
// numbers that do not fit the field.
Result<OpParams> FromAttributes(OpKind kind, std::span<const Attribute> attributes);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_FIELDS_H_
