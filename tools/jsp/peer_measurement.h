#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "transport/webrtc_transport.h"
namespace jsp::tool {

// What one end of a cell of the NAT lab measures of its path (bench/natlab/README.md#foreign-stacks): binary messages
// on the transport's own channel, each echoed before the next, while nothing else is sent and beside a bulk on a
// channel of its own. Borrows both, which outlive it.
class PeerMeasurement {
 public:
  PeerMeasurement(boost::asio::io_context& loop, WebRtcTransport& transport);

  // The side that measures; once. `pings` echoes, and the transfer of `octets`. What there is to say of it.
  boost::asio::awaitable<boost::json::object> Run(size_t pings, size_t octets);
  // A binary message came back.
  void HandleEcho();
  // The other side: takes in the bulk, and says when its end has come.
  static boost::asio::awaitable<void> TakeBulk(DataChannel channel);

 private:
  boost::asio::awaitable<bool> Ping(std::vector<double>& samples);
  boost::asio::awaitable<void> SendBulk(size_t octets);

  boost::asio::io_context& loop_;
  WebRtcTransport& transport_;
  boost::asio::steady_timer echo_;
  bool is_echoed_ = false;
  bool is_over_ = false;  // the bulk, one way or the other
  double mbytes_per_s_ = 0;
};

// Processor time of this process in milliseconds, in user and kernel mode.
double ProcessCpuMilliseconds();

}  // namespace jsp::tool
