#pragma once
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/time.h"
#include "netsim/world.h"
#include "transport/peer.h"
namespace jsp::natlab {

// The datagrams of one host of a world, with what is needed to read its peer's DTLS. No TCP: what goes to a relay over
// a stream is not in it.
class Capture {
 public:
  Capture(netsim::World& world, netsim::NodeId host);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // A pcapng file, the keys before the packets.
  Expected<void, std::string> Write(const std::string& path, transport::Peer& peer) const;

 private:
  struct Seen {
    Timestamp at;
    SocketAddress from;
    SocketAddress to;
    std::vector<uint8_t> datagram;
  };
  static void See(void* self, const SocketAddress& from, const SocketAddress& to, std::span<const uint8_t> datagram);

  netsim::World& world_;
  std::vector<Seen> seen_;
};

}  // namespace jsp::natlab
