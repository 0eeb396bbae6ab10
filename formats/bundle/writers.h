// Descriptions written: bioimage.io 0.5.7 and DeepImageJ 1's config.xml.
//
// Complaints are what the field rules of the format refuse, one sentence each with what to do, in the order of the
// fields; a description without complaints is one that bioimageio.spec's schema accepts (lengths, characters, required
// fields, references) and that our own reader reads back.
#ifndef FOVEA_FORMATS_BUNDLE_WRITERS_H_
#define FOVEA_FORMATS_BUNDLE_WRITERS_H_

#include <string>
#include <vector>

#include "formats/bundle/description.h"

namespace fovea::formats {

// Fields that WriteRdf uses: all but those of DeepImageJ's measurements, which go to config.deepimagej.
std::vector<std::string> RdfComplaints(const BundleDescription& description);
// What may be right, but is seldom so: for a warning.
std::vector<std::string> RdfDoubts(const BundleDescription& description);
std::string WriteRdf(const BundleDescription& description);

// One input and one output, two dimensions, a SavedModel: what DeepImageJ 1 can run.
std::vector<std::string> ConfigXmlComplaints(const BundleDescription& description);
std::string WriteConfigXml(const BundleDescription& description);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_WRITERS_H_
