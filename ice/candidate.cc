#include "ice/candidate.h"

#include <algorithm>
namespace jsp::ice {
namespace {

// RFC 8445 §5.1.1.1: IPv4-compatible and site-local IPv6 addresses are no candidates.
bool IsDeprecated(const IpAddress& ip) {
  if (ip.is_v4()) return false;
  const auto octets = ip.octets();
  const bool is_site_local = octets[0] == 0xfe && (octets[1] & 0xc0) == 0xc0;
  const bool is_v4_compatible = std::ranges::all_of(octets.first(12), [](uint8_t octet) { return octet == 0; });
  return is_site_local || (is_v4_compatible && !ip.IsLoopback());
}

}  // namespace

const char* ToString(CandidateType type) {
  switch (type) {
    case CandidateType::kHost:
      return "host";
    case CandidateType::kServerReflexive:
      return "srflx";
    case CandidateType::kPeerReflexive:
      return "prflx";
    case CandidateType::kRelayed:
      return "relay";
  }
  return "unknown";
}

const char* ToString(AddCandidateError error) {
  switch (error) {
    case AddCandidateError::kTooMany:
      return "too many candidates";
    case AddCandidateError::kDuplicate:
      return "duplicate or redundant candidate";
    case AddCandidateError::kUnsupportedTransport:
      return "unsupported transport protocol";
    case AddCandidateError::kBadAddress:
      return "address cannot be a candidate";
    case AddCandidateError::kAfterEndOfCandidates:
      return "candidate after end-of-candidates";
    case AddCandidateError::kClosed:
      return "agent is closed";
    case AddCandidateError::kUnsupportedComponent:
      return "unsupported component";
    case AddCandidateError::kNotForLite:
      return "not for a lite agent";
    case AddCandidateError::kFiltered:
      return "refused by a filter";
  }
  return "unknown";
}

bool IsUsableAddress(const SocketAddress& address) {
  const IpAddress& ip = address.ip;
  return address.port != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsBroadcast() && !IsDeprecated(ip);
}

bool IsConnectable(const Candidate& remote) {
  constexpr uint16_t kFirstUserPort = 1024;  // RFC 6335 §6
  const uint16_t port = remote.address.port;
  const bool is_web = port == 80 || port == 443;
  return remote.protocol != TransportProtocol::kTcpPassive || port >= kFirstUserPort || is_web;
}

std::optional<AddCandidateError> FindFault(const Candidate& candidate) {
  if (candidate.protocol == TransportProtocol::kTcpSimultaneousOpen) return AddCandidateError::kUnsupportedTransport;
  if (candidate.component != 1) return AddCandidateError::kUnsupportedComponent;
  if (!IsUsableAddress(candidate.address)) return AddCandidateError::kBadAddress;
  return std::nullopt;
}

TransportProtocol PeersProtocol(TransportProtocol local) {
  switch (local) {
    case TransportProtocol::kTcpActive:
      return TransportProtocol::kTcpPassive;
    case TransportProtocol::kTcpPassive:
      return TransportProtocol::kTcpActive;
    case TransportProtocol::kUdp:
    case TransportProtocol::kTcpSimultaneousOpen:
      break;
  }
  return local;
}

bool CanPair(const Candidate& local, const Candidate& remote) {
  const IpAddress& from = local.base.ip;
  const IpAddress& to = remote.address.ip;
  // RFC 6544 §6.2: "it MUST also remove any pair for which the local candidate is a passive TCP candidate".
  if (local.protocol == TransportProtocol::kTcpPassive || remote.protocol != PeersProtocol(local.protocol))
    return false;
  return local.component == remote.component && from.family() == to.family() &&
         from.IsLinkLocal() == to.IsLinkLocal() && from.IsLoopback() == to.IsLoopback();
}

SocketAddress WithoutScope(const SocketAddress& address) {
  if (address.ip.is_v4() || address.ip.scope_id() == 0) return address;
  return {IpAddress::V6(address.ip.octets().first<16>()), address.port};
}

SocketAddress DestinationFrom(const SocketAddress& base, const SocketAddress& remote) {
  if (remote.ip.is_v4() || !remote.ip.IsLinkLocal()) return remote;
  return {IpAddress::V6(remote.ip.octets().first<16>(), base.ip.scope_id()), remote.port};
}

}  // namespace jsp::ice
