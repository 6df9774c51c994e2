#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
namespace jsp::transport::io {

// Letters from other threads to one that runs an executor. Reader::ReadMail() is called there, once for all letters
// that come until they are taken. Bounded: a reader that is slower than those who write to it loses what is too much.
// Owns no reader, and none is kept alive.
template <class Letter, class Reader>
class Mailbox {
 public:
  struct Limits {
    size_t letters = 0;
    size_t octets = 0;
  };
  struct Mail {
    std::vector<Letter> letters;
    std::vector<uint8_t> octets;  // of all of them, one behind the other; each letter knows how many are its own
    void Clear() {
      letters.clear();
      octets.clear();
    }
    size_t size() const { return letters.size() * sizeof(Letter) + octets.size(); }  // in octets
    size_t room() const { return letters.capacity() * sizeof(Letter) + octets.capacity(); }
  };
  enum class Delivery : uint8_t { kSent, kFull, kClosed };

  explicit Mailbox(const Limits& limits) : limits_(limits) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // From any thread, all of them. Nothing is delivered before Open, nor after Close; `executor` is not used after it.
  void Open(boost::asio::any_io_executor executor, std::weak_ptr<Reader> reader) {
    const std::lock_guard lock(mutex_);
    executor_ = std::move(executor);
    reader_ = std::move(reader);
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    executor_.reset();
    reader_.reset();
    mail_.Clear();
  }
  Delivery Send(Letter letter, std::span<const uint8_t> octets = {}) {
    return Writer(*this).Send(std::move(letter), octets);
  }
  // For several letters, which nobody takes nor comes between while it lives.
  class Writer {
   public:
    explicit Writer(Mailbox& box) : box_(box), lock_(box.mutex_) {}
    Delivery Send(Letter letter, std::span<const uint8_t> octets = {}) { return box_.Put(std::move(letter), octets); }

   private:
    Mailbox& box_;
    std::lock_guard<std::mutex> lock_;
  };
  // What waits, in exchange for an empty one: both keep their room.
  void Take(Mail& mail) {
    mail.Clear();
    const std::lock_guard lock(mutex_);
    std::swap(mail_, mail);
  }
  // Gives the room back that is kept for letters, unless some wait.
  void Trim() {
    const std::lock_guard lock(mutex_);
    if (mail_.letters.empty()) mail_ = {};
  }
  size_t room() const {  // octets
    const std::lock_guard lock(mutex_);
    return mail_.room();
  }

 private:
  Delivery Put(Letter letter, std::span<const uint8_t> octets) {
    if (!executor_) return Delivery::kClosed;
    if (mail_.letters.size() >= limits_.letters || mail_.octets.size() + octets.size() > limits_.octets) {
      return Delivery::kFull;
    }
    if (mail_.letters.empty()) Announce();
    mail_.letters.push_back(std::move(letter));
    mail_.octets.insert(mail_.octets.end(), octets.begin(), octets.end());
    return Delivery::kSent;
  }
  void Announce() {
    boost::asio::post(*executor_, [weak = reader_] {
      if (const auto reader = weak.lock()) reader->ReadMail();
    });
  }

  const Limits limits_;
  mutable std::mutex mutex_;
  std::optional<boost::asio::any_io_executor> executor_;  // nullopt: closed
  std::weak_ptr<Reader> reader_;
  Mail mail_;
};

// When a reader gives back the room that a rush of letters took: once nothing has needed it for a while. Mail that is
// always that much keeps it, so that a steady state allocates nothing. Told the time.
class MailRest {
 public:
  static constexpr size_t kKept = size_t{64} * 1024;  // octets of a mail for which nothing is given back
  static constexpr Duration kAfter = std::chrono::seconds(1);

  // So many octets were taken at once, into so much room.
  void HandleMail(Timestamp now, size_t octets, size_t room) {
    const bool is_left_over = room > kKept && due_ == Timestamp::Never();
    if (octets > kKept || is_left_over) due_ = now + kAfter;
  }
  // Once: it is to be given back now.
  bool PopDue(Timestamp now) {
    if (now < due_) return false;
    due_ = Timestamp::Never();
    return true;
  }
  Timestamp NextTimeout() const { return due_; }

 private:
  Timestamp due_;
};

}  // namespace jsp::transport::io
