#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <vector>

#include "base/time.h"
#include "transport/relay_options.h"
#include "transport/webrtc_config.h"
namespace jsp {

// The servers of a valid configuration as a Peer takes them: each URI is a relay of its own, at whichever of
// the addresses that its name resolves to answers first (RFC 8305 §5). Names that do not resolve before `deadline` are
// left out.
void ResolveTurnServers(const boost::asio::any_io_executor& executor, const std::vector<TurnServer>& servers,
                        Duration deadline, std::function<void(std::vector<transport::RelayServer>)> done);

}  // namespace jsp
