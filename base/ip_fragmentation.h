#pragma once
#include <cstdint>
namespace jsp {

// Whether IP may cut a datagram into fragments on its way. Forbidden: it is sent with "don't fragment" and never cut by
// the sender (RFC 8899 §3 item 2), so that one which is too large for the path does not arrive.
enum class IpFragmentation : uint8_t { kForbidden, kAllowed };

}  // namespace jsp
