#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "portmap/client.h"
namespace jsp::portmap::testing {

using Octets = std::vector<uint8_t>;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline const SocketAddress kGateway = *SocketAddress::Parse("10.0.0.1:5351");
inline const SocketAddress kLocal = *SocketAddress::Parse("10.0.0.2:40000");
inline const IpAddress kOutside = IpAddress::V4(203, 0, 113, 1);

inline void Put(Octets& out, uint64_t value, size_t octets) {
  for (size_t i = 0; i < octets; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * (octets - 1 - i))));
}
inline uint32_t Get(std::span<const uint8_t> in, size_t at, size_t octets) {
  uint32_t value = 0;
  for (size_t i = 0; i < octets; ++i) value = value << 8 | in[at + i];
  return value;
}

// What a PCP server says to `request` (RFC 6887 §7.2, §11.1), written out octet by octet.
struct PcpAnswer {
  uint8_t version = 2;
  uint8_t result = 0;
  uint32_t lifetime = 7200;
  uint32_t epoch = 1000;
  uint16_t external_port = 50000;
  IpAddress external = kOutside;

  Octets To(std::span<const uint8_t> request) const {
    Octets out{version, 0x81, 0, result};
    Put(out, lifetime, 4);
    Put(out, epoch, 4);
    out.resize(24);
    out.insert(out.end(), request.begin() + 24, request.begin() + 42);  // nonce, protocol, internal port
    Put(out, external_port, 2);
    Put(out, 0, 8);
    Put(out, 0xffff, 4);
    Put(out, external.v4_host_order(), 4);
    return out;
  }
};

// RFC 6886 §3.2 and §3.3.
inline Octets NatPmpAddress(uint16_t result, uint32_t epoch, IpAddress external = kOutside) {
  Octets out{0, 128};
  Put(out, result, 2);
  Put(out, epoch, 4);
  Put(out, external.v4_host_order(), 4);
  return out;
}
inline Octets NatPmpMapping(uint16_t result, uint32_t epoch, uint16_t internal, uint16_t external,
                            uint32_t lifetime = 7200) {
  Octets out{0, 129};
  Put(out, result, 2);
  Put(out, epoch, 4);
  Put(out, internal, 2);
  Put(out, external, 2);
  Put(out, lifetime, 4);
  return out;
}

// A client in virtual time, and what it sends and says.
class GatewayBench {
 public:
  explicit GatewayBench(uint64_t seed = 1, ClientOptions options = {.gateway = kGateway, .local = kLocal})
      : rng_(Rng::FromNumber(seed)), client(options, rng_) {}

  // What is to be sent now.
  std::vector<Octets> Sent() {
    std::vector<Octets> sent;
    std::array<uint8_t, 128> buffer;
    while (const auto transmit = client.PollTransmit(now, buffer)) {
      sent.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(transmit->size));
    }
    return sent;
  }
  // To the next deadline, at most `limit` away; what is sent there.
  std::vector<Octets> Next(Duration limit = std::chrono::hours(1000)) {
    const Timestamp next = client.NextTimeout();
    now = std::min(next, now + limit);
    if (next <= now) client.HandleTimeout(now);
    return Sent();
  }
  void Hear(const Octets& message) { client.HandleDatagram(now, kLocal, kGateway, message); }
  template <class Event>
  std::optional<Event> Take() {
    const auto event = client.PollEvent();
    if (!event || !std::holds_alternative<Event>(*event)) return std::nullopt;
    return std::get<Event>(*event);
  }
  uint64_t Dropped(DropReason reason) const { return client.metrics().dropped[static_cast<size_t>(reason)]; }
  // Maps port 40000 by PCP; returns the request.
  Octets MapByPcp(const PcpAnswer& answer = {}) {
    (void)client.Map(now, 40000);
    const auto sent = Sent();
    Hear(answer.To(sent.at(0)));
    return sent.at(0);
  }

 private:
  Rng rng_;

 public:
  Client client;
  Timestamp now = Timestamp::FromEpoch(seconds(1000));
};

}  // namespace jsp::portmap::testing
