#include "transport/asio/nat64_lookup.h"

#include <algorithm>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "transport/asio/endpoint.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

// One question; kept alive by its handlers until the answer or the deadline came.
struct Question : std::enable_shared_from_this<Question> {
  Question(const boost::asio::any_io_executor& executor, std::function<void(std::optional<Nat64Prefix>)> on_done)
      : resolver(executor), timer(executor), done(std::move(on_done)) {}

  void Ask(Duration deadline) {
    // Without `address_configured`: the record is wanted whatever the resolver believes of the interfaces. Without
    // `v4_mapped`: the A records of the name say nothing.
    resolver.async_resolve(udp::v6(), kIpv4OnlyName, "0", udp::resolver::numeric_service,
                           [self = shared_from_this()](error_code error, udp::resolver::results_type results) {
                             std::vector<IpAddress> records;
                             for (const auto& entry : results) {
                               if (!error) records.push_back(FromEndpoint(entry.endpoint()).ip);
                             }
                             const auto prefixes = FindNat64Prefixes(records);
                             self->Finish(prefixes.empty() ? std::nullopt : std::optional(prefixes.front()));
                           });
    timer.expires_after(deadline);
    timer.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->Finish(std::nullopt);
    });
  }
  void Finish(std::optional<Nat64Prefix> prefix) {
    if (!done) return;
    timer.cancel();
    resolver.cancel();
    std::exchange(done, nullptr)(prefix);
  }

  udp::resolver resolver;
  boost::asio::steady_timer timer;
  std::function<void(std::optional<Nat64Prefix>)> done;
};

}  // namespace

bool HasOnlyIpv6(std::span<const LocalAddress> addresses) {
  const auto is_global = [](const LocalAddress& local) {
    return !local.address.ip.IsLoopback() && !local.address.ip.IsLinkLocal();
  };
  const auto is_v4 = [](const LocalAddress& local) { return local.address.ip.is_v4(); };
  return std::ranges::any_of(addresses, is_global) &&
         std::ranges::none_of(addresses, [&](const auto& local) { return is_global(local) && is_v4(local); });
}

void LookUpNat64(const boost::asio::any_io_executor& executor, Duration deadline,
                 std::function<void(std::optional<Nat64Prefix>)> done) {
  std::make_shared<Question>(executor, std::move(done))->Ask(deadline);
}

}  // namespace jsp::transport::io
