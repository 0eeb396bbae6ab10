// The walk over a TensorFlow graph: from the outputs back to what inference needs, then forward, one operator after the
// other.
#ifndef FOVEA_CONVERTER_TENSORFLOW_IMPORTER_H_
#define FOVEA_CONVERTER_TENSORFLOW_IMPORTER_H_

#include <map>
#include <string>
#include <vector>

#include "converter/tensorflow/inference.h"
#include "converter/tensorflow/node_context.h"

namespace fovea::converter::tf {

class Importer {
 public:
  Importer(const TfGraph& tf, const Options& options, ir::Graph* graph, Report* report)
      : tf_(tf), options_(options), graph_(graph), report_(report), builder_(graph) {}

  Status Import();

 private:
  // import.cc
  Status Walk();
  Status ImportNode(int n);
  Status ImportBranch(int n, std::vector<Tensor>* outputs);
  Result<Tensor> Lookup(const Edge& edge, const std::string& name) const;
  void Unsupported(const TfNode& node, const std::string& reason);
  // What became of the node, for the report.
  void Count(const TfNode& node, size_t nodes_before, const std::vector<ValueId>& inputs,
             const std::vector<Tensor>& outputs);
  Status AddOutputs();

  // inputs.cc
  Status ResolvePorts();
  const NamedTensor* FindSet(int n) const;
  Status AddInput(int port);
  Status AddSet(int n, const NamedTensor& set);
  Result<std::vector<int64_t>> InputSizes(int port) const;
  // Where a port's own shape leaves the number of axes or of channels open: what the operators behind it ask for.
  struct Guess {
    int rank = -1;
    int64_t channels = -1;
    int channel_axis = -1;
  };
  Guess GuessFromReaders(int n, int output) const;

  const TfGraph& tf_;
  const Options& options_;
  ir::Graph* graph_;
  Report* report_;
  ir::Builder builder_;
  GraphIndex index_;
  Inference inference_;
  std::map<std::pair<int, int>, int> ports_;  // (node, output) to its place in tf_.inputs
  std::vector<bool> needed_;
  std::vector<std::vector<Tensor>> values_;  // of each node's outputs
};

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_IMPORTER_H_
