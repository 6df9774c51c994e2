#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/time.h"
#include "transport/asio/ready_set.h"
#include "transport/asio/train_io.h"
#include "transport/asio/train_socket.h"
#include "turn/server/server.h"
namespace jsp::transport::io {

struct TurnServerCore;

// The UDP sockets of a TURN server: listeners and relays. Reads them, hands trains to the core, and queues what it
// forwards. Owns the sockets; part of a TurnServerCore, which calls it.
class TurnDatagrams {
 public:
  TurnDatagrams(TurnServerCore& core, ReadySet ready) : core_(core), ready_(std::move(ready)) {}

  // The listener of that number. False: the system refused to wait for it.
  [[nodiscard]] bool AddListener(turn::ListenerId id, std::unique_ptr<TrainSocket> socket);
  // handler(error_code), once: there is something to read.
  template <class Handler>
  void Wait(Handler&& handler) {
    ready_.Wait(std::forward<Handler>(handler));
  }
  // Reads what is ready, once around, and queues what came of it.
  void Read(Timestamp now);
  void Flush() { io_.Flush(); }

  // A UDP relay is wanted: the core hears of the result. It is not read before ReadRelay().
  void OpenRelay(Timestamp now, const turn::Server::OpenRelay& open);
  void ReadRelay(Timestamp now, turn::RelayHandle handle);
  void CloseRelay(turn::RelayHandle handle);
  // A train that came to a UDP listener, of this worker or of another one.
  void FeedListener(Timestamp now, const turn::ClientPath& path, const turn::Train& train);
  // A train of a client's, over UDP or a stream: data is forwarded, take_binding(datagram) called for what is
  // stun::Server's, and hand_over(worker, datagram) for what is another worker's. Returns whether there was anything
  // but data.
  template <class TakeBinding, class HandOver>
  bool FeedFromClient(Timestamp now, const turn::ClientPath& path, turn::Train train, TakeBinding&& take_binding,
                      HandOver&& hand_over) {
    bool any_message = false;
    while (true) {
      const auto run = FeedRun(now, path, train);
      any_message = any_message || !run.to_peer;
      if (run.is_binding) take_binding(train.octets.first(run.consumed));
      if (run.worker) hand_over(*run.worker, train.octets.first(run.consumed));
      if (run.consumed >= train.octets.size()) return any_message;
      train.octets = train.octets.subspan(run.consumed);
    }
  }
  // A message of the server's own.
  void SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message);

  const TrainIoStats& stats() const { return io_.stats(); }
  size_t relays() const { return relays_open_; }

 private:
  struct Relay {
    turn::RelayHandle handle;
    std::unique_ptr<TrainSocket> socket;
    bool is_read = false;
  };

  void ReadListener(Timestamp now, size_t index);
  void HandleReadable(Timestamp now, const Relay& relay);
  bool Use(Relay& relay);
  TrainSocketOptions RelayOptions() const;
  void ReadErrors(Timestamp now, const Relay& relay);
  turn::Server::FromClient FeedRun(Timestamp now, const turn::ClientPath& path, const turn::Train& train);
  void FeedFromPeer(Timestamp now, turn::RelayHandle handle, const TrainIo::Received& received);
  void SendSegments(const turn::ClientPath& path, std::span<const turn::Segment> segments);
  void AnswerBindings(Timestamp now);
  Relay* Find(turn::RelayHandle handle);

  TurnServerCore& core_;
  ReadySet ready_;
  TrainIo io_;
  std::vector<std::unique_ptr<TrainSocket>> listeners_;  // by ListenerId; nullptr: of a stream
  std::vector<Relay> relays_;                            // by RelayHandle::index
  size_t relays_open_ = 0;
};

}  // namespace jsp::transport::io
