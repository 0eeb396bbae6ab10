#include "kernels/pad/pad.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

// The mirrored or wrapped line written out, position by position.
int64_t Walk(PadMode mode, int64_t o, int64_t size) {
  if (mode == PadMode::kConstant) return o >= 0 && o < size ? o : -1;
  if (mode == PadMode::kEdge) return std::clamp<int64_t>(o, 0, size - 1);
  int64_t at = 0, direction = 1;
  const int64_t sign = o < 0 ? -1 : 1;
  for (int64_t i = 0; i != o; i += sign) {
    switch (mode) {
      case PadMode::kConstant:
      case PadMode::kEdge: break;
      case PadMode::kWrap: at = at + sign == size ? 0 : at + sign < 0 ? size - 1 : at + sign; break;
      case PadMode::kReflect:
        if (size == 1) break;
        if (at + sign * direction < 0 || at + sign * direction >= size) direction = -direction;
        at += sign * direction;
        break;
      case PadMode::kSymmetric:
        if (at + sign * direction < 0 || at + sign * direction >= size) {
          direction = -direction;
        } else {
          at += sign * direction;
        }
        break;
    }
  }
  return at;
}

TEST(Pad, SourceOfEveryPosition) {
  for (const PadMode mode :
       {PadMode::kConstant, PadMode::kReflect, PadMode::kEdge, PadMode::kWrap, PadMode::kSymmetric}) {
    for (int64_t size = 1; size <= 6; ++size) {
      for (int64_t o = -20; o <= 20; ++o) {
        EXPECT_EQ(PadSource(mode, o, size), Walk(mode, o, size))
            << static_cast<int>(mode) << " " << o << " of " << size;
      }
    }
  }
}

TEST(Pad, AnyAxesAndCutsOfTheOutput) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const int rank = static_cast<int>(random.Int(1, 5));
    const PadLayer layer{static_cast<PadMode>(random.Int(0, 4))};
    std::vector<int64_t> in, out;
    PadArgs args;
    args.value = -3;
    for (int i = 0; i < rank; ++i) {
      in.push_back(random.Int(1, i == rank - 1 ? 20 : 6));
      const bool padded = random.Int(0, 2) > 0 && (i < rank - 1 || random.Coin());
      args.begin[i] = padded ? random.Int(-in.back() / 2, 5) : 0;
      args.in_size[i] = in.back();
      out.push_back(std::max<int64_t>(1, in.back() + args.begin[i] + (padded ? random.Int(-1, 5) : 0)));
    }
    Tensor src(in, random.Int(0, 1) * 2);
    src.Fill(random, -1, 1);
    ForEachKernel(PadKernels(), [&](const PadKernel& row) {
      Tensor dst(out, random.Int(0, 1) * 3);
      args.src = src.cview();
      args.dst = dst.view();
      RunRow(row, layer, args, random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t i = 0; i < dst.size(); ++i) {
        int64_t rest = i, at = 0;
        bool constant = false;
        for (int axis = rank - 1; axis >= 0; --axis) {
          const int64_t from =
              PadSource(layer.mode, rest % dst.view().dims[axis] - args.begin[axis], args.in_size[axis]);
          rest /= dst.view().dims[axis];
          constant = constant || from < 0;
          at += from * src.view().strides[axis];
        }
        ASSERT_EQ(dst[i], constant ? args.value : src.view().data[at]) << i;
      }
      // A rectangle of the output.
      std::vector<int64_t> begin, dims;
      PadArgs part_args = args;
      for (int axis = 0; axis < rank; ++axis) {
        begin.push_back(random.Int(0, out[static_cast<size_t>(axis)] - 1));
        dims.push_back(random.Int(1, out[static_cast<size_t>(axis)] - begin.back()));
        part_args.dst_origin[axis] = begin.back();
      }
      Tensor part(dims, 1);
      part_args.dst = part.view();
      RunRow(row, layer, part_args, random);
      ASSERT_TRUE(part.Intact());
      const View whole = SubView(dst.view(), begin, dims);
      for (int64_t i = 0; i < part.size(); ++i) {
        int64_t rest = i, at = 0;
        for (int axis = rank - 1; axis >= 0; --axis) {
          at += rest % whole.dims[axis] * whole.strides[axis];
          rest /= whole.dims[axis];
        }
        ASSERT_EQ(part[i], whole.data[at]) << i;
      }
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace fovea::kernels
