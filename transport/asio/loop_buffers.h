#pragma once
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>
namespace jsp::transport::io {

// The large buffers that a socket needs while it reads and a driver while it sends, lent for one call or one flush: all
// drivers and sockets of an execution context share as many as are in use at a time, which with one thread is one of
// each. Owned by the context, as a service of it. May be asked from several threads.
class LoopBuffers : public boost::asio::execution_context::service {
 public:
  enum class Kind : uint8_t { kReceive, kSend };
  static constexpr size_t kReceiveOctets = size_t{16} * 65536;
  static constexpr size_t kSendOctets = size_t{192} * 1024;

  // A buffer, not initialised, until this dies.
  class Lease {
   public:
    Lease() = default;
    Lease(LoopBuffers& from, Kind kind) : from_(&from), kind_(kind), block_(from.Take(kind)) {}
    Lease(Lease&& other) noexcept : from_(other.from_), kind_(other.kind_), block_(std::move(other.block_)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(from_, other.from_);
      std::swap(kind_, other.kind_);
      std::swap(block_, other.block_);
      return *this;
    }
    ~Lease() {
      if (block_) from_->Give(kind_, std::move(block_));
    }
    uint8_t* data() const { return block_.get(); }
    explicit operator bool() const { return block_ != nullptr; }

   private:
    LoopBuffers* from_ = nullptr;
    Kind kind_ = Kind::kReceive;
    std::unique_ptr<uint8_t[]> block_;
  };

  using key_type = LoopBuffers;  // Asio finds the service by its type
  explicit LoopBuffers(boost::asio::execution_context& context);
  // Of the context that `executor` runs on; made when it is not there.
  static LoopBuffers& Of(const boost::asio::any_io_executor& executor);

 private:
  static constexpr size_t kMaxKept = 2;  // of each kind, that nobody uses
  using Blocks = std::vector<std::unique_ptr<uint8_t[]>>;

  void shutdown() override {}
  std::unique_ptr<uint8_t[]> Take(Kind kind);
  void Give(Kind kind, std::unique_ptr<uint8_t[]> block);

  std::mutex mutex_;
  std::array<Blocks, 2> kept_;
};

}  // namespace jsp::transport::io
