// Keras 1's names. Source: the legacy interfaces of Keras 2 (keras/legacy/interfaces.py), which read the same files.
#include <algorithm>
#include <iterator>

#include "converter/keras/model.h"

namespace fovea::converter::keras {

namespace {

struct Renamed {
  const char *before, *now;
};
constexpr Renamed kClasses[] = {{"Convolution1D", "Conv1D"},
                                {"Convolution2D", "Conv2D"},
                                {"Convolution3D", "Conv3D"},
                                {"AtrousConvolution1D", "Conv1D"},
                                {"AtrousConvolution2D", "Conv2D"},
                                {"AtrousConv1D", "Conv1D"},
                                {"AtrousConv2D", "Conv2D"},
                                {"SeparableConvolution1D", "SeparableConv1D"},
                                {"SeparableConvolution2D", "SeparableConv2D"},
                                {"Deconvolution2D", "Conv2DTranspose"},
                                {"Deconvolution3D", "Conv3DTranspose"},
                                {"Deconv2D", "Conv2DTranspose"},
                                {"Deconv3D", "Conv3DTranspose"},
                                {"Convolution2DTranspose", "Conv2DTranspose"},
                                {"Convolution3DTranspose", "Conv3DTranspose"}};
constexpr Renamed kKeys[] = {{"nb_filter", "filters"},   {"filter_length", "kernel_size"},
                             {"subsample", "strides"},   {"subsample_length", "strides"},
                             {"border_mode", "padding"}, {"dim_ordering", "data_format"},
                             {"bias", "use_bias"},       {"atrous_rate", "dilation_rate"},
                             {"output_dim", "units"},    {"pool_length", "pool_size"},
                             {"stride", "strides"},      {"p", "rate"},
                             {"concat_axis", "axis"}};

void Rename(const char* before, const char* now, Json* config) {
  const auto found = config->find(before);
  if (found == config->end() || config->contains(now)) return;
  Json value = *found;
  config->erase(before);
  (*config)[now] = std::move(value);
}

// Merge by a named mode is the layer of that name.
void ModerniseMerge(std::string* class_name, Json* config) {
  static constexpr Renamed kModes[] = {{"sum", "Add"},     {"mul", "Multiply"}, {"concat", "Concatenate"},
                                       {"ave", "Average"}, {"max", "Maximum"},  {"min", "Minimum"}};
  const std::string mode = FindString(*config, "mode").value_or("");
  for (const Renamed& row : kModes) {
    if (mode == row.before) *class_name = row.now;
  }
  config->erase("layers");
}

}  // namespace

void ModerniseLayer(std::string* class_name, Json* config) {
  if (!config->is_object()) return;
  for (const Renamed& row : kClasses) {
    if (*class_name == row.before) *class_name = row.now;
  }
  // "p", "bias" and "stride" are common words: only classes that have them under these names are touched.
  if (*class_name == "Dropout" || class_name->find("Conv") != std::string::npos ||
      class_name->find("Pooling") != std::string::npos || *class_name == "Dense" || *class_name == "Merge" ||
      class_name->find("Padding") != std::string::npos || class_name->find("Cropping") != std::string::npos ||
      class_name->find("UpSampling") != std::string::npos) {
    for (const Renamed& row : kKeys) Rename(row.before, row.now, config);
  }
  if (class_name->find("Conv") != std::string::npos && !config->contains("kernel_size")) {
    Json kernel = Json::array();
    for (const char* key : {"nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3"}) {
      if (config->contains(key)) kernel.push_back((*config)[key]);
    }
    if (!kernel.empty()) (*config)["kernel_size"] = std::move(kernel);
  }
  if (class_name->rfind("UpSampling1D", 0) == 0) Rename("length", "size", config);
  if (*class_name == "Merge") ModerniseMerge(class_name, config);
  const auto format = config->find("data_format");
  if (format != config->end() && *format == "th") *format = "channels_first";
  if (format != config->end() && *format == "tf") *format = "channels_last";
}

}  // namespace fovea::converter::keras
