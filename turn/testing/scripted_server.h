#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "stun/long_term_key.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "turn/client.h"
namespace jsp::turn {

// A client under test and a server that answers exactly what the test says, honestly or not, in virtual time. The
// server's key is that of "user", "pass" in realm "example.org", with MD5.
class ScriptedServer {
 public:
  struct Message {  // one that the client sent
    std::vector<uint8_t> octets;
    SocketAddress local;
    SocketAddress remote;
    stun::MessageView view() const { return *stun::MessageView::Parse(octets); }
    bool is_stun() const { return stun::MessageView::LooksLikeStun(octets); }
    stun::Method method() const { return view().method(); }
  };
  enum class Integrity : uint8_t { kGood, kNone, kWrong };

  static ClientOptions DefaultOptions();
  explicit ScriptedServer(const ClientOptions& options = DefaultOptions());

  // Everything that the client has to send.
  std::vector<Message> Sent();
  // The only message that it has to send; fails the test when there is another number of them.
  Message OnlySent();
  // Advances the time step by step, as the client's deadlines say; what it sends meanwhile is returned.
  std::vector<Message> Run(Duration time);

  // Hands the client a response to `request`; `compose` adds attributes.
  using Compose = std::function<void(stun::MessageBuilder&)>;
  Client::Handled Succeed(const Message& request, const Compose& compose = {}, Integrity integrity = Integrity::kGood);
  Client::Handled Refuse(const Message& request, uint16_t code, const Compose& compose = {},
                         Integrity integrity = Integrity::kGood);
  // 401 or 438 with a realm and a nonce.
  void Challenge(const Message& request, uint16_t code, std::string_view nonce);
  Client::Handled Indicate(stun::Method method, const Compose& compose);
  Client::Handled Deliver(std::span<const uint8_t> datagram) {
    return client.HandleDatagram(now, client.local(), client.server(), datagram);
  }
  // The attributes of a usual Allocate success.
  static void AddAllocation(stun::MessageBuilder& response, uint32_t lifetime = 600);

  // Start, 401, Allocate with credentials, success: allocated, and Allocated was taken.
  void Allocate(const Compose& compose = {});
  // The next event, which must be an E.
  template <class E>
  E Expect() {
    const auto event = client.PollEvent();
    if (event && std::holds_alternative<E>(*event)) return std::get<E>(*event);
    Fail(event ? event->index() : SIZE_MAX);
    return E{};
  }

  Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(1000));
  Rng rng = Rng::FromNumber(42);
  Client client;
  stun::LongTermKey key;

 private:
  Client::Handled Answer(const Message& request, stun::MessageType type, const Compose& compose, Integrity integrity);
  static void Fail(size_t index);
};

}  // namespace jsp::turn
