/* The same as main.cc through the C interface. */
#include <fovea/fovea.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  fovea_context* context = fovea_context_create();
  fovea_model* model = fovea_model_load(context, argv[1]);
  if (model == NULL) return fprintf(stderr, "%s\n", fovea_last_error(context)), 2;
  int64_t dims[] = {1, 256, 256, 1};
  fovea_session* session = fovea_session_create(context, model, dims, 4, NULL);
  if (session == NULL) return fprintf(stderr, "%s\n", fovea_last_error(context)), 2;

  size_t pixels = 256 * 256;
  float* image = malloc(pixels * sizeof(float));
  float* result = malloc(pixels * sizeof(float));
  for (size_t i = 0; i < pixels; ++i) image[i] = 0.5f;
  const float* inputs[] = {image};
  float* outputs[] = {result};
  if (fovea_session_run(context, session, inputs, 1, outputs, 1) != FOVEA_OK) return 2;

  double sum = 0;
  for (size_t i = 0; i < pixels; ++i) sum += result[i];
  printf("mean %.6f\n", sum / (double)pixels);
  free(image);
  free(result);
  fovea_session_destroy(session);
  fovea_model_destroy(model);
  fovea_context_destroy(context);
  return 0;
}
