// Small TensorFlow graphs, written in tests, and running them: imported as they are, after all passes, and emitted and
// run by the fast executor.
#ifndef FOVEA_TESTS_CONVERTER_TENSORFLOW_MAKER_H_
#define FOVEA_TESTS_CONVERTER_TENSORFLOW_MAKER_H_

#include <string>
#include <vector>

#include "converter/tensorflow/tf_graph.h"
#include "tests/converter/support.h"

namespace fovea::testing {

using converter::TfAttr;
using converter::TfGraph;
using converter::TfNode;
using converter::TfPort;
using converter::TfShape;
using converter::TfTensor;
using converter::TfType;

using Ints = std::vector<int64_t>;
using Attrs = std::map<std::string, TfAttr>;

// Every function returns the name of the tensor that it adds. Names are the operator's with a number.
class TfMaker {
 public:
  std::string Input(const std::string& name, Ints dims, DType dtype = DType::kFloat32);
  std::string Placeholder(const std::string& name, Ints dims, DType dtype);  // a node, not an input of the model
  std::string Floats(Ints dims, std::vector<float> data);
  std::string Floats(const ir::Tensor& tensor) { return Floats(tensor.dims, tensor.data); }
  std::string Number(float value) { return Floats({}, {value}); }
  std::string Integers(std::vector<int64_t> data);  // a vector, int32
  std::string Integers(Ints dims, std::vector<int64_t> data);
  std::string Integer(int64_t value) { return Integers({}, {value}); }
  std::string Truth(bool value);
  std::string Op(const std::string& op, std::vector<std::string> inputs, Attrs attrs = {});
  TfMaker& Output(const std::string& tensor, const std::string& name = "");

  TfGraph graph;

 private:
  std::string Add(TfNode node);
  int next_ = 0;
};

inline TfAttr Text(const char* text) { return std::string(text); }

// The model's outputs, in the order and axes of the source.
std::vector<ir::Tensor> Imported(const TfGraph& tf, const std::vector<ir::Tensor>& inputs,
                                 const converter::Options& options = {});
// The imported graph, before and after the passes.
ir::Graph Import(const TfGraph& tf, const converter::Options& options = {});
ir::Graph Optimised(const TfGraph& tf, const converter::Options& options = {});
// The status of an import that has to fail, and what it lists.
Status ImportFails(const TfGraph& tf, const converter::Options& options = {}, converter::Report* report = nullptr);

// Imported, imported and optimised, and emitted and run fast: all have to give `expected` in output 0, to `tolerance`
// absolute.
void ExpectResult(const TfGraph& tf, const std::vector<ir::Tensor>& inputs, const ir::Tensor& expected,
                  double tolerance = 0, const converter::Options& options = {});
// The same for a maker whose last tensor is the output.
void ExpectResult(TfMaker maker, const std::string& tensor, const std::vector<ir::Tensor>& inputs,
                  const ir::Tensor& expected, double tolerance = 0, const converter::Options& options = {});

// A value for each index of a tensor of these dims.
template <class Fn>
ir::Tensor Tabulate(const Ints& dims, Fn fn) {
  ir::Tensor t{dims, {}};
  Ints index(dims.size(), 0);
  int64_t count = 1;
  for (const int64_t d : dims) count *= d;
  for (int64_t n = 0; n < count; ++n) {
    t.data.push_back(static_cast<float>(fn(index)));
    for (size_t i = dims.size(); i-- > 0;) {
      if (++index[i] < dims[i]) break;
      index[i] = 0;
    }
  }
  return t;
}
// The element at an index; 0 outside.
double At(const ir::Tensor& t, const Ints& index);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_TENSORFLOW_MAKER_H_
