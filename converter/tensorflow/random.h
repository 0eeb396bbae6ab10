// Random numbers inside a network ("live dropout"). fovea is deterministic: what multiplies or adds to the image is
// replaced by its mean.
//
// A dropout with probability `keep` is, in the spellings of TensorFlow's versions,
//
//   x / keep * floor(keep + uniform)      x / (1 - rate) * cast(uniform >= rate)
//   select(uniform >= rate, x / (1 - rate), 0)
//
// Random tensors are followed through such arithmetic as distributions; where one meets the image, it is replaced by
// its mean, which leaves x in all three.
#ifndef FOVEA_CONVERTER_TENSORFLOW_RANDOM_H_
#define FOVEA_CONVERTER_TENSORFLOW_RANDOM_H_

#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::converter::tf {

class NodeContext;

struct RandomTensor {
  enum class Kind { kUniform, kNormal, kFlag };
  Kind kind = Kind::kUniform;
  double low = 0, high = 1;    // kUniform: the range
  double mean = 0;             // kNormal
  double keep = 0, value = 1;  // kFlag: `value` with probability `keep`, else 0
  double Mean() const;
};

bool IsRandomSource(const std::string& op);
// A node that is a source of random numbers or reads some. With keep_random the user asked for dropout that stays.
Status ImportRandom(NodeContext& c, bool keep_random);

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_RANDOM_H_
