// `fovea run` on disks that fill up and in folders that take nothing: one sentence, exit 2, nothing under the final
// name that is not complete.
#include <unistd.h>

#include "formats/image/image.h"
#include "tests/support/random_graph.h"
#include "tests/tools/run_testing.h"

namespace fovea::testing {
namespace {

class DiskTest : public RunTest {
 protected:
  void SetUp() override {
    fs::create_directory(disk_);
    if (OnDisk(300, "true").exit_code != 0) GTEST_SKIP() << "no mount namespaces here";
  }
  // Runs a shell command in the folder of a disk of so many kB, in a mount namespace of its own: the disk is gone when
  // the command ends.
  ProcessResult OnDisk(int64_t kilobytes, const std::string& command) const {
    return RunProcess({"/usr/bin/env", "unshare", "-Urm", "/bin/sh", "-c",
                       "mount -t tmpfs -o size=" + std::to_string(kilobytes) + "k none " + disk_ + " && cd " + disk_ +
                           " && { " + command + "; }"});
  }
  // The same, then lists the folder on stdout; the exit code is the command's.
  ProcessResult OnDiskThenList(int64_t kilobytes, const std::string& command) const {
    return OnDisk(kilobytes, command + "; code=$?; ls -A; exit $code");
  }
  static std::string Sample(const std::string& more) {
    return kFovea + " run " + Model() + " " + kSample + "/nuclei.tif --normalize zero-mean --quiet " + more;
  }

  const std::string disk_ = scratch_ / "disk";
};

// What is known beforehand is refused then, the rest when the disk is full.
TEST_F(DiskTest, NothingIsLeftOnDisksThatFillUp) {
  for (const char* out :
       {"o.tif", "o.npy", "o.tif --compression deflate", "o.ome.tif --compression deflate --pyramid",
        "o.tif --pyramid --tiled", "o.tif --labels", "o.tif --resume", "o.tif --compression deflate --resume"}) {
    const ProcessResult r = OnDiskThenList(300, Sample(std::string("-o ") + out));
    ExpectError(r, 2, {"cannot write 'o.", "space", "another disk"});
    EXPECT_EQ(r.out, "") << out;
  }
  const ProcessResult overlay = OnDiskThenList(300, Sample("-o o.png --labels --overlay p.png"));
  ExpectError(overlay, 2, {"o.png", "another disk"});
  EXPECT_EQ(overlay.out.find("o.png"), std::string::npos) << overlay.out;
}

// Compressed files are of a size that nobody knows before; a disk may be full at any place of them.
TEST_F(DiskTest, CompressedResultsThatDoNotFitAreNotThere) {
  for (const std::string out :
       {"o.png --post 'scale_linear(gain=60000)' --dtype uint16",
        "o.tif --post 'scale_linear(gain=60000)' --dtype uint16 --compression deflate --pyramid"}) {
    const std::string name = out.substr(0, 5);
    const ProcessResult free = OnDisk(8000, Sample("-o " + out) + " && stat -c %s " + name);
    ASSERT_EQ(free.exit_code, 0) << free.err;
    const int64_t kilobytes = std::stoll(free.out) >> 10;
    ASSERT_GT(kilobytes, 100);
    for (const int64_t part : {kilobytes / 10, kilobytes / 2, kilobytes - 8}) {
      const ProcessResult r = OnDiskThenList(part / 4 * 4, Sample("-o " + out));
      ExpectError(r, 2, {"cannot write '" + name + "': ", "space", "another disk"});
      EXPECT_EQ(r.err.find(name), r.err.rfind(name)) << r.err;
      EXPECT_EQ(r.out, "") << out;
    }
  }
}

// The result fits and its record does not: the result is there, which is said.
TEST_F(DiskTest, RecordsThatDoNotFitAreNotThere) {
  const ProcessResult free = OnDisk(8000, Sample("-o o.npy") + " && stat -c %s o.npy");
  ASSERT_EQ(free.exit_code, 0) << free.err;
  const int64_t page = sysconf(_SC_PAGESIZE), pages = (std::stoll(free.out) + page - 1) / page;
  const ProcessResult r = OnDiskThenList(pages * page / 1024, Sample("-o o.npy"));
  ExpectError(r, 2, {"cannot write 'o.npy.json': ", "space", "another disk; the result is complete"});
  EXPECT_EQ(r.out, "o.npy\n");
  EXPECT_EQ(OnDiskThenList(pages * page / 1024, Sample("-o o.npy --no-record")).exit_code, 0);
}

// What is known after each of several passes is recorded, too. What was recorded before the disk was full is gone on
// with when there is space again.
TEST_F(DiskTest, RecordsOfStatisticsThatDoNotFit) {
  test::NetBuilder net(8);
  const auto dim = [](int axis) { return DimExpr::InputDim(0, axis); };
  int x = net.Input("byxc", {1, dim(1), dim(2), 1});
  for (int i = 0; i < 3; ++i) x = net.Add(GroupNormParams{}, {net.Conv(x, 32, 3)});
  net.Output(net.Conv(x, 1, 1));
  const std::string model = scratch_ / "norms.fov", in = Picture("in.npy", 1000, 1000);
  ASSERT_TRUE(net.Write(model).ok());
  const std::string run = kFovea + " run " + model + " " + in +
                          " --isa sse4 --threads 1 --tile 64x512 --exact-conv --no-record --quiet --resume "
                          "--memory 50MB -o ";  // no room to keep what lies between passes, which would make it fast
  const std::string until = " & pid=$!; until [ -s ",
                    fill =
                        " ] || ! kill -0 $pid; do sleep 0.05; done; "
                        "head -c 20000000 /dev/zero > ballast 2> /dev/null; wait $pid";
  const ProcessResult first = OnDiskThenList(5000, run + "o.npy" + until + ".o.npy.part" + fill);
  if (first.exit_code == 0) GTEST_SKIP() << "done before the disk was full";
  if (first.err.find(".journal") == std::string::npos) GTEST_SKIP() << "nothing to record before the disk was full";
  ExpectError(first, 2, {"cannot write '.o.npy.part.journal': ", "space", "another disk"});
  EXPECT_EQ(first.out, "ballast\n");

  const ProcessResult later = OnDisk(5000, run + "o.npy" + until + ".o.npy.part.journal" + fill +
                                               "; code=$?; [ ! -e o.npy ] || exit 9; rm ballast; " + run +
                                               "o.npy && cp o.npy " + scratch_.path() + "; exit $code");
  if (later.exit_code == 0 || later.exit_code == 9) GTEST_SKIP() << "done before the disk was full";
  ExpectError(later, 2, {"cannot write '", "o.npy", "the same command with --resume goes on from here"});
  ASSERT_EQ(RunProcess({"/bin/sh", "-c", run + (scratch_ / "once.npy")}).exit_code, 0);
  EXPECT_TRUE(BytesOf(scratch_ / "o.npy") == BytesOf(scratch_ / "once.npy"));
}

TEST_F(RunTest, FoldersThatMayNotBeWritten) {
  const std::string in = Picture("in.npy", 64, 64), folder = scratch_ / "out";
  fs::create_directory(folder);
  const std::string mount = "mount -t tmpfs -o ro none " + folder;
  const bool is_root = geteuid() == 0;
  if (is_root && RunProcess({"/usr/bin/env", "unshare", "-Urm", "/bin/sh", "-c", mount}).exit_code != 0) {
    GTEST_SKIP() << "root may write everywhere, and there are no mount namespaces here";
  }
  for (const std::string out : {"o.tif", "o.png --dtype uint8", "o.npy", "o.ome.tif --pyramid", "o.tif --resume"}) {
    const std::string command = kFovea + " run " + Model() + " " + in + " -o " + folder + "/" + out +
                                "; code=$?; ls -A " + folder + "; exit $code";
    ProcessResult r;
    if (is_root) {
      r = RunProcess({"/usr/bin/env", "unshare", "-Urm", "/bin/sh", "-c", mount + " && { " + command + "; }"});
    } else {
      fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
      r = RunProcess({"/bin/sh", "-c", command});
      fs::permissions(folder, fs::perms::owner_all);
    }
    ExpectError(r, 2, {"cannot create", out.substr(0, out.find(' '))});
    EXPECT_EQ(r.out, "") << out;
  }
  // A record whose name is taken by something else: the result is there, which is said.
  fs::create_directory(folder + "/o.tif.json");
  const ProcessResult taken = Run({"run", Model(), in, "-o", folder + "/o.tif", "--quiet", "--record"});
  ExpectError(taken, 2, {"o.tif.json", "not a regular file", "the result is complete"});
  EXPECT_TRUE(formats::OpenImage(folder + "/o.tif").ok());
}

}  // namespace
}  // namespace fovea::testing
