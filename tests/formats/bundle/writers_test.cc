// Descriptions written and read back, and the field rules of bioimage.io 0.5.
#include "formats/bundle/writers.h"

#include <gtest/gtest.h>

#include "formats/bundle/bundle.h"

namespace fovea::formats {
namespace {

TensorDescription Tensor(const std::string& name, bool output) {
  TensorDescription tensor;
  tensor.name = name;
  tensor.data_type = "float32";
  tensor.test = {name + ".npy", std::string(64, 'a')};
  tensor.axes.push_back({.letter = 'b', .id = "batch"});
  AxisDescription channel{.letter = 'c', .id = "channel"};
  channel.size = {.kind = SizeRuleDescription::Kind::kFixed, .min = 2};
  channel.channel_names = {"red", "Green_2"};
  tensor.axes.push_back(channel);
  for (const char letter : {'y', 'x'}) {
    AxisDescription axis{.letter = letter, .id = std::string(1, letter)};
    axis.unit = "micrometer";
    axis.pixel_scale = output ? 0.25 : 0.5;
    if (output) {
      axis.size = {
          .kind = SizeRuleDescription::Kind::kReference, .tensor = "in", .axis = axis.id, .scale = 2, .offset = -4};
      axis.halo_px = 8;
    } else {
      axis.size = {.kind = SizeRuleDescription::Kind::kSteps, .min = 32, .step = 16};
    }
    tensor.axes.push_back(axis);
  }
  return tensor;
}

BundleDescription Good() {
  BundleDescription d;
  d.name = "Small net (2-D)";
  d.description = "Line one.\nIt's: [not], {yaml} # here";
  d.licence = "CC-BY-4.0";
  d.version = "1.2";
  d.date = "2026-01-02T03:04:05+00:00";
  d.documentation = "README.md";
  d.authors = {{"A. Ünal", "Here, there", "0000-0001-2345-6789"}, {"B", "", ""}};
  d.citations = {{"Paper", "10.1234/2", ""}, {"Page", "", "https://example.com/"}};
  d.tags = {"one", "two: 2", "a \"quoted\" one"};
  d.inputs = {Tensor("in", false)};
  d.outputs = {Tensor("out", true)};
  d.preprocessing = {{"scale_range", {{"axes", std::vector<std::string>{"y", "x"}}, {"min_percentile", 1.0}}, "in"},
                     {"ensure_dtype", {{"dtype", std::string("float32")}}, "in"}};
  d.postprocessing = {{"scale_linear",
                       {{"axis", std::string("channel")}, {"gain", std::vector<double>{1e-20, 2.5}}, {"offset", 0.0}},
                       "out"},
                      {"sigmoid", {}, "out"}};
  WeightsDescription weights;
  weights.format = WeightsFormat::kOnnx;
  weights.format_name = "onnx";
  weights.file = {"weights.onnx", std::string(64, 'b')};
  weights.opset_version = "17";
  d.weights = {weights};
  d.test_rtol = 1e-3;
  d.test_atol = 1e-4;
  return d;
}

TEST(RdfWriter, IsReadBackAsItWas) {
  const BundleDescription d = Good();
  ASSERT_TRUE(RdfComplaints(d).empty()) << RdfComplaints(d)[0];
  const auto read = ReadDescription(WriteRdf(d), "rdf.yaml");
  ASSERT_TRUE(read.ok()) << read.status().message() << "\n" << WriteRdf(d);
  EXPECT_TRUE(read->not_understood.empty()) << read->not_understood[0].first;
  EXPECT_EQ(read->format, "bioimage.io 0.5.7");
  EXPECT_EQ(read->name, d.name);
  EXPECT_EQ(read->description, "Line one. It's: [not], {yaml} # here");
  EXPECT_EQ(read->licence, d.licence);
  EXPECT_EQ(read->version, "1.2");
  EXPECT_EQ(read->tags, d.tags);
  ASSERT_EQ(read->authors.size(), 2u);
  EXPECT_EQ(read->authors[0].name, d.authors[0].name);
  EXPECT_EQ(read->authors[0].affiliation, d.authors[0].affiliation);
  EXPECT_EQ(read->citations[0].doi, "10.1234/2");
  EXPECT_EQ(read->citations[1].url, "https://example.com/");
  EXPECT_EQ(ToString(read->preprocessing), ToString(d.preprocessing));
  EXPECT_EQ(ToString(read->postprocessing), ToString(d.postprocessing));
  for (const auto& [a, b] : {std::pair(&read->inputs[0], &d.inputs[0]), {&read->outputs[0], &d.outputs[0]}}) {
    EXPECT_EQ(a->name, b->name);
    EXPECT_EQ(a->Letters(), "bcyx");
    EXPECT_EQ(a->test.sha256, b->test.sha256);
    for (size_t i = 1; i < 4; ++i) {
      EXPECT_EQ(a->axes[i].size, b->axes[i].size) << i;
      EXPECT_EQ(a->axes[i].halo_px, b->axes[i].halo_px);
      EXPECT_EQ(a->axes[i].channel_names, b->axes[i].channel_names);
    }
  }
  EXPECT_EQ(read->pixel_x.value, 0.5);
  EXPECT_EQ(read->pixel_x.unit, "µm");
  EXPECT_EQ(read->weights[0].file.source, "weights.onnx");
  EXPECT_EQ(read->weights[0].opset_version, "17");
  EXPECT_EQ(read->test_atol, 1e-4);
}

TEST(RdfWriter, DoubtsLicencesThatAreNotOnTheListOrReplaced) {
  BundleDescription d = Good();
  for (const char* known : {"MIT", "BSD-2-Clause", "CC0-1.0", "GPL-3.0-or-later", "EUPL-1.2", "CC-BY-NC-SA-4.0"}) {
    d.licence = known;
    EXPECT_TRUE(RdfDoubts(d).empty()) << known;
    EXPECT_TRUE(RdfComplaints(d).empty()) << known;
  }
  d.licence = "GPL-3.0";
  ASSERT_EQ(RdfDoubts(d).size(), 1u);
  EXPECT_NE(RdfDoubts(d)[0].find("deprecated SPDX identifier; GPL-3.0-only"), std::string::npos);
  d.licence = "Institute-1.0";
  ASSERT_EQ(RdfDoubts(d).size(), 1u);
  EXPECT_NE(RdfDoubts(d)[0].find("spdx.org"), std::string::npos);
  EXPECT_TRUE(RdfComplaints(d).empty());
}

TEST(RdfWriter, ComplainsOfWhatTheSchemaRefuses) {
  const std::pair<void (*)(BundleDescription*), const char*> cases[] = {
      {[](BundleDescription* d) { d->name = "abc"; }, "5 to 128"},
      {[](BundleDescription* d) { d->name = "slash/es in it"; }, "name"},
      {[](BundleDescription* d) { d->description = std::string(1025, 'x'); }, "1 to 1024"},
      {[](BundleDescription* d) { d->authors.clear(); }, "authors"},
      {[](BundleDescription* d) { d->authors[0].name = "a/b"; }, "without /"},
      {[](BundleDescription* d) { d->citations.clear(); }, "cite"},
      {[](BundleDescription* d) { d->citations[1].url = ""; }, "a doi or url"},
      {[](BundleDescription* d) { d->citations[0].doi = "doi:10.1"; }, "begin with 10."},
      {[](BundleDescription* d) { d->citations[0].doi = "10.1/2"; }, "four digits"},
      {[](BundleDescription* d) { d->citations[1].url = "see the paper"; }, "web address"},
      {[](BundleDescription* d) { d->authors[0].orcid = "0000-0001-2345-6788"; }, "no ORCID"},
      {[](BundleDescription* d) { d->repository = "github"; }, "git_repo"},
      {[](BundleDescription* d) { d->licence = "CC BY 4.0"; }, "SPDX identifier; say CC-BY-4.0"},
      {[](BundleDescription* d) { d->licence = "Apache License 2.0"; }, "say Apache-2.0"},
      {[](BundleDescription* d) { d->licence = "bsd-3-clause"; }, "say BSD-3-Clause"},
      {[](BundleDescription* d) { d->licence = "ask the author"; }, "SPDX"},
      {[](BundleDescription* d) { d->licence = ""; }, "SPDX"},
      {[](BundleDescription* d) { d->outputs[0].name = "Out.1"; }, "lower-case"},
      {[](BundleDescription* d) { d->outputs[0].name = "in"; }, "two tensors"},
      {[](BundleDescription* d) { d->outputs[0].description = std::string(129, 'x'); }, "128"},
      {[](BundleDescription* d) { d->inputs[0].axes[1].channel_names[0] = "far red"; }, "'far red'"},
      {[](BundleDescription* d) { d->outputs[0].axes[2].size.axis = "z"; }, "no such axis"},
      {[](BundleDescription* d) { d->outputs[0].axes[2].size.offset = 0.5; }, "whole number"},
      {[](BundleDescription* d) { d->outputs[0].axes[2].unit = ""; }, "another unit"},
      {[](BundleDescription* d) { d->outputs[0].axes[2].halo_px = 30; }, "too small for its halo"},
      {[](BundleDescription* d) { d->outputs[0].axes[2].halo_px = 7; }, "no whole number of pixels"},
      {[](BundleDescription* d) {
         d->preprocessing[0].arguments.push_back({"mode", std::string("x")});
       },
       "mode"},
      {[](BundleDescription* d) {
         d->preprocessing[0].arguments.push_back({"eps", 0.5});
       },
       "eps must be in (0, 0.1]"},
      {[](BundleDescription* d) {
         d->preprocessing[0] = {"scale_range", {{"max_percentile", 1.0}}, "in"};
       },
       "max_percentile must be in (1, 100]"},
      {[](BundleDescription* d) { d->preprocessing[0].arguments[0].value = std::vector<std::string>{"z"}; },
       "no axis z"},
      {[](BundleDescription* d) {
         d->preprocessing[0] = {"clip", {}, "in"};
       },
       "needs a min or a max"},
      {[](BundleDescription* d) {
         d->preprocessing[0] = {"binarize", {}, "in"};
       },
       "binarize needs threshold"},
      {[](BundleDescription* d) {
         d->preprocessing[0] = {"scale_linear", {}, "in"};
       },
       "does nothing"},
      {[](BundleDescription* d) {
         d->preprocessing[0] = {"binarize", {{"threshold", std::vector<double>{1, 2}}}, "in"};
       },
       "lists of numbers need an axis"},
      {[](BundleDescription* d) { d->weights[0].opset_version = "6"; }, "opset 6 is too old"},
      {[](BundleDescription* d) { d->weights[0].format = WeightsFormat::kKeras; }, "TensorFlow version"},
      {[](BundleDescription* d) { d->inputs[0].test.sha256 = ""; }, "no test tensor"},
      {[](BundleDescription* d) { d->inputs[0].axes[1].channel_names.clear(); }, "no names"},
      {[](BundleDescription* d) {
         d->outputs[0].axes[2].size = {};
         d->outputs[0].axes[2].halo_px = 0;
       },
       "has no size"},
      {[](BundleDescription* d) { d->outputs[0].axes[2].size = {.kind = SizeRuleDescription::Kind::kFixed, .min = 8}; },
       "must follow from an input's"},
      {[](BundleDescription* d) { d->postprocessing[0].name = "watershed"; }, "step watershed is not one"},
      {[](BundleDescription* d) { d->preprocessing[0].name = "scale_mean_variance"; }, "step scale_mean_variance"},
      {[](BundleDescription* d) { d->weights.clear(); }, "weights"},
  };
  for (const auto& [change, part] : cases) {
    BundleDescription d = Good();
    change(&d);
    const std::vector<std::string> complaints = RdfComplaints(d);
    ASSERT_EQ(complaints.size(), 1u) << part;
    EXPECT_NE(complaints[0].find(part), std::string::npos) << complaints[0];
  }
}

TEST(ConfigXmlWriter, IsReadBackAsItWas) {
  BundleDescription d = Good();
  d.weights[0].format = WeightsFormat::kSavedModel;
  d.pixel_x = {1.3, "µm"};
  d.pixel_y = {0.65, "µm"};
  d.test_input_size = "64x32";
  d.test_output_size = "128x64";
  d.test_memory = "62.9 Mb";
  d.test_runtime = "0.10 s";
  d.preprocessing_files = {"preprocessing.ijm"};
  ASSERT_TRUE(ConfigXmlComplaints(d).empty()) << ConfigXmlComplaints(d)[0];
  const std::string xml = WriteConfigXml(d);
  size_t tags = 0;
  for (size_t at = xml.find("</"); at != std::string::npos; at = xml.find("</", at + 1)) ++tags;
  for (size_t at = xml.find(" />"); at != std::string::npos; at = xml.find(" />", at + 1)) ++tags;
  EXPECT_EQ(tags, 34u) << xml;  // the 30 fields of the zoo's files, in 3 sections of one model
  const auto read = ReadDescription(xml, "config.xml");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read->not_understood.empty());
  EXPECT_EQ(read->name, d.name);
  EXPECT_EQ(read->pixel_x.value, 1.3);
  EXPECT_EQ(read->pixel_y.value, 0.65);
  EXPECT_EQ(read->pixel_y.unit, "µm");
  EXPECT_EQ(read->inputs[0].Letters(), "bcyx");
  EXPECT_EQ(read->inputs[0].axes[2].size.step, 16);
  EXPECT_EQ(read->inputs[0].axes[1].size.min, 2);
  EXPECT_EQ(read->outputs[0].axes[3].halo_px, 8);
  EXPECT_FALSE(read->fixed_patch);
  EXPECT_EQ(read->test_memory, "62.9 Mb");
  EXPECT_EQ(read->preprocessing_files, d.preprocessing_files);
  EXPECT_EQ(read->tensorflow_tag, "serve");
  d.outputs.push_back(d.outputs[0]);
  EXPECT_EQ(ConfigXmlComplaints(d).size(), 1u);
}

}  // namespace
}  // namespace fovea::formats
