#include "tools/jsp/bench_commands.h"
#include "tools/jsp/commands.h"

namespace jsp::tool {

void AddBenchCommand(CLI::App& program, int& exit_code) {
  auto* bench = program.add_subcommand("bench", "benchmarks with real sockets");
  bench->require_subcommand(1);
  AddBenchDatachannelCommand(*bench, exit_code);
  AddBenchStunCommand(*bench, exit_code);
  AddBenchTurnCommand(*bench, exit_code);
}

}  // namespace jsp::tool
