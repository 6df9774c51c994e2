#include "bench/natlab/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace jsp::natlab {

Expected<MemoryFile, std::string> MemoryFile::Create(std::string_view content) {
  MemoryFile file(::memfd_create("natlab", 0));
  while (file.descriptor_ >= 0 && !content.empty()) {
    const ssize_t size = ::write(file.descriptor_, content.data(), content.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Unexpected(std::string("a file in memory: ") + std::strerror(errno));
    content.remove_prefix(static_cast<size_t>(size));
  }
  if (file.descriptor_ < 0) return Unexpected(std::string("a file in memory: ") + std::strerror(errno));
  return file;
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

MemoryFile& MemoryFile::operator=(MemoryFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

MemoryFile::~MemoryFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace jsp::natlab
