#pragma once
#include <cstddef>
#include <cstdint>
namespace jsp {

// What the binary took from the heap: a test that links this has its operator new counted, in all of its forms. For
// tests of one thread.
struct Allocations {
  uint64_t count = 0;  // calls of operator new so far
  uint64_t live = 0;   // of those, not given back yet
  size_t octets = 0;   // that these hold, as malloc rounds them
};
Allocations CountAllocations();

}  // namespace jsp
