#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "tools/jsp/turn_server_config.h"
namespace jsp::tool {

// The options of `jsp turn-server`, one table for the command line, the config file, and what is printed.

// How a config file writes a value.
enum class SettingKind : uint8_t { kText, kCount, kFlag };
enum class SettingArity : uint8_t { kOne, kMany };  // kMany: an array in the file, repeatable on the command line
// What a reload does with a changed value.
enum class SettingReload : uint8_t { kTakesEffect, kNeedsRestart };
// kSecret: error messages do not repeat the value.
enum class SettingSecrecy : uint8_t { kPublic, kSecret };

struct Setting {
  std::string_view name;         // on the command line after "--"
  std::string_view placeholder;  // of the value, for people
  std::string_view help;
  SettingKind kind = SettingKind::kText;
  SettingArity arity = SettingArity::kOne;
  SettingReload reload = SettingReload::kNeedsRestart;
  SettingSecrecy secrecy = SettingSecrecy::kPublic;
  // Takes one value; the error is what is wrong and what to write instead.
  Expected<void, std::string> (*apply)(TurnServerConfig&, const std::string& value) = nullptr;
  // The values that would give the same again; none where it is not set.
  std::vector<std::string> (*show)(const TurnServerConfig&) = nullptr;
};

// In the order in which they are applied.
std::span<const Setting> TurnServerSettings();
// nullptr: there is none of that name.
const Setting* FindSetting(std::string_view name);
// The known name that is most like an unknown one.
std::string_view NearestSetting(std::string_view name);

// A value as it was written, and where: "turn.toml:3:9: realm" or "--realm".
struct SettingValue {
  std::string text;
  std::string origin;
};
using SettingValues = std::map<std::string, std::vector<SettingValue>, std::less<>>;

// Reads a TOML file. The error is one line that begins with FILE:LINE:COLUMN.
Expected<SettingValues, std::string> ReadSettingsFile(const std::string& path);
Expected<SettingValues, std::string> ParseSettings(std::string_view toml, const std::string& path);

// Checks and applies; what the command line says replaces what the file says. The error is one line that begins with
// where the value came from.
Expected<TurnServerConfig, std::string> MakeTurnServerConfig(const SettingValues& file,
                                                             const SettingValues& command_line);
// A config file that gives `config` again, with a comment for each setting.
std::string PrintTurnServerConfig(const TurnServerConfig& config);

}  // namespace jsp::tool
