// Joins the rows of an operator's files into its table: the widest instruction set first, and within one instruction
// set in the order in which the files are named (best first).
#ifndef FOVEA_KERNELS_TABLE_H_
#define FOVEA_KERNELS_TABLE_H_

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>

#include "kernels/isa.h"

namespace fovea::kernels {

// kMax is the room for rows; those beyond it would be left out, which the tests of the table would notice.
template <class Row, size_t kMax>
class RowTable {
 public:
  explicit RowTable(std::initializer_list<std::span<const Row>> files) {
    for (Isa isa : {Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kSse4, Isa::kReference}) {
      for (const std::span<const Row>& file : files) {
        for (const Row& row : file) {
          if (row.isa == isa && count_ < kMax) rows_[count_++] = row;
        }
      }
    }
  }
  std::span<const Row> rows() const { return {rows_.data(), count_}; }

 private:
  std::array<Row, kMax> rows_ = {};
  size_t count_ = 0;
};

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_TABLE_H_
