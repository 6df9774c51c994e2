#pragma once
#include <CLI/CLI.hpp>
namespace jsp::tool {

// Each adds its subcommand to the program; `exit_code` gets what the command came to, once it was chosen and has run.
void AddServeCommand(CLI::App& program, int& exit_code);
void AddConnectCommand(CLI::App& program, int& exit_code);
void AddStunCommand(CLI::App& program, int& exit_code);
void AddNatCommand(CLI::App& program, int& exit_code);
void AddTurnServerCommand(CLI::App& program, int& exit_code);
void AddBenchCommand(CLI::App& program, int& exit_code);
void AddNatlabCommand(CLI::App& program, int& exit_code);
void AddPeerCommand(CLI::App& program, int& exit_code);

}  // namespace jsp::tool
