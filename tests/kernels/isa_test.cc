#include "kernels/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kernels/kernels.h"

namespace fovea::kernels {
namespace {

TEST(Isa, NamesGoThereAndBack) {
  for (Isa isa : {Isa::kReference, Isa::kSse4, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    Isa parsed = Isa::kReference;
    EXPECT_TRUE(ParseIsa(IsaName(isa), &parsed));
    EXPECT_EQ(parsed, isa);
  }
  EXPECT_STREQ(IsaName(Isa::kAvx512), "avx512");
}

TEST(Isa, UnknownNamesAreRefused) {
  Isa isa = Isa::kAvx2;
  for (const char* name : {"", "AVX2", "avx", "avx5120", "avx2 "}) EXPECT_FALSE(ParseIsa(name, &isa)) << name;
  EXPECT_EQ(isa, Isa::kAvx2);
}

TEST(Isa, SupportedAscendFromTheReference) {
  const std::span<const Isa> supported = SupportedIsas();
  ASSERT_FALSE(supported.empty());
  EXPECT_EQ(supported.front(), Isa::kReference);
  for (size_t i = 1; i < supported.size(); ++i) EXPECT_LT(supported[i - 1], supported[i]);
}

// Profiles and logs show a row by its name: its third part is the instruction set's name.
template <class Row>
void ExpectNamed(std::span<const Row> rows) {
  for (const Row& row : rows) {
    const std::string name = row.name;
    if (row.isa != Isa::kReference) {
      EXPECT_NE((name + "/").find(std::string("/") + IsaName(row.isa) + "/"), std::string::npos) << name;
    }
  }
}

TEST(Isa, RowsAreNamedAfterTheirs) {
  ExpectNamed(ConvKernels()), ExpectNamed(ConvTransposeKernels()), ExpectNamed(PoolKernels());
  ExpectNamed(ResizeKernels()), ExpectNamed(PadKernels()), ExpectNamed(CopyKernels()), ExpectNamed(GatherKernels());
  ExpectNamed(UnaryKernels()), ExpectNamed(BinaryKernels()), ExpectNamed(SelectKernels());
  ExpectNamed(SoftmaxKernels()), ExpectNamed(ReduceKernels()), ExpectNamed(ArgReduceKernels());
  ExpectNamed(GroupNormKernels()), ExpectNamed(LayerNormKernels()), ExpectNamed(LrnKernels());
  ExpectNamed(MatMulKernels());
}

#if defined(__x86_64__)
// The compiler's own detection, for the bits whose names every compiler knows.
TEST(Isa, AgreesWithTheCompilersDetection) {
  __builtin_cpu_init();
  for (Isa isa : SupportedIsas()) {
    EXPECT_NE(isa, Isa::kNeon);
    EXPECT_TRUE(isa < Isa::kSse4 || __builtin_cpu_supports("sse4.2"));
    EXPECT_TRUE(isa < Isa::kAvx2 || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
    EXPECT_TRUE(isa < Isa::kAvx512 || (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")));
  }
  EXPECT_TRUE(!__builtin_cpu_supports("avx512vl") || SupportedIsas().back() >= Isa::kAvx2);
}
#endif

// BestIsa() reads the environment once, so each answer needs a process of its own. A fork does: GoogleTest runs suites
// named DeathTest first, so that nothing here has asked yet; and a test under qemu could not start itself anew.
void ExpectBest(const char* name, Isa expected) {
  EXPECT_EXIT(
      {
        if (name == nullptr) {
          unsetenv("FOVEA_ISA");
        } else {
          setenv("FOVEA_ISA", name, 1);
        }
        std::exit(BestIsa() == expected ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(IsaDeathTest, EnvironmentCaps) {
  ::testing::FLAGS_gtest_death_test_style = "fast";
  const Isa top = SupportedIsas().back();
  ExpectBest(nullptr, top);
  ExpectBest("no such name", top);
  ExpectBest("reference", Isa::kReference);
  for (Isa isa : SupportedIsas()) ExpectBest(IsaName(isa), isa);
}

}  // namespace
}  // namespace fovea::kernels
