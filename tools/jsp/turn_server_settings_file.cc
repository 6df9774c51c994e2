#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <string>

#include "tools/jsp/output.h"
#include "tools/jsp/turn_server_settings.h"

namespace jsp::tool {
namespace {

using Read = Expected<void, std::string>;

std::string Where(const std::string& path, const toml::source_position& position) {
  return path + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

std::string_view Expectation(const Setting& setting) {
  if (setting.arity == SettingArity::kMany) return "write an array of strings, such as [\"…\", \"…\"]";
  switch (setting.kind) {
    case SettingKind::kText:
      return "write a string in double quotes";
    case SettingKind::kCount:
      return "write a whole number without quotes";
    case SettingKind::kFlag:
      return "write true or false without quotes";
  }
  return {};
}

// The text that a command line would have; nullopt: not of the setting's kind.
std::optional<std::string> TextOf(const toml::node& node, SettingKind kind) {
  switch (kind) {
    case SettingKind::kText:
      if (const auto* text = node.as_string()) return text->get();
      break;
    case SettingKind::kCount:
      if (const auto* number = node.as_integer()) return std::to_string(number->get());
      break;
    case SettingKind::kFlag:
      if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
      break;
  }
  return std::nullopt;
}

Read ReadEntry(const toml::key& key, const toml::node& node, const std::string& path, SettingValues& values) {
  const std::string name(key.str());
  const Setting* setting = FindSetting(name);
  if (setting == nullptr) {
    return Unexpected<std::string>(Where(path, key.source().begin) + ": " + name +
                                   ": there is no such key; the nearest is " + std::string(NearestSetting(name)));
  }
  const auto wrong_kind = [&](const toml::node& at) {
    return Unexpected<std::string>(Where(path, at.source().begin) + ": " + name + ": is of the wrong kind; " +
                                   std::string(Expectation(*setting)));
  };
  auto& list = values[name];
  const auto add = [&](const toml::node& value) {
    auto text = TextOf(value, setting->kind);
    if (!text) return false;
    list.push_back({std::move(*text), Where(path, value.source().begin) + ": " + name});
    return true;
  };
  const toml::array* array = node.as_array();
  if ((array != nullptr) != (setting->arity == SettingArity::kMany)) return wrong_kind(node);
  if (array == nullptr) {
    if (!add(node)) return wrong_kind(node);
    return {};
  }
  for (const toml::node& value : *array) {
    if (!add(value)) return wrong_kind(value);
  }
  return {};
}

// One line of what the parser says.
std::string OneLine(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  return line;
}

}  // namespace

Expected<SettingValues, std::string> ParseSettings(std::string_view text, const std::string& path) {
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return Unexpected<std::string>(Where(path, error.source().begin) + ": not TOML: " + OneLine(error.description()) +
                                   "; correct the line");
  }
  struct Entry {
    const toml::key* key;
    const toml::node* node;
  };
  std::vector<Entry> entries;
  for (auto& [key, node] : table) entries.push_back({&key, &node});
  // The first mistake of the file is the one that is named.
  std::ranges::sort(
      entries, [](const Entry& a, const Entry& b) { return a.key->source().begin.line < b.key->source().begin.line; });
  SettingValues values;
  for (const Entry& entry : entries) {
    if (const auto read = ReadEntry(*entry.key, *entry.node, path, values); !read) {
      return Unexpected<std::string>(read.error());
    }
  }
  return values;
}

Expected<SettingValues, std::string> ReadSettingsFile(const std::string& path) {
  auto content = ReadFile(path);
  if (!content) return Unexpected<std::string>("--config " + content.error());
  return ParseSettings(*content, path);
}

}  // namespace jsp::tool
