#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "transport/srv_lookup.h"
#include "transport/srv_message.h"
namespace jsp::transport {
namespace {

using Bytes = std::vector<uint8_t>;
using std::chrono::milliseconds;

const SocketAddress kFirst = *SocketAddress::Parse("192.0.2.53:53");
const SocketAddress kSecond = *SocketAddress::Parse("192.0.2.54:53");
constexpr std::string_view kName = "_turn._udp.example.org";

Bytes Encoded(std::string_view name) {
  Bytes out;
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    out.push_back(static_cast<uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
    name.remove_prefix(label.size() == name.size() ? name.size() : label.size() + 1);
  }
  out.push_back(0);
  return out;
}

void Append(Bytes& out, std::initializer_list<unsigned> words) {
  for (const unsigned word : words) {
    out.push_back(static_cast<uint8_t>(word >> 8));
    out.push_back(static_cast<uint8_t>(word));
  }
}

// A response to the question for `name` under `id`, with these records.
Bytes Respond(unsigned id, std::string_view name, const std::vector<SrvRecord>& records, unsigned flags = 0x8180) {
  Bytes out;
  Append(out, {id, flags, 1, static_cast<unsigned>(records.size()), 0, 0});
  const Bytes encoded = Encoded(name);
  out.insert(out.end(), encoded.begin(), encoded.end());
  Append(out, {33, 1});
  for (const SrvRecord& record : records) {
    const Bytes target = Encoded(record.target);
    Append(out, {0xC00C, 33, 1, 0, 300, static_cast<unsigned>(6 + target.size())});
    Append(out, {record.priority, record.weight, record.port});
    out.insert(out.end(), target.begin(), target.end());
  }
  return out;
}

TEST(SrvMessageTest, WritesAQueryWithEdns) {
  std::array<uint8_t, 100> out;
  const auto size = WriteSrvQuery(0x1234, kName, out);
  ASSERT_TRUE(size);
  Bytes expected{0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1};
  const Bytes name = Encoded(kName);
  expected.insert(expected.end(), name.begin(), name.end());
  Append(expected, {33, 1});
  expected.insert(expected.end(), {0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*size)), expected);
  for (size_t room = 0; room < *size; ++room) EXPECT_FALSE(WriteSrvQuery(1, kName, std::span(out).first(room)));
  for (const std::string& bad : {std::string(), std::string("a..b"), std::string(64, 'x'), std::string(300, 'x')}) {
    EXPECT_FALSE(WriteSrvQuery(1, bad, out)) << bad;
  }
}

TEST(SrvMessageTest, ReadsRecordsAndSkipsAliases) {
  const std::vector<SrvRecord> records{{10, 60, 3478, "a.example.org"}, {20, 0, 443, "b.example.org"}};
  const auto response = ParseSrvResponse(Respond(7, kName, records));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->id, 7);
  EXPECT_EQ(response->response_code, 0);
  EXPECT_EQ(response->question, kName);
  EXPECT_EQ(response->records, records);

  Bytes with_alias;
  Append(with_alias, {7, 0x8180, 1, 1, 0, 0});
  const Bytes name = Encoded(kName);
  with_alias.insert(with_alias.end(), name.begin(), name.end());
  Append(with_alias, {33, 1, 0xC00C, 5, 1, 0, 300, 2, 0xC00C});
  EXPECT_TRUE(ParseSrvResponse(with_alias)->records.empty());
}

TEST(SrvMessageTest, RejectsEveryTruncationAndKeepsWholeRecordsWhereItWasAnnounced) {
  const std::vector<SrvRecord> records{{1, 1, 1, "a.example"}, {2, 2, 2, "b.example"}};
  const Bytes whole = Respond(7, kName, records);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseSrvResponse(std::span(whole).first(size))) << size;
  }
  const Bytes truncated = Respond(7, kName, records, 0x8380);
  const auto cut = ParseSrvResponse(std::span(truncated).first(truncated.size() - 1));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->records, std::vector<SrvRecord>{records[0]});
}

TEST(SrvMessageTest, RejectsQueriesAndLies) {
  EXPECT_EQ(ParseSrvResponse(Respond(7, kName, {}, 0x0100)).error(), DnsParseErrc::kNotAResponse);
  Bytes short_record = Respond(7, kName, {{1, 1, 1, "a.example"}});
  short_record.back() = 1;  // the root's place: the target goes on behind the record
  EXPECT_EQ(ParseSrvResponse(short_record).error(), DnsParseErrc::kMalformed);
  Bytes circle = Respond(7, kName, {{1, 1, 1, "ab"}});
  circle[circle.size() - 4] = 0xC0;  // a pointer to itself
  circle[circle.size() - 3] = static_cast<uint8_t>(circle.size() - 4);
  EXPECT_EQ(ParseSrvResponse(circle).error(), DnsParseErrc::kMalformed);
}

TEST(SrvMessageTest, SurvivesNoise) {
  Rng rng = Rng::FromNumber(11);
  const Bytes whole = Respond(7, kName, {{1, 1, 1, "a.example"}, {2, 2, 2, "b.example"}});
  for (int i = 0; i < 20'000; ++i) {
    Bytes noisy = whole;
    for (int flips = 0; flips < 3; ++flips) noisy[rng.Below(noisy.size())] = rng.Random<uint8_t>();
    (void)ParseSrvResponse(noisy);
  }
}

TEST(OrderSrvTest, SortsByPriorityAndSharesByWeight) {  // RFC 2782
  Rng rng = Rng::FromNumber(3);
  std::map<std::string, int> first;
  for (int i = 0; i < 4000; ++i) {
    const auto ordered =
        OrderSrv({{20, 0, 1, "backup"}, {10, 3, 1, "large"}, {10, 1, 1, "small"}, {10, 0, 1, "rare"}}, rng);
    ASSERT_EQ(ordered.size(), 4u);
    EXPECT_EQ(ordered[3].target, "backup");
    ++first[ordered[0].target];
  }
  // Of the numbers 0 to 4 rare has 0, large 1 to 3, small 4.
  EXPECT_NEAR(first["large"], 2400, 150);
  EXPECT_NEAR(first["small"], 800, 120);
  EXPECT_NEAR(first["rare"], 800, 120);
  EXPECT_TRUE(OrderSrv({}, rng).empty());
}

class SrvLookupTest : public ::testing::Test {
 protected:
  void Start(std::vector<SocketAddress> servers = {kFirst, kSecond}) {
    lookup_.emplace(SrvLookupOptions{.name = "_turn._udp.Example.ORG", .name_servers = std::move(servers)}, rng_);
    lookup_->Start(now_);
  }
  // The server that is asked now, and the question's id.
  std::optional<std::pair<SocketAddress, unsigned>> Poll() {
    const auto transmit = lookup_->PollTransmit(now_, out_);
    if (!transmit) return std::nullopt;
    return std::pair(transmit->remote, static_cast<unsigned>(out_[0] << 8 | out_[1]));
  }
  std::optional<std::vector<SrvRecord>> Result() {
    auto event = lookup_->PollEvent();
    if (!event) return std::nullopt;
    return std::get<SrvLookup::Done>(*event).ordered;
  }
  Rng rng_ = Rng::FromNumber(9);
  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1));
  std::optional<SrvLookup> lookup_;
  std::array<uint8_t, 512> out_{};
};

TEST_F(SrvLookupTest, TakesTheAnswerOfTheFirstServer) {
  Start();
  const auto asked = Poll();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->first, kFirst);
  EXPECT_FALSE(Poll());
  lookup_->HandleDatagram(now_, kFirst, Respond(asked->second, kName, {{1, 1, 3478, "a.example"}}));
  EXPECT_EQ(Result(), (std::vector<SrvRecord>{{1, 1, 3478, "a.example"}}));
  EXPECT_EQ(lookup_->NextTimeout(), Timestamp::Never());
}

TEST_F(SrvLookupTest, ADeadNameServerCostsAnInterval) {
  Start();
  ASSERT_TRUE(Poll());
  now_ = lookup_->NextTimeout();
  lookup_->HandleTimeout(now_);
  const auto second = Poll();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, kSecond);
  lookup_->HandleDatagram(now_, kSecond, Respond(second->second, kName, {}, 0x8183));  // NXDOMAIN
  EXPECT_EQ(Result(), std::vector<SrvRecord>());
}

TEST_F(SrvLookupTest, AServerInTroubleIsFollowedByTheNextAtOnce) {
  Start();
  const auto first = Poll();
  lookup_->HandleDatagram(now_, kFirst, Respond(first->second, kName, {}, 0x8182));  // SERVFAIL
  const auto second = Poll();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, kSecond);
  lookup_->HandleDatagram(now_, kSecond, Respond(second->second, kName, {}, 0x8185));  // REFUSED
  EXPECT_EQ(Result(), std::vector<SrvRecord>());
}

TEST_F(SrvLookupTest, SilenceCountsAsNoRecords) {
  Start();
  const Timestamp start = now_;
  size_t asked = 0;
  while (lookup_->NextTimeout() != Timestamp::Never()) {
    now_ = std::max(now_, lookup_->NextTimeout());
    lookup_->HandleTimeout(now_);
    while (Poll()) ++asked;
  }
  EXPECT_EQ(Result(), std::vector<SrvRecord>());
  EXPECT_EQ(now_ - start, milliseconds(1500));
  EXPECT_EQ(asked, 5u);
}

TEST_F(SrvLookupTest, ForgedAndStrayAnswersAreDropped) {
  Start();
  const auto asked = Poll();
  const std::vector<SrvRecord> forged{{0, 0, 1, "evil.example"}};
  lookup_->HandleDatagram(now_, *SocketAddress::Parse("198.51.100.1:53"), Respond(asked->second, kName, forged));
  lookup_->HandleDatagram(now_, kFirst, Respond(asked->second ^ 1, kName, forged));
  lookup_->HandleDatagram(now_, kFirst, Respond(asked->second, "_turn._udp.example.com", forged));
  lookup_->HandleDatagram(now_, kFirst, Bytes{1, 2, 3});
  EXPECT_FALSE(Result());
  EXPECT_EQ(lookup_->metrics().dropped_wrong_source, 1u);
  EXPECT_EQ(lookup_->metrics().dropped_wrong_question, 2u);
  EXPECT_EQ(lookup_->metrics().dropped_unparsable, 1u);
}

TEST_F(SrvLookupTest, WithoutNameServersThereIsNothing) {
  Start({});
  EXPECT_EQ(Result(), std::vector<SrvRecord>());
  EXPECT_FALSE(Poll());
}

}  // namespace
}  // namespace jsp::transport
