// What a graph with a training side does in inference: the values of flags (learning phase, is_training and what is
// computed from them), and with them the taken side of every Switch and Merge.
//
// A Switch passes its data on to output 1 where its predicate is true, else to output 0; what only depends on the other
// output does not exist ("dead"), and a Merge gives its one input that does.
#ifndef FOVEA_CONVERTER_TENSORFLOW_INFERENCE_H_
#define FOVEA_CONVERTER_TENSORFLOW_INFERENCE_H_

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "converter/tensorflow/graph_index.h"

namespace fovea::converter::tf {

struct Inference {
  std::vector<std::optional<double>> value;  // of each node's output 0 where it is a known single number
  std::vector<bool> dead;                    // no output of the node exists
  std::vector<std::optional<bool>> taken;    // Switch: its known predicate
  std::vector<int> merge_input;              // Merge: the input that exists; -1: not known
  std::vector<std::optional<int>> assumed;   // node whose predicate rests on the assumption that this flag is false
};

// `given`: numbers that the caller sets for nodes (--set), and nullopt for the ones that are inputs of the model.
Inference Infer(const GraphIndex& graph, const std::function<std::optional<double>(int node)>& given,
                const std::function<bool(int node)>& is_input);

// keras_learning_phase, is_training, ...: a placeholder (with a default or without) or a variable that is false in
// inference, whatever its default. Constants of the graph are what they are.
bool IsTrainingFlag(const TfNode& node);
// The same for a node of which only the name is known.
bool NamesTrainingFlag(const std::string& node);

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_INFERENCE_H_
