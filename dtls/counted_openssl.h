#pragma once
namespace jsp::dtls {

// Has OpenSSL take its memory by operator new, which //test/support:allocations counts. For tests; before anything else
// of OpenSSL is used, as from the initialiser of a constant. False: it has begun to use its own.
bool CountOpenSslAllocations();

}  // namespace jsp::dtls
