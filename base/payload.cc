#include "base/payload.h"

#include <new>
namespace jsp {

std::vector<uint8_t> Payload::IntoVector() && {
  std::vector<uint8_t> octets;
  if (data_ != nullptr && data_ == adopted_.data()) {
    octets = std::move(adopted_);
    octets.resize(size_);
  } else {
    octets.assign(begin(), end());
    if (data_ != nullptr) Free();
  }
  data_ = nullptr;
  size_ = capacity_ = 0;
  return octets;
}

void Payload::Move(size_t capacity) {
  capacity = BufferPool::RoundUp(capacity);
  auto* block = static_cast<uint8_t*>(pool_ != nullptr ? pool_->Take(capacity) : ::operator new(capacity));
  if (size_ > 0) std::memcpy(block, data_, size_);
  if (data_ != nullptr) Free();
  data_ = block;
  capacity_ = capacity;
}

void Payload::Free() {
  if (data_ == adopted_.data()) {
    adopted_ = std::vector<uint8_t>();
  } else if (pool_ != nullptr) {
    pool_->Give(data_, capacity_);
  } else {
    ::operator delete(data_);
  }
}

}  // namespace jsp
