#include "tools/jsp/bench_link.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace jsp::tool {
namespace {

struct Head {
  LinkKind kind;
  uint32_t index;
};

}  // namespace

std::optional<std::pair<BenchLink, BenchLink>> BenchLink::Open() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return std::nullopt;
  return std::pair(BenchLink(ends[0]), BenchLink(ends[1]));
}

BenchLink::~BenchLink() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool BenchLink::Send(LinkKind kind, uint32_t index, std::string_view body) {
  Head head{kind, index};
  std::array<iovec, 2> parts{iovec{&head, sizeof(head)}, iovec{const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  while (true) {
    if (::sendmsg(descriptor_, &message, MSG_NOSIGNAL) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

std::optional<LinkMessage> BenchLink::Receive(bool& is_gone) {
  Head head{};
  LinkMessage message;
  message.body.resize(kMaxBody);
  std::array<iovec, 2> parts{iovec{&head, sizeof(head)}, iovec{message.body.data(), message.body.size()}};
  msghdr received{};
  received.msg_iov = parts.data();
  received.msg_iovlen = parts.size();
  const ssize_t size = ::recvmsg(descriptor_, &received, MSG_DONTWAIT);
  is_gone = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
  if (size < static_cast<ssize_t>(sizeof(head))) return std::nullopt;
  message.kind = head.kind;
  message.index = head.index;
  message.body.resize(static_cast<size_t>(size) - sizeof(head));
  message.body.shrink_to_fit();
  return message;
}

}  // namespace jsp::tool
