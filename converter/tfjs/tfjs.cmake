# The TF.js frontend's sources; it stands on those of Keras and of frozen graphs.
set(TFJS_SOURCES
  tfjs/graph_json.cc
  tfjs/graph_model.cc
  tfjs/import.cc
  tfjs/manifest.cc
)
