#include "sctp/association/state_cookie.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/check.h"
#include "base/wire_layout.h"
namespace jsp::sctp {
namespace {

constexpr Timestamp kEpoch = Timestamp::FromEpoch(Duration::zero());
constexpr uint32_t kPartialReliabilityBit = 1;
constexpr uint32_t kStreamResetBit = 2;
constexpr uint32_t kInterleavingBit = 4;
constexpr uint32_t kZeroChecksumBit = 8;
constexpr uint32_t kEcnBit = 16;

crypto::HmacSha256Key RandomKey(Rng& rng) {
  auto octets = rng.Random<std::array<uint8_t, 32>>();
  crypto::HmacSha256Key key(octets);
  crypto::Erase(octets);
  return key;
}

}  // namespace

CookieJar::CookieJar(Rng& rng) : key_(RandomKey(rng)) {}

CookieJar::Sealed CookieJar::Seal(const StateCookie& cookie) const {
  Sealed sealed{};
  ByteWriter writer(sealed);
  const Agreement& agreement = cookie.agreement;
  writer.Write(static_cast<uint64_t>((cookie.created - kEpoch).count()));
  writer.Write(static_cast<uint64_t>(cookie.lifetime.count()));
  writer.Write(cookie.local_port);
  writer.Write(cookie.remote_port);
  writer.Write(cookie.tie_tags.local);
  writer.Write(cookie.tie_tags.peer);
  writer.Write(agreement.my_tag);
  writer.Write(agreement.peer_tag);
  writer.Write(agreement.my_initial_tsn);
  writer.Write(agreement.peer_initial_tsn);
  writer.Write(agreement.peer_a_rwnd);
  writer.Write(agreement.outgoing_streams);
  writer.Write(agreement.incoming_streams);
  writer.Write((agreement.capabilities.partial_reliability ? kPartialReliabilityBit : 0) |
               (agreement.capabilities.stream_reset ? kStreamResetBit : 0) |
               (agreement.capabilities.interleaving ? kInterleavingBit : 0) |
               (agreement.capabilities.zero_checksum ? kZeroChecksumBit : 0) |
               (agreement.capabilities.ecn ? kEcnBit : 0));
  const auto mac = key_.Sign(std::span(sealed).first(kPlainSize));
  writer.WriteBytes(mac);
  JSP_DCHECK(writer.ok() && writer.remaining() == 0);
  return sealed;
}

Expected<StateCookie, CookieError> CookieJar::Open(std::span<const uint8_t> sealed) const {
  if (sealed.size() != kSize) return Unexpected(CookieError::kWrongSize);
  const auto plain = sealed.first(kPlainSize);
  if (!crypto::EqualConstantTime(key_.Sign(plain), sealed.subspan(kPlainSize))) {
    return Unexpected(CookieError::kWrongMac);
  }
  ByteReader reader(plain);
  StateCookie cookie;
  cookie.created = kEpoch + Duration(static_cast<Duration::rep>(reader.Read<uint64_t>()));
  cookie.lifetime = Duration(static_cast<Duration::rep>(reader.Read<uint64_t>()));
  cookie.local_port = reader.Read<uint16_t>();
  cookie.remote_port = reader.Read<uint16_t>();
  cookie.tie_tags.local = reader.Read<uint32_t>();
  cookie.tie_tags.peer = reader.Read<uint32_t>();
  cookie.agreement.my_tag = reader.Read<VerificationTag>();
  cookie.agreement.peer_tag = reader.Read<VerificationTag>();
  cookie.agreement.my_initial_tsn = reader.Read<Tsn>();
  cookie.agreement.peer_initial_tsn = reader.Read<Tsn>();
  cookie.agreement.peer_a_rwnd = reader.Read<uint32_t>();
  cookie.agreement.outgoing_streams = reader.Read<uint16_t>();
  cookie.agreement.incoming_streams = reader.Read<uint16_t>();
  const auto bits = reader.Read<uint32_t>();
  cookie.agreement.capabilities = {.partial_reliability = (bits & kPartialReliabilityBit) != 0,
                                   .stream_reset = (bits & kStreamResetBit) != 0,
                                   .interleaving = (bits & kInterleavingBit) != 0,
                                   .zero_checksum = (bits & kZeroChecksumBit) != 0,
                                   .ecn = (bits & kEcnBit) != 0};
  return cookie;
}

// Of another length than what a cookie's MAC is over.
uint64_t CookieJar::hash_key() const {
  const crypto::Sha256Digest digest = key_.Sign(crypto::AsBytes("hash key"));
  return wire::Codec<uint64_t>::Load(digest.data());
}

}  // namespace jsp::sctp
