#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "runtime/include/fovea/fovea.h"
#include "runtime/include/fovea/session.h"
#include "runtime/model/ops.h"

struct fovea_context {
  fovea::Status last;
};
struct fovea_model {
  fovea::Model model;
};
struct fovea_session {
  fovea::Session session;
  std::atomic<bool> stop{false};
};

static_assert(FOVEA_MAX_RANK == fovea::kMaxTensorRank);
static_assert(FOVEA_INTERNAL == static_cast<int>(fovea::StatusCode::kInternal));

namespace {

fovea_status Keep(fovea_context* context, fovea::Status status) {
  const fovea_status code = static_cast<fovea_status>(status.code());
  if (context != nullptr) context->last = std::move(status);
  return code;
}

template <class Handle, class Value>
Handle* Wrap(fovea_context* context, fovea::Result<Value> result) {
  if (!result.ok()) {
    Keep(context, result.status());
    return nullptr;
  }
  auto* handle = new (std::nothrow) Handle{*std::move(result)};
  Keep(context, handle != nullptr ? fovea::OkStatus() : fovea::OutOfMemory("no memory for a handle"));
  return handle;
}

// Copies as many bytes as the caller's struct has; its size is its first field.
template <class Struct>
fovea_status Give(fovea_context* context, Struct filled, Struct* to) {
  if (to == nullptr || to->struct_size < sizeof(uint32_t)) {
    return Keep(context, fovea::InvalidArgument("struct_size is not set"));
  }
  filled.struct_size = to->struct_size;
  std::memcpy(static_cast<void*>(to), &filled, std::min<size_t>(to->struct_size, sizeof(Struct)));
  return Keep(context, fovea::OkStatus());
}

fovea_status GiveSpec(fovea_context* context, std::span<const fovea::TensorSpec> specs, int32_t index,
                      fovea_tensor_spec* to) {
  if (index < 0 || static_cast<size_t>(index) >= specs.size()) {
    return Keep(context, fovea::InvalidArgument("the model has no tensor of that number"));
  }
  const fovea::TensorSpec& from = specs[static_cast<size_t>(index)];
  fovea_tensor_spec spec = {};
  spec.rank = static_cast<int32_t>(from.dims.size());
  spec.name = from.name.c_str();
  spec.axes = from.axes.c_str();
  spec.is_shape = from.is_shape ? 1 : 0;
  for (size_t a = 0; a < from.dims.size(); ++a) {
    spec.dims[a] = from.dims[a];
    spec.min[a] = a < from.rules.size() ? from.rules[a].min : 1;
    spec.step[a] = a < from.rules.size() ? from.rules[a].step : 1;
    spec.source_axes[a] = a < from.source_axes.size() ? from.source_axes[a] : static_cast<int32_t>(a);
  }
  return Give(context, spec, to);
}

fovea::Result<fovea::Session> CreateSession(const fovea_model* model, const int64_t* dims, size_t count,
                                            const fovea_session_options* given) {
  if (model == nullptr || (dims == nullptr && count > 0)) return fovea::InvalidArgument("a model and sizes are needed");
  fovea_session_options options = {};
  if (given != nullptr) {
    if (given->struct_size < sizeof(uint32_t)) return fovea::InvalidArgument("struct_size is not set");
    std::memcpy(&options, given, std::min<size_t>(given->struct_size, sizeof(options)));
  }
  std::vector<std::vector<int64_t>> sizes;
  size_t next = 0;
  for (const fovea::TensorSpec& spec : model->model.inputs()) {
    if (count - next < spec.dims.size())
      return fovea::InvalidArgument("sizes are missing for input '" + spec.name + "'");
    sizes.emplace_back(dims + next, dims + next + spec.dims.size());
    next += spec.dims.size();
  }
  if (next != count) return fovea::InvalidArgument("more sizes are given than the inputs have axes");
  fovea::SessionOptions to;
  to.threads = options.threads == 0 ? 1 : options.threads;
  if (options.isa != nullptr) to.isa = options.isa;
  if (options.reference != 0) to.executor = fovea::Executor::kReference;
  for (size_t s = 0; s < 3; ++s) to.tile[s] = options.tile[s];
  to.memory_bytes = options.memory_bytes;
  to.allocator = {options.allocator.context, options.allocator.allocate, options.allocator.release};
  to.parallel_for = {options.parallel_for.context, options.parallel_for.run};
  return fovea::Session::Create(model->model, sizes, to);
}

}  // namespace

extern "C" {

fovea_context* fovea_context_create(void) { return new (std::nothrow) fovea_context(); }
void fovea_context_destroy(fovea_context* context) { delete context; }
const char* fovea_last_error(const fovea_context* context) {
  return context == nullptr ? "" : context->last.message().c_str();
}
fovea_status fovea_last_status(const fovea_context* context) {
  return context == nullptr ? FOVEA_INVALID_ARGUMENT : static_cast<fovea_status>(context->last.code());
}

fovea_model* fovea_model_load(fovea_context* context, const char* path) {
  if (path == nullptr)
    return Wrap<fovea_model>(context, fovea::Result<fovea::Model>(fovea::InvalidArgument("no path")));
  return Wrap<fovea_model>(context, fovea::Model::Load(path));
}

fovea_model* fovea_model_from_bytes(fovea_context* context, const void* bytes, size_t size, const char* name) {
  if (bytes == nullptr && size > 0) {
    return Wrap<fovea_model>(context, fovea::Result<fovea::Model>(fovea::InvalidArgument("no bytes")));
  }
  return Wrap<fovea_model>(
      context, fovea::Model::FromBytes({static_cast<const std::byte*>(bytes), size}, name == nullptr ? "model" : name));
}

void fovea_model_destroy(fovea_model* model) { delete model; }

int32_t fovea_model_inputs(const fovea_model* model) {
  return model == nullptr ? 0 : static_cast<int32_t>(model->model.inputs().size());
}
int32_t fovea_model_outputs(const fovea_model* model) {
  return model == nullptr ? 0 : static_cast<int32_t>(model->model.outputs().size());
}
fovea_status fovea_model_input(fovea_context* context, const fovea_model* model, int32_t index,
                               fovea_tensor_spec* spec) {
  if (model == nullptr) return Keep(context, fovea::InvalidArgument("no model"));
  return GiveSpec(context, model->model.inputs(), index, spec);
}
fovea_status fovea_model_output(fovea_context* context, const fovea_model* model, int32_t index,
                                fovea_tensor_spec* spec) {
  if (model == nullptr) return Keep(context, fovea::InvalidArgument("no model"));
  return GiveSpec(context, model->model.outputs(), index, spec);
}

fovea_session* fovea_session_create(fovea_context* context, const fovea_model* model, const int64_t* dims, size_t count,
                                    const fovea_session_options* options) {
  return Wrap<fovea_session>(context, CreateSession(model, dims, count, options));
}

void fovea_session_destroy(fovea_session* session) { delete session; }

int32_t fovea_session_output_dims(const fovea_session* session, int32_t index, int64_t* dims) {
  if (session == nullptr || dims == nullptr || index < 0) return -1;
  const auto& outputs = session->session.output_dims();
  if (static_cast<size_t>(index) >= outputs.size()) return -1;
  const std::vector<int64_t>& from = outputs[static_cast<size_t>(index)];
  std::copy(from.begin(), from.end(), dims);
  return static_cast<int32_t>(from.size());
}

fovea_status fovea_session_run(fovea_context* context, fovea_session* session, const float* const* inputs,
                               size_t input_count, float* const* outputs, size_t output_count) {
  if (session == nullptr || (inputs == nullptr && input_count > 0) || (outputs == nullptr && output_count > 0)) {
    return Keep(context, fovea::InvalidArgument("a session, inputs and outputs are needed"));
  }
  session->stop = false;
  return Keep(context, session->session.Run({inputs, input_count}, {outputs, output_count}));
}

void fovea_session_set_callback(fovea_session* session, int (*callback)(void* user, int64_t done, int64_t total),
                                void* user) {
  if (session == nullptr) return;
  if (callback == nullptr) {
    session->session.SetCancel(nullptr);
    session->session.SetProgress(nullptr);
    return;
  }
  session->session.SetCancel([=] { return session->stop.load() || callback(user, -1, -1) != 0; });
  session->session.SetProgress([=](int64_t done, int64_t total) {
    if (callback(user, done, total) != 0) session->stop = true;
  });
}

fovea_status fovea_session_report(fovea_context* context, const fovea_session* session, fovea_plan_report* report) {
  if (session == nullptr) return Keep(context, fovea::InvalidArgument("no session"));
  const fovea::PlanReport& from = session->session.report();
  fovea_plan_report filled = {};
  filled.threads = from.threads;
  filled.weight_bytes = from.weight_bytes;
  filled.packed_weight_bytes = from.packed_weight_bytes;
  filled.arena_bytes = from.arena_bytes;
  filled.tile_buffer_bytes = from.tile_buffer_bytes;
  filled.total_bytes = from.total_bytes();
  filled.tiles = from.tiles;
  for (size_t s = 0; s < 3; ++s) filled.tile_size[s] = from.tile_size[s];
  filled.multiply_adds = from.multiply_adds;
  filled.strategy = from.strategy.c_str();
  filled.isa = from.isa.c_str();
  return Give(context, filled, report);
}

}  // extern "C"
