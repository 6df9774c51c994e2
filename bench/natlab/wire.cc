#include "bench/natlab/wire.h"

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <queue>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"

namespace jsp::natlab {
namespace {

constexpr size_t kMaxFrame = 65536;
constexpr size_t kEthernetHeader = 14;
constexpr size_t kNextHeaderOffset = kEthernetHeader + 6;  // of IPv6 (RFC 8200 §3)
constexpr uint8_t kIcmpV6 = 58;

Timestamp Now() {
  return Timestamp::FromEpoch(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

std::string Reason(const std::string& what) { return what + ": " + std::strerror(errno); }

bool IsNeighbourDiscovery(const std::vector<uint8_t>& frame) {
  if (frame.size() <= kNextHeaderOffset) return true;
  const int type = frame[12] << 8 | frame[13];
  return type == ETHERTYPE_ARP || (type == ETHERTYPE_IPV6 && frame[kNextHeaderOffset] == kIcmpV6);
}

// One end, and the direction that begins there.
struct End {
  int socket = -1;
  netsim::Link link;
};

struct InFlight {
  Timestamp at;
  uint64_t sequence;
  size_t to;  // which end
  std::vector<uint8_t> frame;
  bool operator>(const InFlight& other) const { return std::pair(at, sequence) > std::pair(other.at, other.sequence); }
};

class Wire {
 public:
  Wire(std::array<End, 2> ends) : ends_(std::move(ends)) {}

  [[noreturn]] void Run() {
    for (;;) {
      std::array<pollfd, 2> descriptors{pollfd{ends_[0].socket, POLLIN, 0}, pollfd{ends_[1].socket, POLLIN, 0}};
      timespec wait{};
      if (!queue_.empty()) wait = Until(queue_.top().at);
      (void)::ppoll(descriptors.data(), descriptors.size(), queue_.empty() ? nullptr : &wait, nullptr);
      for (size_t i = 0; i < ends_.size(); ++i) {
        while (Take(i)) {
        }
      }
      const Timestamp now = Now();
      while (!queue_.empty() && queue_.top().at <= now) {
        Send(queue_.top().to, queue_.top().frame);
        queue_.pop();
      }
    }
  }

 private:
  static timespec Until(Timestamp at) {
    const auto left = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(at - Now()).count());
    return {left / 1'000'000'000, left % 1'000'000'000};
  }
  // The next frame that came in at an end; false: there is none.
  bool Take(size_t from) {
    std::vector<uint8_t> frame(kMaxFrame);
    sockaddr_ll address{};
    socklen_t length = sizeof(address);
    const ssize_t size =
        ::recvfrom(ends_[from].socket, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&address), &length);
    if (size <= 0) return false;
    if (address.sll_pkttype == PACKET_OUTGOING) return true;
    frame.resize(static_cast<size_t>(size));
    const size_t to = 1 - from;
    if (IsNeighbourDiscovery(frame)) {
      Send(to, frame);
      return true;
    }
    const netsim::Link::Fate fate = ends_[from].link.Transmit(Now(), frame, 0);
    for (size_t copy = 0; copy < fate.copies; ++copy) queue_.push({fate.arrival[copy], sequence_++, to, frame});
    return true;
  }
  // A full queue loses frames, as a wire would.
  void Send(size_t to, const std::vector<uint8_t>& frame) {
    (void)!::send(ends_[to].socket, frame.data(), frame.size(), 0);
  }

  std::array<End, 2> ends_;
  std::priority_queue<InFlight, std::vector<InFlight>, std::greater<>> queue_;
  uint64_t sequence_ = 0;
};

}  // namespace

int OpenPacketSocket(const std::string& interface) {
  const int raw = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  if (raw < 0) return -1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  packet_mreq all{};
  all.mr_ifindex = address.sll_ifindex;
  all.mr_type = PACKET_MR_PROMISC;
  const bool is_bound = ::bind(raw, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                        ::setsockopt(raw, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0;
  if (is_bound) return raw;
  ::close(raw);
  return -1;
}

std::string RunWire(const std::string& left, const std::string& right, const netsim::LinkOptions& both, uint64_t seed) {
  Rng rng = Rng::FromNumber(seed);
  std::array<End, 2> ends{End{OpenPacketSocket(left), {both, rng.Fork()}},
                          End{OpenPacketSocket(right), {both, rng.Fork()}}};
  if (ends[0].socket < 0 || ends[1].socket < 0) return Reason("a raw socket");
  Wire(std::move(ends)).Run();
}

Expected<void, std::string> DisableOffloads(const std::string& interface) {
  const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return Unexpected(Reason("a socket"));
  bool is_done = true;
  for (const uint32_t command : {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO}) {
    ethtool_value value{command, 0};
    ifreq request{};
    interface.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    is_done = ::ioctl(control, SIOCETHTOOL, &request) == 0 && is_done;
  }
  const std::string reason = Reason("offloads of " + interface);
  ::close(control);
  if (!is_done) return Unexpected(reason);
  return {};
}

}  // namespace jsp::natlab
