#pragma once
#include <string>
#include <string_view>

#include "base/expected.h"
#include "bench/natlab/cell_runner.h"
namespace jsp::natlab {

// A run on its way out of the process that it was done in: one JSON object.
std::string ToJson(const RunResult& result);
// The error is of a text that is no such object, as of a process that ended early.
Expected<RunResult, std::string> ParseRunResult(std::string_view text);

}  // namespace jsp::natlab
