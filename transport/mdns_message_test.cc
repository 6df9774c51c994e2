#include "transport/mdns_message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"

namespace jsp::transport {
namespace {

using Bytes = std::vector<uint8_t>;

// DNS messages octet by octet, in the notation of their parts.
class Builder {
 public:
  Builder& Word(unsigned value) {
    out_.push_back(static_cast<uint8_t>(value >> 8));
    out_.push_back(static_cast<uint8_t>(value));
    return *this;
  }
  Builder& Header(unsigned flags, unsigned questions, unsigned answers, unsigned additionals = 0) {
    return Word(0).Word(flags).Word(questions).Word(answers).Word(0).Word(additionals);
  }
  Builder& Label(std::string_view label) {
    out_.push_back(static_cast<uint8_t>(label.size()));
    out_.insert(out_.end(), label.begin(), label.end());
    return *this;
  }
  Builder& Root() { return Octet(0); }
  Builder& Pointer(unsigned target) { return Word(0xC000 | target); }
  Builder& Octet(unsigned value) {
    out_.push_back(static_cast<uint8_t>(value));
    return *this;
  }
  Builder& Record(unsigned type, unsigned record_class, unsigned ttl, const Bytes& data) {
    Word(type).Word(record_class).Word(0).Word(ttl).Word(static_cast<unsigned>(data.size()));
    out_.insert(out_.end(), data.begin(), data.end());
    return *this;
  }
  const Bytes& out() const { return out_; }

 private:
  Bytes out_;
};

const Bytes kV4 = {192, 0, 2, 1};
constexpr unsigned kResponse = 0x8400;  // QR, AA

Bytes SimpleResponse() {
  return Builder().Header(kResponse, 0, 1).Label("host").Label("local").Root().Record(1, 0x8001, 120, kV4).out();
}

MdnsParseErrc ErrorOf(const Bytes& message) {
  const auto parsed = ParseMdnsResponse(message);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? MdnsParseErrc{} : parsed.error();
}

TEST(MdnsMessageTest, WritesAQuestionForUnicastAnswers) {  // RFC 6762 §5.4, §18.12
  std::array<uint8_t, 100> out{};
  const auto size = WriteMdnsQuery({"host.local", MdnsRecordType::kAaaa, MdnsQuestionKind::kUnicast, 0x1234}, out);
  ASSERT_TRUE(size.has_value());
  const Bytes expected = {0x12, 0x34, 0,    0,   0,   1, 0,   0,   0,   0,   0,   0,  // header: one question
                          4,    'h',  'o',  's', 't', 5, 'l', 'o', 'c', 'a', 'l', 0,  // host.local
                          0,    28,   0x80, 1};                                       // AAAA, IN with the top bit
  EXPECT_EQ(Bytes(out.begin(), out.begin() + static_cast<long>(*size)), expected);
}

TEST(MdnsMessageTest, WritesAQuestionForMulticastAnswers) {
  std::array<uint8_t, 100> out{};
  const auto size = WriteMdnsQuery({"host.local", MdnsRecordType::kA, MdnsQuestionKind::kMulticast, 0}, out);
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(out[*size - 3], 1) << "A";
  EXPECT_EQ(out[*size - 2], 0) << "IN without the top bit";
}

TEST(MdnsMessageTest, RefusesNamesThatCannotBeWrittenAndBuffersTooSmall) {
  std::array<uint8_t, 600> out{};
  EXPECT_FALSE(WriteMdnsQuery({.name = "a..local"}, out).has_value());
  EXPECT_FALSE(WriteMdnsQuery({.name = std::string(64, 'a') + ".local"}, out).has_value());
  EXPECT_FALSE(WriteMdnsQuery({.name = std::string(300, 'a')}, out).has_value());
  for (size_t room = 0; room < 28; ++room) {
    EXPECT_FALSE(WriteMdnsQuery({.name = "host.local"}, std::span(out).first(room)).has_value());
  }
  EXPECT_EQ(WriteMdnsQuery({.name = "host.local"}, std::span(out).first(28)), 28u);
}

TEST(MdnsMessageTest, ReadsAddressesOfBothFamilies) {
  const auto message = Builder()
                           .Header(kResponse, 0, 2)
                           .Label("HOST")
                           .Label("Local")
                           .Root()
                           .Record(1, 0x8001, 120, kV4)
                           .Pointer(12)
                           .Record(28, 1, 120, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
                           .out();
  const auto parsed = ParseMdnsResponse(message);
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ((*parsed)[0].name, "host.local") << "RFC 6762 §16: letters match in either case";
  EXPECT_EQ((*parsed)[0].address, IpAddress::V4(192, 0, 2, 1));
  EXPECT_EQ((*parsed)[1].name, "host.local");
  EXPECT_EQ((*parsed)[1].address.ToString(), "2001:db8::1");
}

TEST(MdnsMessageTest, ReadsALegacyUnicastResponseThatRepeatsTheQuestion) {  // RFC 6762 §6.7
  const auto message = Builder()
                           .Header(kResponse, 1, 1)
                           .Label("host")
                           .Label("local")
                           .Root()
                           .Word(1)
                           .Word(1)
                           .Pointer(12)
                           .Record(1, 1, 10, kV4)
                           .out();
  ASSERT_TRUE(ParseMdnsResponse(message).has_value());
  EXPECT_EQ(ParseMdnsResponse(message)->size(), 1u);
}

TEST(MdnsMessageTest, ReadsAdditionalRecordsButNotAuthorities) {
  auto message = Builder().Header(kResponse, 0, 0, 1).Label("host").Label("local").Root().Record(1, 1, 10, kV4).out();
  EXPECT_EQ(ParseMdnsResponse(message)->size(), 1u);
  std::swap(message[9], message[11]);  // the same record as an authority
  EXPECT_EQ(ParseMdnsResponse(message)->size(), 0u);
}

TEST(MdnsMessageTest, PassesOverOtherRecordsGoodbyesAndOtherClasses) {
  const auto with = [](unsigned type, unsigned record_class, unsigned ttl, const Bytes& data) {
    return Builder().Header(kResponse, 0, 1).Label("h").Root().Record(type, record_class, ttl, data).out();
  };
  for (const auto& message : {with(16, 1, 120, {3, 'a', '=', 'b'}), with(1, 1, 0, kV4), with(1, 3, 120, kV4),
                              with(1, 1, 120, {1, 2, 3}), with(28, 1, 120, kV4)}) {
    const auto parsed = ParseMdnsResponse(message);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_TRUE(parsed->empty());
  }
}

TEST(MdnsMessageTest, RejectsEveryTruncation) {
  const auto message = SimpleResponse();
  ASSERT_TRUE(ParseMdnsResponse(message).has_value());
  for (size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(ParseMdnsResponse(std::span(message).first(length)).has_value()) << length;
  }
}

TEST(MdnsMessageTest, RejectsBadLength) {
  auto message = SimpleResponse();
  message.push_back(0);
  EXPECT_EQ(ErrorOf(message), MdnsParseErrc::kMalformed) << "something follows the last record";
  message = SimpleResponse();
  message[7] = 200;
  EXPECT_EQ(ErrorOf(message), MdnsParseErrc::kMalformed) << "two hundred records that are not there";
  EXPECT_EQ(ErrorOf(Bytes(9001)), MdnsParseErrc::kTooLong);
}

TEST(MdnsMessageTest, RejectsQueriesErrorsAndOtherOperations) {  // RFC 6762 §18.2, §18.3, §18.11
  for (unsigned flags : {0x0000u, 0x8001u, 0x8800u, 0xF80Fu}) {
    const auto message = Builder().Header(flags, 0, 1).Label("h").Root().Record(1, 1, 10, kV4).out();
    EXPECT_EQ(ErrorOf(message), MdnsParseErrc::kNotAResponse) << flags;
  }
}

TEST(MdnsMessageTest, I16_RejectsPointersThatGoRoundForwardOrOutside) {
  for (unsigned target : {12u, 13u, 14u, 100u, 0x3FFFu}) {
    const auto message = Builder().Header(kResponse, 0, 1).Pointer(target).Record(1, 1, 10, kV4).out();
    EXPECT_EQ(ErrorOf(message), MdnsParseErrc::kMalformed) << target;
  }
  // Two names that point at each other.
  const auto circle = Builder()
                          .Header(kResponse, 0, 2)
                          .Label("a")
                          .Pointer(26)
                          .Record(1, 1, 10, kV4)
                          .Label("b")
                          .Pointer(12)
                          .Record(1, 1, 10, kV4)
                          .out();
  EXPECT_EQ(ErrorOf(circle), MdnsParseErrc::kMalformed);
}

TEST(MdnsMessageTest, I16_BoundsPointersLabelsAndNames) {
  Builder chain;
  chain.Header(kResponse, 0, 2).Label("x").Root().Word(16).Word(1).Word(0).Word(9).Word(60).Pointer(12);
  for (unsigned at = 25; chain.out().size() < 25 + 60; at += 2) chain.Pointer(at);
  chain.Pointer(83).Record(1, 1, 10, kV4);
  EXPECT_EQ(ErrorOf(chain.out()), MdnsParseErrc::kMalformed) << "thirty pointers in a row";

  EXPECT_EQ(ErrorOf(Builder().Header(kResponse, 0, 1).Octet(64).out()), MdnsParseErrc::kMalformed);
  EXPECT_EQ(ErrorOf(Builder().Header(kResponse, 0, 1).Octet(0x80).out()), MdnsParseErrc::kMalformed);
  Builder longest;
  longest.Header(kResponse, 0, 1);
  for (int i = 0; i < 5; ++i) longest.Label(std::string(60, 'l'));
  EXPECT_EQ(ErrorOf(longest.Root().Record(1, 1, 10, kV4).out()), MdnsParseErrc::kMalformed);
}

TEST(MdnsMessageTest, CannotBeFooledByADotInsideALabel) {
  const auto message = Builder().Header(kResponse, 0, 1).Label("host.local").Root().Record(1, 1, 10, kV4).out();
  const auto parsed = ParseMdnsResponse(message);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ((*parsed)[0].name, "host?local");
}

TEST(MdnsMessageTest, I16_SurvivesRandomDamage) {
  const auto message = SimpleResponse();
  size_t accepted = 0;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    Bytes damaged = message;
    for (uint64_t i = rng.Below(4) + 1; i > 0; --i) {
      damaged[rng.Below(damaged.size())] = static_cast<uint8_t>(rng.Below(256));
    }
    const auto parsed = ParseMdnsResponse(damaged);
    if (!parsed) continue;
    ++accepted;
    for (const auto& address : *parsed) EXPECT_LE(address.name.size(), 255u) << seed;
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, 20'000u);
}

}  // namespace
}  // namespace jsp::transport
