/* The C interface, compiled as C: loads the model file named on the command line (made by c_api_model.cc), runs it, and
 * checks results and failures. Exit status: number of the first check that failed, 0 when all pass. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fovea/fovea.h"

#define CHECK(condition)                                                                      \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, fovea_last_error(context)); \
      return __LINE__ % 250 + 1;                                                              \
    }                                                                                         \
  } while (0)

static int calls = 0;
static int stop_at_once(void* user, int64_t done, int64_t total) {
  (void)done, (void)total;
  ++calls;
  return *(int*)user;
}

int main(int argc, char** argv) {
  fovea_context* context = fovea_context_create();
  CHECK(argc == 2 && context != NULL);
  CHECK(strcmp(fovea_last_error(context), "") == 0);

  CHECK(fovea_model_load(context, "/nowhere/net.fov") == NULL);
  CHECK(fovea_last_status(context) == FOVEA_NOT_FOUND);
  CHECK(strstr(fovea_last_error(context), "/nowhere/net.fov") != NULL);
  CHECK(fovea_model_from_bytes(context, "no model", 8, "few bytes") == NULL);
  CHECK(fovea_last_status(context) == FOVEA_CORRUPT_FILE);

  fovea_model* model = fovea_model_load(context, argv[1]);
  CHECK(model != NULL && fovea_last_status(context) == FOVEA_OK);
  CHECK(fovea_model_inputs(model) == 1 && fovea_model_outputs(model) == 1);
  fovea_tensor_spec spec;
  memset(&spec, 0, sizeof(spec));
  CHECK(fovea_model_input(context, model, 0, &spec) == FOVEA_INVALID_ARGUMENT);
  spec.struct_size = sizeof(spec);
  CHECK(fovea_model_input(context, model, 1, &spec) == FOVEA_INVALID_ARGUMENT);
  CHECK(fovea_model_input(context, model, 0, &spec) == FOVEA_OK);
  CHECK(spec.rank == 4 && strcmp(spec.axes, "byxc") == 0 && spec.dims[1] == -1 && spec.dims[3] == 1);

  /* The model adds up 3x3 pixels of zero-padded images. */
  const int64_t dims[] = {1, 5, 6, 1};
  CHECK(fovea_session_create(context, model, dims, 3, NULL) == NULL);
  CHECK(fovea_last_status(context) == FOVEA_INVALID_ARGUMENT);
  fovea_session_options options;
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.threads = 2;
  options.memory_bytes = 1;
  CHECK(fovea_session_create(context, model, dims, 4, &options) == NULL);
  CHECK(fovea_last_status(context) == FOVEA_OVER_BUDGET);
  options.memory_bytes = 0;
  fovea_session* session = fovea_session_create(context, model, dims, 4, &options);
  CHECK(session != NULL);
  int64_t out_dims[FOVEA_MAX_RANK];
  CHECK(fovea_session_output_dims(session, 0, out_dims) == 4);
  CHECK(out_dims[1] == 5 && out_dims[2] == 6 && fovea_session_output_dims(session, 1, out_dims) == -1);

  float image[30], result[30];
  for (int i = 0; i < 30; ++i) image[i] = (float)(i * i % 7);
  const float* inputs[] = {image};
  float* outputs[] = {result};
  CHECK(fovea_session_run(context, session, inputs, 1, outputs, 2) == FOVEA_INVALID_ARGUMENT);
  CHECK(fovea_session_run(context, session, inputs, 1, outputs, 1) == FOVEA_OK);
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 6; ++x) {
      float sum = 0;
      for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < 5; ++v) {
        for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < 6; ++u) sum += image[6 * v + u];
      }
      CHECK(result[6 * y + x] == sum); /* small integers: exact in any order */
    }
  }

  int stop = 1;
  fovea_session_set_callback(session, stop_at_once, &stop);
  CHECK(fovea_session_run(context, session, inputs, 1, outputs, 1) == FOVEA_CANCELLED && calls > 0);
  stop = 0;
  CHECK(fovea_session_run(context, session, inputs, 1, outputs, 1) == FOVEA_OK);

  fovea_plan_report report;
  memset(&report, 0, sizeof(report));
  report.struct_size = sizeof(report);
  CHECK(fovea_session_report(context, session, &report) == FOVEA_OK);
  CHECK(report.tiles == 1 && report.multiply_adds == 30 * 9 && report.threads == 2);
  CHECK(strcmp(report.strategy, "whole image") == 0);

  /* A caller of an older version has a shorter struct; nothing beyond it is written. */
  report.struct_size = offsetof(fovea_plan_report, tiles);
  report.tiles = 42;
  CHECK(fovea_session_report(context, session, &report) == FOVEA_OK && report.tiles == 42);

  fovea_session_destroy(session);
  fovea_model_destroy(model);
  fovea_context_destroy(context);
  fovea_session_destroy(NULL);
  fovea_model_destroy(NULL);
  return 0;
}
