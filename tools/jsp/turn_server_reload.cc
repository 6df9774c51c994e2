#include "tools/jsp/turn_server_reload.h"

#include <algorithm>
#include <map>

#include "tools/jsp/output.h"
#include "tools/jsp/turn_server_settings.h"

namespace jsp::tool {
namespace {

struct Difference {
  size_t added = 0;
  size_t removed = 0;
  size_t changed = 0;
  bool IsNone() const { return added + removed + changed == 0; }
  std::string ToString() const {
    std::string text;
    const auto say = [&](size_t count, const char* what) {
      if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
    };
    say(added, "added");
    say(removed, "removed");
    say(changed, "changed");
    return text;
  }
};

Difference Compare(const std::vector<TurnUser>& before, const std::vector<TurnUser>& after) {
  std::map<std::string_view, const stun::LongTermKeys*> old;
  for (const auto& user : before) old.emplace(user.name, &user.keys);
  Difference difference;
  for (const auto& user : after) {
    const auto found = old.find(user.name);
    if (found == old.end()) {
      ++difference.added;
      continue;
    }
    if (*found->second != user.keys) ++difference.changed;
    old.erase(found);
  }
  difference.removed = old.size();
  return difference;
}

Difference Compare(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const auto missing = [](const std::vector<std::string>& from, const std::vector<std::string>& in) {
    return static_cast<size_t>(
        std::ranges::count_if(from, [&](const std::string& text) { return std::ranges::count(in, text) == 0; }));
  };
  return {.added = missing(after, before), .removed = missing(before, after)};
}

std::string WaitingForRestart(const TurnServerConfig& running, const TurnServerConfig& wanted) {
  std::string names;
  for (const Setting& setting : TurnServerSettings()) {
    if (setting.reload == SettingReload::kTakesEffect || setting.show(running) == setting.show(wanted)) continue;
    names += (names.empty() ? "" : ", ") + std::string(setting.name);
  }
  return names;
}

}  // namespace

Expected<TurnReload, std::string> PlanReload(const TurnServerConfig& running, const TurnServerConfig& wanted) {
  if (running.realm != wanted.realm) {
    return Unexpected<std::string>("the realm is \"" + running.realm + "\" and would be \"" + wanted.realm +
                                   "\"; restart the server to change it");
  }
  TurnReload plan{.config = running, .report = {}};
  plan.config.access = wanted.access;
  plan.config.tls = wanted.tls;
  plan.config.operation.drain_time = wanted.operation.drain_time;
  plan.config.operation.drain_alternates = wanted.operation.drain_alternates;
  const auto users = Compare(running.access.users, wanted.access.users);
  const auto secrets = Compare(running.access.shared_secrets, wanted.access.shared_secrets);
  plan.report = Format("users %zu", wanted.access.users.size()) + (users.IsNone() ? "" : " (" + users.ToString() + ")");
  plan.report += Format(", shared secrets %zu", wanted.access.shared_secrets.size()) +
                 (secrets.IsNone() ? "" : " (" + secrets.ToString() + ")");
  if (const std::string waiting = WaitingForRestart(running, wanted); !waiting.empty()) {
    plan.report += "; waiting for a restart: " + waiting;
  }
  return plan;
}

}  // namespace jsp::tool
