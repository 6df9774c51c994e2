#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "bench/natlab/matrix.h"
namespace jsp::natlab {

// What is to be measured, declared in a file (bench/natlab/README.md#scenarios); both engines run it.
struct Scenario {
  std::string name;
  std::string about;
  std::string mix;  // whose weights count; empty: every cell counts the same
  MatrixOptions matrix;
};

// The error is one line "FILE:LINE: KEY: what is wrong", where `file` names the text.
Expected<Scenario, std::string> ParseScenario(std::string_view text, const std::string& file);
// The presets of bench/natlab/scenarios, by name.
const std::vector<Scenario>& ScenarioPresets();
// A preset's name, else a file's.
Expected<Scenario, std::string> LoadScenario(const std::string& name_or_file);

// What does not fit together, by the scenario's key.
struct Misfit {
  std::string key;
  std::string what;
};
Expected<void, Misfit> CheckFit(const MatrixOptions& matrix);

}  // namespace jsp::natlab
