#include "tools/fovea/common.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

const std::vector<std::string> kIsas = {"reference", "sse4", "avx2", "avx512", "neon"};

Status CheckWord(const std::string& what, const std::string& word, const std::vector<std::string>& allowed) {
  std::string list;
  for (const std::string& a : allowed) {
    if (word == a) return OkStatus();
    list += (list.empty() ? "" : ", ") + a;
  }
  return InvalidArgument(what + " '" + word + "' is not known; choose one of " + list);
}

Result<int64_t> ParseCount(const std::string& what, const std::string& word) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
  if (error != std::errc() || end != word.data() + word.size() || count < 1 || count > 1 << 20) {
    return InvalidArgument(what + " '" + word + "' is not known; give a number of rows, none or auto");
  }
  return count;
}

}  // namespace

void ExecutionOptions::Declare(Args* args) {
  args->Integer("--threads, -t", &threads, 1, 256, "N", "processors to use (default: all that are there)");
  args->Text("--isa", &isa, "NAME", "cap of the instruction set: reference, sse4, avx2, avx512, neon");
  args->Text("--precision", &precision, "P", "arithmetic: f32");
  args->Flag("--exact-conv", &exact_conv, "no Winograd convolutions: slower, and sums in one plain order");
  args->Text("--bands", &bands, "ROWS",
             "run the network depth-first, so many rows (3-D: planes) at a time: a number, none, or auto (default)");
  args->Text("--tiling", &tiling, "KIND",
             "exact (default): the bits of the whole image or a refusal; approximate: norms and means over the image "
             "may take what a tile holds where the budget or --tile needs it, as the result then says");
  args->Text("--cache", &cache, "DIR",
             "keep packed weights in this folder: the next load of the model maps them; its files may be deleted");
  args->Text("--provider", &provider, "NAME",
             "whose kernels: fovea (default), or xnnpack as a second opinion on 2-D networks, whole images only");
}

Result<SessionOptions> ExecutionOptions::ToSession() const {
  FOVEA_RETURN_IF_ERROR(CheckIsaEnvironment());
  if (!isa.empty()) FOVEA_RETURN_IF_ERROR(CheckWord("--isa", isa, kIsas));
  FOVEA_RETURN_IF_ERROR(CheckWord("--precision", precision, {"f32"}));
  FOVEA_RETURN_IF_ERROR(CheckWord("--executor", executor, {"fast", "reference"}));
  FOVEA_RETURN_IF_ERROR(CheckWord("--provider", provider, {"fovea", "xnnpack"}));
  FOVEA_RETURN_IF_ERROR(CheckWord("--tiling", tiling, {"exact", "approximate"}));
  if (tiling != "exact" && (provider != "fovea" || executor != "fast")) {
    const std::string other = provider != "fovea" ? "--provider " + provider : "--executor " + executor;
    return InvalidArgument("--tiling " + tiling + " and " + other + " can't be combined: that runs whole images only");
  }
  if (provider != "fovea" && executor != "fast") return InvalidArgument("--provider and --executor can't be combined");
  SessionOptions options;
  options.threads = threads > 0 ? static_cast<int>(threads) : AvailableThreads();
  options.isa = isa;
  options.exact_convolution = exact_conv;
  if (bands == "none") {
    options.band_rows = -1;
  } else if (bands != "auto") {
    FOVEA_ASSIGN_OR_RETURN(options.band_rows, ParseCount("--bands", bands));
  }
  options.tiling = tiling == "approximate" ? Tiling::kApproximate : Tiling::kExact;
  options.cache_directory = cache;
  options.executor = provider == "xnnpack"     ? Executor::kXnnpack
                     : executor == "reference" ? Executor::kReference
                                               : Executor::kFast;
  return options;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

Status CheckIsaEnvironment() {
  const char* cap = std::getenv("FOVEA_ISA");
  if (cap == nullptr || *cap == '\0') return OkStatus();
  return CheckWord("the environment's FOVEA_ISA", cap, kIsas);
}

Result<std::vector<std::vector<int64_t>>> InputSizes(const Model& model, const std::vector<int64_t>& size_dhw) {
  std::vector<std::vector<int64_t>> sizes = model.DefaultSizes();
  for (size_t i = 0; i < sizes.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    for (size_t a = 0; a < sizes[i].size(); ++a) {
      const char letter = a < spec.axes.size() ? spec.axes[a] : 'i';
      const size_t spatial = letter == 'z' ? 0 : letter == 'y' ? 1 : letter == 'x' ? 2 : 3;
      if (spatial == 3) continue;
      const int64_t wanted = size_dhw[spatial];
      const SizeRule& rule = spec.rules[a];
      const bool legal =
          rule.step == 0 ? wanted == rule.min : wanted >= rule.min && (wanted - rule.min) % rule.step == 0;
      if (!legal) {
        return InvalidArgument("size " + std::to_string(wanted) + " does not suit axis " + letter + " of input '" +
                               spec.name + "': it takes " + DescribeRule(rule));
      }
      sizes[i][a] = wanted;
    }
    if (spec.axes.find('z') == std::string::npos && size_dhw[0] != 1) {
      return InvalidArgument("input '" + spec.name + "' is 2-D: give rows x columns");
    }
  }
  return sizes;
}

}  // namespace fovea::cli
