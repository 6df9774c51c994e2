#pragma once
#include <string>
#include <vector>

#include "bench/natlab/report.h"
namespace jsp::natlab {

// What is different in `now`, a sentence for each cell and path; nothing when all is as it was. Outcomes count if they
// differ at all, medians if they differ by more than a tenth and by more than 5 ms, rates by more than a tenth.
std::vector<std::string> Compare(const Report& before, const Report& now);

}  // namespace jsp::natlab
