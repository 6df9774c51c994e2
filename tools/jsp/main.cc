#include <csignal>
#include <string>

#include "tools/jsp/commands.h"
#include "tools/jsp/output.h"

namespace jsp::tool {
namespace {

int Main(int argc, char** argv) {
  // A reader of our output that goes away is an error of that write, not a silent end.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App program("JetStream WebRTC: ICE, TURN, DTLS, SCTP and data channels on the command line", "jsp");
  program.require_subcommand(1);
  int exit_code = kExitDone;
  AddServeCommand(program, exit_code);
  AddConnectCommand(program, exit_code);
  AddTurnServerCommand(program, exit_code);
  AddStunCommand(program, exit_code);
  AddNatCommand(program, exit_code);
  AddBenchCommand(program, exit_code);
  AddNatlabCommand(program, exit_code);
  AddPeerCommand(program, exit_code);
  // CLI11 would only say that a subcommand is missing.
  const std::string first = argc > 1 ? argv[1] : "-";
  const auto named = program.get_subcommands([&](CLI::App* command) { return command->get_name() == first; });
  if (!first.starts_with("-") && named.empty()) {
    return Fail(
        "unknown command '" + first + "'; it is one of serve, connect, turn-server, stun, nat, bench, natlab, peer",
        kExitUsage);
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    const auto chosen = program.get_subcommands();
    const std::string command = chosen.empty() ? "jsp" : "jsp " + chosen.front()->get_name();
    return Fail(std::string(error.what()) + "; see " + command + " --help", kExitUsage);
  }
  return exit_code;
}

}  // namespace
}  // namespace jsp::tool

int main(int argc, char** argv) { return jsp::tool::Main(argc, argv); }
