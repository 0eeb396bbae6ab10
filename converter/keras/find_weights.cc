#include <algorithm>
#include <string_view>

#include "converter/keras/importer.h"

namespace fovea::converter::keras {

namespace {

// "a/conv1/kernel:0" to {"a", "conv1", "kernel"}.
std::vector<std::string_view> Parts(std::string_view name) {
  const size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos) name = name.substr(0, colon);
  std::vector<std::string_view> parts;
  while (true) {
    const size_t slash = name.find('/');
    parts.push_back(name.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    name.remove_prefix(slash + 1);
  }
}

template <class Fn>
bool AnyAlternative(std::string_view names, Fn fn) {
  while (true) {
    const size_t bar = names.find('|');
    if (fn(names.substr(0, bar))) return true;
    if (bar == std::string_view::npos) return false;
    names.remove_prefix(bar + 1);
  }
}

// How well a weight's name fits a layer's role: 0 not at all, else the number of path components that agree.
int Fit(const std::string& name, const std::string& layer, const std::vector<std::string>& path, const Role& role) {
  const std::vector<std::string_view> parts = Parts(name);
  if (parts.size() == 1) {  // Keras 1: "conv1_W"; or no name but the role's own
    return AnyAlternative(role.names,
                          [&](std::string_view alternative) {
                            return parts[0] == layer + "_" + std::string(alternative) || parts[0] == alternative;
                          })
               ? 1
               : 0;
  }
  if (!AnyAlternative(role.names, [&](std::string_view alternative) { return parts.back() == alternative; })) return 0;
  if (parts[parts.size() - 2] != layer) return 0;
  int fit = 2;
  for (size_t i = 0; i + 2 < parts.size() && i < path.size(); ++i) {
    if (parts[parts.size() - 3 - i] != path[path.size() - 1 - i]) break;
    ++fit;
  }
  return fit;
}

std::vector<Role> RolesOf(const LayerDef& layer) {
  const LayerRow* row = FindLayer(layer.class_name);
  return row == nullptr || row->roles == nullptr ? std::vector<Role>() : row->roles(layer.config);
}

bool IsFrozen(const LayerDef& layer) {
  const Json* trainable = keras::Find(layer.config, "trainable");
  return trainable != nullptr && trainable->is_boolean() && !trainable->get<bool>();
}

}  // namespace

WeightFinder::WeightFinder(const ModelDef& model, WeightSource* source) : model_(model), source_(source) {
  Visit(model, {});
}

void WeightFinder::Visit(const ModelDef& model, const Place& around) {
  for (const LayerDef& layer : model.layers) {
    Place place = around;
    if (place.top == nullptr) place.top = &layer;
    place.frozen = place.frozen || IsFrozen(layer);
    places_[&layer] = place;
    if (layer.model == nullptr) {
      leaves_[place.top].push_back(&layer);
      continue;
    }
    place.path.push_back(layer.name);
    Visit(*layer.model, place);
  }
}

const std::string& WeightFinder::TopLayer(const LayerDef& layer) const { return places_.at(&layer).top->name; }

std::optional<std::vector<size_t>> WeightFinder::ByName(const LayerDef& layer,
                                                        const std::vector<std::string>& names) const {
  std::vector<size_t> found;
  for (const Role& role : RolesOf(layer)) {
    int best = 0, count = 0;
    size_t at = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      const int fit = Fit(names[i], layer.name, places_.at(&layer).path, role);
      if (fit > best) best = fit, count = 0, at = i;
      if (fit > 0 && fit == best) ++count;
    }
    if (count != 1) return std::nullopt;
    found.push_back(at);
  }
  return found;
}

// Keras lists, for each layer of the outermost model, the trainable weights of all layers inside, then the others.
Result<std::vector<size_t>> WeightFinder::ByPosition(const LayerDef& layer,
                                                     const std::vector<std::string>& names) const {
  std::vector<size_t> found(RolesOf(layer).size());
  size_t at = 0;
  for (const LayerDef& top : model_.layers) {
    const bool listed = !source_->IsPerLayer() || &top == places_.at(&layer).top;
    if (!listed || leaves_.count(&top) == 0) continue;
    for (const bool trainable : {true, false}) {
      for (const LayerDef* leaf : leaves_.at(&top)) {
        const std::vector<Role> roles = RolesOf(*leaf);
        const bool frozen = places_.at(leaf).frozen;
        for (size_t i = 0; i < roles.size(); ++i) {
          if ((roles[i].trainable && !frozen) != trainable) continue;
          if (leaf == &layer) found[i] = at;
          ++at;
        }
      }
    }
  }
  if (at == names.size()) return found;
  return CorruptFile(std::to_string(names.size()) + " weights in the file where its configuration asks for " +
                     std::to_string(at));
}

Result<std::vector<size_t>> WeightFinder::Find(const LayerDef& layer) {
  FOVEA_ASSIGN_OR_RETURN(const std::vector<std::string> names, source_->Names(TopLayer(layer)));
  const bool nested = places_.at(&layer).top != &layer;
  if (source_->IsPerLayer() && !nested && names.size() == RolesOf(layer).size()) return ByPosition(layer, names);
  if (std::optional<std::vector<size_t>> found = ByName(layer, names)) return *found;
  Result<std::vector<size_t>> found = ByPosition(layer, names);
  if (!found.ok() && !source_->IsPerLayer()) return CorruptFile("its weights are not among those of the file");
  return found;
}

}  // namespace fovea::converter::keras
