// Random messages and random damage, from a fixed seed: the parser never reads out of bounds (the sanitizer build
// watches), accepts nothing that its accessors cannot read, and gives back what the builder wrote.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
#include "stun/address_attribute.h"
#include "stun/credentials.h"
#include "stun/error_code.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "stun/server.h"
namespace jsp::stun {
namespace {

const crypto::HmacSha1Key kKey(crypto::AsBytes("secret"));
const crypto::HmacSha256Key kKey256(crypto::AsBytes("secret"));

struct WrittenAttribute {
  AttributeType type;
  std::vector<uint8_t> value;
};
struct Written {
  std::vector<WrittenAttribute> attributes;
  std::vector<uint8_t> message;
};

// Up to 12 attributes of random types and values, with or without each kind of trailer.
Written Compose(Rng& rng) {
  Written written;
  written.message.resize(4096);
  MessageBuilder builder(written.message,
                         {static_cast<Method>(rng.Below(0x1000)), static_cast<MessageClass>(rng.Below(4))},
                         TransactionId::Random(rng));
  for (uint64_t n = rng.Below(13); n > 0; --n) {
    WrittenAttribute attribute{static_cast<AttributeType>(0x30 + rng.Below(0x7ff0)), {}};
    attribute.value.resize(rng.Below(70));
    rng.Fill(attribute.value);
    builder.Add(attribute.type, attribute.value);
    written.attributes.push_back(std::move(attribute));
  }
  if (rng.Below(2) == 0) builder.AddIntegrity(kKey);
  if (rng.Below(2) == 0) builder.AddIntegritySha256(kKey256);
  if (rng.Below(2) == 0) builder.AddFingerprint();
  written.message.resize(builder.Finish().size());
  return written;
}

// Touches everything that a view offers; returns something that depends on all of it.
size_t ReadAll(const MessageView& view) {
  size_t sum = static_cast<size_t>(view.type().ToWire()) + view.transaction_id().octets[0];
  std::vector<AttributeType> types{AttributeType::kMessageIntegrity, AttributeType::kFingerprint};
  view.ForEachAttribute([&](const Attribute& a) {
    types.push_back(a.type);
    for (const uint8_t octet : a.value) sum += octet;
    EXPECT_LE(a.offset + 4 + a.value.size(), view.datagram().size());
  });
  for (const AttributeType type : types) {
    sum += view.Find(type).value_or(std::span<const uint8_t>{}).size();
    sum += view.FindU32(type).value_or(0) + view.FindU64(type).value_or(0);
    sum += view.FindText(type).value_or("").size() + view.FindAddress(type).value_or(SocketAddress{}).port;
    if (const auto value = view.Find(type)) {
      sum += ParsePasswordAlgorithms(*value).value_or(PasswordAlgorithmList{}).size();
      sum += ParsePasswordAlgorithm(*value).has_value() + ParseErrorCode(*value).has_value();
      sum += ParseAddress(type, *value, view.transaction_id()).has_value();
    }
  }
  if (const auto error = view.FindError()) sum += error->code + error->reason.size();
  std::array<AttributeType, 4> unknown;
  sum += view.UnknownAttributes(kBaseRequiredAttributes, unknown);
  return sum + static_cast<size_t>(view.VerifyIntegrity(kKey)) +
         static_cast<size_t>(view.VerifyIntegritySha256(kKey256, 16)) + static_cast<size_t>(view.VerifyFingerprint());
}

// One piece of damage: a flipped bit, a random octet, an inserted or removed run, an extreme 16-bit value.
void Damage(Rng& rng, std::vector<uint8_t>& message) {
  if (message.empty()) return;
  const size_t at = rng.Below(message.size());
  const auto here = message.begin() + static_cast<std::ptrdiff_t>(at);
  switch (rng.Below(5)) {
    case 0:
      *here = static_cast<uint8_t>(*here ^ 1u << rng.Below(8));
      break;
    case 1:
      *here = rng.Random<uint8_t>();
      break;
    case 2:
      message.erase(here, here + static_cast<std::ptrdiff_t>(std::min<size_t>(rng.Below(9), message.size() - at)));
      break;
    case 3:
      message.insert(here, rng.Below(9), rng.Random<uint8_t>());
      break;
    default:
      if (at + 1 < message.size()) message[at] = message[at + 1] = static_cast<uint8_t>(rng.Below(2) * 0xff);
      break;
  }
}

TEST(MessageMutationTest, BuilderAndViewRoundTripRandomMessages) {
  constexpr uint64_t kSeed = 8489;
  Rng rng = Rng::FromNumber(kSeed);
  for (int round = 0; round < 5000; ++round) {
    const Written written = Compose(rng);
    const auto view = MessageView::Parse(written.message);
    ASSERT_TRUE(view) << "seed " << kSeed << " round " << round;
    size_t index = 0;
    view->ForEachAttribute([&](const Attribute& a) {
      ASSERT_LT(index, written.attributes.size());
      EXPECT_EQ(a.type, written.attributes[index].type);
      EXPECT_TRUE(std::ranges::equal(a.value, written.attributes[index].value));
      ++index;
    });
    ASSERT_EQ(index, written.attributes.size()) << "seed " << kSeed << " round " << round;
    EXPECT_NE(view->VerifyIntegrity(kKey), IntegrityStatus::kInvalid);
    EXPECT_NE(view->VerifyIntegritySha256(kKey256), IntegrityStatus::kInvalid);
    EXPECT_NE(view->VerifyFingerprint(), IntegrityStatus::kInvalid);
  }
}

TEST(MessageMutationTest, DamagedMessagesAreRefusedOrReadInBounds) {
  constexpr uint64_t kSeed = 3489;
  Rng rng = Rng::FromNumber(kSeed);
  size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> message = Compose(rng).message;
    for (uint64_t n = 1 + rng.Below(4); n > 0; --n) Damage(rng, message);
    if (rng.Below(2) == 0 && message.size() >= 4) {  // let the length agree, to get past the header
      const size_t length = (message.size() - std::min<size_t>(message.size(), kHeaderSize)) & ~size_t{3};
      message.resize(kHeaderSize + length);
      message[2] = static_cast<uint8_t>(length >> 8);
      message[3] = static_cast<uint8_t>(length);
    }
    // A copy of exactly that size, so that a read behind it is one behind the allocation.
    const std::vector<uint8_t> exact(message.begin(), message.end());
    (void)MessageView::LooksLikeStun(exact);
    const auto view = MessageView::Parse(exact);
    if (!view) {
      ASSERT_LE(view.error().offset, exact.size()) << "seed " << kSeed << " round " << round;
      continue;
    }
    ++accepted;
    EXPECT_GT(ReadAll(*view), 0u) << "seed " << kSeed << " round " << round;
  }
  EXPECT_GT(accepted, 4000u);  // else the damage never gets past the header, and this tests nothing
}

TEST(MessageMutationTest, RandomOctetsBehindAGoodHeaderAreReadInBounds) {
  constexpr uint64_t kSeed = 5389;
  Rng rng = Rng::FromNumber(kSeed);
  size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> message(kHeaderSize + 4 * rng.Below(20));
    rng.Fill(message);
    MessageBuilder(message, {}, {}).Finish();
    message[3] = static_cast<uint8_t>(message.size() - kHeaderSize);
    for (size_t at = kHeaderSize; at + 4 <= message.size(); at += 4) {
      if (rng.Below(2) == 0) message[at + 2] = 0;  // lengths below 256 are the interesting ones
      if (rng.Below(2) == 0) message[at + 3] = static_cast<uint8_t>(rng.Below(16));
    }
    const auto view = MessageView::Parse(message);
    if (!view) continue;
    ++accepted;
    ReadAll(*view);
  }
  EXPECT_GT(accepted, 1000u);
}

TEST(MessageMutationTest, TheServerAnswersDamagedRequestsWithValidMessagesOnly) {
  constexpr uint64_t kSeed = 5780;
  Rng rng = Rng::FromNumber(kSeed);
  Server server({});
  const SocketAddress local = *SocketAddress::Parse("192.0.2.1:3478");
  const SocketAddress remote = *SocketAddress::Parse("203.0.113.7:40000");
  const Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(1));
  size_t answers = 0;
  for (int round = 0; round < 10000; ++round) {
    std::vector<uint8_t> message = Compose(rng).message;
    message[0] = 0;
    message[1] = 1;
    for (uint64_t n = rng.Below(3); n > 0; --n) Damage(rng, message);
    server.HandleDatagram(now, local, remote, message);
    std::array<uint8_t, 200> out;
    while (const auto transmit = server.PollTransmit(now, out)) {
      const auto view = MessageView::Parse(std::span(out).first(transmit->size));
      ASSERT_TRUE(view) << "seed " << kSeed << " round " << round;
      EXPECT_LE(transmit->size, message.size() + 12) << "seed " << kSeed << " round " << round;
      ++answers;
    }
  }
  EXPECT_GT(answers, 1000u);
}

}  // namespace
}  // namespace jsp::stun
