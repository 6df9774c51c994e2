#include "transport/asio/memory_budget.h"

#include <utility>
namespace jsp::transport::io {

MemorySource MemoryBudget::SourceOf(std::shared_ptr<MemoryBudget> budget) {
  return {.owner = std::move(budget),
          .take = [](void* owner, size_t octets) { return static_cast<MemoryBudget*>(owner)->Take(octets); },
          .give = [](void* owner, size_t octets) { static_cast<MemoryBudget*>(owner)->Give(octets); }};
}

bool MemoryBudget::Take(size_t octets) {
  size_t used = used_.load(std::memory_order_relaxed);
  while (octets <= limit_ && used <= limit_ - octets) {
    if (used_.compare_exchange_weak(used, used + octets, std::memory_order_relaxed)) return true;
  }
  refusals_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace jsp::transport::io
