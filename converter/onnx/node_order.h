// An order in which every node of an ONNX graph comes after the nodes whose outputs it reads. The specification asks
// for sorted files; files from strangers need not be.
#ifndef FOVEA_CONVERTER_ONNX_NODE_ORDER_H_
#define FOVEA_CONVERTER_ONNX_NODE_ORDER_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "converter/onnx/onnx.pb.h"
#include "runtime/include/fovea/status.h"

namespace fovea::converter {

using NodeList = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

// A name from a file made fit for a message: quoted, printable, not endless.
std::string Quoted(const std::string& name);
// How messages name a node: its name, or that of its first output.
std::string NodeLabel(const onnx::NodeProto& node);

// Names that `node` reads: its inputs and what its subgraphs take from outside.
std::set<std::string> NamesRead(const onnx::NodeProto& node);

// Indices of the nodes that `wanted` (output names) need, in order; ties by position in the file. is_known: names that
// exist before the first node (inputs, initializers, outer values). Errors (kCorruptFile): a name produced twice, a
// name that nobody produces, a cycle.
Result<std::vector<int>> NodeOrder(const NodeList& nodes, const std::set<std::string>& wanted,
                                   const std::function<bool(const std::string&)>& is_known);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_NODE_ORDER_H_
