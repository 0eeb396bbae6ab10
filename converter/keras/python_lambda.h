// Python functions of one tensor as Keras stores them in Lambda layers: compiled code, marshalled, in base64.
// Arithmetic with constants is read back (lambda x: x / 255); nothing is ever executed.
#ifndef FOVEA_CONVERTER_KERAS_PYTHON_LAMBDA_H_
#define FOVEA_CONVERTER_KERAS_PYTHON_LAMBDA_H_

#include <optional>
#include <string_view>
#include <vector>

namespace fovea::converter::keras {

// One step of a stack machine.
struct LambdaStep {
  enum Kind { kInput, kNumber, kAdd, kSubtract, kMultiply, kDivide, kPower, kNegate } kind;
  double number = 0;
};

// The function's steps, which leave one result. nullopt: it does anything else than arithmetic on its argument, or
// comes from a Python other than 2.7 and 3.5 to 3.12.
std::optional<std::vector<LambdaStep>> ReadLambda(std::string_view marshalled);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_PYTHON_LAMBDA_H_
