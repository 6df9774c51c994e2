#include "transport/asio/turn_handover.h"

#include <utility>

#include "transport/asio/turn_server_core.h"
namespace jsp::transport::io {

using Kind = TurnWorkers::Letter::Kind;

void TurnHandover::Start() {
  if (core_.options.workers) {
    core_.options.workers->Join(core_.options.worker, core_.executor, core_.weak_from_this());
  }
}

void TurnHandover::Stop() {
  if (core_.options.workers) core_.options.workers->Leave(core_.options.worker);
}

void TurnHandover::Send(turn::WorkerIndex worker, const turn::ClientPath& path, const turn::Train& train) {
  const bool has_room = away_.size() < kMaxPaths || away_.contains(path);
  const TurnWorkers::Letter letter{Kind::kDatagrams, core_.options.worker, path, 0, train.segment_size};
  if (has_room && core_.options.workers->Send(worker, letter, train.octets)) {
    away_.insert_or_assign(path, worker);
  } else {
    ++core_.stats.handovers_dropped;
  }
}

void TurnHandover::Send(turn::WorkerIndex worker, TurnStream& stream, std::span<const uint8_t> octets) {
  MovingStream moving = core_.streams.Release(stream);
  moving.octets.assign(octets.begin(), octets.end());
  if (!core_.options.workers->Send(worker, std::move(moving))) ++core_.stats.handovers_dropped;
}

void TurnHandover::Read(Timestamp now) {
  core_.options.workers->Take(core_.options.worker, mail_);
  auto octets = std::span<const uint8_t>(mail_.trains.octets);
  for (const TurnWorkers::Letter& letter : mail_.trains.letters) {
    const auto train = octets.first(letter.size);
    octets = octets.subspan(letter.size);
    if (letter.kind == Kind::kDatagrams) {
      guests_.insert_or_assign(letter.path, letter.from);
      core_.datagrams.FeedListener(now, letter.path, {train, letter.segment_size});
    } else if (WorkerOf(letter.path) == letter.from) {
      away_.erase(letter.path);
    }
  }
  for (MovingStream& stream : mail_.streams.letters) core_.streams.Adopt(now, std::move(stream));
  core_.Drain(now);  // what was asked for is there now, or not
  for (const TurnWorkers::Letter& letter : mail_.trains.letters) ReturnUnserved(letter.path);
}

// A path that was handed on is served by whoever has it.
bool TurnHandover::Serves(const turn::ClientPath& path) const {
  return core_.server.IsServed(path) || WorkerOf(path).has_value();
}

void TurnHandover::ReturnUnserved(const turn::ClientPath& path) {
  const auto guest = guests_.find(path);
  if (guest == guests_.end() || Serves(path)) return;
  const TurnWorkers::Letter letter{Kind::kReturned, core_.options.worker, path, 0, 0};
  if (core_.options.workers->Send(guest->second, letter, {})) guests_.erase(guest);  // or it is tried again
}

void TurnHandover::Review() {
  std::vector<turn::ClientPath> paths;
  for (const auto& [path, from] : guests_) paths.push_back(path);
  for (const auto& path : paths) ReturnUnserved(path);
}

}  // namespace jsp::transport::io
