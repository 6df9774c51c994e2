#include "tools/jsp/bench_allocations.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constinit thread_local uint64_t counted = 0;
constinit thread_local uint32_t uncounted_scopes = 0;

void* Take(size_t size, size_t alignment) {
  if (uncounted_scopes == 0) ++counted;
  const size_t octets = size == 0 ? 1 : size;
  void* memory = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    memory = std::malloc(octets);
  } else if (::posix_memalign(&memory, alignment, octets) != 0) {
    memory = nullptr;
  }
  return memory;
}

void* TakeOrThrow(size_t size, size_t alignment) {
  void* memory = Take(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Not inlined, as GCC would take new and free for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) { return TakeOrThrow(size, 0); }
[[gnu::noinline]] void* operator new[](size_t size) { return TakeOrThrow(size, 0); }
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept { return Take(size, 0); }
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Take(size, 0); }
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  return TakeOrThrow(size, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void* operator new[](size_t size, std::align_val_t alignment) {
  return TakeOrThrow(size, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace jsp::tool {

uint64_t CountedAllocations() { return counted; }

UncountedAllocations::UncountedAllocations() { ++uncounted_scopes; }
UncountedAllocations::~UncountedAllocations() { --uncounted_scopes; }

}  // namespace jsp::tool
