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
    const std::lock_guard lock(mutex_);
    if (!executor_) return Delivery::kClosed;
    if (mail_.letters.size() >= limits_.letters || mail_.octets.size() + octets.size() > limits_.octets) {
      return Delivery::kFull;
    }
    if (mail_.letters.empty()) Announce();
    mail_.letters.push_back(std::move(letter));
    mail_.octets.insert(mail_.octets.end(), octets.begin(), octets.end());
    return Delivery::kSent;
  }
  // What waits, in exchange for an empty one: both keep their room.
  void Take(Mail& mail) {
    mail.Clear();
    const std::lock_guard lock(mutex_);
    std::swap(mail_, mail);
  }

 private:
  void Announce() {
    boost::asio::post(*executor_, [weak = reader_] {
      if (const auto reader = weak.lock()) reader->ReadMail();
    });
  }

  const Limits limits_;
  std::mutex mutex_;
  std::optional<boost::asio::any_io_executor> executor_;  // nullopt: closed
  std::weak_ptr<Reader> reader_;
  Mail mail_;
};

}  // namespace jsp::transport::io
