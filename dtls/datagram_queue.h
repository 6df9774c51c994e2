#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>
namespace jsp::dtls {

// FIFO of datagrams, bounded in number and in octets. Its slots keep their storage when they are reused, so a steady
// state allocates nothing; the slots come into being with the first datagram.
class DatagramQueue {
 public:
  struct Limits {
    size_t datagrams;
    size_t octets;
  };
  explicit DatagramQueue(Limits limits) : limits_(limits) {}

  // Copies. False when a limit is reached: the datagram is not kept.
  [[nodiscard]] bool Push(std::span<const uint8_t> datagram);
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  // Valid until the next call of anything but an accessor; not empty.
  std::span<const uint8_t> front() const { return slots_[head_]; }
  void Pop();
  void Clear();
  // Clear(), and gives the storage back.
  void Release();

 private:
  Limits limits_;
  std::vector<std::vector<uint8_t>> slots_;
  size_t head_ = 0;
  size_t count_ = 0;
  size_t octets_ = 0;
};

}  // namespace jsp::dtls
