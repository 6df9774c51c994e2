#include "dtls/counted_openssl.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
namespace jsp::dtls {
namespace {

// In front of each, for Realloc.
constexpr size_t kHeader = 16;

void* Take(size_t size, const char*, int) {
  auto* memory = static_cast<char*>(::operator new(size + kHeader));
  std::memcpy(memory, &size, sizeof size);
  return memory + kHeader;
}

void Give(void* memory, const char*, int) {
  if (memory != nullptr) ::operator delete(static_cast<char*>(memory) - kHeader);
}

void* Retake(void* memory, size_t size, const char* file, int line) {
  if (memory == nullptr) return Take(size, file, line);
  size_t before = 0;
  std::memcpy(&before, static_cast<char*>(memory) - kHeader, sizeof before);
  void* moved = Take(size, file, line);
  std::memcpy(moved, memory, std::min(before, size));
  Give(memory, file, line);
  return moved;
}

}  // namespace

bool CountOpenSslAllocations() { return CRYPTO_set_mem_functions(&Take, &Retake, &Give) == 1; }

}  // namespace jsp::dtls
