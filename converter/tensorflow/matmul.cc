// Matrix products.
#include <numeric>

#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

Result<ValueId> Operand(NodeContext& c, int i, bool transposed) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
  const int rank = c.b.rank(x);
  if (rank < 2) return CorruptFile("a factor that is not a matrix");
  if (!transposed) return x;
  std::vector<int64_t> perm(static_cast<size_t>(rank));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return c.b.Transpose(x, perm);
}

Status Product(NodeContext& c, const char* first, const char* second) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, Operand(c, 0, c.Bool(first, false)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId b, Operand(c, 1, c.Bool(second, false)));
  return c.Out(0, c.b.Add(MatMulParams{}, {a, b}));
}

Status BatchMatMul(NodeContext& c) { return Product(c, "adj_x", "adj_y"); }

constexpr OpRow kOps[] = {
    {"MatMul", MatMul}, {"BatchMatMul", BatchMatMul}, {"BatchMatMulV2", BatchMatMul}, {"BatchMatMulV3", BatchMatMul}};

}  // namespace

Status MatMul(NodeContext& c) { return Product(c, "transpose_a", "transpose_b"); }

std::span<const OpRow> MatMulOps() { return kOps; }

}  // namespace fovea::converter::tf
