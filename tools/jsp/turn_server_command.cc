#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/jsp/commands.h"
#include "tools/jsp/output.h"
#include "tools/jsp/turn_server_run.h"
#include "tools/jsp/turn_server_settings.h"

namespace jsp::tool {
namespace {

struct TurnServerArguments {
  std::string config;
  std::string hash_user;
  bool print = false;
  std::map<std::string_view, std::vector<std::string>> texts;
  std::map<std::string_view, std::string> flags;
};

SettingValues CommandLine(const TurnServerArguments& arguments) {
  SettingValues values;
  for (const auto& [name, texts] : arguments.texts) {
    for (const auto& text : texts) values[std::string(name)].push_back({text, "--" + std::string(name)});
  }
  for (const auto& [name, text] : arguments.flags) {
    if (!text.empty()) values[std::string(name)].push_back({text, "--" + std::string(name)});
  }
  return values;
}

Expected<TurnServerConfig, std::string> Load(const TurnServerArguments& arguments) {
  SettingValues file;
  if (!arguments.config.empty()) {
    auto read = ReadSettingsFile(arguments.config);
    if (!read) return Unexpected<std::string>(read.error());
    file = std::move(*read);
  }
  return MakeTurnServerConfig(file, CommandLine(arguments));
}

// "-": a line of standard input, so that the password is in no list of processes.
std::string HashedUser(const std::string& argument) {
  if (argument != "-") return argument;
  std::string line;
  for (int c = std::getchar(); c != EOF && c != '\n'; c = std::getchar()) line += static_cast<char>(c);
  return line;
}

int RunTurnServerCommand(const TurnServerArguments& arguments) {
  const auto config = Load(arguments);
  if (!config) return Fail(config.error(), kExitUsage);
  if (!arguments.hash_user.empty()) {
    const auto user = MakeTurnUser(HashedUser(arguments.hash_user), config->realm);
    if (!user) return Fail("--hash-user: " + user.error(), kExitUsage);
    HumanText(false).Print(UserKeyText(*user, config->realm) + "\n");
    return kExitDone;
  }
  if (arguments.print) {
    HumanText(false).Print(PrintTurnServerConfig(*config));
    return kExitDone;
  }
  return RunTurnServer(*config, [&arguments] { return Load(arguments); });
}

}  // namespace

void AddTurnServerCommand(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<TurnServerArguments>();
  auto* command = program.add_subcommand("turn-server", "a STUN and TURN server");
  command->add_option("--config", arguments->config, "TOML file with the options below; those given here come first")
      ->type_name("FILE");
  command->add_flag("--print-effective-config", arguments->print, "print the configuration as such a file, and end");
  command
      ->add_option("--hash-user", arguments->hash_user,
                   "print the user-key of a user of the realm, and end; - reads NAME:PASSWORD from standard input")
      ->type_name("NAME:PASSWORD");
  const TurnServerConfig defaults;
  for (const Setting& setting : TurnServerSettings()) {
    const std::string option = "--" + std::string(setting.name);
    const std::string help(setting.help);
    if (setting.kind == SettingKind::kFlag) {
      command->add_flag(option, arguments->flags[setting.name], help);
      continue;
    }
    auto* added = command->add_option(option, arguments->texts[setting.name], help)
                      ->allow_extra_args(false)
                      ->type_name(std::string(setting.placeholder));
    if (setting.arity == SettingArity::kOne) added->expected(1);
    if (const auto shown = setting.show(defaults); shown.size() == 1) added->default_str(shown.front());
  }
  command->callback([arguments, &exit_code] { exit_code = RunTurnServerCommand(*arguments); });
}

}  // namespace jsp::tool
