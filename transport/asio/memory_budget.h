#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "transport/memory_share.h"
namespace jsp::transport::io {

// Octets that all connections of a process, or of a part of it, may hold together; one that has no room refuses new
// connections, channels and messages, and data that comes (docs/transport.md#memory). Shared by as many drivers and
// threads as there are.
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t limit) : limit_(limit) {}
  static MemorySource SourceOf(std::shared_ptr<MemoryBudget> budget);

  bool Take(size_t octets);
  void Give(size_t octets) { used_.fetch_sub(octets, std::memory_order_relaxed); }
  size_t limit() const { return limit_; }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  size_t limit_;
  std::atomic<size_t> used_{0};
  std::atomic<uint64_t> refusals_{0};
};

}  // namespace jsp::transport::io
