// Thresholds found in a histogram, by the methods of ImageJ's AutoThresholder: the same names, the same numbers.
#ifndef FOVEA_RUNTIME_PROCESS_AUTO_THRESHOLD_H_
#define FOVEA_RUNTIME_PROCESS_AUTO_THRESHOLD_H_

#include <string>
#include <vector>

#include "runtime/process/statistics.h"

namespace fovea::process {

enum class ThresholdMethod : uint8_t {
  kDefault,  // ImageJ's own: inter-means after the highest class is cut to 1.5 times the second, if over twice as high
  kHuang,    // Huang & Wang 1995: fuzziness by Shannon's entropy
  kIjIsoData,     // the same without the cut
  kIntermodes,    // Prewitt & Mendelsohn 1966: smoothed until two maxima are left, the middle between them
  kIsoData,       // Ridler & Calvard 1978
  kLi,            // Li & Tam 1998, iterated minimum cross entropy
  kMaxEntropy,    // Kapur, Sahoo & Wong 1985
  kMean,          // Glasbey 1993: the mean of all
  kMinError,      // Kittler & Illingworth 1986, iterated as by Glasbey 1993 (ImageJ takes the logarithm to base 10)
  kMinimum,       // Prewitt & Mendelsohn 1966: the minimum between the two maxima
  kMoments,       // Tsai 1985: moments kept
  kOtsu,          // Otsu 1979: variance between the classes
  kPercentile,    // Doyle 1962: half of the pixels
  kRenyiEntropy,  // Kapur, Sahoo & Wong 1985: entropies of order 1/2, 1 and 2 weighed
  kShanbhag,      // Shanbhag 1994: equal information on both sides
  kTriangle,      // Zack, Rogers & Latt 1977
  kYen,           // Yen, Chang & Chang 1995
};
const std::vector<std::string>& ThresholdMethodNames();  // in the order of the values: "default", "huang", ...

// The last class that is background, 0 .. 255. 0 where a method finds none, as in ImageJ.
int AutoThreshold(ThresholdMethod method, const Histogram& histogram);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_AUTO_THRESHOLD_H_
