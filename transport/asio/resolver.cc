#include "transport/asio/resolver.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"
#include "transport/connection_race.h"
#include "transport/srv_lookup.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

constexpr uint16_t kDnsPort = 53;
constexpr size_t kMaxNameServers = 3;  // resolv.conf(5): MAXNS

// Drives one SrvLookup over a socket of its own. Calls `done` once, from a handler, unless it was cancelled.
class SrvQuery : public std::enable_shared_from_this<SrvQuery> {
 public:
  using Done = std::function<void(std::vector<SrvRecord>)>;
  SrvQuery(const boost::asio::any_io_executor& executor, SrvLookupOptions options, Done done)
      : socket_(executor), timer_(executor), rng_(SystemRng()), lookup_(options, rng_), done_(std::move(done)) {
    error_code ignored;
    const bool is_v4 = !options.name_servers.empty() && options.name_servers.front().ip.is_v4();
    socket_.open(is_v4 ? udp::v4() : udp::v6(), ignored);
  }

  void Start() {
    lookup_.Start(Now());
    Receive();
    Drain();
  }
  void Cancel() {
    done_ = nullptr;
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
  void Receive() {
    socket_.async_receive_from(
        boost::asio::buffer(datagram_), remote_, [self = shared_from_this()](error_code error, size_t size) {
          if (!self->done_ || error == boost::asio::error::operation_aborted) return;
          // An ICMP error: the next question goes to the next server.
          if (!error) {
            self->lookup_.HandleDatagram(Now(), FromEndpoint(self->remote_), std::span(self->datagram_).first(size));
          }
          self->Receive();
          self->Drain();
        });
  }
  void Drain() {
    std::array<uint8_t, 512> out;
    error_code ignored;  // the next question is the remedy
    while (const auto transmit = lookup_.PollTransmit(Now(), out)) {
      socket_.send_to(boost::asio::buffer(out, transmit->size), ToEndpoint(transmit->remote), 0, ignored);
    }
    if (auto event = lookup_.PollEvent()) {
      const Done done = std::exchange(done_, nullptr);
      Cancel();
      if (done) done(std::move(std::get<SrvLookup::Done>(*event).ordered));
      return;
    }
    timer_.expires_at(ToTimePoint(lookup_.NextTimeout()));
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (error || !self->done_) return;
      self->lookup_.HandleTimeout(Now());
      self->Drain();
    });
  }

  udp::socket socket_;
  boost::asio::steady_timer timer_;
  Rng rng_;
  SrvLookup lookup_;
  Done done_;
  udp::endpoint remote_;
  std::array<uint8_t, kMaxDnsMessage> datagram_{};
};

// What is known of one server.
struct Server {
  stun::Uri uri;
  std::vector<SocketAddress> own{};                   // of the name itself
  std::vector<std::vector<SocketAddress>> targets{};  // of the services that its SRV records name, in order
  bool has_service = false;
  std::shared_ptr<SrvQuery> query{};
};

std::vector<SocketAddress> Result(const Server& server) {
  std::vector<SocketAddress> all;
  const auto add = [&](const std::vector<SocketAddress>& addresses) {
    const auto sorted = InterleaveFamilies(addresses);
    all.insert(all.end(), sorted.begin(), sorted.end());
  };
  std::ranges::for_each(server.targets, add);
  if (!server.has_service) add(server.own);
  if (all.size() > kMaxServerAddresses) all.resize(kMaxServerAddresses);
  return all;
}

// One round of look-ups; kept alive by its handlers until the last one or the deadline came.
struct Round : std::enable_shared_from_this<Round> {
  Round(const boost::asio::any_io_executor& ex, const std::vector<stun::Uri>& uris, const ResolveOptions& options,
        ResolvedEach on_done)
      : executor(ex), resolver(ex), timer(ex), name_servers(options.name_servers), done(std::move(on_done)) {
    for (const stun::Uri& uri : uris) servers.push_back({.uri = uri});
    if (name_servers.empty()) return;
    std::erase_if(name_servers, [family = name_servers.front().ip.family()](const SocketAddress& server) {
      return server.ip.family() != family;  // one socket asks them all
    });
  }

  void Start(Duration deadline) {
    for (size_t i = 0; i < servers.size(); ++i) Start(i);
    if (open == 0) return Finish();
    timer.expires_after(deadline);
    timer.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->Finish();
    });
  }
  void Start(size_t index) {
    Server& server = servers[index];
    if (server.uri.ip) {
      server.own = {{*server.uri.ip, server.uri.port}};
      return;
    }
    Resolve(server.uri.host, server.uri.port,
            [this, index](std::vector<SocketAddress> found) { servers[index].own = std::move(found); });
    const auto service = server.uri.ServiceName();
    if (!service || name_servers.empty()) return;
    ++open;
    server.query =
        std::make_shared<SrvQuery>(executor, SrvLookupOptions{.name = *service, .name_servers = name_servers},
                                   [self = shared_from_this(), index](std::vector<SrvRecord> records) {
                                     self->HandleService(index, records);
                                     self->HandleOne();
                                   });
    server.query->Start();
  }
  void HandleService(size_t index, const std::vector<SrvRecord>& records) {
    Server& server = servers[index];
    server.has_service = !records.empty();
    const size_t count = std::min(records.size(), kMaxServerAddresses);
    server.targets.resize(count);
    for (size_t i = 0; i < count; ++i) {
      if (records[i].target.empty() || records[i].port == 0) continue;  // RFC 2782: "." offers no service
      Resolve(records[i].target, records[i].port,
              [this, index, i](std::vector<SocketAddress> found) { servers[index].targets[i] = std::move(found); });
    }
  }
  // The system's resolver, which also knows /etc/hosts and gives both families (RFC 8489 §8.1).
  void Resolve(std::string host, uint16_t port, std::function<void(std::vector<SocketAddress>)> take) {
    ++open;
    if (!host.empty() && host.back() == '.') host.pop_back();  // /etc/hosts has no names with the root
    resolver.async_resolve(host, std::to_string(port), udp::resolver::numeric_service,
                           [self = shared_from_this(), take = std::move(take)](
                               error_code error, const udp::resolver::results_type& results) {
                             std::vector<SocketAddress> found;
                             for (const auto& entry : results) {
                               if (!error) found.push_back(FromEndpoint(entry.endpoint()));
                             }
                             if (self->done) take(std::move(found));
                             self->HandleOne();
                           });
  }
  void HandleOne() {
    if (--open == 0) Finish();
  }
  void Finish() {
    if (!done) return;
    timer.cancel();
    resolver.cancel();
    for (const Server& server : servers) {
      if (server.query) server.query->Cancel();
    }
    std::vector<std::vector<SocketAddress>> found;
    for (const Server& server : servers) found.push_back(Result(server));
    std::exchange(done, nullptr)(std::move(found));
  }

  boost::asio::any_io_executor executor;
  udp::resolver resolver;
  boost::asio::steady_timer timer;
  std::vector<SocketAddress> name_servers;
  std::vector<Server> servers;
  ResolvedEach done;
  size_t open = 0;
};

}  // namespace

std::vector<SocketAddress> ParseNameServers(std::string_view text) {
  constexpr std::string_view kKeyword = "nameserver";
  std::vector<SocketAddress> servers;
  while (!text.empty() && servers.size() < kMaxNameServers) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(kKeyword)) continue;
    line.remove_prefix(kKeyword.size());
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == 0 || begin == line.npos) continue;
    line = line.substr(begin);
    const auto ip = IpAddress::Parse(line.substr(0, line.find_first_of(" \t\r")));
    if (ip) servers.push_back({*ip, kDnsPort});
  }
  return servers;
}

std::vector<SocketAddress> SystemNameServers() {
  std::ifstream file("/etc/resolv.conf");
  return ParseNameServers(std::string(std::istreambuf_iterator<char>(file), {}));
}

void ResolveServers(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers,
                    const ResolveOptions& options, std::function<void(std::vector<SocketAddress>)> done) {
  ResolveEach(executor, servers, options,
              [done = std::move(done)](const std::vector<std::vector<SocketAddress>>& found) {
                std::vector<SocketAddress> all;
                for (const auto& addresses : found) all.insert(all.end(), addresses.begin(), addresses.end());
                done(std::move(all));
              });
}

void ResolveEach(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers,
                 const ResolveOptions& options, ResolvedEach done) {
  std::make_shared<Round>(executor, servers, options, std::move(done))->Start(options.deadline);
}

}  // namespace jsp::transport::io
