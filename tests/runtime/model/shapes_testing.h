// Short calls of InferShape with numbers.
#ifndef FOVEA_TESTS_RUNTIME_MODEL_SHAPES_TESTING_H_
#define FOVEA_TESTS_RUNTIME_MODEL_SHAPES_TESTING_H_

#include <optional>
#include <string>
#include <vector>

#include "runtime/model/shapes.h"

namespace fovea::testing {

using Ints = std::vector<int64_t>;

inline Result<Ints> Infer(const OpParams& params, const std::vector<std::optional<Ints>>& inputs) {
  std::vector<const Ints*> pointers;
  for (const auto& i : inputs) pointers.push_back(i ? &*i : nullptr);
  return InferShape<int64_t>(params, pointers, nullptr);
}
// The shape; {-1} when there is none.
inline Ints Shape(const OpParams& params, const std::vector<std::optional<Ints>>& inputs) {
  const Result<Ints> y = Infer(params, inputs);
  return y.ok() ? *y : Ints{-1};
}
inline std::string Error(const OpParams& params, const std::vector<std::optional<Ints>>& inputs) {
  return Infer(params, inputs).status().message();
}

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_RUNTIME_MODEL_SHAPES_TESTING_H_
