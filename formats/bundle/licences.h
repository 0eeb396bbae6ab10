// Licences by their identifiers of the SPDX list (spdx.org/licenses), which bioimage.io 0.5 asks for.
//
// The table holds the identifiers that software, data and models are published under; the whole list has several
// hundred more and grows, so that an identifier that is not here is doubtful, not wrong.
#ifndef FOVEA_FORMATS_BUNDLE_LICENCES_H_
#define FOVEA_FORMATS_BUNDLE_LICENCES_H_

#include <cstdint>
#include <string>

namespace fovea::formats {

struct LicenceCheck {
  enum class Kind : uint8_t {
    kKnown,
    kDeprecated,  // on the list, but replaced by `better`
    kMisspelt,    // certainly meant as `better`: "CC BY 4.0", "mit", "GPLv3"
    kUnknown,
  };
  Kind kind = Kind::kUnknown;
  std::string better = {};
};

LicenceCheck CheckLicence(const std::string& licence);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_LICENCES_H_
