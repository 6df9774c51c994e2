#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "transport/asio/turn_workers.h"
#include "turn/server/server.h"
namespace jsp::transport::io {

struct TurnServerCore;
class TurnStream;

// What one worker has to do with the others: paths that it hands on, paths that it serves for others, and its mail.
// Part of a TurnServerCore, which calls it; does nothing where there is one worker.
class TurnHandover {
 public:
  // More paths are refused: as many as allocations, by default.
  static constexpr size_t kMaxPaths = 65536;
  explicit TurnHandover(TurnServerCore& core) : core_(core) {}

  void Start();
  void Stop();
  // Where datagrams of that path go, if not here.
  std::optional<turn::WorkerIndex> WorkerOf(const turn::ClientPath& path) const {
    if (away_.empty()) return std::nullopt;
    const auto found = away_.find(path);
    return found == away_.end() ? std::nullopt : std::optional(found->second);
  }
  // This train, and until that worker says otherwise all that follow it on its path.
  void Send(turn::WorkerIndex worker, const turn::ClientPath& path, const turn::Train& train);
  // The stream is that worker's from now on; `octets` were read of it and are not handled.
  void Send(turn::WorkerIndex worker, TurnStream& stream, std::span<const uint8_t> octets);
  void Read(Timestamp now);
  // Gives paths back that are not served any more.
  void Review();

 private:
  bool Serves(const turn::ClientPath& path) const;
  void ReturnUnserved(const turn::ClientPath& path);

  TurnServerCore& core_;
  TurnWorkers::Mail mail_;
  boost::unordered_flat_map<turn::ClientPath, turn::WorkerIndex, turn::ClientPathHash> away_;
  boost::unordered_flat_map<turn::ClientPath, turn::WorkerIndex, turn::ClientPathHash> guests_;  // from whom
};

}  // namespace jsp::transport::io
