#pragma once
#include <cstdint>
namespace jsp::tool {

// Calls of operator new on this thread so far. The program that links this has its operator new replaced, in all of its
// forms, by one that counts and then asks malloc.
uint64_t CountedAllocations();

// While one is alive nothing is counted: what a benchmark takes for its own reports is none of what it measures.
class UncountedAllocations {
 public:
  UncountedAllocations();
  ~UncountedAllocations();
  UncountedAllocations(const UncountedAllocations&) = delete;
  UncountedAllocations& operator=(const UncountedAllocations&) = delete;
};

}  // namespace jsp::tool
