#pragma once
#include <cstdint>
namespace jsp::tool {

// Calls of operator new on this thread so far. The program that links this has its operator new replaced, in all of its
// forms, by one that counts and then asks malloc.
uint64_t CountedAllocations();

}  // namespace jsp::tool
