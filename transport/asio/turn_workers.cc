#include "transport/asio/turn_workers.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "transport/asio/system_rng.h"
#include "transport/asio/turn_server_core.h"
namespace jsp::transport::io {

MovingSocket::~MovingSocket() {
  if (descriptor >= 0) ::close(descriptor);
}

TurnWorkers::TurnWorkers(const turn::ServerOptions& options, size_t count) : rng_(SystemRng()) {
  const turn::Gate gate{&state_mutex_, [](void* mutex) { static_cast<std::mutex*>(mutex)->lock(); },
                        [](void* mutex) { static_cast<std::mutex*>(mutex)->unlock(); }};
  state_ = std::make_shared<turn::SharedState>(options, count, rng_, gate);
  for (size_t i = 0; i < state_->workers(); ++i) boxes_.push_back(std::make_unique<Mailbox>());
}

void TurnWorkers::Join(turn::WorkerIndex worker, const boost::asio::any_io_executor& executor,
                       std::weak_ptr<TurnServerCore> core) {
  Mailbox& box = *boxes_[worker.value];
  const std::lock_guard lock(box.mutex);
  box.executor = executor;
  box.core = std::move(core);
}

void TurnWorkers::Leave(turn::WorkerIndex worker) {
  Mailbox& box = *boxes_[worker.value];
  const std::lock_guard lock(box.mutex);
  box.executor.reset();
  box.core.reset();
  box.mail.Clear();
}

bool TurnWorkers::Send(turn::WorkerIndex to, const Letter& letter, std::span<const uint8_t> train) {
  Mailbox& box = *boxes_[to.value];
  const std::lock_guard lock(box.mutex);
  if (!box.executor || box.mail.letters.size() >= kMaxLetters || box.mail.octets.size() + train.size() > kMaxOctets) {
    return false;
  }
  if (box.mail.empty()) Announce(box);
  box.mail.letters.push_back(letter);
  box.mail.letters.back().size = train.size();
  box.mail.octets.insert(box.mail.octets.end(), train.begin(), train.end());
  return true;
}

bool TurnWorkers::Send(turn::WorkerIndex to, MovingStream stream) {
  Mailbox& box = *boxes_[to.value];
  const std::lock_guard lock(box.mutex);
  if (!box.executor || box.mail.streams.size() >= kMaxStreams) return false;
  if (box.mail.empty()) Announce(box);
  box.mail.streams.push_back(std::move(stream));
  return true;
}

void TurnWorkers::Take(turn::WorkerIndex worker, Mail& mail) {
  Mailbox& box = *boxes_[worker.value];
  const std::lock_guard lock(box.mutex);
  std::swap(box.mail, mail);
}

// Once for all that comes until it is read.
void TurnWorkers::Announce(Mailbox& box) {
  boost::asio::post(*box.executor, [weak = box.core] {
    const auto core = weak.lock();
    if (core && !core->phase.stopped) core->ReadMail();
  });
}

}  // namespace jsp::transport::io
