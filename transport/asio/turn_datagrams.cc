#include "transport/asio/turn_datagrams.h"

#include <algorithm>
#include <array>
#include <utility>

#include "transport/asio/turn_server_core.h"
namespace jsp::transport::io {
namespace {

// Batches read of one listener before others get their turn: it stands for all clients, a relay for one.
constexpr int kListenerBatches = 4;
// Of a relay's error queue, in one turn.
constexpr int kMaxErrors = 16;

// In a ReadySet: a listener by its number, a relay by its handle.
constexpr uint64_t kRelayTag = uint64_t{1} << 63;
uint64_t TagOf(turn::ListenerId id) { return id.value; }
uint64_t TagOf(turn::RelayHandle handle) { return kRelayTag | uint64_t{handle.index} << 32 | handle.generation; }
turn::RelayHandle HandleOf(uint64_t tag) {
  return {static_cast<uint32_t>((tag & ~kRelayTag) >> 32), static_cast<uint32_t>(tag)};
}

}  // namespace

bool TurnDatagrams::AddListener(turn::ListenerId id, std::unique_ptr<TrainSocket> socket) {
  if (listeners_.size() <= id.value) listeners_.resize(id.value + size_t{1});
  listeners_[id.value] = std::move(socket);
  return ready_.Add(listeners_[id.value]->descriptor(), TagOf(id));
}

TurnDatagrams::Relay* TurnDatagrams::Find(turn::RelayHandle handle) {
  if (handle.index >= relays_.size() || relays_[handle.index].handle != handle) return nullptr;
  return &relays_[handle.index];
}

void TurnDatagrams::Read(Timestamp now) {
  for (const ReadySet::Ready& ready : ready_.Poll()) {
    if ((ready.tag & kRelayTag) == 0) {
      ReadListener(now, ready.tag);
    } else if (const Relay* relay = Find(HandleOf(ready.tag))) {
      if (ready.has_error) ReadErrors(now, *relay);
      HandleReadable(now, *relay);
    }
  }
}

void TurnDatagrams::ReadListener(Timestamp now, size_t index) {
  for (int i = 0; i < kListenerBatches; ++i) {
    const auto batch = io_.Receive(*listeners_[index]);
    const turn::ListenerId id{static_cast<uint16_t>(index)};
    for (const auto& [remote, train] : batch) FeedListener(now, {remote, id}, train);
    if (batch.size() < TrainIo::kMinReceive) return;  // there is no more
  }
}

void TurnDatagrams::FeedListener(Timestamp now, const turn::ClientPath& path, const turn::Train& train) {
  if (const auto worker = core_.handover.WorkerOf(path)) return core_.handover.Send(*worker, path, train);
  const auto take_binding = [&](std::span<const uint8_t> datagram) {
    core_.binding.HandleDatagram(now, listeners_[path.listener.value]->local(), path.client, datagram);
    AnswerBindings(now);
  };
  FeedFromClient(now, path, train, take_binding, [&](turn::WorkerIndex worker, std::span<const uint8_t> datagram) {
    core_.handover.Send(worker, path, {datagram, 0});
  });
}

turn::Server::FromClient TurnDatagrams::FeedRun(Timestamp now, const turn::ClientPath& path, const turn::Train& train) {
  const auto run = core_.server.HandleFromClient(now, path, train, io_.room());
  if (!run.to_peer) return run;
  if (Relay* relay = Find(run.to_peer->relay)) {
    (void)Use(*relay);  // the first datagram may come with the permission, before ReadRelay()
    using enum TrainIo::Fragmenting;
    io_.Append(*relay->socket, run.to_peer->peer, run.segments, run.to_peer->dont_fragment ? kForbidden : kAllowed);
  }
  return run;
}

// RFC 5780 §6.1: an answer may leave from another listener than the request came to.
void TurnDatagrams::AnswerBindings(Timestamp now) {
  std::array<uint8_t, TrainIo::kMaxCopy> out;
  while (const auto answer = core_.binding.PollTransmit(now, out)) {
    const auto is_from = [&](const auto& listener) { return listener && listener->local() == answer->local; };
    const auto from = std::ranges::find_if(listeners_, is_from);
    if (from != listeners_.end()) io_.AppendCopy(**from, answer->remote, std::span(out).first(answer->size));
  }
}

void TurnDatagrams::HandleReadable(Timestamp now, const Relay& relay) {
  for (const auto& received : io_.Receive(*relay.socket)) FeedFromPeer(now, relay.handle, received);
}

void TurnDatagrams::FeedFromPeer(Timestamp now, turn::RelayHandle handle, const TrainIo::Received& received) {
  turn::Train train = received.train;
  while (true) {
    const auto room = io_.room();
    const auto run = core_.server.HandleFromPeer(now, handle, received.remote, train, room);
    if (run.to_client) SendSegments(*run.to_client, room.first(run.segments));
    if (run.consumed >= train.octets.size()) return;
    train.octets = train.octets.subspan(run.consumed);
  }
}

// `segments` are the first of io_.room().
void TurnDatagrams::SendSegments(const turn::ClientPath& path, std::span<const turn::Segment> segments) {
  const size_t index = path.listener.value;
  if (index < listeners_.size() && listeners_[index]) {
    io_.Append(*listeners_[index], path.client, segments.size(), TrainIo::Fragmenting::kAllowed);
  } else if (const auto stream = core_.streams.Find(path)) {
    stream->SendSegments(segments);
  }
}

void TurnDatagrams::ReadErrors(Timestamp now, const Relay& relay) {
  for (int i = 0; i < kMaxErrors; ++i) {
    const auto error = relay.socket->ReceiveError();
    if (!error) return;
    ++core_.stats.network_errors;
    core_.server.HandleIcmp(now, relay.handle, error->remote, error->icmp);
  }
}

void TurnDatagrams::OpenRelay(Timestamp now, const turn::Server::OpenRelay& open) {
  auto opened = TrainSocket::Open(core_.BoundAddressOf(open.address), RelayOptions(), OpenFor::kPort);
  if (!opened) {
    ++core_.stats.relays_failed;
    return core_.server.HandleRelayFailed(now, open.relay);
  }
  if (relays_.size() <= open.relay.index) relays_.resize(open.relay.index + size_t{1});
  relays_[open.relay.index] = {open.relay, std::move(*opened)};
  ++relays_open_;
  core_.server.HandleRelayOpened(now, open.relay);
}

TrainSocketOptions TurnDatagrams::RelayOptions() const {
  return {.buffer_bytes = core_.options.socket_buffer,
          .segmentation = core_.options.segmentation ? Segmentation::kKernel : Segmentation::kNone,
          .errors = ErrorQueue::kRead};
}

// False: the system refused to wait for it.
bool TurnDatagrams::Use(Relay& relay) {
  if (relay.is_read) return true;
  relay.socket->Use(RelayOptions());
  relay.is_read = ready_.Add(relay.socket->descriptor(), TagOf(relay.handle));
  return relay.is_read;
}

void TurnDatagrams::ReadRelay(Timestamp now, turn::RelayHandle handle) {
  Relay* relay = Find(handle);
  if (relay == nullptr || Use(*relay)) return;
  ++core_.stats.relays_failed;
  core_.server.HandleRelayFailed(now, handle);
}

void TurnDatagrams::CloseRelay(turn::RelayHandle handle) {
  Relay* relay = Find(handle);
  if (relay == nullptr) return;
  if (io_.IsQueued(*relay->socket)) io_.Flush();  // what was sent before the end still leaves
  *relay = {};
  --relays_open_;
}

void TurnDatagrams::SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message) {
  io_.AppendCopy(*listeners_[path.listener.value], path.client, message);
}

}  // namespace jsp::transport::io
