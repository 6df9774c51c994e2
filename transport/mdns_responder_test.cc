#include "transport/mdns_responder.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "transport/mdns.h"

namespace jsp::transport {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<uint8_t>;

constexpr Timestamp kStart = Timestamp::FromEpoch(10s);
constexpr IpAddress kAddress = IpAddress::V4(192, 0, 2, 1);
constexpr SocketAddress kFullResolver{IpAddress::V4(192, 0, 2, 9), kMdnsPort};
constexpr SocketAddress kSimpleResolver{IpAddress::V4(192, 0, 2, 9), 40000};

struct Sent {
  Bytes bytes;
  SocketAddress remote;
};

class MdnsResponderTest : public testing::Test {
 protected:
  void SetUp() override {
    name_ = MakeMdnsName(rng_);
    ASSERT_TRUE(responder_.Publish(kStart, name_, kAddress));
  }
  std::vector<Sent> Poll(Timestamp now) {
    std::vector<Sent> all;
    std::array<uint8_t, 512> out;
    while (const auto transmit = responder_.PollTransmit(now, out)) {
      all.push_back({{out.begin(), out.begin() + static_cast<long>(transmit->size)}, transmit->remote});
    }
    return all;
  }
  // After what Publish announces.
  Timestamp Quiet() {
    (void)Poll(kStart);
    responder_.HandleTimeout(kStart + 1s);
    (void)Poll(kStart + 1s);
    return kStart + 3s;
  }
  Bytes Query(MdnsRecordType type = MdnsRecordType::kA, MdnsQuestionKind kind = MdnsQuestionKind::kMulticast,
              std::string_view name = {}) const {
    Bytes out(512);
    out.resize(*WriteMdnsQuery({.name = name.empty() ? name_ : name, .type = type, .kind = kind, .id = 7}, out));
    return out;
  }
  std::vector<Sent> Ask(Timestamp now, const SocketAddress& from, const Bytes& query) {
    responder_.HandlePacket(now, from, query);
    return Poll(now);
  }

  Rng rng_ = Rng::FromNumber(1);
  std::string name_;
  MdnsResponder responder_;
};

TEST_F(MdnsResponderTest, NamesAreVersion4UuidsOfTheirOwn) {  // draft-ietf-mmusic-mdns-ice-candidates
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    const std::string name = MakeMdnsName(rng_);
    ASSERT_EQ(name.size(), 42u);
    for (const size_t dash : {8, 13, 18, 23}) EXPECT_EQ(name[dash], '-');
    EXPECT_EQ(name[14], '4');
    EXPECT_NE(std::string("89ab").find(name[19]), std::string::npos);
    EXPECT_TRUE(name.ends_with(".local"));
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 100u);
}

TEST_F(MdnsResponderTest, OurResolverFindsWhatOurResponderPublished) {
  MdnsResolver resolver(MdnsOptions{}, rng_);
  const Timestamp now = Quiet();
  ASSERT_TRUE(resolver.Resolve(now, name_));
  std::array<uint8_t, 512> out;
  while (const auto query = resolver.PollTransmit(now, out)) {
    responder_.HandlePacket(now, kSimpleResolver, std::span(out).first(query->size));
  }
  for (const Sent& sent : Poll(now)) resolver.HandlePacket(now, kFullResolver, sent.bytes);
  const auto event = resolver.PollEvent();
  ASSERT_TRUE(event && std::holds_alternative<event::MdnsResolved>(*event));
  EXPECT_EQ(std::get<event::MdnsResolved>(*event).address, kAddress);
}

TEST_F(MdnsResponderTest, ANewNameIsAnnouncedTwiceASecondApart) {  // RFC 6762 §8.3
  const auto first = Poll(kStart);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].remote, kMdnsGroup);
  EXPECT_EQ(responder_.NextTimeout(), kStart + 1s);
  responder_.HandleTimeout(kStart + 1s);
  const auto second = Poll(kStart + 1s);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].bytes, first[0].bytes);
  EXPECT_EQ(responder_.NextTimeout(), Timestamp::Never());
  const auto records = ParseMdnsResponse(first[0].bytes);
  ASSERT_TRUE(records && records->size() == 1);
  EXPECT_EQ(records->front().name, name_);
  EXPECT_EQ(records->front().address, kAddress);
}

TEST_F(MdnsResponderTest, ASimpleResolverIsAnsweredByUnicastWithItsQuestion) {  // RFC 6762 §6.7
  const auto sent = Ask(Quiet(), kSimpleResolver, Query());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].remote, kSimpleResolver);
  const Bytes& response = sent[0].bytes;
  EXPECT_EQ(response[1], 7) << "its id";
  EXPECT_EQ(response[5], 1) << "its question";
  // The name has 1 + 36 + 1 + 5 + 1 octets; the record's class and TTL follow the second one and two octets of type.
  constexpr size_t kName = 44;
  const size_t record = 12 + kName + 4 + kName;
  EXPECT_EQ(response[record + 2], 0) << "no cache-flush bit";
  EXPECT_EQ(response[record + 7], 10) << "seconds to live";
}

TEST_F(MdnsResponderTest, AResolverOfTheGroupIsAnsweredThereOnceASecond) {  // RFC 6762 §6
  const Timestamp now = Quiet();
  const auto sent = Ask(now, kFullResolver, Query());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].remote, kMdnsGroup);
  EXPECT_EQ(sent[0].bytes[12 + 44 + 2], 0x80) << "the cache-flush bit, RFC 6762 §10.2";
  EXPECT_TRUE(Ask(now + 999ms, kFullResolver, Query()).empty());
  EXPECT_EQ(responder_.metrics().too_often, 1u);
  EXPECT_EQ(Ask(now + 1s, kFullResolver, Query()).size(), 1u);
}

TEST_F(MdnsResponderTest, AUnicastAnswerIsGivenWhereTheOthersKnowIt) {  // RFC 6762 §5.4
  const Timestamp now = Quiet();
  const Bytes query = Query(MdnsRecordType::kA, MdnsQuestionKind::kUnicast);
  const auto known = Ask(now, kFullResolver, query);
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].remote, kFullResolver);
  const auto forgotten = Ask(now + 31s, kFullResolver, query);
  ASSERT_EQ(forgotten.size(), 1u);
  EXPECT_EQ(forgotten[0].remote, kMdnsGroup);
}

TEST_F(MdnsResponderTest, TheOtherFamilyIsDenied) {  // RFC 6762 §6, §6.1
  const auto sent = Ask(Quiet(), kSimpleResolver, Query(MdnsRecordType::kAaaa));
  ASSERT_EQ(sent.size(), 1u);
  const auto records = ParseMdnsResponse(sent[0].bytes);
  ASSERT_TRUE(records);
  EXPECT_TRUE(records->empty());
  const size_t size = sent[0].bytes.size();
  EXPECT_EQ((Bytes{sent[0].bytes.begin() + static_cast<long>(size - 3), sent[0].bytes.end()}), (Bytes{0, 1, 0x40}))
      << "there is an A record and nothing else";
}

TEST_F(MdnsResponderTest, ADenialIsMulticastOnceASecondToo) {  // RFC 6762 §6
  const Timestamp now = Quiet();
  const Bytes query = Query(MdnsRecordType::kAaaa);
  EXPECT_EQ(Ask(now, kFullResolver, query).size(), 1u);
  EXPECT_EQ(Ask(now, kFullResolver, Query()).size(), 1u) << "of another record";
  EXPECT_TRUE(Ask(now + 999ms, kFullResolver, query).empty());
  EXPECT_EQ(responder_.metrics().too_often, 1u);
  EXPECT_EQ(Ask(now + 1s, kFullResolver, query).size(), 1u);
}

TEST_F(MdnsResponderTest, NamesOfOthersAndWithdrawnOnesAreNotAnswered) {
  const Timestamp now = Quiet();
  EXPECT_TRUE(Ask(now, kSimpleResolver, Query(MdnsRecordType::kA, {}, "printer.local")).empty());
  responder_.Withdraw(name_);
  EXPECT_TRUE(Ask(now, kSimpleResolver, Query()).empty());
  EXPECT_EQ(responder_.size(), 0u);
}

TEST_F(MdnsResponderTest, I16_HostileQueriesAreCountedAndBounded) {
  const Timestamp now = Quiet();
  const Bytes query = Query();
  for (size_t size = 0; size < query.size(); ++size) {
    responder_.HandlePacket(now, kSimpleResolver, std::span(query).first(size));
  }
  EXPECT_TRUE(Poll(now).empty());
  EXPECT_EQ(responder_.metrics().malformed, query.size());
  for (int i = 0; i < 1000; ++i) responder_.HandlePacket(now, kSimpleResolver, query);
  EXPECT_EQ(Poll(now).size(), MdnsResponderOptions{}.max_waiting);
  EXPECT_EQ(responder_.metrics().waiting_full, 1000 - MdnsResponderOptions{}.max_waiting);
  // A response, as our own that the group brings back, is no query.
  const auto own = Ask(now + 2s, kFullResolver, query);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_TRUE(Ask(now + 4s, kFullResolver, own[0].bytes).empty());
}

TEST_F(MdnsResponderTest, TooManyNamesAndNoNamesAreRefused) {
  MdnsResponder small({.max_names = 1});
  EXPECT_TRUE(small.Publish(kStart, MakeMdnsName(rng_), kAddress));
  EXPECT_FALSE(small.Publish(kStart, MakeMdnsName(rng_), kAddress));
  EXPECT_FALSE(responder_.Publish(kStart, std::string(64, 'a') + ".local", kAddress));
}

}  // namespace
}  // namespace jsp::transport
