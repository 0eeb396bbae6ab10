// The README's snippet as a program of somebody else's: loads a model, runs a grey image of the size it likes, prints
// the mean.
#include <fovea/session.h>

#include <cstdio>

int main(int, char** argv) {
  auto model = fovea::Model::Load(argv[1]);
  if (!model.ok()) return std::fprintf(stderr, "%s\n", model.status().message().c_str()), 2;
  auto session = fovea::Session::Create(*model, model->DefaultSizes(), {.threads = 2});
  if (!session.ok()) return std::fprintf(stderr, "%s\n", session.status().message().c_str()), 2;

  auto elements = [](const std::vector<int64_t>& dims) {
    size_t n = 1;
    for (int64_t d : dims) n *= static_cast<size_t>(d);
    return n;
  };
  std::vector<float> image(elements(session->input_dims()[0]), 0.5f), result(elements(session->output_dims()[0]));
  const float* inputs[] = {image.data()};
  float* outputs[] = {result.data()};
  if (!session->Run(inputs, outputs).ok()) return 2;

  double sum = 0;
  for (float v : result) sum += v;
  std::printf("mean %.6f\n", sum / static_cast<double>(result.size()));
}
