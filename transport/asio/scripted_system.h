#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <functional>
namespace jsp::transport::io::testing {

// What the system's calls for datagrams do in a test that links this: its own sendmsg, sendmmsg and recvmmsg stand
// before those of the C library. One thread.
struct ScriptedSystem {
  // Asked of each datagram or segmented send that would leave; an error refuses it, 0 lets it pass.
  std::function<int(const msghdr&)> refuse;
  // Sees each message that was received, with its size, and may change it.
  std::function<void(msghdr&, size_t)> touch;
  uint64_t refused = 0;
};
ScriptedSystem& TheSystem();

}  // namespace jsp::transport::io::testing
