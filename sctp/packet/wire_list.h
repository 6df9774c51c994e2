#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
namespace jsp::sctp {

// A read-only list of equal-sized items: either octets off the wire, decoded at each access, or the owner's own array.
// So one chunk struct serves Parse and Write, and neither copies nor allocates. What it views must outlive it.
template <class T>
class WireList {
 public:
  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    constexpr Iterator(const WireList* list, size_t index) : list_(list), index_(index) {}
    constexpr T operator*() const { return (*list_)[index_]; }
    constexpr Iterator& operator++() {
      ++index_;
      return *this;
    }
    constexpr Iterator operator++(int) {
      Iterator old = *this;
      ++index_;
      return old;
    }
    constexpr bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const WireList* list_ = nullptr;
    size_t index_ = 0;
  };

  constexpr WireList() = default;
  constexpr WireList(std::span<const T> items) : items_(items) {}  // NOLINT: a list is what a span of items is
  // `octets` must be a multiple of kItemSize; what is over is not in the list.
  static constexpr WireList FromWire(std::span<const uint8_t> octets) {
    WireList list;
    list.octets_ = octets;
    return list;
  }

  static constexpr size_t ItemSize() {
    if constexpr (kIsStruct) {
      return wire::kSize<T>;
    } else {
      return wire::Codec<T>::kSize;
    }
  }
  constexpr size_t size() const { return items_.empty() ? octets_.size() / ItemSize() : items_.size(); }
  constexpr bool empty() const { return size() == 0; }
  // `index` < size().
  constexpr T operator[](size_t index) const {
    if (!items_.empty()) return items_[index];
    const auto item = octets_.subspan(index * ItemSize(), ItemSize());
    if constexpr (kIsStruct) {
      return *wire::Read<T>(item);
    } else {
      return wire::Codec<T>::Load(item.data());
    }
  }
  constexpr Iterator begin() const { return {this, 0}; }
  constexpr Iterator end() const { return {this, size()}; }
  constexpr void Write(ByteWriter& writer) const {
    for (T item : *this) {
      if constexpr (kIsStruct) {
        writer.WriteStruct(item);
      } else {
        writer.Write(item);
      }
    }
  }

 private:
  static constexpr bool kIsStruct = requires { wire::Layout<T>::kFields; };

  std::span<const T> items_;
  std::span<const uint8_t> octets_;
};

}  // namespace jsp::sctp
