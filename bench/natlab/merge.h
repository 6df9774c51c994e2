#pragma once
#include <string>
#include <vector>

#include "base/expected.h"
#include "bench/natlab/report.h"
namespace jsp::natlab {

// One report out of those of several shards, in the order that one run would have had: the same but for its processes.
// They have to be of the same engine, scenario, seed and runs, and no two may have the same cell; the error says which
// and how. Mixes are weighed anew, and paths are those of the first report that has any.
Expected<Report, std::string> Merge(const std::vector<Report>& parts);

}  // namespace jsp::natlab
