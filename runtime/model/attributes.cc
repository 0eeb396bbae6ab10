// Operator parameters to and from the attributes of the model file.
#include <cmath>
#include <limits>

#include "runtime/model/fields.h"

namespace fovea {
namespace {

// Which vector of the attribute a field type lives in is decided by these overloads, one pair a type.
void Write(int64_t v, Attribute* a) { a->ints.push_back(v); }
void Write(bool v, Attribute* a) { a->ints.push_back(v ? 1 : 0); }
void Write(double v, Attribute* a) { a->floats.push_back(v); }
void Write(float v, Attribute* a) { a->floats.push_back(v); }
template <class E>
requires std::is_enum_v<E>
void Write(E v, Attribute* a) { a->ints.push_back(static_cast<int64_t>(v)); }
void Write(const kernels::Activation& v, Attribute* a) {
  a->floats.insert(a->floats.end(), {static_cast<double>(v.fn), v.alpha, v.beta});
}
void Write(const DimExpr& v, Attribute* a) {
  const std::vector<int64_t> tokens = v.Encode();
  a->sizes.push_back(static_cast<int64_t>(tokens.size()));
  a->sizes.insert(a->sizes.end(), tokens.begin(), tokens.end());
}
template <class List>
requires requires(const List& l) { l.begin(); }
void Write(const List& values, Attribute* a) {
  for (const auto& v : values) Write(v, a);
}

// Takes numbers from the front of one of the attribute's vectors.
class Reader {
 public:
  explicit Reader(const Attribute& a) : a_(a) {}

  // All read: no vector has numbers that the field does not want.
  bool done() const { return int_ == a_.ints.size() && float_ == a_.floats.size() && size_ == a_.sizes.size(); }

  Status Read(int64_t* v) {
    if (int_ == a_.ints.size()) return Malformed();
    *v = a_.ints[int_++];
    return OkStatus();
  }
  Status Read(bool* v) {
    int64_t number = 0;
    FOVEA_RETURN_IF_ERROR(Read(&number));
    if (number != 0 && number != 1) return Malformed();
    *v = number == 1;
    return OkStatus();
  }
  Status Read(double* v) {
    if (float_ == a_.floats.size()) return Malformed();
    *v = a_.floats[float_++];
    return OkStatus();
  }
  Status Read(float* v) {
    double number = 0;
    FOVEA_RETURN_IF_ERROR(Read(&number));
    if (std::isfinite(number) && std::fabs(number) > static_cast<double>(std::numeric_limits<float>::max())) {
      return Malformed();
    }
    *v = static_cast<float>(number);
    return OkStatus();
  }
  template <class E>
  requires std::is_enum_v<E> Status Read(E* v) {
    int64_t number = 0;
    FOVEA_RETURN_IF_ERROR(Read(&number));
    return ToEnum(static_cast<double>(number), v);
  }
  Status Read(kernels::Activation* v) {
    double fn = 0;
    FOVEA_RETURN_IF_ERROR(Read(&fn));
    FOVEA_RETURN_IF_ERROR(ToEnum(fn, &v->fn));
    FOVEA_RETURN_IF_ERROR(Read(&v->alpha));
    return Read(&v->beta);
  }
  Status Read(DimExpr* v) {
    if (size_ == a_.sizes.size()) return Malformed();
    const int64_t tokens = a_.sizes[size_++];
    if (tokens < 0 || static_cast<uint64_t>(tokens) > a_.sizes.size() - size_) return Malformed();
    const auto encoded = std::span<const int64_t>(a_.sizes).subspan(size_, static_cast<size_t>(tokens));
    size_ += encoded.size();
    FOVEA_ASSIGN_OR_RETURN(*v, DimExpr::Decode(encoded));
    return OkStatus();
  }
  template <class T>
  Status Read(std::array<T, 3>* values) {
    for (T& v : *values) FOVEA_RETURN_IF_ERROR(Read(&v));
    return OkStatus();
  }
  template <class T>
  Status Read(std::vector<T>* values) {
    while (!done()) {
      T v{};
      FOVEA_RETURN_IF_ERROR(Read(&v));
      values->push_back(std::move(v));
    }
    return OkStatus();
  }

 private:
  static Status Malformed() { return CorruptFile("its numbers do not fit"); }

  template <class E>
  static Status ToEnum(double number, E* v) {
    if (!(number >= 0) || number != std::floor(number)) return Malformed();
    if (number >= EnumTraits<E>::kCount) return Unsupported("its value was written by a newer fovea");
    *v = static_cast<E>(number);
    return OkStatus();
  }

  const Attribute& a_;
  size_t int_ = 0, float_ = 0, size_ = 0;
};

template <class P>
Status ReadFields(std::span<const Attribute> attributes, P* params) {
  std::vector<char> known(attributes.size(), 0);
  Status status;
  ForEachField(*params, [&](const char* name, auto& field, const auto&) {
    for (size_t i = 0; i < attributes.size() && status.ok(); ++i) {
      if (attributes[i].name != name) continue;
      known[i] = 1;
      Reader reader(attributes[i]);
      auto value = std::remove_cvref_t<decltype(field)>{};
      status = reader.Read(&value);
      if (status.ok() && !reader.done()) status = CorruptFile("its numbers do not fit");
      status = status.Prefixed("attribute '" + attributes[i].name + "'");
      field = std::move(value);
    }
  });
  FOVEA_RETURN_IF_ERROR(status);
  for (size_t i = 0; i < attributes.size(); ++i) {
    if (known[i] == 0) {
      return Unsupported("the attribute '" + attributes[i].name +
                         "' is unknown; the file was written by a newer fovea");
    }
    for (size_t k = 0; k < i; ++k) {
      if (attributes[k].name == attributes[i].name) {
        return CorruptFile("the attribute '" + attributes[i].name + "' is there twice");
      }
    }
  }
  return OkStatus();
}

}  // namespace

std::vector<Attribute> ToAttributes(const OpParams& params) {
  std::vector<Attribute> attributes;
  const auto append = [&attributes](const char* name, const auto& field, const auto& neutral) {
    if (SameField(field, neutral)) return;
    attributes.push_back({name, {}, {}, {}});
    Write(field, &attributes.back());
  };
  std::visit([&append](const auto& p) { ForEachField(p, append); }, params);
  return attributes;
}

Result<OpParams> FromAttributes(OpKind kind, std::span<const Attribute> attributes) {
  FOVEA_ASSIGN_OR_RETURN(OpParams params, MakeParams(kind));
  // No operator has half as many; the check bounds the search for duplicates.
  if (attributes.size() > 64) return CorruptFile("an operator has more than 64 attributes");
  FOVEA_RETURN_IF_ERROR(std::visit([&](auto& p) { return ReadFields(attributes, &p); }, params));
  return params;
}

}  // namespace fovea
