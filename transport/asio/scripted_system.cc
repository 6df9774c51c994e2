#include "transport/asio/scripted_system.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
namespace jsp::transport::io::testing {

ScriptedSystem& TheSystem() {
  static ScriptedSystem system;
  return system;
}

namespace {

bool IsRefused(const msghdr& message) {
  ScriptedSystem& system = TheSystem();
  const int error = system.refuse ? system.refuse(message) : 0;
  if (error == 0) return false;
  ++system.refused;
  errno = error;
  return true;
}

}  // namespace
}  // namespace jsp::transport::io::testing

// As the kernel: what comes before the first that is refused leaves, and is counted; an error when that is nothing.
extern "C" int sendmmsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  using jsp::transport::io::testing::IsRefused;
  unsigned passing = 0;
  while (passing < count && !IsRefused(messages[passing].msg_hdr)) ++passing;
  if (passing == 0 && count > 0) return -1;
  return static_cast<int>(syscall(SYS_sendmmsg, socket, messages, passing, flags));
}
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  return jsp::transport::io::testing::IsRefused(*message) ? -1 : syscall(SYS_sendmsg, socket, message, flags);
}
extern "C" int recvmmsg(int socket, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const int received = static_cast<int>(syscall(SYS_recvmmsg, socket, messages, count, flags, timeout));
  auto& system = jsp::transport::io::testing::TheSystem();
  for (int i = 0; system.touch && i < received; ++i) system.touch(messages[i].msg_hdr, messages[i].msg_len);
  return received;
}
