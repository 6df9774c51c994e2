#pragma once
#include <CLI/CLI.hpp>
namespace jsp::tool {

// The subcommands of `jsp bench`; as in commands.h.
void AddBenchDatachannelCommand(CLI::App& bench, int& exit_code);
void AddBenchStunCommand(CLI::App& bench, int& exit_code);
void AddBenchTurnCommand(CLI::App& bench, int& exit_code);

}  // namespace jsp::tool
