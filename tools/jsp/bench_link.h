#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
namespace jsp::tool {

// What the two processes of `jsp bench datachannel` tell each other besides what they measure.
enum class LinkKind : uint8_t {
  kOffer,      // body: SDP of the connection `index`
  kAnswer,     // likewise
  kClose,      // the connection `index` is done
  kHoldUp,     // all loops for BenchLoops::kHoldUp
  kAskReport,  // for a report; index 1: after free memory went back to the system
  kReport,     // body: what EncodeReport made
  kFailed,     // body: one line for people
};
struct LinkMessage {
  LinkKind kind = LinkKind::kFailed;
  uint32_t index = 0;
  std::string body;
};

// One end of a socket pair between a process and its fork. Owns the descriptor.
class BenchLink {
 public:
  static constexpr size_t kMaxBody = 150 * 1024;  // what a socket of the default size takes as one message

  static std::optional<std::pair<BenchLink, BenchLink>> Open();
  explicit BenchLink(int descriptor) : descriptor_(descriptor) {}
  BenchLink(BenchLink&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  BenchLink& operator=(BenchLink&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~BenchLink();

  int descriptor() const { return descriptor_; }
  // Waits while the other side has not read. False: it is gone.
  bool Send(LinkKind kind, uint32_t index, std::string_view body);
  // The next message, without waiting. `is_gone` tells, when there is none, that there will be none.
  std::optional<LinkMessage> Receive(bool& is_gone);

 private:
  int descriptor_;
};

}  // namespace jsp::tool
