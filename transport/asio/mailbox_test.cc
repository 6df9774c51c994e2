#include "transport/asio/mailbox.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
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
