#include "tools/cli/args.h"

#include <gtest/gtest.h>

namespace fovea::cli {
namespace {

TEST(Args, ParsesEveryForm) {
  Args args("prog", "X", "about");
  bool flag = false, help = true;
  int64_t number = 0;
  std::string text;
  uint64_t bytes = 0;
  std::vector<std::string> free;
  args.Flag("--flag, -f", &flag, "a flag");
  args.Integer("--number, -n", &number, 1, 10, "N", "a number");
  args.Text("--text", &text, "T", "text");
  args.Bytes("--memory", &bytes, "B", "memory");
  args.Positional("X", &free, 1, 2);
  ASSERT_TRUE(args.Parse({"-f", "a", "--number=3", "--text", "--odd", "--memory", "1.5MiB", "--", "-b"}, &help).ok());
  EXPECT_TRUE(flag);
  EXPECT_FALSE(help);
  EXPECT_EQ(number, 3);
  EXPECT_EQ(text, "--odd");
  EXPECT_EQ(bytes, 1572864u);
  EXPECT_EQ(free, (std::vector<std::string>{"a", "-b"}));
  EXPECT_FALSE(args.Parse({"a", "-n", "11"}, &help).ok());
  EXPECT_FALSE(args.Parse({"a", "-n"}, &help).ok());
  EXPECT_FALSE(args.Parse({"a", "--flag=1"}, &help).ok());
  EXPECT_FALSE(args.Parse({"a", "b", "c"}, &help).ok());
  EXPECT_FALSE(args.Parse({}, &help).ok());
  EXPECT_NE(args.Parse({"--txet", "x"}, &help).message().find("--text"), std::string::npos);
}

TEST(Args, AmountsOfMemory) {
  EXPECT_EQ(*ParseBytes("256MB"), 256000000u);
  EXPECT_EQ(*ParseBytes("2GiB"), 2147483648u);
  EXPECT_EQ(*ParseBytes("4096"), 4096u);
  for (const char* bad : {"", "MB", "-1MB", "1..5MB", "5 apples", "1e30GB", "0"})
    EXPECT_FALSE(ParseBytes(bad).ok()) << bad;
}

TEST(Args, ImageSizes) {
  EXPECT_EQ(*ParseSize("512x256"), (std::vector<int64_t>{1, 512, 256}));
  EXPECT_EQ(*ParseSize("32x128x64"), (std::vector<int64_t>{32, 128, 64}));
  for (const char* bad : {"", "512", "0x5", "ax5", "1x2x3x4", "5x-1"}) EXPECT_FALSE(ParseSize(bad).ok()) << bad;
}

}  // namespace
}  // namespace fovea::cli
