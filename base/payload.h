#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer_pool.h"
namespace jsp {

// The octets of one message. Like std::vector<uint8_t>, but moved only, and its storage comes from where the owner
// likes: from a BufferPool, to which it returns; from the heap; or it is a std::vector that was moved in, without a
// copy. It converts to std::span as a vector does.
//
// A payload of a pool belongs to the thread of that pool, as long as the pool is in use: elsewhere neither change nor
// destroy it. It may outlive the pool's owner. After Detach() it is plain memory that any thread may have; messages of
// the façade (jsp::Message) are detached when they are handed out.
class Payload {
 public:
  using value_type = uint8_t;
  using iterator = uint8_t*;
  using const_iterator = const uint8_t*;

  Payload() = default;
  // Empty; grows in `pool`.
  explicit Payload(const BufferPool& pool) : pool_(pool.control_) { ++pool_->payloads; }
  Payload(const BufferPool& pool, std::span<const uint8_t> octets) : Payload(pool) { append(octets); }
  // Takes the storage of the vector over.
  Payload(std::vector<uint8_t> octets)  // NOLINT: a vector is a payload
      : adopted_(std::move(octets)) {
    data_ = adopted_.data();
    size_ = capacity_ = adopted_.size();
  }
  // Copies to the heap.
  explicit Payload(std::span<const uint8_t> octets) { append(octets); }
  explicit Payload(std::string_view text) { append(AsOctets(text)); }
  Payload(std::initializer_list<uint8_t> octets) { append(std::span(octets.begin(), octets.size())); }
  template <std::contiguous_iterator It>
  requires(sizeof(std::iter_value_t<It>) == 1) Payload(It first, It last) {
    append(AsOctets({reinterpret_cast<const char*>(std::to_address(first)), static_cast<size_t>(last - first)}));
  }
  Payload(Payload&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)),
        pool_(std::exchange(other.pool_, nullptr)),
        adopted_(std::move(other.adopted_)) {}
  Payload& operator=(Payload&& other) noexcept {
    if (this == &other) return *this;
    Release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    pool_ = std::exchange(other.pool_, nullptr);
    adopted_ = std::move(other.adopted_);
    return *this;
  }
  ~Payload() { Release(); }
  // On the heap.
  Payload Clone() const { return Payload(std::span<const uint8_t>(*this)); }
  // Leaves the pool, without a copy: from here on it is memory of the heap, for any thread.
  void Detach() {
    if (pool_ != nullptr) std::exchange(pool_, nullptr)->ForgetPayload();
  }
  // Without a copy when it was one before and has its size.
  std::vector<uint8_t> IntoVector() &&;

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  iterator begin() { return data_; }
  iterator end() { return data_ + size_; }
  const_iterator begin() const { return data_; }
  const_iterator end() const { return data_ + size_; }
  uint8_t& operator[](size_t index) { return data_[index]; }
  uint8_t operator[](size_t index) const { return data_[index]; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  void reserve(size_t capacity) {
    if (capacity > capacity_) Move(capacity);
  }
  // New octets are 0.
  void resize(size_t size) {
    reserve(size);
    if (size > size_) std::memset(data_ + size_, 0, size - size_);
    size_ = size;
  }
  // Grows to at least twice its storage, so that appending costs O(1) an octet. `octets` are not of this payload.
  void append(std::span<const uint8_t> octets) {
    if (octets.empty()) return;
    if (octets.size() > capacity_ - size_) Move(std::max(size_ + octets.size(), capacity_ * 2));
    std::memcpy(data_ + size_, octets.data(), octets.size());
    size_ += octets.size();
  }
  void assign(size_t size, uint8_t octet) {
    reserve(size);
    size_ = size;
    std::ranges::fill(*this, octet);
  }
  void push_back(uint8_t octet) { append({&octet, 1}); }
  // Keeps the storage.
  void clear() { size_ = 0; }

  template <std::ranges::contiguous_range Octets>
  requires std::same_as<std::ranges::range_value_t<Octets>, uint8_t>
  bool operator==(const Octets& other) const { return std::ranges::equal(*this, other); }

 private:
  static std::span<const uint8_t> AsOctets(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  }
  void Move(size_t capacity);
  void Free();
  void Release() {
    if (data_ != nullptr) Free();
    if (pool_ != nullptr) pool_->ForgetPayload();
  }

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  BufferPool::Control* pool_ = nullptr;
  std::vector<uint8_t> adopted_;  // then data_ is its
};

}  // namespace jsp
