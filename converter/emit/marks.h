// Marks: which nodes see more than their surroundings. A network with such a node cannot be cut into tiles that know
// nothing of each other; the file carries the marks as properties and the report tells them.
#ifndef FOVEA_CONVERTER_EMIT_MARKS_H_
#define FOVEA_CONVERTER_EMIT_MARKS_H_

#include <string>
#include <vector>

#include "runtime/model/graph.h"

namespace fovea::converter {

struct Mark {
  enum class Kind {
    kWholeImage,  // one result depends on a whole spatial axis: global reductions, instance norm, dense layers
    kFixedSize,   // a size that does not follow the image's: resize or reshape to numbers, a fixed batch
  };
  Kind kind = Kind::kWholeImage;
  std::string text;  // "node 'mean' (reduce): over y, x"
};

inline constexpr const char* kWholeImageProperty = "whole_image";
inline constexpr const char* kFixedSizeProperty = "fixed_size";

// In the order of the nodes. Spatial axes are those lettered z, y or x in the inputs, wherever they are carried to.
std::vector<Mark> FindMarks(const Graph& graph);
// Those of one kind, with "; " between them.
std::string MarksText(const Graph& graph, Mark::Kind kind);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_EMIT_MARKS_H_
