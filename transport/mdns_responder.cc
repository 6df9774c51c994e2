#include "transport/mdns_responder.h"

#include <array>

#include "transport/mdns.h"

namespace jsp::transport {
namespace {

constexpr Duration kOneSecond = std::chrono::seconds(1);
constexpr uint32_t kTtl = 120;       // RFC 6762 §10: of records with a host's address
constexpr uint32_t kLegacyTtl = 10;  // RFC 6762 §6.7
constexpr Duration kQuarterOfTtl = std::chrono::seconds(kTtl / 4);

}  // namespace

std::string MakeMdnsName(Rng& rng) {
  auto octets = rng.Random<std::array<uint8_t, 16>>();
  octets[6] = static_cast<uint8_t>((octets[6] & 0x0f) | 0x40);  // version 4, RFC 9562 §5.4
  octets[8] = static_cast<uint8_t>((octets[8] & 0x3f) | 0x80);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string name;
  for (size_t i = 0; i < octets.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) name += '-';
    name += kHex[octets[i] >> 4];
    name += kHex[octets[i] & 15];
  }
  return name + ".local";
}

bool MdnsResponder::Publish(Timestamp now, std::string_view name, const IpAddress& address) {
  std::array<uint8_t, 512> scratch;
  if (names_.size() >= options_.max_names || !WriteMdnsQuery({.name = name}, scratch)) return false;
  names_.insert_or_assign(std::string(name), Record{.address = address});
  Multicast(now, std::string(name), false);
  announcements_.emplace_back(now + kOneSecond, name);
  return true;
}

void MdnsResponder::Withdraw(std::string_view name) { names_.erase(std::string(name)); }

void MdnsResponder::HandlePacket(Timestamp now, const SocketAddress& from, std::span<const uint8_t> packet) {
  if (names_.empty()) return;
  const auto query = ParseMdnsQuery(packet);
  if (!query) {
    if (query.error() != MdnsParseErrc::kNotAQuery) ++metrics_.malformed;
    return;
  }
  for (const MdnsAsked& asked : query->questions) Answer(now, from, query->id, asked);
}

void MdnsResponder::Answer(Timestamp now, const SocketAddress& from, uint16_t id, const MdnsAsked& asked) {
  const auto found = names_.find(asked.name);
  if (found == names_.end()) return;
  ++metrics_.queries;
  const Record& record = found->second;
  const auto own = record.address.is_v4() ? MdnsRecordType::kA : MdnsRecordType::kAaaa;
  const bool is_negative = !asked.WantsAddress(own);
  if (from.port != kMdnsPort) {
    return Queue({asked.name, from, is_negative, MdnsResponse::Legacy{.id = id, .type = asked.type}});
  }
  // RFC 6762 §5.4: by unicast only what the others have heard lately.
  const bool is_known = record.multicast_at != Timestamp::Never() && now - record.multicast_at < kQuarterOfTtl;
  if (asked.kind == MdnsQuestionKind::kUnicast && is_known) return Queue({asked.name, from, is_negative});
  Multicast(now, asked.name, is_negative);
}

// RFC 6762 §6: a record is multicast no more than once a second.
void MdnsResponder::Multicast(Timestamp now, const std::string& name, bool is_negative) {
  const auto found = names_.find(name);
  if (found == names_.end()) return;
  Timestamp& last = is_negative ? found->second.denied_at : found->second.multicast_at;
  if (last != Timestamp::Never() && now - last < kOneSecond) {
    ++metrics_.too_often;
    return;
  }
  last = now;
  Queue({name, kMdnsGroup, is_negative});
}

void MdnsResponder::Queue(Response response) {
  if (waiting_.size() >= options_.max_waiting) {
    ++metrics_.waiting_full;
    return;
  }
  waiting_.push_back(std::move(response));
}

void MdnsResponder::HandleTimeout(Timestamp now) {
  while (!announcements_.empty() && announcements_.front().first <= now) {
    const std::string name = std::move(announcements_.front().second);
    announcements_.pop_front();
    Multicast(now, name, false);
  }
}

std::optional<MdnsResponder::Transmit> MdnsResponder::PollTransmit(Timestamp, std::span<uint8_t> out) {
  while (!waiting_.empty()) {
    const Response response = std::move(waiting_.front());
    waiting_.pop_front();
    const auto record = names_.find(response.name);
    if (record == names_.end()) continue;  // withdrawn meanwhile
    const auto size = WriteMdnsResponse({.name = response.name,
                                         .address = record->second.address,
                                         .is_negative = response.is_negative,
                                         .ttl = response.legacy ? kLegacyTtl : kTtl,
                                         .legacy = response.legacy},
                                        out);
    if (!size) continue;
    ++metrics_.responses;
    return Transmit{*size, response.remote};
  }
  return std::nullopt;
}

Timestamp MdnsResponder::NextTimeout() const {
  return announcements_.empty() ? Timestamp::Never() : announcements_.front().first;
}

}  // namespace jsp::transport
