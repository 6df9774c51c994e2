#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/crypto.h"
#include "base/socket_address.h"
#include "ice/role.h"
#include "stun/attribute_type.h"
#include "stun/message_view.h"
#include "stun/transaction_id.h"
namespace jsp::ice {

// Any message the agent writes fits: header, USERNAME of at most 508 octets (RFC 8489 §14.3), and the small attributes.
constexpr size_t kMaxMessageSize = 640;

// The count of nominations, 32 bits (draft-thatcher-ice-renomination §3); need not be understood.
inline constexpr auto kNominationAttribute = static_cast<stun::AttributeType>(0xc001);

// USERNAME of a check, RFC 8445 §7.2.2: the receiver's ufrag, a colon, the sender's ufrag.
struct CheckUsername {
  std::string_view receiver;
  std::string_view sender;
};
std::optional<CheckUsername> SplitUsername(std::string_view username);

// What a received check says (RFC 8445 §7.1, §16.1). A view: lives as long as its datagram.
struct ReceivedCheck {
  std::string_view sender_ufrag;
  uint32_t priority = 0;
  std::optional<RoleAttribute> role;  // old and lite-like peers leave it out
  bool use_candidate = false;
  std::optional<uint32_t> nomination{};  // a count, of renomination
};
// Why an authenticated request is refused, RFC 8489 §6.3.1.
struct RequestFault {
  uint16_t code = 0;  // 400, or 420 with the attributes that were not understood
  std::array<stun::AttributeType, 4> unknown{};
  size_t unknown_count = 0;
};
// The attributes of a request whose integrity was verified.
Expected<ReceivedCheck, RequestFault> ReadCheck(const stun::MessageView& message);

// What a check to be sent says. Everything is fixed when its transaction begins: a retransmission is the same message.
struct CheckContent {
  stun::TransactionId id;
  std::string_view username;
  uint32_t priority;
  RoleAttribute role;
  bool use_candidate;
  uint32_t nomination = 0;  // 0: none
};
// Each writes one message and returns its size, 0 when `out` is too small. Keys are of the password that RFC 8445
// §7.2.2 and §7.3 name: the receiver's for a check, our own for a response.
size_t WriteCheck(std::span<uint8_t> out, const CheckContent& content, const crypto::HmacSha1Key& key);
size_t WriteSuccess(std::span<uint8_t> out, const stun::TransactionId& id, const SocketAddress& mapped,
                    const crypto::HmacSha1Key& key);
size_t WriteError(std::span<uint8_t> out, const stun::TransactionId& id, const RequestFault& fault,
                  const crypto::HmacSha1Key& key);
// RFC 8445 §11: a Binding indication with FINGERPRINT and nothing else.
size_t WriteKeepalive(std::span<uint8_t> out, const stun::TransactionId& id);

}  // namespace jsp::ice
