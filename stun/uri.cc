#include "stun/uri.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

constexpr std::array<std::pair<std::string_view, UriScheme>, 4> kSchemes{{
    {"stun", UriScheme::kStun},
    {"stuns", UriScheme::kStuns},
    {"turn", UriScheme::kTurn},
    {"turns", UriScheme::kTurns},
}};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view Name(UriScheme scheme) { return kSchemes[static_cast<size_t>(scheme)].first; }
std::string_view Name(UriTransport transport) { return transport == UriTransport::kUdp ? "udp" : "tcp"; }

// Reads one URI from left to right (RFC 7064 §3.1, RFC 7065 §3.1: "MUST NOT use a generic hierarchical URI parser").
//   scheme ":" host [ ":" port ] [ "?transport=" transport ]
class UriParser {
 public:
  explicit UriParser(std::string_view text) : text_(text) {}

  Expected<Uri, UriError> Parse() {
    if (ParseScheme() && ParseHost() && ParsePort() && ParseQuery() && CheckWhole()) return uri_;
    return Unexpected<UriError>(error_);
  }

 private:
  bool Fail(UriErrc code, size_t offset) {
    error_ = {code, offset};
    return false;
  }
  std::string_view Rest() const { return text_.substr(at_); }

  bool ParseScheme() {
    const size_t colon = text_.find(':');
    const std::string_view name = text_.substr(0, colon);
    const auto found = std::ranges::find_if(kSchemes, [&](const auto& s) { return EqualsIgnoringCase(s.first, name); });
    if (colon == std::string_view::npos || found == kSchemes.end()) return Fail(UriErrc::kUnknownScheme, 0);
    uri_.scheme = found->second;
    uri_.port = uri_.IsSecure() ? kDefaultSecurePort : kDefaultPort;
    uri_.transport = uri_.IsSecure() ? UriTransport::kTcp : UriTransport::kUdp;
    at_ = colon + 1;
    return !Rest().starts_with("//") || Fail(UriErrc::kHierarchical, at_);
  }

  bool ParseHost() {
    if (Rest().starts_with('[')) return ParseBracketed();
    const std::string_view host = Rest().substr(0, Rest().find_first_of(":?"));
    const std::string_view authority = Rest().substr(0, Rest().find('?'));
    if (const size_t at_sign = authority.find('@'); at_sign != authority.npos) {
      return Fail(UriErrc::kUserInfo, at_ + at_sign);
    }
    if (std::ranges::count(authority, ':') > 1 && IpAddress::Parse(authority)) return Fail(UriErrc::kBareIpv6, at_);
    if (host.empty()) return Fail(UriErrc::kEmptyHost, at_);
    if (!IsDnsName(host)) return Fail(UriErrc::kBadHost, at_);
    uri_.host = host;
    uri_.ip = IpAddress::Parse(host);
    // A last label of digits only is meant to be an IPv4 address.
    const std::string_view last = host.substr(host.rfind('.') + 1);
    const bool digits = !last.empty() && last.find_first_not_of("0123456789") == last.npos;
    if (digits && !uri_.ip) return Fail(UriErrc::kBadHost, at_);
    at_ += host.size();
    return true;
  }

  bool ParseBracketed() {
    const size_t close = Rest().find(']');
    if (close == std::string_view::npos) return Fail(UriErrc::kUnclosedBracket, at_);
    const std::string_view host = Rest().substr(1, close - 1);
    uri_.ip = IpAddress::Parse(host);
    // An IPv4-mapped address is an IPv4 one from here on; dotted quads alone do not belong into brackets.
    if (!uri_.ip || host.find(':') == host.npos) return Fail(UriErrc::kBadIpv6, at_ + 1);
    uri_.host = host;
    at_ += close + 1;
    return true;
  }

  bool ParsePort() {
    if (!Rest().starts_with(':')) return true;
    const std::string_view digits = Rest().substr(1, Rest().find('?') - 1);
    uint16_t port = 0;
    if (!digits.empty()) {  // an empty one is the default, as in every URI
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
      const bool whole = end == digits.data() + digits.size();
      if (error != std::errc{} || !whole || port == 0) return Fail(UriErrc::kBadPort, at_ + 1);
      uri_.port = port;
      uri_.has_port = true;
    }
    at_ += 1 + digits.size();
    return true;
  }

  bool ParseQuery() {
    constexpr std::string_view kTransport = "?transport=";
    if (!Rest().starts_with('?')) return true;
    if (!uri_.IsTurn()) return Fail(UriErrc::kQueryOnStun, at_);
    if (!EqualsIgnoringCase(Rest().substr(0, kTransport.size()), kTransport)) return Fail(UriErrc::kBadQuery, at_);
    at_ += kTransport.size();
    if (EqualsIgnoringCase(Rest(), "udp")) {
      uri_.transport = UriTransport::kUdp;
    } else if (EqualsIgnoringCase(Rest(), "tcp")) {
      uri_.transport = UriTransport::kTcp;
    } else {
      return Fail(UriErrc::kUnknownTransport, at_);
    }
    at_ = text_.size();
    return true;
  }

  bool CheckWhole() {
    if (at_ != text_.size()) return Fail(UriErrc::kBadHost, at_);
    const bool unverifiable = uri_.scheme == UriScheme::kStuns && uri_.ip;
    return !unverifiable || Fail(UriErrc::kSecureIpAddress, text_.find(':') + 1);
  }

  std::string_view text_;
  size_t at_ = 0;
  Uri uri_;
  UriError error_{};
};

}  // namespace

Expected<Uri, UriError> ParseUri(std::string_view text) { return UriParser(text).Parse(); }

std::optional<std::string> Uri::ServiceName() const {
  const std::string_view domain = host;
  if (ip || has_port || domain.find('.') == domain.npos) return std::nullopt;
  std::string name = "_";
  name.append(Name(scheme)).append("._").append(Name(transport)).append(".").append(domain);
  if (name.back() == '.') name.pop_back();
  return name;
}

std::string Uri::ToString() const {
  std::string out(Name(scheme));
  const bool bracketed = host.find(':') != std::string::npos;
  out.append(bracketed ? ":[" : ":").append(host).append(bracketed ? "]:" : ":").append(std::to_string(port));
  if (IsTurn()) out.append("?transport=").append(Name(transport));
  return out;
}

std::string_view Describe(UriErrc code) {
  switch (code) {
    case UriErrc::kUnknownScheme:
      return "the scheme is none of stun:, stuns:, turn:, turns:";
    case UriErrc::kHierarchical:
      return "no // belongs after the scheme; write stun:host";
    case UriErrc::kEmptyHost:
      return "the host is missing";
    case UriErrc::kBadHost:
      return "the host is neither a DNS name nor an IP address";
    case UriErrc::kUserInfo:
      return "user names and passwords do not belong into the URI; give them beside it";
    case UriErrc::kUnclosedBracket:
      return "the closing ] of the IPv6 address is missing";
    case UriErrc::kBadIpv6:
      return "what stands in [ ] is no IPv6 address";
    case UriErrc::kBareIpv6:
      return "an IPv6 address needs brackets, as in stun:[2001:db8::1]";
    case UriErrc::kBadPort:
      return "the port is no number from 1 to 65535";
    case UriErrc::kQueryOnStun:
      return "only turn: and turns: have a ?transport=";
    case UriErrc::kBadQuery:
      return "the only parameter is ?transport=";
    case UriErrc::kUnknownTransport:
      return "the transport is neither udp nor tcp";
    case UriErrc::kSecureIpAddress:
      return "stuns: needs a DNS name, because the certificate is checked against it";
  }
  return {};
}

}  // namespace jsp::stun
