// An ICE session over one UDP socket and two pipes, without DTLS: what another implementation of ICE alone is tested
// against. A line in, a line out:
//   in:   remote UFRAG PWD · candidate:… · end · send TEXT · restart
//   out:  local UFRAG PWD · candidate:… · end · state NAME · selected LOCAL-TYPE REMOTE-TYPE · received TEXT
// usage: ice_peer controlling|controlled ADDRESS
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "base/overloaded.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/candidate_sdp.h"
#include "ice/generations.h"

namespace jsp::ice {
namespace {

Timestamp Now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Timestamp::FromEpoch(std::chrono::duration_cast<Duration>(since));
}

// IPv4 is enough here.
sockaddr_in ToNative(const SocketAddress& address) {
  sockaddr_in native{};
  native.sin_family = AF_INET;
  native.sin_port = htons(address.port);
  std::memcpy(&native.sin_addr, address.ip.octets().data(), sizeof(native.sin_addr));
  return native;
}
SocketAddress FromNative(const sockaddr_in& native) {
  return {IpAddress::V4(ntohl(native.sin_addr.s_addr)), ntohs(native.sin_port)};
}

class IcePeer {
 public:
  IcePeer(Role role, const IpAddress& ip) : session_(OptionsFor(role), rng_, Now()) {
    socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in native = ToNative({ip, 0});
    socklen_t size = sizeof(native);
    is_open_ = bind(socket_, reinterpret_cast<const sockaddr*>(&native), size) == 0 &&
               getsockname(socket_, reinterpret_cast<sockaddr*>(&native), &size) == 0;
    Candidate host;
    host.address = host.base = local_ = FromNative(native);
    (void)session_.AddLocalCandidate(Now(), host);
    Describe();
  }
  ~IcePeer() { close(socket_); }
  IcePeer(const IcePeer&) = delete;
  IcePeer& operator=(const IcePeer&) = delete;

  // Until the other end of the pipe is closed.
  int Run() {
    if (!is_open_) return 1;
    while (true) {
      Pump();
      std::array<pollfd, 2> waits{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{socket_, POLLIN, 0}};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(session_.NextTimeout() - Now());
      const auto timeout = std::clamp<int64_t>(left.count(), 0, 1000);
      if (poll(waits.data(), waits.size(), static_cast<int>(timeout)) < 0) return 1;
      if (waits[0].revents != 0 && !ReadCommands()) return 0;
      if (waits[1].revents != 0) ReadDatagrams();
      session_.HandleTimeout(Now());
    }
  }

 private:
  static Options OptionsFor(Role role) {
    Options options;
    options.role = role;
    options.mobility.restart_patience = std::chrono::seconds(30);
    return options;
  }
  void Describe() {
    const Credentials& ours = session_.local_credentials();
    std::printf("local %s %s\n", ours.ufrag.c_str(), ours.pwd.c_str());
    for (const Candidate& candidate : session_.local_candidates()) {
      std::printf("%s\n", WriteCandidate(candidate).c_str());
    }
    session_.EndOfLocalCandidates(Now());
    std::printf("end\n");
  }
  bool ReadCommands() {
    std::array<char, 4096> buffer;
    const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size <= 0) return false;
    input_.append(buffer.data(), static_cast<size_t>(size));
    for (size_t end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      Obey(input_.substr(0, end));
      input_.erase(0, end + 1);
    }
    return true;
  }
  void Obey(const std::string& line) {
    const auto rest = [&](std::string_view verb) { return line.substr(verb.size()); };
    if (line.starts_with("remote ")) {
      const std::string both = rest("remote ");
      const size_t space = both.find(' ');
      RemoteDescription description{{both.substr(0, space), both.substr(space + 1)}};
      if (!session_.SetRemoteDescription(Now(), description)) std::printf("error: %s\n", line.c_str());
    } else if (line.starts_with("candidate:")) {
      const auto parsed = ParseCandidate(line);
      if (!parsed || !session_.AddRemoteCandidate(Now(), parsed->candidate)) std::printf("error: %s\n", line.c_str());
    } else if (line == "end") {
      session_.EndOfRemoteCandidates(Now());
    } else if (line == "restart") {
      if (session_.Restart(Now())) Describe();
    } else if (line.starts_with("send ") && session_.selected_pair()) {
      const std::string text = rest("send ");
      Send(session_.selected_pair()->remote.address, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      session_.HandleDataSent(Now());
    }
  }
  void ReadDatagrams() {
    std::array<uint8_t, 1500> buffer;
    sockaddr_in native{};
    socklen_t size = sizeof(native);
    while (true) {
      const ssize_t got =
          recvfrom(socket_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&native), &size);
      if (got <= 0) return;
      const auto datagram = std::span<const uint8_t>(buffer).first(static_cast<size_t>(got));
      const SocketAddress from = FromNative(native);
      if (session_.HandleDatagram(Now(), local_, from, datagram)) continue;
      // RFC 8445 §12: only from where a check went through.
      if (!session_.IsValidated(local_, from)) continue;
      std::printf("received %.*s\n", static_cast<int>(got), reinterpret_cast<const char*>(buffer.data()));
    }
  }
  void Send(const SocketAddress& to, std::span<const uint8_t> datagram) const {
    const sockaddr_in native = ToNative(to);
    (void)!sendto(socket_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&native),
                  sizeof(native));
  }
  void Pump() {
    std::array<uint8_t, 1500> out;
    while (const auto transmit = session_.PollTransmit(Now(), out)) {
      Send(transmit->remote, std::span<const uint8_t>(out).first(transmit->size));
    }
    while (const auto event = session_.PollEvent()) {
      std::visit(Overloaded{
                     [](const event::StateChanged& e) {
                       std::printf("state %s: %s\n", ToString(e.state), ToString(e.reason));
                     },
                     [](const event::PairSelected& e) {
                       std::printf("selected %s %s%s\n", ToString(e.local.type), ToString(e.remote.type),
                                   e.nominated ? " nominated" : "");
                     },
                     [](const event::RoleChanged& e) {
                       std::printf("role %s\n", e.role == Role::kControlling ? "controlling" : "controlled");
                     },
                     [](const auto&) {},
                 },
                 *event);
    }
    std::fflush(stdout);
  }

  Rng rng_ = Rng::FromNumber(std::random_device{}());
  Generations session_;
  int socket_ = -1;
  bool is_open_ = false;
  SocketAddress local_;
  std::string input_;
};

}  // namespace
}  // namespace jsp::ice

int main(int argc, char** argv) {
  using jsp::ice::Role;
  const auto ip = argc == 3 ? jsp::IpAddress::Parse(argv[2]) : std::nullopt;
  if (!ip || !ip->is_v4()) return 2;
  const std::string_view role = argv[1];
  return jsp::ice::IcePeer(role == "controlled" ? Role::kControlled : Role::kControlling, *ip).Run();
}
