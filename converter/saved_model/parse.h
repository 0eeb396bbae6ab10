// Protobuf messages from byte sources, without a second copy of the file in memory.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_PARSE_H_
#define FOVEA_CONVERTER_SAVED_MODEL_PARSE_H_

#include <google/protobuf/message_lite.h>

#include "archive/file_tree.h"

namespace fovea::converter {

using archive::ByteSource;

// kCorruptFile for what is no such message, is cut off, nests more than 100 deep or is larger than 2 GiB.
Status ParseMessage(ByteSource* source, google::protobuf::MessageLite* message);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_PARSE_H_
