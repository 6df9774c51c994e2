#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/socket_address.h"
namespace jsp::transport {

// Datagrams from an address that authenticated itself but whose own check has not succeeded yet: a ClientHello often
// comes one round trip before (ATTACKS I4). Bounded; the oldest stay.
class EarlyDatagrams {
 public:
  explicit EarlyDatagrams(size_t limit) : limit_(limit) {}

  // False when it was full.
  bool Keep(const SocketAddress& local, const SocketAddress& remote, std::span<const uint8_t> datagram) {
    if (kept_.size() >= limit_) return false;
    kept_.push_back({local, remote, {datagram.begin(), datagram.end()}});
    return true;
  }
  bool empty() const { return kept_.empty(); }
  // Hands over, in order of arrival, those for which may(local, remote) is true; the others stay.
  template <class May, class Take>
  void Release(May&& may, Take&& take) {
    for (auto& entry : std::exchange(kept_, {})) {
      if (may(entry.local, entry.remote)) {
        take(std::span<const uint8_t>(entry.bytes));
      } else {
        kept_.push_back(std::move(entry));
      }
    }
  }
  void Clear() { kept_.clear(); }

 private:
  struct Entry {
    SocketAddress local;
    SocketAddress remote;
    std::vector<uint8_t> bytes;
  };
  size_t limit_;
  std::vector<Entry> kept_;
};

}  // namespace jsp::transport
