// Symbolic inference followed by evaluation against concrete inference, over random networks.
#include <gtest/gtest.h>

#include <set>

#include "runtime/model/shapes.h"
#include "tests/runtime/model/random_network.h"

namespace fovea {
namespace {

TEST(ShapesRandom, SymbolicAndConcreteShapesAgree) {
  int64_t nodes_compared = 0, open_compared = 0;
  std::set<OpKind> kinds;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    const Graph graph = testing::MakeRandomNetwork(seed, 12).graph;
    for (const auto& [h, w] : {std::pair<int64_t, int64_t>{8, 8}, {33, 20}, {64, 96}, {101, 7}}) {
      const std::vector<std::vector<int64_t>> input_dims = {{1, h, w, graph.values[0].dims[3].Const()}, {2}};
      const std::vector<std::vector<double>> input_values = {{}, {1.5, 3}};
      const DimBindings bindings{input_dims, input_values};
      // Empty where a node upstream has no shape for these sizes, which only numbers can show.
      std::vector<std::vector<int64_t>> dims(graph.values.size());
      std::vector<char> known(graph.values.size(), 0);
      for (size_t v = 0; v < graph.values.size(); ++v) {
        const bool is_input = v < 2;
        if (!is_input && !graph.values[v].is_const) continue;
        for (const DimExpr& d : graph.values[v].dims) dims[v].push_back(*d.Evaluate(bindings));
        known[v] = 1;
      }
      for (const Node& node : graph.nodes) {
        std::vector<const std::vector<int64_t>*> inputs;
        bool all_known = true;
        for (const int v : node.inputs) {
          all_known = all_known && (v == kNoValue || known[static_cast<size_t>(v)] != 0);
          inputs.push_back(v == kNoValue ? nullptr : &dims[static_cast<size_t>(v)]);
        }
        if (!all_known) continue;
        const Result<std::vector<int64_t>> y = InferShape<int64_t>(node.params, inputs, &bindings);
        if (!y.ok()) continue;
        const size_t out = static_cast<size_t>(node.output);
        ASSERT_EQ(y->size(), graph.values[out].dims.size());
        for (size_t i = 0; i < y->size(); ++i) {
          const DimExpr& stated = graph.values[out].dims[i];
          const Result<int64_t> value = stated.Evaluate(bindings);
          ASSERT_TRUE(value.ok()) << value.status().message();
          ASSERT_EQ(*value, (*y)[i]) << "seed " << seed << " " << node.name << " " << OpKindName(KindOf(node.params))
                                     << " axis " << i << ": " << stated.ToString();
          open_compared += stated.IsConst() ? 0 : 1;
        }
        dims[out] = *y;
        known[out] = 1;
        ++nodes_compared;
        kinds.insert(KindOf(node.params));
      }
    }
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<OpParams>);
  EXPECT_GT(nodes_compared, 8000);
  EXPECT_GT(open_compared, 8000);
}

}  // namespace
}  // namespace fovea
