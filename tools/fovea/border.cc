#include "tools/fovea/border.h"

#include <algorithm>

#include "tools/fovea/common.h"

namespace fovea::cli {
namespace {

struct NamedBorder {
  const char* name;
  Border border;
};
constexpr NamedBorder kBorders[] = {{"exact", Border::kExact},
                                    {"dij1", Border::kDij1},
                                    {"dij1-paper", Border::kDij1Paper},
                                    {"jdll", Border::kJdll},
                                    {"csbdeep", Border::kCsbdeep}};
constexpr const char* kAxisNames[] = {"planes", "rows", "columns"};

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool Legal(int64_t size, const SizeRule& rule) {
  return rule.step == 0 ? size == rule.min : size >= rule.min && (size - rule.min) % rule.step == 0;
}

// The smallest legal size of at least `wanted`; the only one where there is one.
int64_t LegalFrom(int64_t wanted, const SizeRule& rule) {
  if (rule.step == 0 || wanted <= rule.min) return rule.min;
  return rule.min + CeilDiv(wanted - rule.min, rule.step) * rule.step;
}

struct Cut {
  const BorderOptions& options;
  size_t axis;
  int64_t image, overlap;
  const SizeRule& rule;

  std::string What() const { return "--border " + BorderName(options.border) + ", " + kAxisNames[axis] + ": "; }
  int64_t wanted() const { return options.patch[axis]; }

  Status Check(int64_t patch) const {
    if (!Legal(patch, rule)) {
      return InvalidArgument(What() + "patches of " + std::to_string(patch) + " do not suit the network, which takes " +
                             DescribeRule(rule));
    }
    if (patch > 3 * image) {
      return InvalidArgument(What() + "patches of " + std::to_string(patch) +
                             " are more than three times the image's " + std::to_string(image));
    }
    if (patch <= 2 * overlap) {
      return InvalidArgument(What() + "patches of " + std::to_string(patch) + " leave nothing between overlaps of " +
                             std::to_string(overlap));
    }
    return OkStatus();
  }

  // As DeepImageJ 1 suggests it.
  int64_t Suggested() const {
    if (rule.step == 0) return rule.min;
    const int64_t patch = LegalFrom(image + 2 * overlap, rule);
    return patch > 3 * image && patch - rule.step >= rule.min ? patch - rule.step : patch;
  }

  Result<PatchAxis> Dij1() const {
    PatchAxis cut;
    cut.size = wanted() > 0 ? wanted() : Suggested();
    FOVEA_RETURN_IF_ERROR(Check(cut.size));
    if (3 * overlap > cut.size) {
      return InvalidArgument(What() + "the overlap of " + std::to_string(overlap) +
                             " is more than a third of the patch of " + std::to_string(cut.size));
    }
    const int64_t step = cut.size - 2 * overlap;
    cut.spans.clear();
    if (step > image) {
      const int64_t spare = cut.size - image;
      cut.spans.push_back({-((spare + 1) / 2), spare / 2, 0, image});
      return cut;
    }
    const int64_t count = CeilDiv(image, step);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t give = i * step, read = std::min(give, image - step) - overlap;
      cut.spans.push_back({read, give - read, give, std::min(image, give + step)});
    }
    return cut;
  }

  Result<PatchAxis> Dij1Paper() const {
    PatchAxis cut;
    cut.size = wanted() > 0 ? wanted() : LegalFrom(image + 2 * overlap, rule);
    FOVEA_RETURN_IF_ERROR(Check(cut.size));
    cut.spans.clear();
    if (image + 2 * overlap <= cut.size) {
      const int64_t before = (cut.size - image) / 2;
      cut.spans.push_back({-before, before, 0, image});
      return cut;
    }
    const int64_t count = CeilDiv(image, cut.size - 2 * overlap), each = image / count;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t give = i * each, end = i + 1 < count ? give + each : image;
      if (end - give + overlap > cut.size) {
        return InvalidArgument(What() + "by equation 4 the last patch must give " + std::to_string(end - give) +
                               " pixels, more than patches of " + std::to_string(cut.size) + " have; choose others");
      }
      cut.spans.push_back({give - overlap, overlap, give, end});
    }
    return cut;
  }

  Result<PatchAxis> Jdll() const {
    PatchAxis cut;
    cut.size = wanted() > 0 ? wanted() : LegalFrom(image, rule);
    FOVEA_RETURN_IF_ERROR(Check(cut.size));
    const int64_t spare = cut.size - image;
    const int64_t before = std::max(overlap, spare > 0 ? (spare + 1) / 2 : 0);
    const int64_t after = std::max(overlap, spare - before);
    const int64_t step = cut.size - before - after;
    if (step < 1) return InvalidArgument(What() + "the overlap leaves nothing of the patch");
    const int64_t count = CeilDiv(image, cut.size - 2 * overlap);
    cut.spans.clear();
    // A later patch overwrites an earlier one, so each gives the pixels up to the next.
    const auto start = [&](int64_t i) { return std::max<int64_t>(0, std::min(i * step, image - step)); };
    for (int64_t i = 0; i < count; ++i) {
      const int64_t end = i + 1 < count ? start(i + 1) : std::min(image, start(i) + step);
      if (end > start(i)) cut.spans.push_back({start(i) - before, before, start(i), end});
    }
    return cut;
  }

  Result<PatchAxis> Csbdeep() const {
    const int64_t block = std::max<int64_t>(1, rule.step);
    const int64_t padded = rule.step == 0 ? rule.min : CeilDiv(image, block) * block;
    if (padded < image) {
      return InvalidArgument(What() + "the image has " + std::to_string(image) + " pixels, the network takes " +
                             DescribeRule(rule));
    }
    const int64_t before = (padded - image) / 2, blocks = padded / block, around = CeilDiv(overlap, block);
    const auto count = [&](int64_t size) { return blocks <= size ? 1 : 1 + CeilDiv(blocks - size, size - 2 * around); };
    const int64_t asked = std::max<int64_t>(1, options.tiles[axis]), least = 2 * around + 1;
    int64_t size = least;
    while (count(size) > asked) ++size;
    // One step smaller gives more tiles; whichever number is nearer, the larger one when both are as near.
    if (size > least && count(size - 1) - asked <= asked - count(size)) --size;
    PatchAxis cut;
    cut.spans.clear();
    const int64_t tiles = count(size), used = std::min(size, blocks);
    cut.size = used * block;
    if (!Legal(cut.size, rule)) return Check(cut.size);
    int64_t give = 0;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t first = std::min(i * (size - 2 * around), blocks - used);
      const int64_t end = i + 1 == tiles ? blocks : give + size - (i == 0 ? 1 : 2) * around;
      // In pixels of the image, without what was added to it.
      const int64_t from = std::clamp<int64_t>(give * block - before, 0, image);
      const int64_t to = std::clamp<int64_t>(end * block - before, 0, image);
      const int64_t read = first * block - before;
      if (to > from) cut.spans.push_back({read, from - read, from, to});
      give = end;
    }
    return cut;
  }
};

}  // namespace

Result<Border> ParseBorder(const std::string& word) {
  std::string list;
  for (const NamedBorder& b : kBorders) {
    if (word == b.name) return b.border;
    list += (list.empty() ? "" : ", ") + std::string(b.name);
  }
  return InvalidArgument("--border '" + word + "' is not known; choose one of " + list);
}

std::string BorderName(Border border) {
  const auto is = [border](const NamedBorder& b) { return b.border == border; };
  return std::find_if(std::begin(kBorders), std::end(kBorders), is)->name;
}

Result<PatchAxis> CutAxis(const BorderOptions& options, size_t axis, int64_t size, const SizeRule& rule) {
  const Cut cut{options, axis, size, std::max<int64_t>(0, options.overlap), rule};
  switch (options.border) {
    case Border::kDij1: return cut.Dij1();
    case Border::kDij1Paper: return cut.Dij1Paper();
    case Border::kJdll: return cut.Jdll();
    case Border::kCsbdeep: return cut.Csbdeep();
    case Border::kExact: break;
  }
  return Internal("patches are for published programs' borders");
}

int64_t PatchGrid::count() const {
  return static_cast<int64_t>(axes[0].spans.size() * axes[1].spans.size() * axes[2].spans.size());
}

std::array<PatchSpan, 3> PatchGrid::patch(int64_t index) const {
  const auto columns = static_cast<int64_t>(axes[2].spans.size()), rows = static_cast<int64_t>(axes[1].spans.size());
  return {axes[0].spans[static_cast<size_t>(index / (columns * rows))],
          axes[1].spans[static_cast<size_t>(index / columns % rows)],
          axes[2].spans[static_cast<size_t>(index % columns)]};
}

Result<PatchGrid> CutImage(const Model& model, const BorderOptions& options, Layout* layout) {
  const TensorSpec& spec = model.inputs()[static_cast<size_t>(layout->input)];
  PatchGrid grid;
  if (options.border == Border::kJdll) grid.mirror = MirrorKind::kSymmetric;
  for (size_t a = 0; a < 3; ++a) {
    const size_t axis = spec.axes.find("zyx"[a]);
    if (axis == std::string::npos) continue;
    FOVEA_ASSIGN_OR_RETURN(grid.axes[a], CutAxis(options, a, layout->image[a], spec.rules[axis]));
    layout->padded[a] = grid.axes[a].size;
    layout->pad_before[a] = 0;
    layout->input_dims[static_cast<size_t>(layout->input)][axis] = grid.axes[a].size;
  }
  FOVEA_ASSIGN_OR_RETURN(const auto output_dims, model.OutputSizes(layout->input_dims));
  for (OutputLayout& out : layout->outputs) {
    const TensorSpec& result = model.outputs()[static_cast<size_t>(out.port)];
    for (size_t a = 0; a < 3; ++a) {
      const size_t axis = result.axes.find("zyx"[a]);
      if (axis == std::string::npos) continue;
      OutputAxis& o = out.axes[a];
      const auto fits = [&o](int64_t pixels) { return pixels * o.scale_num % o.scale_den == 0; };
      bool good = output_dims[static_cast<size_t>(out.port)][axis] * o.scale_den == grid.axes[a].size * o.scale_num;
      for (const PatchSpan& span : grid.axes[a].spans) {
        good = good && fits(span.from) && fits(span.give) && (fits(span.give_end) || span.give_end == layout->image[a]);
      }
      if (!good) {
        return Unsupported("--border " + BorderName(options.border) + ": output '" + result.name +
                           "' is not the size of its patch, or patches do not begin on its pixels; choose --patch and "
                           "--overlap by the network's strides");
      }
      o.crop = o.shift = 0;
      o.size = std::max<int64_t>(1, layout->image[a] * o.scale_num / o.scale_den);
    }
  }
  return grid;
}

}  // namespace fovea::cli
