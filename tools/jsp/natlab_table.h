#pragma once
#include <string>

#include "bench/natlab/report.h"
namespace jsp::tool {

enum class Color : bool { kOff, kOn };

// The NAT matrix as text: a row for each a, a column for each b, in each cell the outcome and the median time to the
// first message in milliseconds; then what does not match the oracle, with its reason.
std::string FormatMatrix(const natlab::Report& report, Color color);
// The shares of each mix, and what is different from another report; empty, or a word, when there is nothing.
std::string FormatMixes(const natlab::Report& report);
std::string FormatKernel(const natlab::Report& report);
std::string FormatChanges(const natlab::Report& report);
// The paths, one per line; empty when there are none.
std::string FormatPaths(const natlab::Report& report);

}  // namespace jsp::tool
