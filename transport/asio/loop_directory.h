#pragma once
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/socket_address.h"
#include "stun/transaction_id.h"
namespace jsp::transport::io {

// Who holds a key, one of several loops. In shards, so that loops seldom wait for each other. From any thread.
template <class Key, class Hash>
class SharedTable {
 public:
  // Takes it for `loop` where nobody has it; returns who has it then.
  template <class View>
  size_t Claim(const View& key, size_t loop) {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.holders.find(key);
    if (found != shard.holders.end()) return found->second;
    shard.holders.try_emplace(Key(key), static_cast<uint16_t>(loop));
    return loop;
  }
  template <class View>
  void Release(const View& key, size_t loop) {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.holders.find(key);
    if (found != shard.holders.end() && found->second == loop) shard.holders.erase(found);
  }
  template <class View>
  std::optional<size_t> Find(const View& key) const {
    const Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.holders.find(key);
    return found == shard.holders.end() ? std::nullopt : std::optional<size_t>(found->second);
  }
  void ReleaseAll(size_t loop) {
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      boost::unordered::erase_if(shard.holders, [&](const auto& entry) { return entry.second == loop; });
    }
  }
  size_t size() const {
    size_t sum = 0;
    for (const Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      sum += shard.holders.size();
    }
    return sum;
  }

 private:
  static constexpr size_t kShards = 16;
  struct alignas(64) Shard {  // a cache line, so that neighbours' locks do not disturb it
    mutable std::mutex mutex;
    boost::unordered_flat_map<Key, uint16_t, Hash, std::equal_to<>> holders;
  };
  // Bits that the table itself uses least.
  template <class View>
  static size_t IndexOf(const View& key) {
    return (Hash()(key) * 0x9e3779b97f4a7c15 >> 32) % kShards;  // 2^64 / golden ratio
  }
  template <class View>
  Shard& ShardOf(const View& key) {
    return shards_[IndexOf(key)];
  }
  template <class View>
  const Shard& ShardOf(const View& key) const {
    return shards_[IndexOf(key)];
  }

  std::array<Shard, kShards> shards_;
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// A local socket and a remote address.
struct LoopRoute {
  SocketAddress local;
  SocketAddress remote;
  bool operator==(const LoopRoute&) const = default;
};
struct LoopRouteHash {
  size_t operator()(const LoopRoute& route) const { return HashValue(route.remote) * 31 + HashValue(route.local); }
};

// Which loop of a group has the peer of a datagram: by the ufrag of a request, the transaction of a response, or the
// addresses. As much as the loops themselves hold, within their limits; what arrives adds nothing. A loop asks only for
// what it does not know itself, and enters what it learns once: no datagram of a peer on its own loop comes here.
struct LoopDirectory {
  SharedTable<std::string, TextHash> ufrags;
  SharedTable<stun::TransactionId, std::hash<stun::TransactionId>> requests;
  SharedTable<LoopRoute, LoopRouteHash> routes;

  void ReleaseAll(size_t loop) {
    ufrags.ReleaseAll(loop);
    requests.ReleaseAll(loop);
    routes.ReleaseAll(loop);
  }
  size_t size() const { return ufrags.size() + requests.size() + routes.size(); }
};

}  // namespace jsp::transport::io
