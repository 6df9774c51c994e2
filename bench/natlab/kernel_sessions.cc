#include "bench/natlab/kernel_sessions.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace jsp::natlab {
namespace {

// A request of the connection tracking to delete, which names no session, and so means all.
struct Request {
  nlmsghdr header{};
  nfgenmsg message{};
};

struct Reply {
  nlmsghdr header;
  nlmsgerr error;
};

std::string Reason(const std::string& what, int error) { return what + ": " + std::strerror(error); }

}  // namespace

Expected<void, std::string> ForgetSessions(const NetNamespace& node) {
  if (!node.Enter()) return Unexpected(Reason("a NAT's namespace", errno));
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (socket < 0) return Unexpected(Reason("the kernel's sessions", errno));
  Request request;
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.message.nfgen_family = AF_UNSPEC;
  request.message.version = NFNETLINK_V0;
  Reply reply{};
  const bool is_answered = ::send(socket, &request, sizeof(request), 0) == static_cast<ssize_t>(sizeof(request)) &&
                           ::recv(socket, &reply, sizeof(reply), 0) >= static_cast<ssize_t>(sizeof(reply));
  const int failure = is_answered ? -reply.error.error : errno;
  ::close(socket);
  // Nothing was tracked there yet.
  if (failure == 0 || failure == ENOENT) return {};
  return Unexpected(Reason("the kernel's sessions", failure));
}

}  // namespace jsp::natlab
