/* fovea's C interface, C11: the one that stays stable between versions.
 *
 *   fovea_context* ctx = fovea_context_create();
 *   fovea_model* model = fovea_model_load(ctx, "nuclei.fov");
 *   int64_t dims[] = {1, 512, 512, 1};
 *   fovea_session* session = fovea_session_create(ctx, model, dims, 4, NULL);
 *   fovea_session_run(ctx, session, &image, 1, &result, 1);
 *
 * A context keeps the message of the last failure; use one context per thread. Models may be shared by threads; a
 * session runs on one thread at a time. Functions that return a pointer return NULL on failure, the others a
 * fovea_status. Nothing here aborts, prints or throws. Tensors are float32, row-major and tight, in the stored axis
 * order that fovea_tensor_spec's axes name (channels last). Strings belong to the object they were asked from.
 */
#ifndef FOVEA_FOVEA_H_
#define FOVEA_FOVEA_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FOVEA_API __attribute__((visibility("default")))
#else
#define FOVEA_API
#endif

#define FOVEA_MAX_RANK 6

/* Values are those of fovea::StatusCode. */
typedef enum fovea_status {
  FOVEA_OK = 0,
  FOVEA_INVALID_ARGUMENT = 1,
  FOVEA_NOT_FOUND = 2,
  FOVEA_CORRUPT_FILE = 3,
  FOVEA_UNSUPPORTED = 4,
  FOVEA_OVER_BUDGET = 5,
  FOVEA_OUT_OF_MEMORY = 6,
  FOVEA_IO = 7,
  FOVEA_CANCELLED = 8,
  FOVEA_INTERNAL = 9
} fovea_status;

typedef struct fovea_context fovea_context;
typedef struct fovea_model fovea_model;
typedef struct fovea_session fovea_session;

FOVEA_API fovea_context* fovea_context_create(void);
FOVEA_API void fovea_context_destroy(fovea_context* context);
/* The last failure's sentence, "" when there was none. Valid until the next call with this context. */
FOVEA_API const char* fovea_last_error(const fovea_context* context);
FOVEA_API fovea_status fovea_last_status(const fovea_context* context);

FOVEA_API fovea_model* fovea_model_load(fovea_context* context, const char* path);
/* The bytes are copied. name stands for the file in messages. */
FOVEA_API fovea_model* fovea_model_from_bytes(fovea_context* context, const void* bytes, size_t size, const char* name);
FOVEA_API void fovea_model_destroy(fovea_model* model);

/* Structs begin with their size, set by the caller, so that later versions can append fields. */
typedef struct fovea_tensor_spec {
  uint32_t struct_size;
  int32_t rank;
  const char* name;
  const char* axes;                    /* a letter an axis: b batch, t time, z y x, c channels, i other */
  int64_t dims[FOVEA_MAX_RANK];        /* -1: any of min, min + step, ... */
  int64_t min[FOVEA_MAX_RANK];         /* inputs */
  int64_t step[FOVEA_MAX_RANK];        /* inputs; 0: exactly min */
  int32_t source_axes[FOVEA_MAX_RANK]; /* axis i of the published file's tensor is axis source_axes[i] here */
  int32_t is_shape;                    /* a small vector that only decides sizes */
} fovea_tensor_spec;

FOVEA_API int32_t fovea_model_inputs(const fovea_model* model);
FOVEA_API int32_t fovea_model_outputs(const fovea_model* model);
FOVEA_API fovea_status fovea_model_input(fovea_context* context, const fovea_model* model, int32_t index,
                                         fovea_tensor_spec* spec);
FOVEA_API fovea_status fovea_model_output(fovea_context* context, const fovea_model* model, int32_t index,
                                          fovea_tensor_spec* spec);

typedef struct fovea_allocator {
  void* context;
  void* (*allocate)(void* context, size_t bytes); /* 64-byte aligned, NULL when it can't */
  void (*release)(void* context, void* block, size_t bytes);
} fovea_allocator;

typedef struct fovea_parallel_for {
  void* context;
  /* Runs body(body_context, task, thread) for every task in [0, tasks), thread in [0, threads); returns when all are
   * done. */
  void (*run)(void* context, int64_t tasks, void (*body)(void* body_context, int64_t task, int thread),
              void* body_context);
} fovea_parallel_for;

typedef struct fovea_session_options {
  uint32_t struct_size;
  int32_t threads;                 /* 0: 1 */
  const char* isa;                 /* NULL: the best; "reference", "sse4", "avx2", "avx512", "neon": at most that */
  int32_t reference;               /* not 0: the reference executor */
  int64_t tile[3];                 /* D, H, W of output tiles, 0: whole axis */
  uint64_t memory_bytes;           /* 0: no limit */
  fovea_allocator allocator;       /* null functions: the C heap */
  fovea_parallel_for parallel_for; /* null function: threads of the session's own */
} fovea_session_options;

/* dims: the sizes of all inputs, one input after the other, `count` numbers. options may be NULL. The session keeps
 * what it needs of the model. */
FOVEA_API fovea_session* fovea_session_create(fovea_context* context, const fovea_model* model, const int64_t* dims,
                                              size_t count, const fovea_session_options* options);
FOVEA_API void fovea_session_destroy(fovea_session* session);

/* Sizes of output `index`; dims has room for FOVEA_MAX_RANK. Returns the rank, -1 when there is no such output. */
FOVEA_API int32_t fovea_session_output_dims(const fovea_session* session, int32_t index, int64_t* dims);

FOVEA_API fovea_status fovea_session_run(fovea_context* context, fovea_session* session, const float* const* inputs,
                                         size_t input_count, float* const* outputs, size_t output_count);

/* Called after each tile with tiles done and tiles in all, and between steps with -1, -1, from any of the session's
 * threads. Not 0: stop; the run returns FOVEA_CANCELLED. NULL: none. */
FOVEA_API void fovea_session_set_callback(fovea_session* session,
                                          int (*callback)(void* user, int64_t done, int64_t total), void* user);

typedef struct fovea_plan_report {
  uint32_t struct_size;
  int32_t threads;
  uint64_t weight_bytes, packed_weight_bytes, arena_bytes, tile_buffer_bytes, total_bytes;
  int64_t tiles;
  int64_t tile_size[3];
  int64_t multiply_adds;
  const char* strategy; /* "whole image" or "tiles" */
  const char* isa;
} fovea_plan_report;

FOVEA_API fovea_status fovea_session_report(fovea_context* context, const fovea_session* session,
                                            fovea_plan_report* report);

#ifdef __cplusplus
}
#endif

#endif /* FOVEA_FOVEA_H_ */
