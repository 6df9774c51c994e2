#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <type_traits>
#include <utility>
namespace jsp {

// Memory that one loop takes and gives back all the time: blocks in size classes, two to each power of two, that are
// kept for the next taker. This class is a handle; copies of it share one pool. Payload and PoolAllocator take from it.
//
// Bounded: at most kMaxKept octets wait for a taker, a class that is in use drives out others, and Trim() gives all of
// it back (the owner calls it when it is idle). When the last handle is gone so is what was kept; blocks that are still
// out then go straight back to the heap, and the control block goes with the last of them.
//
// One thread: no locks, no atomics. Everything that was taken must come back on the thread that drives the owner, or
// when nobody uses the pool any more. Payload::Detach() lets a payload leave it, to go anywhere.
class BufferPool {
 public:
  static constexpr size_t kSmallest = 64;
  static constexpr size_t kLargest = 256 * 1024;  // the largest message by default; beyond it the heap is used as it is
  static constexpr size_t kMaxKept = 2 * 1024 * 1024;

  BufferPool() : control_(new Control) { ++control_->handles; }
  BufferPool(const BufferPool& other) : control_(other.control_) { ++control_->handles; }
  BufferPool& operator=(const BufferPool& other) {
    BufferPool copy(other);
    std::swap(control_, copy.control_);
    return *this;
  }
  ~BufferPool() {
    if (--control_->handles == 0) control_->Close();
  }

  // Octets that a block for `size` octets has.
  static constexpr size_t RoundUp(size_t size) {
    if (size <= kSmallest) return kSmallest;
    if (size > kLargest) return size;
    const size_t power = std::bit_ceil(size);
    const size_t middle = power - power / 4;
    return size <= middle ? middle : power;
  }
  // A block of RoundUp(size) octets, aligned as operator new does.
  void* Take(size_t size) { return control_->Take(size); }
  // `size` is one that rounds up to the same block.
  void Give(void* block, size_t size) { control_->Give(block, size); }

  // Gives back what is kept.
  void Trim() { control_->Trim(); }
  size_t kept_octets() const { return control_->kept; }
  bool operator==(const BufferPool&) const = default;

 private:
  friend class Payload;
  // A block that waits: its first octets name the next one.
  struct Waiting {
    Waiting* next;
  };
  static constexpr size_t ClassOf(size_t size) {
    if (size <= kSmallest) return 0;
    const size_t power = std::bit_ceil(size);
    const auto octaves = static_cast<size_t>(std::countr_zero(power) - std::countr_zero(kSmallest));
    return size <= power - power / 4 ? octaves * 2 - 1 : octaves * 2;
  }
  static constexpr size_t SizeOf(size_t index) {
    const size_t power = kSmallest << (index + 1) / 2;
    return index % 2 == 0 ? power : power - power / 4;
  }
  static constexpr size_t kClasses = (std::countr_zero(kLargest) - std::countr_zero(kSmallest)) * 2 + 1;

  // What handles and payloads share.
  struct Control {
    void* Take(size_t size);
    void Give(void* block, size_t size);
    void Trim();
    void Close();           // the last handle is gone
    void ForgetPayload() {  // one left
      if (--payloads == 0 && handles == 0) delete this;
    }
    bool MakeRoom(size_t index);
    void DropFirst(size_t index);

    size_t handles = 0;
    size_t payloads = 0;
    size_t kept = 0;
    std::array<Waiting*, kClasses> waiting{};
  };

  Control* control_;
};

// Lets containers take their nodes from a pool. No node may leave its container and come back by insert(node): until
// libstdc++ 13.3 that never ends the node's copy of the allocator (GCC bug 114401), and the pool would stay for ever.
template <class T>
class PoolAllocator {
 public:
  using value_type = T;
  using propagate_on_container_copy_assignment = std::true_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  explicit PoolAllocator(const BufferPool& pool) : pool_(pool) {}
  template <class U>
  PoolAllocator(const PoolAllocator<U>& other) : pool_(other.pool()) {}

  T* allocate(size_t count) { return static_cast<T*>(pool_.Take(count * sizeof(T))); }
  void deallocate(T* block, size_t count) { pool_.Give(block, count * sizeof(T)); }
  const BufferPool& pool() const { return pool_; }
  template <class U>
  bool operator==(const PoolAllocator<U>& other) const {
    return pool_ == other.pool();
  }

 private:
  BufferPool pool_;
};

template <class Key, class T>
using PoolMap = std::map<Key, T, std::less<Key>, PoolAllocator<std::pair<const Key, T>>>;
template <class T>
using PoolList = std::list<T, PoolAllocator<T>>;

}  // namespace jsp
