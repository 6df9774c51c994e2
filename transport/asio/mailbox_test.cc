#include "transport/asio/mailbox.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <set>
namespace jsp::transport::io {
namespace {

struct Letter {
  int number = 0;
  size_t size = 0;
};
struct Reader {
  void ReadMail() { ++calls; }
  size_t calls = 0;
};
using Box = Mailbox<Letter, Reader>;

class MailboxTest : public ::testing::Test {
 protected:
  boost::asio::io_context io_;
  std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
  Box box_{{.letters = 4, .octets = 10}};
  const std::vector<uint8_t> octets_ = {1, 2, 3, 4};
};

TEST_F(MailboxTest, AReaderIsCalledOnceForAllThatWaits) {
  box_.Open(io_.get_executor(), reader_);
  EXPECT_EQ(box_.Send({1, 4}, octets_), Box::Delivery::kSent);
  EXPECT_EQ(box_.Send({2, 2}, std::span(octets_).first(2)), Box::Delivery::kSent);
  io_.poll();
  EXPECT_EQ(reader_->calls, 1u);
  Box::Mail mail;
  box_.Take(mail);
  ASSERT_EQ(mail.letters.size(), 2u);
  EXPECT_EQ(mail.letters[1].number, 2);
  EXPECT_EQ(mail.octets, (std::vector<uint8_t>{1, 2, 3, 4, 1, 2}));
  EXPECT_EQ(box_.Send({3, 0}), Box::Delivery::kSent);
  io_.restart();
  io_.poll();
  EXPECT_EQ(reader_->calls, 2u);
  box_.Take(mail);
  EXPECT_EQ(mail.letters.size(), 1u);
  EXPECT_TRUE(mail.octets.empty());
}

TEST_F(MailboxTest, TooManyLettersOrOctetsAreRefused) {
  box_.Open(io_.get_executor(), reader_);
  EXPECT_EQ(box_.Send({1, 4}, octets_), Box::Delivery::kSent);
  EXPECT_EQ(box_.Send({2, 4}, octets_), Box::Delivery::kSent);
  EXPECT_EQ(box_.Send({3, 4}, octets_), Box::Delivery::kFull);
  EXPECT_EQ(box_.Send({4, 0}), Box::Delivery::kSent);
  EXPECT_EQ(box_.Send({5, 0}), Box::Delivery::kSent);
  EXPECT_EQ(box_.Send({6, 0}), Box::Delivery::kFull);
  Box::Mail mail;
  box_.Take(mail);
  EXPECT_EQ(mail.letters.size(), 4u);
  EXPECT_EQ(box_.Send({7, 4}, octets_), Box::Delivery::kSent);
}

TEST_F(MailboxTest, WhatOneWriterSendsIsTakenTogetherAsFarAsThereIsRoom) {
  box_.Open(io_.get_executor(), reader_);
  {
    Box::Writer writer(box_);
    EXPECT_EQ(writer.Send({1, 4}, octets_), Box::Delivery::kSent);
    EXPECT_EQ(writer.Send({2, 4}, octets_), Box::Delivery::kSent);
    EXPECT_EQ(writer.Send({3, 4}, octets_), Box::Delivery::kFull);
    EXPECT_EQ(writer.Send({4, 2}, std::span(octets_).first(2)), Box::Delivery::kSent);
  }
  io_.poll();
  EXPECT_EQ(reader_->calls, 1u);
  Box::Mail mail;
  box_.Take(mail);
  ASSERT_EQ(mail.letters.size(), 3u);
  EXPECT_EQ(mail.letters[2].number, 4);
  EXPECT_EQ(mail.octets, (std::vector<uint8_t>{1, 2, 3, 4, 1, 2, 3, 4, 1, 2}));
  EXPECT_EQ(mail.size(), 3 * sizeof(Letter) + 10);
}

TEST_F(MailboxTest, TwoMailsAreAllTheRoomThatASteadyStateTakes) {
  box_.Open(io_.get_executor(), reader_);
  Box::Mail mail;
  std::set<const uint8_t*> rooms;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(box_.Send({i, 4}, octets_), Box::Delivery::kSent);
    EXPECT_EQ(box_.Send({i, 4}, octets_), Box::Delivery::kSent);
    box_.Take(mail);
    if (i >= 2) rooms.insert(mail.octets.data());
  }
  EXPECT_EQ(rooms.size(), 2u);
}

TEST_F(MailboxTest, GivesBackRoomThatNoLetterWaitsIn) {
  box_.Open(io_.get_executor(), reader_);
  EXPECT_EQ(box_.Send({1, 4}, octets_), Box::Delivery::kSent);
  box_.Trim();
  Box::Mail mail;
  box_.Take(mail);
  EXPECT_EQ(mail.octets, octets_) << "it waited";
  EXPECT_EQ(mail.letters.size(), 1u);
  box_.Take(mail);  // in exchange for the room
  EXPECT_GT(box_.room(), 0u);
  box_.Trim();
  EXPECT_EQ(box_.room(), 0u);
  EXPECT_EQ(box_.Send({2, 4}, octets_), Box::Delivery::kSent);
}

TEST(MailRestTest, WhatARushTookIsGivenBackWhenNothingNeedsItForAWhile) {
  const auto at = [](int milliseconds) { return Timestamp::FromEpoch(std::chrono::milliseconds(milliseconds)); };
  constexpr size_t kSmall = 1000, kLarge = 1'000'000;
  MailRest rest;
  rest.HandleMail(at(0), kSmall, kSmall);
  EXPECT_EQ(rest.NextTimeout(), Timestamp::Never());
  rest.HandleMail(at(100), kLarge, kLarge);
  EXPECT_EQ(rest.NextTimeout(), at(1100));
  rest.HandleMail(at(600), kLarge, kLarge);  // it is needed
  rest.HandleMail(at(900), kSmall, kLarge);
  EXPECT_FALSE(rest.PopDue(at(1599)));
  EXPECT_TRUE(rest.PopDue(at(1600)));
  EXPECT_FALSE(rest.PopDue(at(1600))) << "once";
  rest.HandleMail(at(1700), kSmall, kLarge);  // letters that waited kept it from being given back
  EXPECT_EQ(rest.NextTimeout(), at(2700));
  rest.HandleMail(at(1800), kSmall, kLarge);
  EXPECT_TRUE(rest.PopDue(at(2700)));
}

TEST_F(MailboxTest, NobodyIsWrittenToBeforeOpenAndAfterClose) {
  EXPECT_EQ(box_.Send({1, 0}), Box::Delivery::kClosed);
  box_.Open(io_.get_executor(), reader_);
  EXPECT_EQ(box_.Send({1, 0}), Box::Delivery::kSent);
  box_.Close();
  EXPECT_EQ(box_.Send({1, 0}), Box::Delivery::kClosed);
  reader_.reset();
  io_.poll();  // what was announced finds nobody
  Box::Mail mail;
  box_.Take(mail);
  EXPECT_TRUE(mail.letters.empty());
}

}  // namespace
}  // namespace jsp::transport::io
