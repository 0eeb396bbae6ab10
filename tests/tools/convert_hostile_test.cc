// Files from strangers, through fovea-convert as its users run it: one sentence that names the file, exit code 2, and
// nothing written, whatever is wrong.
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/converter/saved_model/support.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;

// The address sanitizer reserves terabytes of addresses for itself.
#if defined(__SANITIZE_ADDRESS__)
const std::string kLimit;
#else
const std::string kLimit = "ulimit -v 524288; ";
#endif

class HostileModelTest : public ::testing::Test {
 protected:
  static void WriteFile(const std::string& path, const std::string& bytes) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::string WriteFolder(const Files& files) const {
    const std::string folder = scratch_ / "model";
    fs::remove_all(folder);
    for (const auto& [name, bytes] : files) WriteFile(folder + "/" + name, bytes);
    return folder;
  }

  // In half a gigabyte: what a file claims is not allocated.
  void ExpectRefused(const std::string& path, const std::vector<std::string>& parts,
                     const std::vector<std::string>& more = {}) {
    SCOPED_TRACE(path);
    const std::vector<std::string> before = scratch_.Files();
    std::string command = kLimit + "exec '" + kConvert + "' '" + path + "' -o '" + (scratch_ / "out.fov") + "'";
    for (const std::string& word : more) command += " '" + word + "'";
    const ProcessResult r = RunProcess({"/bin/sh", "-c", command});
    EXPECT_EQ(r.exit_code, 2) << r.err;
    EXPECT_EQ(r.out, "");
    const bool lists = r.err.find(" unsupported node(s):\n") != std::string::npos;
    EXPECT_TRUE(lists || std::count(r.err.begin(), r.err.end(), '\n') == 1) << r.err;
    for (const std::string& part : parts) EXPECT_NE(r.err.find(part), std::string::npos) << r.err << "lacks: " << part;
    EXPECT_EQ(scratch_.Files(), before);
  }

  // The small model with its graph changed.
  std::string Changed(const std::function<void(tfproto::SavedModel*)>& change) const {
    Files files = SmallModelFiles();
    tfproto::SavedModel model = SmallModel();
    change(&model);
    files["saved_model.pb"] = model.SerializeAsString();
    return WriteFolder(files);
  }

  ScratchFolder scratch_;
};

TEST_F(HostileModelTest, TheModelItselfIsGood) {
  const std::string folder = WriteFolder(SmallModelFiles());
  EXPECT_EQ(RunProcess({kConvert, folder, "-o", scratch_ / "out.fov", "-q"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(scratch_ / "out.fov"));
}

TEST_F(HostileModelTest, ZipsThatEscapeLinkOrExplode) {
  const std::string good = SmallModel().SerializeAsString();
  const std::string zip = scratch_ / "model.zip";
  const std::vector<std::pair<std::vector<ZipEntry>, std::string>> cases = {
      {{{"saved_model.pb", good}, {"../evil", "x"}}, "leaves it"},
      {{{"saved_model.pb", good}, {"/etc/evil", "x"}}, "leaves it"},
      {{{"saved_model.pb", good}, {"a/../../evil", "x"}}, "leaves it"},
      {{{"saved_model.pb", good}, {"variables/variables.index", "/etc/passwd", true, true}}, "link"},
      {{{"saved_model.pb", std::string(size_t{300} << 20, '\0')}}, "not unpacked"},
      {{{"a.zip", WriteZip({{"b.zip", WriteZip({{"saved_model.pb", good}})}})}}, "no saved_model.pb"},
      {{{"readme.txt", "hello"}}, "no saved_model.pb"}};
  for (const auto& [entries, part] : cases) {
    WriteFile(zip, WriteZip(entries));
    ExpectRefused(zip, {"model.zip", part});
  }
  const std::string whole = WriteZip({{"saved_model.pb", good}});
  for (const size_t size : {size_t{4}, size_t{30}, whole.size() / 2, whole.size() - 1}) {
    WriteFile(zip, whole.substr(0, size));
    ExpectRefused(zip, {"model.zip"});
  }
}

TEST_F(HostileModelTest, VariablesMissingCutOffOrDamaged) {
  const std::string first = "variables/variables.data-00000-of-00002",
                    second = "variables/variables.data-00001-of-00002";
  const std::string index = "variables/variables.index";
  Files files = SmallModelFiles();
  files.erase(second);
  ExpectRefused(WriteFolder(files), {"model", "variables.data-00001-of-00002", "missing"});
  files = SmallModelFiles();
  files[second].pop_back();
  ExpectRefused(WriteFolder(files), {"cut off"});
  files = SmallModelFiles();
  files[first][0] = static_cast<char>(files[first][0] ^ 1);
  ExpectRefused(WriteFolder(files), {"checksum"});
  files = SmallModelFiles();
  files.erase(index);
  ExpectRefused(WriteFolder(files), {"variables.index", "--no-weights"});
  const std::string table = SmallModelFiles()[index];
  for (const size_t size : {size_t{0}, size_t{1}, size_t{47}, table.size() / 2, table.size() - 1}) {
    files = SmallModelFiles();
    files[index].resize(size);
    ExpectRefused(WriteFolder(files), {"variables.index"});
  }
}

TEST_F(HostileModelTest, GraphsCutOffCircularOrAbsurd) {
  Files files = SmallModelFiles();
  const std::string whole = files["saved_model.pb"];
  for (const size_t size : {size_t{0}, size_t{1}, size_t{7}, whole.size() / 2, whole.size() - 1}) {
    files["saved_model.pb"] = whole.substr(0, size);
    ExpectRefused(WriteFolder(files), {"model"});
  }
  using Model = tfproto::SavedModel;
  const auto graph = [](Model* model) { return model->mutable_meta_graphs(0)->mutable_graph_def(); };
  // outer calls itself; then outer and inner call each other.
  ExpectRefused(Changed([&](Model* m) {
                  graph(m)->mutable_library()->mutable_function(0)->mutable_node_def(0)->clear_attr();
                  SetFunction(*graph(m)->mutable_library()->mutable_function(0)->mutable_node_def(0), "f", "outer");
                }),
                {"calls itself"});
  ExpectRefused(Changed([&](Model* m) {
                  tfproto::FunctionDef* inner = graph(m)->mutable_library()->mutable_function(1);
                  SetFunction(AddNode(inner, "again", "PartitionedCall", {"x", "a", "b"}), "f", "outer");
                  inner->mutable_node_def(3)->set_input(0, "again:output:0");
                }),
                {"calls itself"});
  ExpectRefused(Changed([&](Model* m) {
                  tfproto::FunctionDef* inner = graph(m)->mutable_library()->mutable_function(1);
                  inner->mutable_node_def(2)->set_input(0, "add:z:0");
                }),
                {"loop"});
  // A constant of 4 TiB that repeats one number; one of 2^62 numbers.
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{1 << 20, 1 << 20}, {1LL << 31, 1LL << 31}}) {
    ExpectRefused(Changed([&](Model* m) {
                    tfproto::FunctionDef* inner = graph(m)->mutable_library()->mutable_function(1);
                    SetFloats(AddNode(inner, "huge", "Const", {}), dims, {1});
                    inner->mutable_node_def(3)->set_input(0, "huge:output:0");
                  }),
                  {"huge"});
  }
  ExpectRefused(Changed([&](Model* m) { m->mutable_meta_graphs(0)->clear_signature_def(); }), {"--inputs"});
  ExpectRefused(WriteFolder(SmallModelFiles()), {"'gpu'", "serve"}, {"--tag", "gpu"});
  ExpectRefused(WriteFolder(SmallModelFiles()), {"'other'", "serving_default"}, {"--signature", "other"});
}

// Bytes flipped at random in every file of the model: converted all the same, or refused.
TEST_F(HostileModelTest, FlippedBytes) {
  uint64_t state = 1;
  const auto next = [&](size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(state >> 33) % n;
  };
  for (int round = 0; round < 40; ++round) {
    Files files = SmallModelFiles();
    auto file = files.begin();
    std::advance(file, static_cast<ptrdiff_t>(next(files.size())));
    for (size_t flips = next(3) + 1; flips > 0; --flips) {
      char& byte = file->second[next(file->second.size())];
      byte = static_cast<char>(byte ^ (1 << next(8)));
    }
    const ProcessResult r = RunProcess({kConvert, WriteFolder(files), "-o", scratch_ / "out.fov", "-q"});
    ASSERT_TRUE(r.exit_code == 0 || r.exit_code == 2) << round << ": " << r.exit_code << " " << r.err;
    ASSERT_EQ(fs::exists(scratch_ / "out.fov"), r.exit_code == 0);
    fs::remove(scratch_ / "out.fov");
  }
}

// Files that people have instead of a model that fovea reads: what they are, and what to do.
TEST_F(HostileModelTest, FilesOfOtherPrograms) {
  const std::string zeros(64, '\0');
  const std::string pickle = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  const std::tuple<std::string, std::string, const char*> files[] = {
      {"a.keras", WriteZip({{"config.json", "{}"}, {"metadata.json", "{}"}, {"model.weights.h5", "x"}}), "model.save("},
      {"a.pt", WriteZip({{"archive/data.pkl", "x"}, {"archive/data/0", "x"}}), "torch.onnx.export"},
      {"a.pth", pickle + zeros, "torch.onnx.export"},
      {"a.tflite", std::string("\x1c\0\0\0TFL3", 8) + zeros, "TensorFlow Lite"},
      {"a.safetensors", std::string("\x12\0\0\0\0\0\0\0{\"w\":{}}", 17) + zeros, "safetensors"},
      {"a.mat", "MATLAB 5.0 MAT-file" + zeros, "exportONNXNetwork"},
      {"a.xml", "<?xml version=\"1.0\"?>\n<net name=\"n\" version=\"11\">", "OpenVINO"},
      {"a.docx", WriteZip({{"[Content_Types].xml", "<x/>"}, {"word/document.xml", "<x/>"}}), "an Office document"},
      {"a.doc", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + zeros, "an Office document"},
      {"a.pdf", "%PDF-1.7" + zeros, "a PDF"},
      {"empty.zip", std::string("PK\5\6", 4) + zeros, "an empty zip"},
      {"a.tif", std::string("II*\0", 4) + zeros, "an image"},
      {"a.fov", "FOVEA\r\n\x1a" + zeros, "fovea run"},
      {"a.onnx", "", "an empty file"},
      {"a.zip", WriteZip({{"readme.txt", "x"}, {"weights.onnx", "x"}, {"old/model.h5", "x"}}),
       "old/model.h5, weights.onnx"}};
  for (const auto& [name, bytes, part] : files) {
    WriteFile(scratch_ / name, bytes);
    ExpectRefused(scratch_ / name, {name, part});
  }
  WriteFile(scratch_ / "folder/net.onnx", "x");
  ExpectRefused(scratch_ / "folder", {"folder", "net.onnx", "name that file"});
}

TEST_F(HostileModelTest, WhatIsNoFile) {
  ExpectRefused(scratch_.path(), {"no saved_model.pb"});
  ExpectRefused("/dev/zero", {"/dev/zero"});
  ASSERT_EQ(std::system(("mkfifo '" + (scratch_ / "pipe") + "'").c_str()), 0);
  ExpectRefused(scratch_ / "pipe", {"pipe", "not a file"});
}

}  // namespace
}  // namespace fovea::testing
