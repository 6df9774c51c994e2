#include "transport/mdns.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace jsp::transport {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<uint8_t>;

constexpr Timestamp kStart = Timestamp::FromEpoch(10s);
constexpr std::string_view kName = "6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c111.local";
constexpr std::string_view kOther = "00000000-33d5-4fba-8a8c-5d5d2cb2c111.local";
constexpr SocketAddress kResponder{IpAddress::V4(192, 0, 2, 9), kMdnsPort};

// A response with an A record for each name and address.
Bytes Response(const std::vector<std::pair<std::string_view, IpAddress>>& records) {
  Bytes out = {0, 0, 0x84, 0, 0, 0, 0, static_cast<uint8_t>(records.size()), 0, 0, 0, 0};
  for (const auto& [name, address] : records) {
    const size_t dot = name.find('.');
    for (std::string_view label : {name.substr(0, dot), name.substr(dot + 1)}) {
      out.push_back(static_cast<uint8_t>(label.size()));
      out.insert(out.end(), label.begin(), label.end());
    }
    const uint8_t type = address.is_v4() ? 1 : 28;
    const auto octets = address.octets();
    const Bytes fixed = {0, 0, type, 0x80, 1, 0, 0, 0, 120, 0, static_cast<uint8_t>(octets.size())};
    out.insert(out.end(), fixed.begin(), fixed.end());
    out.insert(out.end(), octets.begin(), octets.end());
  }
  return out;
}

class MdnsResolverTest : public testing::Test {
 protected:
  // Queries waiting to be sent, each as its octets.
  std::vector<Bytes> PollAll(Timestamp now) {
    std::vector<Bytes> all;
    std::array<uint8_t, 1200> out;
    while (auto transmit = resolver_.PollTransmit(now, out)) {
      all.emplace_back(out.begin(), out.begin() + static_cast<long>(transmit->size));
    }
    return all;
  }
  void Receive(const std::vector<std::pair<std::string_view, IpAddress>>& records) {
    resolver_.HandlePacket(kStart, kResponder, Response(records));
  }
  uint64_t dropped(MdnsDropReason reason) const { return resolver_.metrics().dropped[static_cast<size_t>(reason)]; }

  Rng rng_ = Rng::FromNumber(1);
  MdnsResolver resolver_{MdnsOptions{}, rng_};
};

TEST_F(MdnsResolverTest, AsksForBothFamiliesInMessagesOfTheirOwn) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  const auto queries = PollAll(kStart);
  ASSERT_EQ(queries.size(), 2u);
  for (const Bytes& query : queries) {
    EXPECT_EQ(query[5], 1) << "one question";
    EXPECT_EQ(query[query.size() - 2], 0x80) << "RFC 6762 §5.4: for unicast";
  }
  EXPECT_NE(queries[0][queries[0].size() - 3], queries[1][queries[1].size() - 3]) << "A and AAAA";
  EXPECT_EQ(kMdnsGroup.ToString(), "224.0.0.251:5353");
}

TEST_F(MdnsResolverTest, ResolvesANameToTheAddressOfTheAnswer) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  (void)PollAll(kStart);
  Receive({{kName, IpAddress::V4(192, 0, 2, 1)}});
  const auto event = resolver_.PollEvent();
  ASSERT_TRUE(event.has_value());
  const auto* resolved = std::get_if<event::MdnsResolved>(&*event);
  ASSERT_NE(resolved, nullptr);
  EXPECT_EQ(resolved->name, kName);
  EXPECT_EQ(resolved->address, IpAddress::V4(192, 0, 2, 1));
  EXPECT_EQ(resolver_.NextTimeout(), Timestamp::Never());
  Receive({{kName, IpAddress::V4(192, 0, 2, 1)}});
  EXPECT_FALSE(resolver_.PollEvent().has_value()) << "once";
  EXPECT_EQ(dropped(MdnsDropReason::kUnasked), 1u);
}

TEST_F(MdnsResolverTest, ResolvesToIpv6AndWhateverTheCaseOfTheName) {  // RFC 6762 §16
  std::string upper(kName);
  upper[1] = 'B';
  ASSERT_TRUE(resolver_.Resolve(kStart, upper).has_value());
  Receive({{kName, *IpAddress::Parse("2001:db8::7")}});
  const auto event = resolver_.PollEvent();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(std::get<event::MdnsResolved>(*event).name, upper) << "as it was given";
  EXPECT_EQ(std::get<event::MdnsResolved>(*event).address.ToString(), "2001:db8::7");
}

TEST_F(MdnsResolverTest, RepeatsAt250And750MillisecondsAndFailsAt1500) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  EXPECT_EQ(PollAll(kStart).size(), 2u);
  EXPECT_EQ(resolver_.NextTimeout(), kStart + 250ms);
  resolver_.HandleTimeout(kStart + 249ms);
  EXPECT_TRUE(PollAll(kStart + 249ms).empty()) << "before its time nothing happens";
  resolver_.HandleTimeout(kStart + 250ms);
  const auto repeated = PollAll(kStart + 250ms);
  ASSERT_EQ(repeated.size(), 2u);
  EXPECT_EQ(repeated[0][repeated[0].size() - 2], 0) << "RFC 6762 §5.4: without the unicast bit";
  EXPECT_EQ(resolver_.NextTimeout(), kStart + 750ms);
  resolver_.HandleTimeout(kStart + 750ms);
  EXPECT_EQ(PollAll(kStart + 750ms).size(), 2u);
  EXPECT_EQ(resolver_.NextTimeout(), kStart + 1500ms);
  resolver_.HandleTimeout(kStart + 1500ms);
  const auto event = resolver_.PollEvent();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(std::get<event::MdnsFailed>(*event).name, kName);
  EXPECT_EQ(resolver_.NextTimeout(), Timestamp::Never());
  EXPECT_EQ(resolver_.metrics().queries_sent, 6u);
  EXPECT_EQ(resolver_.metrics().failed, 1u);
}

TEST_F(MdnsResolverTest, MayBeAskedAgainAfterAFailure) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  resolver_.HandleTimeout(kStart + 2s);
  EXPECT_TRUE(resolver_.PollEvent().has_value());
  ASSERT_TRUE(resolver_.Resolve(kStart + 2s, kName).has_value());
  EXPECT_EQ(PollAll(kStart + 2s).size(), 2u);
}

TEST_F(MdnsResolverTest, AnswersOneQuestionOnceHoweverOftenItIsAsked) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  EXPECT_EQ(PollAll(kStart).size(), 2u);
  Receive({{kName, IpAddress::V4(192, 0, 2, 1)}});
  EXPECT_TRUE(resolver_.PollEvent().has_value());
  EXPECT_FALSE(resolver_.PollEvent().has_value());
}

TEST_F(MdnsResolverTest, CancelsANameWithoutAnEvent) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  resolver_.Cancel(kName);
  resolver_.Cancel(kOther);
  EXPECT_TRUE(PollAll(kStart).empty());
  resolver_.HandleTimeout(kStart + 2s);
  EXPECT_FALSE(resolver_.PollEvent().has_value());
}

TEST_F(MdnsResolverTest, I16_AsksOnlyForNamesThatABrowserMakes) {
  for (std::string_view bad : {"printer.local", "a.b.local", "6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c111.lan",
                               "6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c111", "6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c11g.local",
                               "6b2b1d6b33d5-4fba-8a8c-5d5d2cb2c1111.local", ".local", "local", "",
                               "6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c111.local."}) {
    const auto result = resolver_.Resolve(kStart, bad);
    ASSERT_FALSE(result.has_value()) << bad;
    EXPECT_EQ(result.error(), MdnsResolveError::kBadName);
  }
  EXPECT_FALSE(resolver_.Resolve(kStart, std::string(1'000'000, 'a') + ".local").has_value());
}

TEST_F(MdnsResolverTest, I16_MayBeToldToAskForAnyNameOfOneLabel) {
  MdnsOptions options;
  options.uuid_names_only = false;
  MdnsResolver resolver(options, rng_);
  EXPECT_TRUE(resolver.Resolve(kStart, "printer.local").has_value());
  EXPECT_FALSE(resolver.Resolve(kStart, "a.b.local").has_value());
  EXPECT_FALSE(resolver.Resolve(kStart, "sp ace.local").has_value());
  EXPECT_FALSE(resolver.Resolve(kStart, std::string(64, 'a') + ".local").has_value());
}

TEST_F(MdnsResolverTest, I16_BoundsTheNamesAtOnce) {
  std::string name(kName);
  for (size_t i = 0; i < MdnsOptions{}.max_names; ++i) {
    name[0] = "0123456789abcdef"[i];
    ASSERT_TRUE(resolver_.Resolve(kStart, name).has_value());
  }
  const auto result = resolver_.Resolve(kStart, kOther);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), MdnsResolveError::kTooManyNames);
  resolver_.HandleTimeout(kStart + 2s);
  EXPECT_TRUE(resolver_.Resolve(kStart + 2s, kName).has_value()) << "room again";
}

TEST_F(MdnsResolverTest, I16_IgnoresAnswersFromAnotherPort) {  // RFC 6762 §6
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  const auto response = Response({{kName, IpAddress::V4(192, 0, 2, 1)}});
  resolver_.HandlePacket(kStart, {kResponder.ip, 5354}, response);
  EXPECT_FALSE(resolver_.PollEvent().has_value());
  EXPECT_EQ(dropped(MdnsDropReason::kBadSourcePort), 1u);
}

TEST_F(MdnsResolverTest, I16_IgnoresAnswersToQuestionsThatNobodyAsked) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  Receive({{kOther, IpAddress::V4(192, 0, 2, 1)}});
  Receive({});
  EXPECT_FALSE(resolver_.PollEvent().has_value());
  EXPECT_EQ(dropped(MdnsDropReason::kUnasked), 2u);
}

TEST_F(MdnsResolverTest, I16_TakesNothingFromAMessageThatIsNotWhole) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  const auto response = Response({{kName, IpAddress::V4(192, 0, 2, 1)}, {kOther, IpAddress::V4(192, 0, 2, 2)}});
  for (size_t length = 0; length < response.size(); ++length) {
    resolver_.HandlePacket(kStart, kResponder, std::span(response).first(length));
  }
  EXPECT_FALSE(resolver_.PollEvent().has_value());
  EXPECT_EQ(dropped(MdnsDropReason::kMalformed), response.size());
  auto query = response;
  query[2] = 0;
  resolver_.HandlePacket(kStart, kResponder, query);
  EXPECT_EQ(dropped(MdnsDropReason::kNotAResponse), 1u);
  resolver_.HandlePacket(kStart, kResponder, Bytes(9001));
  EXPECT_EQ(dropped(MdnsDropReason::kTooLong), 1u);
  resolver_.HandlePacket(kStart, kResponder, response);
  EXPECT_TRUE(resolver_.PollEvent().has_value());
}

TEST_F(MdnsResolverTest, I10_IgnoresAddressesThatNoCandidateMayHave) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  for (const char* bad : {"0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "fe80::1"}) {
    Receive({{kName, *IpAddress::Parse(bad)}});
    EXPECT_FALSE(resolver_.PollEvent().has_value()) << bad;
  }
  EXPECT_EQ(dropped(MdnsDropReason::kBadAddress), 6u);
}

TEST_F(MdnsResolverTest, I16_FailsANameOfSeveralAddresses) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  ASSERT_TRUE(resolver_.Resolve(kStart, kOther).has_value());
  const auto one = IpAddress::V4(192, 0, 2, 1);
  Receive({{kName, one}, {kName, IpAddress::V4(192, 0, 2, 2)}, {kOther, one}, {kOther, one}});
  const auto first = resolver_.PollEvent();
  const auto second = resolver_.PollEvent();
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(std::holds_alternative<event::MdnsFailed>(*first));
  EXPECT_TRUE(std::holds_alternative<event::MdnsResolved>(*second)) << "the same address twice is one address";
}

TEST_F(MdnsResolverTest, ResolvesTheSameNameInTwoSpellings) {
  std::string upper(kName);
  upper[1] = 'B';
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  ASSERT_TRUE(resolver_.Resolve(kStart, upper).has_value());
  Receive({{kName, IpAddress::V4(192, 0, 2, 1)}});
  EXPECT_TRUE(resolver_.PollEvent().has_value());
  EXPECT_TRUE(resolver_.PollEvent().has_value());
}

TEST_F(MdnsResolverTest, KeepsAQueryThatDoesNotFitTheBuffer) {
  ASSERT_TRUE(resolver_.Resolve(kStart, kName).has_value());
  std::array<uint8_t, 10> small;
  EXPECT_FALSE(resolver_.PollTransmit(kStart, small).has_value());
  EXPECT_EQ(PollAll(kStart).size(), 2u);
}

TEST(MdnsNamesTest, NamesItsReasons) {
  EXPECT_STREQ(ToString(MdnsDropReason::kUnasked), "unasked");
  EXPECT_STREQ(ToString(MdnsResolveError::kTooManyNames), "too many names at once");
  EXPECT_STREQ(ToString(MdnsParseErrc::kMalformed), "malformed");
}

}  // namespace
}  // namespace jsp::transport
