#include "bench/natlab/nat64_process.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "bench/natlab/wire.h"
#include "netsim/nat64_translator.h"

namespace jsp::natlab {
namespace {

constexpr size_t kMaxFrame = 65536;

Timestamp Now() {
  return Timestamp::FromEpoch(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// The router's end resolves no addresses: it sends to itself, and takes what is sent to where its frames are from.
ether_header HeaderTo(const ether_header& asker, std::span<const uint8_t> packet) {
  ether_header header = asker;
  std::copy(std::begin(asker.ether_shost), std::end(asker.ether_shost), std::begin(header.ether_dhost));
  header.ether_type = htons(packet[0] >> 4 == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
  return header;
}

void TranslateFrame(int socket, std::span<const uint8_t> frame, netsim::Nat64Translator& translator) {
  ether_header asker{};
  if (frame.size() <= sizeof(asker)) return;
  std::memcpy(&asker, frame.data(), sizeof(asker));
  const uint16_t type = ntohs(asker.ether_type);
  if (type != ETHERTYPE_IP && type != ETHERTYPE_IPV6) return;
  for (const auto& packet : translator.Translate(Now(), frame.subspan(sizeof(asker)))) {
    ether_header header = HeaderTo(asker, packet);
    std::array<iovec, 2> parts{iovec{&header, sizeof(header)},
                               iovec{const_cast<uint8_t*>(packet.data()), packet.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    (void)::sendmsg(socket, &message, 0);  // a full queue loses frames, as a wire would
  }
}

[[noreturn]] void Run(int socket, netsim::Nat64Translator translator) {
  std::vector<uint8_t> frame(kMaxFrame);
  for (;;) {
    pollfd descriptor{socket, POLLIN, 0};
    (void)::poll(&descriptor, 1, -1);
    for (;;) {
      sockaddr_ll address{};
      socklen_t length = sizeof(address);
      const ssize_t size =
          ::recvfrom(socket, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&address), &length);
      if (size <= 0) break;
      if (address.sll_pkttype == PACKET_OUTGOING) continue;
      TranslateFrame(socket, std::span(frame).first(static_cast<size_t>(size)), translator);
    }
  }
}

}  // namespace

Expected<Nat64Process, std::string> Nat64Process::Start(const NetNamespace& where, const netsim::NatOptions& options,
                                                        const IpAddress& outside, uint64_t seed) {
  const int socket = where.Enter() ? OpenPacketSocket(kNat64Interface) : -1;
  if (socket < 0) return Unexpected(std::string("the NAT64's raw socket: ") + std::strerror(errno));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Run(socket, netsim::Nat64Translator(options, outside, Rng::FromNumber(seed)));
  }
  ::close(socket);
  if (pid < 0) return Unexpected<std::string>("there is no process for a NAT64");
  return Nat64Process(pid);
}

Nat64Process::Nat64Process(Nat64Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Nat64Process& Nat64Process::operator=(Nat64Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

Nat64Process::~Nat64Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace jsp::natlab
