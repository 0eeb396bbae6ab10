// Cases of ONNX's backend tests that fovea cannot pass, and why. backend_test.cc fails when one of them passes.
#ifndef FOVEA_TESTS_CONVERTER_ONNX_KNOWN_FAILURES_H_
#define FOVEA_TESTS_CONVERTER_ONNX_KNOWN_FAILURES_H_

namespace fovea::testing {

struct KnownFailure {
  const char* name;
  const char* reason;
};

inline constexpr KnownFailure kKnownFailures[] = {
    {"test_maxpool_with_argmax_2d_precomputed_pads", "asks for the positions of the maxima"},
    {"test_maxpool_with_argmax_2d_precomputed_strides", "asks for the positions of the maxima"},
};

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_ONNX_KNOWN_FAILURES_H_
