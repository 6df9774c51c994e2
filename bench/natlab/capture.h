#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/packet_tap.h"
#include "base/time.h"
#include "netsim/world.h"
#include "transport/peer.h"
namespace jsp::natlab {

// The datagrams and segments of one host of a world, with what is needed to read its peer's DTLS.
class Capture {
 public:
  Capture(netsim::World& world, netsim::NodeId host);
  ~Capture() { world_.Watch(host_, {}); }  // what closes its connections later sends still
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Keys of a peer that is about to go.
  void AddKeys(const std::string& lines) { keys_ += lines; }
  // A pcapng file, the keys before the packets.
  Expected<void, std::string> Write(const std::string& path, transport::Peer& peer) const;

 private:
  struct Seen {
    Timestamp at;
    SocketAddress from;
    SocketAddress to;
    std::vector<uint8_t> payload;
    std::optional<TapSegment> tcp{};
  };
  static void See(void* self, const netsim::Sight& sight);

  netsim::World& world_;
  netsim::NodeId host_;
  std::vector<Seen> seen_;
  std::string keys_;
};

}  // namespace jsp::natlab
