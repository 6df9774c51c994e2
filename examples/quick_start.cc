// Two peers in one process; between machines the two descriptions travel over any signalling you have.
#include <boost/asio.hpp>
#include <iostream>

#include "transport/webrtc_transport.h"

using boost::asio::use_awaitable;

boost::asio::awaitable<void> Run() {
  const auto executor = co_await boost::asio::this_coro::executor;
  jsp::WebRtcTransport a(executor, {}), z(executor, {});
  co_await a.async_initialize(use_awaitable);
  co_await z.async_initialize(use_awaitable);
  (void)z.set_remote_description(jsp::SdpType::kOffer, a.create_offer().value());
  (void)a.set_remote_description(jsp::SdpType::kAnswer, z.create_answer().value());
  co_await a.async_connect(use_awaitable);
  co_await a.async_send(boost::asio::buffer("hello, world", 12), use_awaitable);
  const jsp::Message message = co_await z.async_receive(use_awaitable);
  std::cout << message.text() << "\n";
}

int main() {
  boost::asio::io_context io;
  boost::asio::co_spawn(io, Run(), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
}
