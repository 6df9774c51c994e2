#include "ice/candidate_sdp.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "ice/ice_char.h"
#include "ice/priority.h"
namespace jsp::ice {
namespace {

using Errc = CandidateParseErrc;

// Two IP addresses, a foundation, a ufrag of 256 octets and every extension in use fit four times over (ATTACKS I19).
constexpr size_t kMaxLine = 2048;
constexpr size_t kMaxFoundation = 32;
constexpr size_t kMaxUfrag = 256;
constexpr size_t kMaxHostName = 255;
constexpr uint16_t kDiscardPort = 9;  // RFC 8839 §5.1: the port that stands for "not revealed"

// Splits at single spaces; two in a row make an empty token, which no field accepts.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> Next() {
    if (is_done_) return std::nullopt;
    const size_t space = rest_.find(' ');
    const std::string_view token = rest_.substr(0, space);
    is_done_ = space == std::string_view::npos;
    if (!is_done_) rest_.remove_prefix(space + 1);
    return token;
  }

 private:
  std::string_view rest_;
  bool is_done_ = false;
};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, Lower, Lower); }

// 1*N DIGIT in [low, high]; no sign, no space.
std::optional<uint32_t> ParseNumber(std::string_view text, uint32_t low, uint32_t high) {
  uint32_t value = 0;
  const bool is_digit = !text.empty() && text.front() >= '0' && text.front() <= '9';
  const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!is_digit || text.size() > 10 || errc != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < low || value > high) return std::nullopt;
  return value;
}

// A name of one label and ".local" (RFC 8828 §5.2); any other name is refused, RFC 8839 §5.1.
bool IsMdnsName(std::string_view text) {
  constexpr std::string_view kSuffix = ".local";
  if (text.size() <= kSuffix.size() || text.size() > kMaxHostName) return false;
  if (!EqualsIgnoringCase(text.substr(text.size() - kSuffix.size()), kSuffix)) return false;
  const std::string_view label = text.substr(0, text.size() - kSuffix.size());
  return std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::optional<CandidateType> ParseType(std::string_view text) {
  constexpr std::array kTypes{CandidateType::kHost, CandidateType::kServerReflexive, CandidateType::kPeerReflexive,
                              CandidateType::kRelayed};
  const auto found = std::ranges::find_if(kTypes, [&](CandidateType type) { return text == ToString(type); });
  if (found == kTypes.end()) return std::nullopt;
  return *found;
}

std::optional<TransportProtocol> ParseTcpType(std::string_view text) {
  if (text == "active") return TransportProtocol::kTcpActive;
  if (text == "passive") return TransportProtocol::kTcpPassive;
  if (text == "so") return TransportProtocol::kTcpSimultaneousOpen;
  return std::nullopt;
}

const char* TcpTypeName(TransportProtocol protocol) {
  switch (protocol) {
    case TransportProtocol::kUdp:
      break;
    case TransportProtocol::kTcpActive:
      return "active";
    case TransportProtocol::kTcpPassive:
      return "passive";
    case TransportProtocol::kTcpSimultaneousOpen:
      return "so";
  }
  return "";
}

// RFC 8839 §5.1, in order: foundation, component-id, transport, priority, connection-address, port, "typ" cand-type.
class LineParser {
 public:
  explicit LineParser(std::string_view line) : tokens_(line) {}

  Expected<ParsedCandidate, Errc> Parse() {
    const std::array fixed{&LineParser::ParseFoundation, &LineParser::ParseComponent, &LineParser::ParseTransport,
                           &LineParser::ParsePriority,   &LineParser::ParseAddress,   &LineParser::ParsePort,
                           &LineParser::ParseTyp};
    for (const auto field : fixed) {
      const auto token = tokens_.Next();
      if (!token) return Unexpected(Errc::kTooFewFields);
      if (const auto fault = (this->*field)(*token)) return Unexpected(*fault);
    }
    if (const auto fault = ParseExtensions()) return Unexpected(*fault);
    if (is_tcp_ && candidate().protocol == TransportProtocol::kUdp) {
      return Unexpected(Errc::kBadExtension);  // RFC 6544 §4.5: tcptype must be there
    }
    return std::move(parsed_);
  }

 private:
  using Fault = std::optional<Errc>;
  Candidate& candidate() { return parsed_.candidate; }

  Fault ParseFoundation(std::string_view token) {
    const bool is_good = !token.empty() && token.size() <= kMaxFoundation && std::ranges::all_of(token, IsIceChar);
    candidate().foundation = is_good ? token : std::string_view{};
    return is_good ? Fault{} : Errc::kBadFoundation;
  }
  Fault ParseComponent(std::string_view token) {
    const auto number = token.size() <= 3 ? ParseNumber(token, 1, 256) : std::nullopt;
    candidate().component = static_cast<uint16_t>(number.value_or(0));
    return number ? Fault{} : Errc::kBadComponent;
  }
  Fault ParseTransport(std::string_view token) {
    is_tcp_ = EqualsIgnoringCase(token, "tcp");
    return is_tcp_ || EqualsIgnoringCase(token, "udp") ? Fault{} : Errc::kUnknownTransport;
  }
  Fault ParsePriority(std::string_view token) {
    const auto number = ParseNumber(token, 1, kMaxPriority);
    candidate().priority = number.value_or(0);
    return number ? Fault{} : Errc::kBadPriority;
  }
  Fault ParseAddress(std::string_view token) {
    const auto ip = IpAddress::Parse(token);
    if (ip && ip->scope_id() == 0) {
      candidate().address.ip = *ip;
    } else if (IsMdnsName(token)) {
      parsed_.mdns_name = token;
    } else {
      return Errc::kBadAddress;
    }
    return std::nullopt;
  }
  Fault ParsePort(std::string_view token) {
    const auto number = ParseNumber(token, 0, 65535);
    candidate().address.port = static_cast<uint16_t>(number.value_or(0));
    return number ? Fault{} : Errc::kBadPort;
  }
  Fault ParseTyp(std::string_view token) {
    if (token != "typ") return Errc::kBadType;
    const auto name = tokens_.Next();
    const auto type = name ? ParseType(*name) : std::nullopt;
    if (!type) return Errc::kBadType;
    candidate().type = *type;
    return std::nullopt;
  }

  Fault ParseExtensions() {
    SocketAddress related;
    bool has_related = false;
    while (const auto name = tokens_.Next()) {
      const auto value = tokens_.Next();
      if (name->empty() || !value) return Errc::kBadExtension;
      if (*name == "raddr") {
        const auto ip = IpAddress::Parse(*value);
        if (!ip && !IsMdnsName(*value)) return Errc::kBadAddress;
        has_related = ip.has_value();
        if (ip) related.ip = *ip;
      } else if (*name == "rport") {
        const auto port = ParseNumber(*value, 0, 65535);
        if (!port) return Errc::kBadPort;
        related.port = static_cast<uint16_t>(*port);
      } else if (const auto fault = ParseExtension(*name, *value)) {
        return fault;
      }
    }
    if (has_related) candidate().related = related;
    return std::nullopt;
  }
  // RFC 8839 §5.1: "An implementation MUST ignore any name/value pairs it doesn't understand."
  Fault ParseExtension(std::string_view name, std::string_view value) {
    if (name == "tcptype" && is_tcp_) {
      const auto protocol = ParseTcpType(value);
      if (!protocol) return Errc::kBadExtension;
      candidate().protocol = *protocol;
    } else if (name == "ufrag") {
      if (value.size() > kMaxUfrag || !std::ranges::all_of(value, IsIceChar)) return Errc::kBadExtension;
      parsed_.ufrag = value;
    } else if (name == "network-id") {
      candidate().network_id = static_cast<uint16_t>(ParseNumber(value, 0, 65535).value_or(0));
    } else if (name == "network-cost") {
      candidate().network_cost = static_cast<uint16_t>(ParseNumber(value, 0, 65535).value_or(0));
    }
    return std::nullopt;
  }

  Tokens tokens_;
  ParsedCandidate parsed_;
  bool is_tcp_ = false;
};

bool IsVisible(char c) { return c >= ' ' && c <= '~'; }

}  // namespace

const char* ToString(CandidateParseErrc errc) {
  switch (errc) {
    case Errc::kTooFewFields:
      return "too few fields";
    case Errc::kBadFoundation:
      return "bad foundation";
    case Errc::kBadComponent:
      return "bad component";
    case Errc::kUnknownTransport:
      return "unknown transport";
    case Errc::kBadPriority:
      return "bad priority";
    case Errc::kBadAddress:
      return "bad address";
    case Errc::kBadPort:
      return "bad port";
    case Errc::kBadType:
      return "bad type";
    case Errc::kBadExtension:
      return "bad extension";
    case Errc::kTooLong:
      return "line too long";
  }
  return "unknown";
}

Expected<ParsedCandidate, CandidateParseErrc> ParseCandidate(std::string_view line) {
  constexpr std::string_view kAttribute = "a=";
  constexpr std::string_view kName = "candidate:";
  if (line.size() > kMaxLine) return Unexpected(Errc::kTooLong);
  if (line.starts_with(kAttribute)) line.remove_prefix(kAttribute.size());
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (!line.starts_with(kName)) return Unexpected(Errc::kTooFewFields);
  line.remove_prefix(kName.size());
  if (!std::ranges::all_of(line, IsVisible)) return Unexpected(Errc::kBadExtension);
  return LineParser(line).Parse();
}

std::string WriteCandidate(const Candidate& candidate) {
  const bool is_tcp = candidate.protocol != TransportProtocol::kUdp;
  const SocketAddress& address = candidate.address;
  std::string line = "candidate:" + candidate.foundation + " " + std::to_string(candidate.component);
  line += is_tcp ? " tcp " : " udp ";
  line += std::to_string(candidate.priority) + " " + WithoutScope(address).ip.ToString() + " " +
          std::to_string(address.port) + " typ " + ToString(candidate.type);
  if (candidate.type != CandidateType::kHost) {
    // RFC 8839 §5.1: raddr and rport "MUST be present" unless the type is host; what is not revealed is 0.0.0.0 or ::.
    const IpAddress nowhere = address.ip.is_v4() ? IpAddress() : IpAddress::V6(std::array<uint8_t, 16>{});
    const SocketAddress related = candidate.related.value_or(SocketAddress{nowhere, kDiscardPort});
    line += " raddr " + WithoutScope(related).ip.ToString() + " rport " + std::to_string(related.port);
  }
  if (is_tcp) line += std::string(" tcptype ") + TcpTypeName(candidate.protocol);
  return line;
}

}  // namespace jsp::ice
