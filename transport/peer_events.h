#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "datachannel/channel_set.h"
#include "ice/candidate.h"
#include "ice/events.h"
#include "ice/tcp_connections.h"
#include "transport/relay_options.h"
namespace jsp::transport {

// kChecking: both descriptions are known. kConnected: ICE has a valid pair, DTLS and SCTP are up, data flows.
// kCompleted: besides, a pair is nominated. kDisconnected: nothing heard for a while, may recover. kFailed and kClosed
// are final.
enum class ConnectionState : uint8_t { kNew, kChecking, kConnected, kCompleted, kFailed, kDisconnected, kClosed };
const char* ToString(ConnectionState state);  // "new", "checking", …

namespace event {
// Also with the state that it was, when the reason changes: "stalled: …" while the path carries only small packets.
struct StateChanged {
  ConnectionState state;
  std::string reason;  // which timer or event caused it, in plain words; "fingerprint mismatch" for that
};
struct LocalCandidateGathered {
  ice::Candidate candidate;
  std::string line;  // "candidate:…", RFC 8839 §5.1, for trickling
};
struct GatheringComplete {};
// A name that the peer is told instead of a host's address: to be answered by multicast DNS while this peer lives.
struct NamePublished {
  std::string name;
  IpAddress address;
};
// The peer signalled "….local": resolve by multicast DNS and answer with Peer::HandleNameResolved.
struct ResolveName {
  std::string name;
};
// Open a connection of its own to a TURN server, then Peer::HandleRelayConnected or HandleRelayConnectionFailed; what
// arrives on it goes to Peer::HandleRelayMessage.
struct RelayConnectionWanted {
  RelayId id;
  RelayServer server;
};
// Nothing is sent or taken over it any more.
struct RelayConnectionDone {
  RelayId id;
};
// Connect by TCP from the local address, any port, then Peer::HandleTcpConnected or HandleTcpClosed; what arrives on it
// goes to Peer::HandleTcpOctets.
struct TcpConnectWanted {
  ice::TcpId id;
  IpAddress local;
  SocketAddress remote;
};
// Also of accepted ones, once what was sent has left. HandleTcpClosed need not follow.
struct TcpCloseWanted {
  ice::TcpId id;
};
// Open so many UDP sockets more at that address of ours, then Peer::HandleProbeSockets; fewer do, too. They send and
// receive as others do, and are closed when they are named here as not needed.
struct ProbeSocketsWanted {
  IpAddress address;
  size_t count;
};
struct ProbeSocketsDone {
  std::vector<SocketAddress> sockets;
};
// Another socket at each local address, told by Peer::AddLocalAddress, before the IceRestartNeeded that follows is
// acted upon: the mappings of those that are there are of no use (transport/hole_opener.h).
struct FreshSocketsWanted {};
// A generation of ICE began (RFC 8445 §9), by Peer::RestartIce or by an offer of the peer's: a multiplexer finds the
// peer by this ufrag too.
struct IceRestarted {
  std::string ufrag;
};
// RestartIce and the signalling that it needs would help. The local network changed and the session does not follow by
// itself, as the peer did not agree on renomination: without, the connection lasts as long as its old path. Or nothing
// but a relay, if that, has answered, and fresh sockets may change it.
struct IceRestartNeeded {
  std::string reason;
};
// The last restart found no path, and the connection goes on over the old one.
struct IceRestartFailed {
  std::string reason;
};
struct SelectedPairChanged {
  ice::Candidate local;
  ice::Candidate remote;
};
}  // namespace event

// Channel events come through as they are (datachannel/channel_set.h).
using PeerEvent =
    std::variant<event::StateChanged, event::LocalCandidateGathered, event::GatheringComplete, event::NamePublished,
                 event::ResolveName, event::SelectedPairChanged, event::IceRestarted, event::IceRestartNeeded,
                 event::IceRestartFailed, event::RelayConnectionWanted, event::RelayConnectionDone,
                 event::TcpConnectWanted, event::TcpCloseWanted, event::ProbeSocketsWanted, event::ProbeSocketsDone,
                 event::FreshSocketsWanted, datachannel::event::ChannelOpenedByPeer, datachannel::event::ChannelOpen,
                 datachannel::event::ChannelClosed, datachannel::event::MessagesWaiting,
                 datachannel::event::BufferedAmountLow>;

}  // namespace jsp::transport
