#include "formats/bundle/licences.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

namespace fovea::formats {
namespace {

constexpr std::string_view kLicences[] = {"0BSD",
                                          "AFL-3.0",
                                          "AGPL-1.0-only",
                                          "AGPL-1.0-or-later",
                                          "AGPL-3.0-only",
                                          "AGPL-3.0-or-later",
                                          "Apache-1.0",
                                          "Apache-1.1",
                                          "Apache-2.0",
                                          "APSL-2.0",
                                          "Artistic-1.0",
                                          "Artistic-1.0-Perl",
                                          "Artistic-2.0",
                                          "BlueOak-1.0.0",
                                          "BSD-1-Clause",
                                          "BSD-2-Clause",
                                          "BSD-2-Clause-Patent",
                                          "BSD-2-Clause-Views",
                                          "BSD-3-Clause",
                                          "BSD-3-Clause-Attribution",
                                          "BSD-3-Clause-Clear",
                                          "BSD-3-Clause-LBNL",
                                          "BSD-3-Clause-Modification",
                                          "BSD-3-Clause-No-Nuclear-License",
                                          "BSD-3-Clause-Open-MPI",
                                          "BSD-4-Clause",
                                          "BSD-4-Clause-UC",
                                          "BSD-Protection",
                                          "BSD-Source-Code",
                                          "BSL-1.0",
                                          "BUSL-1.1",
                                          "CAL-1.0",
                                          "CC-BY-1.0",
                                          "CC-BY-2.0",
                                          "CC-BY-2.5",
                                          "CC-BY-3.0",
                                          "CC-BY-3.0-DE",
                                          "CC-BY-3.0-US",
                                          "CC-BY-4.0",
                                          "CC-BY-NC-1.0",
                                          "CC-BY-NC-2.0",
                                          "CC-BY-NC-2.5",
                                          "CC-BY-NC-3.0",
                                          "CC-BY-NC-4.0",
                                          "CC-BY-NC-ND-1.0",
                                          "CC-BY-NC-ND-2.0",
                                          "CC-BY-NC-ND-2.5",
                                          "CC-BY-NC-ND-3.0",
                                          "CC-BY-NC-ND-4.0",
                                          "CC-BY-NC-SA-1.0",
                                          "CC-BY-NC-SA-2.0",
                                          "CC-BY-NC-SA-2.5",
                                          "CC-BY-NC-SA-3.0",
                                          "CC-BY-NC-SA-4.0",
                                          "CC-BY-ND-1.0",
                                          "CC-BY-ND-2.0",
                                          "CC-BY-ND-2.5",
                                          "CC-BY-ND-3.0",
                                          "CC-BY-ND-4.0",
                                          "CC-BY-SA-1.0",
                                          "CC-BY-SA-2.0",
                                          "CC-BY-SA-2.5",
                                          "CC-BY-SA-3.0",
                                          "CC-BY-SA-4.0",
                                          "CC-PDDC",
                                          "CC0-1.0",
                                          "CDDL-1.0",
                                          "CDDL-1.1",
                                          "CDLA-Permissive-1.0",
                                          "CDLA-Permissive-2.0",
                                          "CDLA-Sharing-1.0",
                                          "CECILL-1.0",
                                          "CECILL-1.1",
                                          "CECILL-2.0",
                                          "CECILL-2.1",
                                          "CECILL-B",
                                          "CECILL-C",
                                          "ClArtistic",
                                          "CNRI-Python",
                                          "CPL-1.0",
                                          "DL-DE-BY-2.0",
                                          "ECL-2.0",
                                          "EFL-2.0",
                                          "EPL-1.0",
                                          "EPL-2.0",
                                          "etalab-2.0",
                                          "EUPL-1.0",
                                          "EUPL-1.1",
                                          "EUPL-1.2",
                                          "FTL",
                                          "GFDL-1.1-only",
                                          "GFDL-1.1-or-later",
                                          "GFDL-1.2-only",
                                          "GFDL-1.2-or-later",
                                          "GFDL-1.3-only",
                                          "GFDL-1.3-or-later",
                                          "GPL-1.0-only",
                                          "GPL-1.0-or-later",
                                          "GPL-2.0-only",
                                          "GPL-2.0-or-later",
                                          "GPL-3.0-only",
                                          "GPL-3.0-or-later",
                                          "HPND",
                                          "ICU",
                                          "IJG",
                                          "Imlib2",
                                          "Intel",
                                          "IPL-1.0",
                                          "ISC",
                                          "JSON",
                                          "LGPL-2.0-only",
                                          "LGPL-2.0-or-later",
                                          "LGPL-2.1-only",
                                          "LGPL-2.1-or-later",
                                          "LGPL-3.0-only",
                                          "LGPL-3.0-or-later",
                                          "Libpng",
                                          "libpng-2.0",
                                          "libtiff",
                                          "LPL-1.02",
                                          "LPPL-1.3c",
                                          "MIT",
                                          "MIT-0",
                                          "MIT-CMU",
                                          "MIT-Modern-Variant",
                                          "MPL-1.0",
                                          "MPL-1.1",
                                          "MPL-2.0",
                                          "MPL-2.0-no-copyleft-exception",
                                          "MS-PL",
                                          "MS-RL",
                                          "MulanPSL-1.0",
                                          "MulanPSL-2.0",
                                          "NASA-1.3",
                                          "NCSA",
                                          "NetCDF",
                                          "NIST-PD",
                                          "NIST-Software",
                                          "NLOD-1.0",
                                          "NLOD-2.0",
                                          "NLPL",
                                          "NPL-1.0",
                                          "NPL-1.1",
                                          "NTP",
                                          "O-UDA-1.0",
                                          "ODbL-1.0",
                                          "ODC-By-1.0",
                                          "OFL-1.0",
                                          "OFL-1.1",
                                          "OGL-UK-1.0",
                                          "OGL-UK-2.0",
                                          "OGL-UK-3.0",
                                          "OpenSSL",
                                          "OSL-1.0",
                                          "OSL-2.1",
                                          "OSL-3.0",
                                          "PDDL-1.0",
                                          "PHP-3.01",
                                          "PolyForm-Noncommercial-1.0.0",
                                          "PolyForm-Small-Business-1.0.0",
                                          "PostgreSQL",
                                          "PSF-2.0",
                                          "Python-2.0",
                                          "Python-2.0.1",
                                          "QPL-1.0",
                                          "Ruby",
                                          "SGI-B-2.0",
                                          "SSPL-1.0",
                                          "TCL",
                                          "Unicode-DFS-2016",
                                          "Unlicense",
                                          "UPL-1.0",
                                          "Vim",
                                          "W3C",
                                          "WTFPL",
                                          "X11",
                                          "Zlib",
                                          "zlib-acknowledgement",
                                          "ZPL-2.1"};

// Still on the list; the text of the identifier did not say whether later versions count.
constexpr std::pair<std::string_view, std::string_view> kDeprecated[] = {
    {"AGPL-1.0", "AGPL-1.0-only"},          {"AGPL-3.0", "AGPL-3.0-only"},
    {"GFDL-1.1", "GFDL-1.1-only"},          {"GFDL-1.2", "GFDL-1.2-only"},
    {"GFDL-1.3", "GFDL-1.3-only"},          {"GPL-1.0", "GPL-1.0-only"},
    {"GPL-1.0+", "GPL-1.0-or-later"},       {"GPL-2.0", "GPL-2.0-only"},
    {"GPL-2.0+", "GPL-2.0-or-later"},       {"GPL-3.0", "GPL-3.0-only"},
    {"GPL-3.0+", "GPL-3.0-or-later"},       {"LGPL-2.0", "LGPL-2.0-only"},
    {"LGPL-2.0+", "LGPL-2.0-or-later"},     {"LGPL-2.1", "LGPL-2.1-only"},
    {"LGPL-2.1+", "LGPL-2.1-or-later"},     {"LGPL-3.0", "LGPL-3.0-only"},
    {"LGPL-3.0+", "LGPL-3.0-or-later"},     {"BSD-2-Clause-FreeBSD", "BSD-2-Clause"},
    {"BSD-2-Clause-NetBSD", "BSD-2-Clause"}};

// What people write, by letters and digits alone.
constexpr std::pair<std::string_view, std::string_view> kWritten[] = {
    {"apache", "Apache-2.0"},     {"apache2", "Apache-2.0"},   {"apachelicense20", "Apache-2.0"},
    {"apachev2", "Apache-2.0"},   {"bsd2", "BSD-2-Clause"},    {"bsd", "BSD-3-Clause"},
    {"bsd3", "BSD-3-Clause"},     {"newbsd", "BSD-3-Clause"},  {"simplifiedbsd", "BSD-2-Clause"},
    {"mitlicense", "MIT"},        {"themitlicense", "MIT"},    {"gpl2", "GPL-2.0-only"},
    {"gplv2", "GPL-2.0-only"},    {"gpl3", "GPL-3.0-only"},    {"gplv3", "GPL-3.0-only"},
    {"gnugplv3", "GPL-3.0-only"}, {"lgplv3", "LGPL-3.0-only"}, {"agplv3", "AGPL-3.0-only"},
    {"ccby", "CC-BY-4.0"},        {"ccby4", "CC-BY-4.0"},      {"ccbysa", "CC-BY-SA-4.0"},
    {"ccbync", "CC-BY-NC-4.0"},   {"cc0", "CC0-1.0"},          {"publicdomain", "CC0-1.0"},
    {"mpl2", "MPL-2.0"},          {"unlicence", "Unlicense"}};

std::string LettersAndDigits(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) out += static_cast<char>(std::tolower(byte));
  }
  return out;
}

}  // namespace

LicenceCheck CheckLicence(const std::string& licence) {
  using Kind = LicenceCheck::Kind;
  if (std::find(std::begin(kLicences), std::end(kLicences), licence) != std::end(kLicences)) return {Kind::kKnown};
  for (const auto& [old, better] : kDeprecated) {
    if (licence == old) return {Kind::kDeprecated, std::string(better)};
  }
  const std::string letters = LettersAndDigits(licence);
  for (const std::string_view known : kLicences) {
    if (letters == LettersAndDigits(known)) return {Kind::kMisspelt, std::string(known)};
  }
  for (const auto& [written, meant] : kWritten) {
    if (letters == written) return {Kind::kMisspelt, std::string(meant)};
  }
  return {};
}

}  // namespace fovea::formats
