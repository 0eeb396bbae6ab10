// Every published description beside the project is read; the expected fields were taken from the files by eye.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "formats/bundle/bundle.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

struct Row {
  const char* path;  // below ../shared
  const char* format;
  const char* name;
  const char* licence;
  size_t authors, citations, tags;
  const char* first_author;
  const char* inputs;   // "name letters sizes", several joined by " | "
  const char* outputs;  // the same with halo
  const char* pre;
  const char* post;
  const char* pre_files;
  const char* post_files;
  const char* weights;  // "format:first 8 digits of sha256"
  const char* pixel;    // "x y"
  const char* memory_and_time;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.path; }

// Sizes: n exactly, min+step, =tensor.axis*scale+offset, ? unknown.
constexpr Row kRows[] = {
    {"deepimagej-zoo/2du-net_zerocostdl4mic", "bioimage.io 0.3.2", "2D UNet - ZeroCostDL4Mic", "MIT", 2, 3, 4,
     "ZeroCostDL4Mic", "input byxc 1,2048,2048,1",
     "output byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,25,25,0",
     "scale_range(axes=[x, y], min_percentile=0, max_percentile=99.85)@input", "none", "preprocessing.ijm",
     "postprocessing.ijm", "tensorflow_saved_model_bundle:fdab3f95 keras_hdf5:52f4065f", "0.0004 µm 0.0004 µm",
     "99.2 Mb 9.9 s"},
    {"deepimagej-zoo/3du-net_zerocostdl4mic", "bioimage.io 0.3.2", "3D U-Net - ZeroCostDL4Mic", "MIT", 1, 2, 7,
     "DeepImageJ team", "input byxzc 1,256,256,8,1",
     "output byxzc =input.b*1,=input.y*1,=input.x*1,=input.z*1,=input.c*1 halo 0,0,0,0,0", "none", "none",
     "preprocessing.ijm", "", "tensorflow_saved_model_bundle:09f8212a", "- -", "286.1 Mb 28.3"},
    {"deepimagej-zoo/deepstorm_zerocostdl4mic", "bioimage.io 0.3.2", "Glial Cell SMLM (DeepSTORM - ZeroCostDL4Mic)",
     "MIT", 2, 3, 6, "ZeroCostDL4Mic team", "input byxc 1,2048,2048,1",
     "output byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,0,0,0", "none", "none", "preprocessing.ijm",
     "postprocessing_LocalMaximaSMLM.ijm", "tensorflow_saved_model_bundle:efcae3a3 keras_hdf5:61fd2b4d",
     "0.16 µm 0.16 µm", "712.6 Mb 11.7 s"},
    {"deepimagej-zoo/defcon_density_map_estimation", "bioimage.io 0.3.2", "SMLM Density Map Estimation (DEFCoN)",
     "BSD-3-Clause", 3, 1, 4, "Baptiste Ottino", "input byxc 1,20+1,20+1,1",
     "output byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,10,10,0",
     "scale_range(axes=[x, y], min_percentile=0, max_percentile=100)@input", "none", "preprocessing.txt",
     "postprocessing.txt", "tensorflow_js:d1427f81", "- -", "62.9 Mb 0.1 s"},
    {"deepimagej-zoo/fru-net_sev_segmentation", "bioimage.io 0.4.5",
     "Small Extracellular Vesicle TEM Segmentation (Fully Residual U-Net)", "BSD-3-Clause", 6, 1, 11,
     "Estibaliz Gómez-de-Mariscal", "input byxc 1,400,400,1",
     "output byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,127,127,0",
     "scale_range(axes=[x, y], max_percentile=100, min_percentile=0)@input", "binarize(threshold=0.4)@output",
     "preprocessing.txt", "postprocessing.txt",
     "keras_hdf5:5122cbff tensorflow_saved_model_bundle:20bff1da tensorflow_js:eb27d8f3", "0.0009658 µm 0.0009658 µm",
     "257.7 Mb 78.8 s"},
    {"deepimagej-zoo/jones_virtual_staining", "bioimage.io 0.3.2", "Jones Virtual Staining (GAN)", "CC BY 4.0", 3, 1, 4,
     "Yair Rivenson", "input_images yxc 1224,1224,1",
     "output_images byxc ?,=input_images.y*1,=input_images.x*1,=input_images.c*3 halo 0,150,150,0", "none", "none",
     "preprocessing.txt", "postprocessing.txt", "tensorflow_saved_model_bundle:ec37989b", "- -", "829.8 Mb 130.9 s"},
    {"deepimagej-zoo/skin_lesion_classification", "bioimage.io 0.3.2", "Skin lesions classification", "BSD-2-Clause", 1,
     0, 6, "Carlos García-López-de-Haro", "input0 bcyx 1,3,1+1,1+1", "output0 bi ?,? halo 0,0", "none", "none",
     "preprocessing.ijm", "post.ijm", "pytorch_script:b40e303e", "- -", "99.3 Mb 0.3 s"},
    {"deepimagej-zoo/stardist2D_zerocostdl4mic", "bioimage.io 0.3.2", "Multi-Organ Nucleus Segmentation Challenge",
     "MIT", 1, 4, 9, "Estibaliz Gómez de Mariscal", "input byxc 1,16+16,16+16,3",
     "output byxc =input.b*1,=input.y*0.5,=input.x*0.5,=input.c*11 halo 0,248,248,0",
     "scale_range(axes=[x, y, channel], min_percentile=1, max_percentile=99.8)@input", "none",
     "per_sample_scale_range.ijm", "StarDist_Post-processing.ijm",
     "tensorflow_saved_model_bundle:015739d1 keras_hdf5:8385b10c", "1 µm 1 µm", " "},
    {"deepimagej-zoo/u-net_glioblastoma_segmentation", "bioimage.io 0.3.2",
     "Glioblastoma Phase Contrast Cell Segmentation (U-Net)", "BSD-2-Clause", 1, 2, 4, "DeepImageJ",
     "input byxc 1,256,256,1", "output byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,64,64,0", "none", "none",
     "preprocessing.txt", "postprocessing.txt", "tensorflow_saved_model_bundle:480558c9 tensorflow_js:34a8002c",
     "1.3 µm 1.3 µm", "269.0 Mb 11.5 s s"},
    {"deepimagej-zoo/u-net_pancreatic_segmentation", "bioimage.io 0.4.5",
     "Pancreatic Phase Contrast Cell Segmentation (U-Net)", "BSD-2-Clause", 2, 3, 12, "Ignacio Arganda Carreras",
     "input byxc 1,96+8,96+8,1", "output byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,47,47,0",
     "scale_range(axes=[x, y], min_percentile=0, max_percentile=100)@input", "binarize(threshold=0.5)@output",
     "per_sample_scale_range.ijm", "binarize.ijm", "tensorflow_saved_model_bundle:e0775a1d keras_hdf5:d31fd8c4",
     "0.00016 cm 0.006 cm", "328.1 Mb 2.8 s"},
    {"deepimagej-zoo/usiigaci", "bioimage.io 0.3.2",
     "NIH 3T3 Fibroblast Phase Contrast Segmentation (Usiigaci-Mask R-CNN)", "MIT", 5, 1, 8, "Joanna Gajda",
     "input_image bxyc 1,1+1,1+1,3",
     "mrcnn_detection bic 1,1000,6 halo 0,0,0 | mrcnn_mask bzxyc 1,1000,28,28,2 halo 0,0,0,0,0", "none", "none",
     "preprocessing.ijm, General.jar Preprocessing::preProcessingRoutineUsingImage",
     "General.jar PostProcessing::postProcessingRoutineUsingImage, postprocessing.ijm",
     "tensorflow_saved_model_bundle:a5e69720", "0.87 µm 0.87 µm", "376.8 Mb 57.6"},
    {"deepimagej-zoo/widefield_dapi_super-resolution", "bioimage.io 0.3.2", "Widefield Super-resolution (GAN - DAPI)",
     "CC-BY-4.0", 3, 1, 4, "Hongda Wang", "input_images yxc 1024,1024,1",
     "output_images byxc ?,=input_images.y*1,=input_images.x*1,=input_images.c*1 halo 0,22,22,0", "none", "none",
     "preprocessing.txt", "postprocessing.txt", "tensorflow_saved_model_bundle:9b84763f", "- -", "283.8 Mb 90.0 s"},
    {"deepimagej-zoo/widefield_txred_super-resolution", "bioimage.io 0.3.2", "Widefield Super-resolution (GAN - TxRed)",
     "CC BY 4.0", 3, 1, 4, "Hongda Wang", "input_images yxc 1024,1024,1",
     "output_images byxc ?,=input_images.y*1,=input_images.x*1,=input_images.c*1 halo 0,22,22,0", "none", "none",
     "preprocessing.txt", "postprocessing.txt", "tensorflow_saved_model_bundle:f8873ff5", "- -", "283.8 Mb 90.0 s"},
    // config.xml by itself.
    {"deepimagej-zoo/2du-net_zerocostdl4mic/config.xml", "DeepImageJ config.xml", "2D UNet - ZeroCostDL4Mic", "", 1, 1,
     0, "ZeroCostDL4Mic team", "input byxc ?,512,512,1", "output byxc ?,?,?,? halo 0,25,25,0", "none", "none",
     "preprocessing.ijm", "postprocessing.ijm", "saved_model.pb:", "0.0004 µm 0.0004 µm", " "},
    {"deepimagej-zoo/deepstorm_zerocostdl4mic/config.xml", "DeepImageJ config.xml", "DeepSTORM - ZeroCostDL4Mic", "", 1,
     1, 0, "ZeroCostDL4Mic team", "input byxc ?,2048,2048,1", "output byxc ?,?,?,? halo 0,0,0,0", "none", "none",
     "preprocessing.ijm", "postprocessing_LocalMaximaSMLM.ijm", "saved_model.pb:", "0.16 µm 0.16 µm", " "},
    {"deepimagej-zoo/defcon_density_map_estimation/config.xml", "DeepImageJ config.xml",
     "DEFCoN density map estimation", "", 1, 0, 0, "Baptiste Ottino", "input byxc ?,1+1,1+1,1",
     "output byxc ?,?,?,? halo 0,10,10,0", "none", "none", "preprocessing.txt", "postprocessing.txt",
     "saved_model.pb:", "- -", "62.9 Mb 0.1 s"},
    {"deepimagej-zoo/jones_virtual_staining/config.xml", "DeepImageJ config.xml", "Jones virtul staining", "", 1, 1, 0,
     "Yair Rivenson", "input_images yxc 1224,1224,1", "output_images yxc ?,?,? halo 150,150,0", "none", "none",
     "preprocessing.txt", "postprocessing.txt", "saved_model.pb:", "- -", "829.8 Mb 130.9 s"},
    {"deepimagej-zoo/u-net_glioblastoma_segmentation/config.xml", "DeepImageJ config.xml",
     "U-Net GLioblastoma Cell Segmentation", "", 1, 0, 0, "João Soares Lopes", "input byxc ?,256,256,1",
     "output byxc ?,?,?,? halo 0,64,64,0", "none", "none", "preprocessing.txt", "postprocessing.txt",
     "saved_model.pb:", "1.3 µm 1.3 µm", "269.0 Mb 11.5 s"},
    {"deepimagej-zoo/widefield_dapi_super-resolution/config.xml", "DeepImageJ config.xml",
     "Widefield DAPI super-resolution", "", 1, 1, 0, "Hongda Wang", "input_images yxc 1024,1024,1",
     "output_images byxc ?,?,?,? halo 0,22,22,0", "none", "none", "preprocessing.txt", "postprocessing.txt",
     "saved_model.pb:", "- -", "283.8 Mb 90.0 s"},
    {"deepimagej-zoo/widefield_txred_super-resolution/config.xml", "DeepImageJ config.xml",
     "Widefield TxRed super-resolution", "", 1, 1, 0, "Hongda Wang", "input_images yxc 1024,1024,1",
     "output_images byxc ?,?,?,? halo 0,22,22,0", "none", "none", "preprocessing.txt", "postprocessing.txt",
     "saved_model.pb:", "- -", "304.3 Mb 88.3 s"},
    // bioimage.io's own examples.
    {"bioimageio-descriptions/stardist_example_model/v0_4.bioimageio.yaml", "bioimage.io 0.4.0", "StardistExampleModel",
     "CC-BY-NC-4.0", 2, 2, 5, "Uwe Schmidt", "input byxc 1,80+16,80+16,1",
     "output byxc =input.b*1,=input.y*1,=input.x*1,33 halo 0,32,32,0",
     "scale_range(axes=[y, x], max_percentile=99.8, min_percentile=1)@input", "none", "", "",
     "tensorflow_saved_model_bundle:444cbbba", "- -", " "},
    {"bioimageio-descriptions/stardist_example_model/rdf_wrong_shape_v0_4.yaml", "bioimage.io 0.4.0",
     "StardistExampleModel", "CC-BY-NC-4.0", 2, 2, 5, "Uwe Schmidt", "input byxc 1,80+16,80+16,1",
     "output byxc =input.b*1+2,=input.y*1+2,=input.x*1+2,66 halo 0,0,0,0",
     "scale_range(axes=[y, x], max_percentile=99.8, min_percentile=1)@input", "none", "", "",
     "tensorflow_saved_model_bundle:444cbbba", "- -", " "},
    {"bioimageio-descriptions/stardist_example_model/rdf_wrong_shape2_v0_4.yaml", "bioimage.io 0.4.0",
     "StardistExampleModel", "CC-BY-NC-4.0", 2, 2, 5, "Uwe Schmidt", "input byxc 1,80+17,80+17,1",
     "output byxc =input.b*1,=input.y*1,=input.x*1,33 halo 0,32,32,0",
     "scale_range(axes=[y, x], max_percentile=99.8, min_percentile=1)@input", "none", "", "",
     "tensorflow_saved_model_bundle:444cbbba", "- -", " "},
    {"bioimageio-descriptions/unet2d_diff_output_shape/bioimageio.yaml", "bioimage.io 0.5.4", "Diff-output-shape",
     "CC-BY-4.0", 1, 2, 1, "Constantin Pape", "input bcyx ?,1,32+16,32+16",
     "output bcyx ?,1,=input.y*0.5,=input.x*0.5 halo 0,0,0,0",
     "ensure_dtype(dtype=float32)@input | zero_mean_unit_variance(axes=[channel, y, x])@input | "
     "ensure_dtype(dtype=float32)@input",
     "ensure_dtype(dtype=float32)@output", "", "", "pytorch_state_dict:2c475874", "- -", " "},
    {"bioimageio-descriptions/unet2d_fixed_shape/v0_4.bioimageio.yaml", "bioimage.io 0.4.9", "Fixed-shape", "CC-BY-4.0",
     1, 2, 1, "Constantin Pape", "input bcyx 1,1,256,256", "output bcyx 1,1,256,256 halo 0,0,8,8",
     "zero_mean_unit_variance(axes=[channel, y, x])@input", "none", "", "", "pytorch_state_dict:bcf26f08", "- -", " "},
    {"bioimageio-descriptions/unet2d_keras_tf/v0_4.bioimageio.yaml", "bioimage.io 0.4.0", "Unet2DKeras", "MIT", 1, 3, 5,
     "zerocost", "input bxyc 1,512,512,1", "output bxyc 1,512,512,1 halo 0,0,0,0",
     "scale_range(axes=[x, y, channel], max_percentile=99.8, min_percentile=1)@input", "none",
     "per_sample_scale_range.ijm", "", "keras_hdf5:2c0d85bb", "1 1", " "},
    {"bioimageio-descriptions/unet2d_keras_tf2/v0_4.bioimageio.yaml", "bioimage.io 0.4.8",
     "B. Sutilist bacteria segmentation - Widefield microscopy - 2D UNet", "MIT", 1, 4, 10,
     "Estibaliz Gomez de Mariscal", "input bxyc 1,256,256,1",
     "output bxyc =input.b*1,=input.x*1,=input.y*1,=input.c*3 halo 0,0,0,0",
     "scale_range(axes=[x, y, channel], max_percentile=99.8, min_percentile=1)@input", "none",
     "per_sample_scale_range.ijm", "", "keras_hdf5:8f64a311 tensorflow_saved_model_bundle:40333b13", "0.065 0.065",
     " "},
    {"bioimageio-descriptions/unet2d_multi_tensor/bioimageio.yaml", "bioimage.io 0.5.4", "Multi-tensor", "CC-BY-4.0", 1,
     2, 1, "Constantin Pape", "input0 bcyx ?,1,32+16,32+16 | input1 bcyx ?,1,32+16,32+16",
     "output0 bcyx ?,1,=input0.y*1,=input0.x*1 halo 0,0,0,0 | output1 bcyx ?,1,=input1.y*1,=input1.x*1 halo 0,0,0,0",
     "ensure_dtype(dtype=float32)@input0 | zero_mean_unit_variance(axes=[channel, y, x])@input0 | "
     "ensure_dtype(dtype=float32)@input0 | ensure_dtype(dtype=float32)@input1 | "
     "zero_mean_unit_variance(axes=[channel, y, x])@input1 | ensure_dtype(dtype=float32)@input1",
     "ensure_dtype(dtype=float32)@output0 | ensure_dtype(dtype=float32)@output1", "", "",
     "pytorch_state_dict:c498522b torchscript:5a6800f5", "- -", " "},
    {"bioimageio-descriptions/unet2d_nuclei_broad/bioimageio.yaml", "bioimage.io 0.5.4", "UNet 2D Nuclei Broad", "MIT",
     2, 2, 5, "Constantin Pape;@bioimage-io", "raw bcyx 1,1,512,512",
     "probability bcyx ?,1,=raw.y*1,=raw.x*1 halo 0,0,32,32",
     "ensure_dtype(dtype=float32)@raw | zero_mean_unit_variance(axes=[x, y])@raw | ensure_dtype(dtype=float32)@raw",
     "sigmoid@probability | ensure_dtype(dtype=float32)@probability", "", "",
     "onnx:85f5ac80 pytorch_state_dict:e4d3885b torchscript:a4b0659a", "- -", " "},
    {"bioimageio-descriptions/unet2d_nuclei_broad/expand_output_shape.bioimageio.yaml", "bioimage.io 0.5.4",
     "UNet 2D Nuclei Broad", "MIT", 2, 2, 5, "Constantin Pape;@bioimage-io", "raw bcyx ?,1,512,512",
     "probability bczyx ?,1,1,=raw.y*1,=raw.x*1 halo 0,0,0,32,32",
     "ensure_dtype(dtype=float32)@raw | zero_mean_unit_variance(axes=[y, x], eps=1e-06)@raw | "
     "ensure_dtype(dtype=float32)@raw",
     "sigmoid@probability | ensure_dtype(dtype=float32)@probability", "", "", "pytorch_state_dict:e4d3885b", "- -",
     " "},
    {"bioimageio-descriptions/unet2d_nuclei_broad/expand_output_shape_v0_4.bioimageio.yaml", "bioimage.io 0.4.10",
     "UNet 2D Nuclei Broad", "MIT", 2, 2, 5, "Constantin Pape;@bioimage-io", "raw bcyx 1,1,512,512",
     "probability bczyx =raw.b*1,1,1,=raw.y*1,=raw.x*1 halo 0,0,0,32,32", "zero_mean_unit_variance(axes=[y, x])@raw",
     "sigmoid@probability", "", "", "pytorch_state_dict:e4d3885b", "- -", " "},
    {"bioimageio-descriptions/unet2d_nuclei_broad/v0_4_0.bioimageio.yaml", "bioimage.io 0.4.0", "UNet 2D Nuclei Broad",
     "MIT", 2, 2, 5, "Constantin Pape;@bioimage-io", "raw bcyx 1,1,512,512",
     "probability bcyx =raw.b*1,1,=raw.y*1,=raw.x*1 halo 0,0,32,32", "zero_mean_unit_variance(axes=[y, x])@raw",
     "sigmoid@probability", "", "", "pytorch_state_dict:e4d3885b onnx:85f5ac80 torchscript:a4b0659a", "- -", " "},
    {"bioimageio-descriptions/unet2d_nuclei_broad/v0_4_9.bioimageio.yaml", "bioimage.io 0.4.9", "UNet 2D Nuclei Broad",
     "MIT", 2, 2, 5, "Constantin Pape;@bioimage-io", "raw bcyx 1,1,512,512",
     "probability bcyx =raw.b*1,1,=raw.y*1,=raw.x*1 halo 0,0,32,32", "zero_mean_unit_variance(axes=[y, x])@raw",
     "sigmoid@probability", "", "", "pytorch_state_dict:e4d3885b onnx:85f5ac80 torchscript:a4b0659a", "- -", " "},
    {"bioimageio-descriptions/upsample_test_model/v0_4.bioimageio.yaml", "bioimage.io 0.4.10", "Test_scaling",
     "CC-BY-4.0", 2, 1, 2, "William Patton", "input bcyx 1,1,5+5,5+5",
     "output bcyx =input.b*1,1,=input.y*4,=input.x*4 halo 0,0,0,0", "none", "none", "", "",
     "pytorch_state_dict:", "- -", " "},
    // Shared models.
    {"models/onnx-nuclei-broad-op12/bundle/UNet2DNucleiBroad.model.yaml", "bioimage.io 0.3.0", "UNet 2D Nuclei Broad",
     "MIT", 2, 2, 5, "Constantin Pape;@bioimage-io", "raw bcyx 1,1,512,512",
     "probability bcyx =raw.b*1,=raw.c*1,=raw.y*1,=raw.x*1 halo 0,0,32,32", "zero_mean_unit_variance(axes=[y, x])@raw",
     "none", "", "", "pytorch_state_dict:e4d3885b onnx:5bf14c4e pytorch_script:b7f9dcf1", "- -", " "},
    {"models/sm1-n2v2d-fiji/bundle.zip", "bioimage.io 0.2.0-csbdeep", "Fri Aug 07 19:50:38 CEST 2020 last checkpoint",
     "", 0, 1, 2, "", "input byxc 1+1,16+16,16+16,1",
     "activation_11/Identity byxc =input.b*1,=input.y*1,=input.x*1,=input.c*1 halo 0,0,0,0",
     "fixed_zero_mean_unit_variance(mean=0.49408814, std=0.28493392)@input",
     "scale_linear(gain=0.28493392, offset=0.49408814)@activation_11/Identity", "", "", "saved_model.pb:", "- -", " "},
    {"models/sm1-care2d-residual/TF_SavedModel.zip", "CSBDeep meta.json", "CARE", "", 0, 0, 0, "",
     "input byxc ?,4+4,4+4,?", "output byxc ?,?,?,? halo 0,22,22,0",
     "scale_range(axes=[y, x, channel], min_percentile=3, max_percentile=99.8, eps=1e-20)@input", "none", "", "",
     "saved_model.pb:", "- -", " "},
    {"models/sm1-care2d-probabilistic/config.json", "CSBDeep config.json", "", "", 0, 0, 0, "",
     "input byxc ?,4+4,4+4,1", "output byxc ?,?,?,? halo 0,0,0,0",
     "scale_range(axes=[y, x, channel], min_percentile=3, max_percentile=99.8, eps=1e-20)@input", "none", "", "",
     "TF_SavedModel.zip:", "- -", " "},
};

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

std::string SizeText(const SizeRuleDescription& size) {
  switch (size.kind) {
    case SizeRuleDescription::Kind::kFixed: return std::to_string(size.min);
    case SizeRuleDescription::Kind::kSteps: return std::to_string(size.min) + "+" + std::to_string(size.step);
    case SizeRuleDescription::Kind::kReference:
      return "=" + size.tensor + "." + size.axis + "*" + Number(size.scale) +
             (size.offset != 0 ? "+" + Number(size.offset) : "");
    default: return "?";
  }
}

std::string TensorsText(const std::vector<TensorDescription>& tensors, bool halos) {
  std::string text;
  for (const TensorDescription& tensor : tensors) {
    std::string sizes, halo;
    for (const AxisDescription& axis : tensor.axes) {
      sizes += (sizes.empty() ? "" : ",") + SizeText(axis.size);
      halo += (halo.empty() ? "" : ",") + std::to_string(axis.halo_px);
    }
    text += (text.empty() ? "" : " | ") + tensor.name + " " + tensor.Letters() + " " + sizes;
    if (halos) text += " halo " + halo;
  }
  return text;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string SizeText(const PhysicalSize& size) {
  if (size.value == 0) return "-";
  return Number(size.value) + (size.unit.empty() ? "" : " " + size.unit);
}

class Published : public ::testing::TestWithParam<Row> {};

TEST_P(Published, IsReadAsItStands) {
  const Row& row = GetParam();
  const fs::path path = fs::path(FOVEA_SHARED_DIR) / row.path;
  if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
  EXPECT_TRUE(LooksLikeBundle(path.string()));
  const auto bundle = OpenBundle(path.string());
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const BundleDescription& d = bundle->description();
  EXPECT_EQ(d.format, row.format);
  EXPECT_EQ(d.name, row.name);
  EXPECT_EQ(d.licence, row.licence);
  EXPECT_EQ(d.authors.size(), row.authors);
  EXPECT_EQ(d.authors.empty() ? "" : d.authors[0].name, row.first_author);
  EXPECT_EQ(d.citations.size(), row.citations);
  EXPECT_EQ(d.tags.size(), row.tags);
  EXPECT_EQ(TensorsText(d.inputs, false), row.inputs);
  EXPECT_EQ(TensorsText(d.outputs, true), row.outputs);
  EXPECT_EQ(ToString(d.preprocessing), row.pre);
  EXPECT_EQ(ToString(d.postprocessing), row.post);
  EXPECT_EQ(Joined(d.preprocessing_files), row.pre_files);
  EXPECT_EQ(Joined(d.postprocessing_files), row.post_files);
  std::string weights;
  for (const WeightsDescription& w : d.weights) {
    weights += (weights.empty() ? "" : " ") + w.format_name + ":" + w.file.sha256.substr(0, 8);
  }
  EXPECT_EQ(weights, row.weights);
  EXPECT_EQ(SizeText(d.pixel_x) + " " + SizeText(d.pixel_y), row.pixel);
  EXPECT_EQ(d.test_memory + " " + d.test_runtime, row.memory_and_time);
}

INSTANTIATE_TEST_SUITE_P(Descriptions, Published, ::testing::ValuesIn(kRows), [](const auto& row) {
  std::string name = row.param.path;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

// Nothing beside the project is left out of the table, and what is meant to be refused is refused.
TEST(PublishedFolders, AreAllInTheTable) {
  const fs::path shared = FOVEA_SHARED_DIR;
  if (!fs::exists(shared / "deepimagej-zoo")) GTEST_SKIP() << "../shared is absent";
  std::set<std::string> rows;
  for (const Row& row : kRows) rows.insert(row.path);
  int seen = 0;
  for (const char* root : {"deepimagej-zoo", "bioimageio-descriptions"}) {
    for (const auto& entry : fs::recursive_directory_iterator(shared / root)) {
      const std::string name = entry.path().filename().string();
      const std::string path = entry.path().lexically_relative(shared).generic_string();
      if (name == "config.xml") {
        EXPECT_TRUE(rows.count(path) == 1) << path;
      }
      if (entry.path().extension() != ".yaml") continue;
      ++seen;
      if (name.rfind("invalid_", 0) == 0) {
        const auto refused = OpenBundle(entry.path().string());
        ASSERT_FALSE(refused.ok());
        EXPECT_NE(refused.status().message().find("both named 'data'"), std::string::npos)
            << refused.status().message();
      } else if (name == "manifest.bioimage.io.yaml") {
        const auto refused = OpenBundle(entry.path().string());
        ASSERT_FALSE(refused.ok());
        EXPECT_NE(refused.status().message().find("describes a collection"), std::string::npos);
      } else {
        const std::string folder = fs::path(path).parent_path().generic_string();
        EXPECT_TRUE(rows.count(path) == 1 || rows.count(folder) == 1) << path;
      }
    }
  }
  EXPECT_GE(seen, 26);
}

}  // namespace
}  // namespace fovea::formats
