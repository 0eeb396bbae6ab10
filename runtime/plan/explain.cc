// Plans in words.
#include "runtime/plan/plan.h"

namespace fovea::plan {

std::string Plan::Strategy() const {
  if (approximate) return bands > 1 ? "approximate tiles in bands" : tiled ? "approximate tiles" : "approximate";
  return tiled ? (bands > 1 ? "tiles in bands" : "tiles") : (bands > 1 ? "bands" : "whole image");
}

std::string Plan::Words() const {
  std::string words = Strategy();
  if (tiled) {
    const std::array<int64_t, 3>& t = grid.tile;
    words += " of " + (grid.size[0] > 1 ? std::to_string(t[0]) + "x" : "") + std::to_string(t[1]) + "x" +
             std::to_string(t[2]);
  }
  if (bands > 1) words += ", " + std::to_string(band_rows()) + " rows a band";
  if (recomputed > 0) words += ", skip connections computed twice";
  if (packed_ahead != packable) words += ", weights packed when used";
  return words;
}

int64_t Plan::band_rows() const {
  int64_t rows = 0;
  for (const Segment& segment : segments) rows = segment.banded() ? segment.rows : rows;
  return rows;
}

std::string Plan::ToString() const {
  std::string text = tiled ? "tiles of " : "whole image ";
  for (size_t s = 0; s < 3; ++s) {
    if (s > 0) text += 'x';
    text += std::to_string(grid.tile[s]);
  }
  text += ", " + std::to_string(grid.tiles()) + " in all; arena " + std::to_string(arena_bytes) + ", packed weights " +
          std::to_string(packed_weight_bytes) + ", tile buffers " + std::to_string(tile_buffer_bytes) + " bytes\n";
  TileState state = MakeTileState(*this);
  LayOutTile(*this, {grid.count[0] / 2, grid.count[1] / 2, grid.count[2] / 2}, &state);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const ResolvedNode& node = graph.nodes[n];
    const size_t v = static_cast<size_t>(node.node->output);
    text += std::to_string(n) + " " + node.node->name + " " + OpKindName(node.kind) + " " + operators[n].kernel_name();
    for (size_t a = 0; a < node.out.size(); ++a) {
      const Interval& i = state.regions[v].axis[a];
      text += " [" + std::to_string(i.begin) + "," + std::to_string(i.end) + ")";
    }
    if (slots[v].group >= 0) {
      const Buffer& buffer = buffers[static_cast<size_t>(groups[static_cast<size_t>(slots[v].group)].buffer)];
      text += buffer.home == Home::kArena    ? " at " + std::to_string(buffer.offset)
              : buffer.home == Home::kOutput ? " in output " + std::to_string(buffer.port)
                                             : " in input " + std::to_string(buffer.port);
      if (slots[v].channel > 0) text += " channel " + std::to_string(slots[v].channel);
      text += ", " + std::to_string(buffer.bytes) + " bytes";
    }
    text += '\n';
  }
  return text;
}

}  // namespace fovea::plan
