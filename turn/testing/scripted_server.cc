#include "turn/testing/scripted_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
namespace jsp::turn {

using stun::AttributeType;
using stun::MessageClass;

ClientOptions ScriptedServer::DefaultOptions() {
  return {.local = *SocketAddress::Parse("10.0.0.2:40000"),
          .server = *SocketAddress::Parse("192.0.2.1:3478"),
          .credentials = {.username = "user", .password = "pass"}};
}

ScriptedServer::ScriptedServer(const ClientOptions& options)
    : client(options, rng),
      key(stun::LongTermKeys::Of("user", "example.org", "pass"), stun::PasswordAlgorithm::kMd5,
          stun::IntegrityKind::kSha1) {}

std::vector<ScriptedServer::Message> ScriptedServer::Sent() {
  std::vector<Message> messages;
  std::array<uint8_t, 70000> out;
  while (const auto transmit = client.PollTransmit(now, out)) {
    messages.push_back(
        {{out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size)}, transmit->local, transmit->remote});
  }
  return messages;
}

ScriptedServer::Message ScriptedServer::OnlySent() {
  auto messages = Sent();
  EXPECT_EQ(messages.size(), 1u);
  return messages.empty() ? Message{std::vector<uint8_t>(20), {}, {}} : messages.front();
}

std::vector<ScriptedServer::Message> ScriptedServer::Run(Duration time) {
  std::vector<Message> messages;
  const Timestamp end = now + time;
  for (int steps = 0; steps < 100000; ++steps) {
    for (Message& message : Sent()) messages.push_back(std::move(message));
    const Timestamp next = client.NextTimeout();
    if (next > end) break;
    now = std::max(now, next);
    client.HandleTimeout(now);
  }
  now = end;
  client.HandleTimeout(now);
  return messages;
}

Client::Handled ScriptedServer::Answer(const Message& request, stun::MessageType type, const Compose& compose,
                                       Integrity integrity) {
  std::array<uint8_t, 4000> out;
  stun::MessageBuilder b(out, type, request.view().transaction_id());
  if (compose) compose(b);
  if (integrity == Integrity::kGood) key.AddIntegrity(b);
  if (integrity == Integrity::kWrong) b.AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes("wrong")));
  return client.HandleDatagram(now, request.local, request.remote, b.AddFingerprint().Finish());
}

Client::Handled ScriptedServer::Succeed(const Message& request, const Compose& compose, Integrity integrity) {
  return Answer(request, {request.method(), MessageClass::kSuccessResponse}, compose, integrity);
}

Client::Handled ScriptedServer::Refuse(const Message& request, uint16_t code, const Compose& compose,
                                       Integrity integrity) {
  const Compose with_code = [&](stun::MessageBuilder& b) {
    b.AddError(code, "");
    if (compose) compose(b);
  };
  return Answer(request, {request.method(), MessageClass::kErrorResponse}, with_code, integrity);
}

void ScriptedServer::Challenge(const Message& request, uint16_t code, std::string_view nonce) {
  const Compose compose = [&](stun::MessageBuilder& b) {
    b.AddText(AttributeType::kRealm, "example.org").AddText(AttributeType::kNonce, nonce);
  };
  Refuse(request, code, compose, Integrity::kNone);
}

Client::Handled ScriptedServer::Indicate(stun::Method method, const Compose& compose) {
  std::array<uint8_t, 4000> out;
  stun::MessageBuilder b(out, {method, MessageClass::kIndication}, stun::TransactionId::Random(rng));
  compose(b);
  return Deliver(b.Finish());
}

void ScriptedServer::AddAllocation(stun::MessageBuilder& response, uint32_t lifetime) {
  response.AddAddress(AttributeType::kXorRelayedAddress, *SocketAddress::Parse("192.0.2.1:50000"));
  response.AddAddress(AttributeType::kXorMappedAddress, *SocketAddress::Parse("203.0.113.9:1234"));
  Add(response, Lifetime{lifetime});
}

void ScriptedServer::Allocate(const Compose& compose) {
  client.Start(now);
  Challenge(OnlySent(), 401, "nonce");
  Succeed(
      OnlySent(), compose ? compose : [](stun::MessageBuilder& b) { AddAllocation(b); });
  Expect<event::Allocated>();
  EXPECT_TRUE(client.is_allocated());
}

void ScriptedServer::Fail(size_t index) {
  ADD_FAILURE() << "another event, or none: " << static_cast<ptrdiff_t>(index);
}

}  // namespace jsp::turn
