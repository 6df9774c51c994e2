#include "turn/client_options.h"

#include "stun/text_attribute.h"
namespace jsp::turn {

std::optional<ControlTransport> ControlTransportOf(const stun::Uri& uri) {
  if (!uri.IsTurn()) return std::nullopt;
  const bool is_tcp = uri.transport == stun::UriTransport::kTcp;
  // RFC 8656 §4.1: the turns scheme "MUST be used when TURN is run over TLS-over-TCP or in DTLS-over-UDP", turn
  // "otherwise".
  if (uri.IsSecure()) return is_tcp ? std::optional(ControlTransport::kTls) : std::nullopt;
  return is_tcp ? ControlTransport::kTcp : ControlTransport::kUdp;
}

std::optional<OptionsError> Validate(const ClientOptions& options) {
  const bool has_username = !options.credentials.username.empty();
  if (has_username && !stun::MaySendText(stun::AttributeType::kUsername, options.credentials.username)) {
    return OptionsError::kBadUsername;
  }
  // RFC 6062 §4.1: over a TCP or TLS connection, and "The request MUST NOT include a DONT-FRAGMENT, RESERVATION-TOKEN,
  // or EVEN-PORT attribute".
  if (options.relay == RelayProtocol::kTcp) {
    if (!IsStream(options.transport)) return OptionsError::kTcpRelayOverUdp;
    const bool udp_feature = options.dont_fragment || options.reservation || options.even_port;
    if (udp_feature) return OptionsError::kTcpRelayWithUdpFeature;
  }
  // RFC 8656 §7.1.
  if (options.reservation && options.even_port) return OptionsError::kReservationWithEvenPort;
  if (options.reservation && options.families != RelayFamilies::kDefault) return OptionsError::kReservationWithFamily;
  const bool reserves = options.even_port && options.even_port->reserve_next;
  if (reserves && options.families == RelayFamilies::kBoth) return OptionsError::kBothFamiliesWithReservedPort;
  return std::nullopt;
}

}  // namespace jsp::turn
