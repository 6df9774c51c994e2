#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/socket_address.h"
#include "stun/long_term_client.h"
#include "stun/retransmit_schedule.h"
#include "stun/uri.h"
#include "turn/attributes.h"
#include "turn/types.h"
namespace jsp::turn {

// Which relayed addresses are asked for (RFC 8656 §7.1).
enum class RelayFamilies : uint8_t {
  kDefault,  // no attribute: IPv4
  kV4,       // REQUESTED-ADDRESS-FAMILY
  kV6,
  kBoth,  // ADDITIONAL-ADDRESS-FAMILY; one of the two may be missing from the result
};

// How data goes to a peer that there is no permission for yet.
enum class FirstData : uint8_t {
  // A ChannelBind request, which installs the permission too, and ChannelData right behind it. RFC 8656 §12: the client
  // "MAY elect to send ChannelData messages before receiving the ChannelBind success response". Saves a round trip.
  kOnNewChannel,
  // A CreatePermission request; the data waits for its success (RFC 8656 §11.1), and goes in Send indications until the
  // channel that it asks for is bound.
  kAfterPermission,
};

// Who the client is to its server (RFC 8489 §9.2).
struct ClientCredentials {
  // Prepared (stun/opaque_string.h). An empty user name: no credentials, for a server that asks for none.
  std::string username{};
  std::string password{};
  // What an earlier client learned from the same server (Client::challenge()): saves the round trip of a 401.
  std::optional<stun::LongTermChallenge> challenge{};
};

// A channel, a permission and a connection cost about 100 octets each. ICE has 100 pairs at most.
struct ClientLimits {
  size_t max_permissions = 128;
  size_t max_channels = 128;
  size_t max_connections = 32;
  size_t max_queued = 32;  // datagrams that wait for a permission, of 64 KiB in all
};

struct ClientOptions {
  SocketAddress local{};   // the socket or connection to the server: opaque, comes back in every Transmit
  SocketAddress server{};  // its transport address
  ControlTransport transport = ControlTransport::kUdp;
  ClientCredentials credentials{};

  RelayProtocol relay = RelayProtocol::kUdp;  // kTcp (RFC 6062 §4.1) needs a stream and excludes the next four
  RelayFamilies families = RelayFamilies::kDefault;
  std::optional<EvenPort> even_port{};
  std::optional<ReservationToken> reservation{};  // excludes even_port and families
  bool dont_fragment = false;                     // DONT-FRAGMENT in Allocate and in every Send indication
  bool mobility = false;                          // asks for a ticket (RFC 8016 §3.1.1), which Move() needs
  uint32_t lifetime_seconds = 0;                  // a wish; 0: the server's default

  FirstData first_data = FirstData::kOnNewChannel;
  stun::RetransmitOptions retransmit{};  // over UDP; a stream uses RetransmitOptions::Reliable()
  std::string software{};                // SOFTWARE in Allocate and Refresh; empty: none
  ClientLimits limits{};
};

// How the server of a URI is reached: TLS for turns and for nothing else (RFC 8656 §4.1). nullopt: no TURN URI, or TURN
// over DTLS, which is not offered.
std::optional<ControlTransport> ControlTransportOf(const stun::Uri& uri);

// What is wrong with a set of options; RFC 8656 §7.1 and RFC 6062 §4.1 exclude some combinations.
enum class OptionsError : uint8_t {
  kTcpRelayOverUdp,         // RFC 6062 §4.1
  kTcpRelayWithUdpFeature,  // DONT-FRAGMENT, RESERVATION-TOKEN or EVEN-PORT (RFC 6062 §4.1)
  kReservationWithFamily,   // RFC 8656 §7.1
  kReservationWithEvenPort,
  kBothFamiliesWithReservedPort,  // ADDITIONAL-ADDRESS-FAMILY and EVEN-PORT with R = 1
  kBadUsername,                   // longer than RFC 8489 §14.3 allows, or not UTF-8
};
std::optional<OptionsError> Validate(const ClientOptions& options);

}  // namespace jsp::turn
