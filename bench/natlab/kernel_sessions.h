#pragma once
#include <string>

#include "base/expected.h"
#include "bench/natlab/net_namespace.h"
namespace jsp::natlab {

// What a reboot does to a NAT: the kernel of `node` forgets every session that it tracked. The caller is in that
// namespace afterwards.
Expected<void, std::string> ForgetSessions(const NetNamespace& node);

}  // namespace jsp::natlab
