// Numbers as ImageJ's macro language hands them from command to command: as text, and so rounded.
#ifndef FOVEA_RUNTIME_PROCESS_MACRO_NUMBER_H_
#define FOVEA_RUNTIME_PROCESS_MACRO_NUMBER_H_

#include <cstdint>

namespace fovea::process {

// What is left of a number that a macro writes into a command's options: whole numbers below 1e9 exactly; otherwise
// four decimals, four significant digits below 1, at most nine digits, and exponent form with four decimals from 1e-5
// down and for fractions above 1e9.
double MacroNumber(double value);

// run("Subtract...", subtract) and run("Divide...", divide) on a float image: rounded to float after each, division as
// multiplication by 1.0 / divide.
void MacroScale(double subtract, double divide, float* pixels, int64_t count);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_MACRO_NUMBER_H_
