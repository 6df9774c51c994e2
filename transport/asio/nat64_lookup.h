#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <optional>
#include <span>

#include "base/time.h"
#include "transport/local_address.h"
#include "transport/nat64.h"
namespace jsp::transport::io {

// True when these addresses reach the internet over IPv6 only.
bool HasOnlyIpv6(std::span<const LocalAddress> addresses);

// Asks the system's resolver for what a DNS64 makes of kIpv4OnlyName (RFC 7050 §3); the first prefix of several.
// nullopt when there is none, or no answer before `deadline`.
void LookUpNat64(const boost::asio::any_io_executor& executor, Duration deadline,
                 std::function<void(std::optional<Nat64Prefix>)> done);

}  // namespace jsp::transport::io
