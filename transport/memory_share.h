#pragma once
#include <cstddef>
#include <memory>
namespace jsp::transport {

// Where the memory of many connections comes from, by count of octets: what `take` grants is given back. Both may be
// called from any thread. Empty: there is no limit.
struct MemorySource {
  std::shared_ptr<void> owner;
  bool (*take)(void* owner, size_t octets) = nullptr;
  void (*give)(void* owner, size_t octets) = nullptr;
  bool operator==(const MemorySource&) const = default;
};

// What one connection holds of its source. In steps, so that the source is asked rarely. Owned by the connection, which
// says how much it holds; gives all back when it dies.
class MemoryShare {
 public:
  static constexpr size_t kStep = size_t{16} * 1024;
  // More than that beyond what is needed is given back: a connection in use asks for it again at once.
  static constexpr size_t kSlack = size_t{256} * 1024;

  // `source` outlives this.
  explicit MemoryShare(const MemorySource& source) : source_(&source) {}
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;
  ~MemoryShare() {
    if (held_ > 0) source_->give(source_->owner.get(), held_);
  }

  bool is_limited() const { return source_->take != nullptr; }
  // False: the source has no room for so many octets in all. What was held before is held still.
  bool Cover(size_t octets) {
    if (!is_limited()) return true;
    const size_t wanted = (octets + kStep - 1) / kStep * kStep;
    if (wanted > held_) {
      if (!source_->take(source_->owner.get(), wanted - held_)) return false;
      held_ = wanted;
    } else if (held_ - wanted > kSlack) {
      source_->give(source_->owner.get(), held_ - wanted);
      held_ = wanted;
    }
    return true;
  }
  // The same, and all that is beyond it is given back: the connection rests.
  void Settle(size_t octets) {
    const size_t wanted = (octets + kStep - 1) / kStep * kStep;
    if (wanted >= held_) return;
    source_->give(source_->owner.get(), held_ - wanted);
    held_ = wanted;
  }
  size_t held() const { return held_; }

 private:
  const MemorySource* source_;
  size_t held_ = 0;
};

}  // namespace jsp::transport
