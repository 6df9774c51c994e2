#include "transport/asio/turn_workers.h"

#include <unistd.h>

#include <algorithm>
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
  for (size_t i = 0; i < state_->workers(); ++i) boxes_.push_back(std::make_unique<Box>());
}

void TurnWorkers::Join(turn::WorkerIndex worker, const boost::asio::any_io_executor& executor,
                       std::weak_ptr<TurnServerCore> core) {
  boxes_[worker.value]->letters.Open(executor, core);
  boxes_[worker.value]->streams.Open(executor, std::move(core));
}

void TurnWorkers::Leave(turn::WorkerIndex worker) {
  boxes_[worker.value]->letters.Close();
  boxes_[worker.value]->streams.Close();
}

bool TurnWorkers::Send(turn::WorkerIndex to, const Letter& letter, std::span<const uint8_t> train) {
  Letter sized = letter;
  sized.size = train.size();
  return boxes_[to.value]->letters.Send(sized, train) == Letters::Delivery::kSent;
}

bool TurnWorkers::Send(turn::WorkerIndex to, MovingStream stream) {
  return boxes_[to.value]->streams.Send(std::move(stream)) == Streams::Delivery::kSent;
}

void TurnWorkers::Take(turn::WorkerIndex worker, Mail& mail) {
  boxes_[worker.value]->letters.Take(mail.trains);
  boxes_[worker.value]->streams.Take(mail.streams);
}

}  // namespace jsp::transport::io
