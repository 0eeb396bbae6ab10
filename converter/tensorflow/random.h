// Random numbers inside a network ("live dropout"). fovea is deterministic: what multiplies or adds to the image is
// replaced by its mean, unless the user asks for dropout with a seed.
//
// A dropout with probability `keep` is, in the spellings of TensorFlow's versions,
//
//   x / keep * floor(keep + uniform)      x / (1 - rate) * cast(uniform >= rate)
//   select(uniform >= rate, x / (1 - rate), 0)
//
// Random tensors are followed through such arithmetic as distributions; where one meets the image, it is replaced by
// its mean, which leaves x in all three; or, with a seed, by a Dropout operator that makes the decisions anew.
#ifndef FOVEA_CONVERTER_TENSORFLOW_RANDOM_H_
#define FOVEA_CONVERTER_TENSORFLOW_RANDOM_H_

#include <optional>
#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"
#include "runtime/model/dim_expr.h"

namespace fovea::converter::tf {

class NodeContext;

struct RandomTensor {
  enum class Kind { kUniform, kNormal, kFlag };
  Kind kind = Kind::kUniform;
  double low = 0, high = 1;    // kUniform: the range
  double mean = 0;             // kNormal
  double keep = 0, value = 1;  // kFlag: `value` with probability `keep`, else 0
  double Mean() const;

  int64_t source = 0;                        // number of the node that draws: readers of one draw decide alike
  std::optional<std::vector<DimExpr>> dims;  // nullopt: not known
};

// What the user asked for, and the number of the node at hand.
struct RandomOptions {
  std::optional<uint64_t> dropout_seed;  // unset: means
  int64_t node = 0;
};

bool IsRandomSource(const std::string& op);
// A node that is a source of random numbers or reads some.
Status ImportRandom(NodeContext& c, const RandomOptions& options);

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_RANDOM_H_
