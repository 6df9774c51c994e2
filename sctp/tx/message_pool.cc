#include "sctp/tx/message_pool.h"

#include <utility>

#include "base/check.h"
namespace jsp::sctp {

MessageHandle MessagePool::Add(OutgoingMessage message) {
  octets_ += message.size();
  ++live_;
  if (free_ == kNoMessage) {
    JSP_CHECK(slots_.size() < kNoMessage.value);
    slots_.push_back(std::move(message));
    return MessageHandle(static_cast<uint32_t>(slots_.size() - 1));
  }
  const MessageHandle handle = free_;
  free_ = slots_[handle.value].next;
  slots_[handle.value] = std::move(message);
  return handle;
}

void MessagePool::DropPayload(MessageHandle handle) {
  OutgoingMessage& slot = slots_[handle.value];
  octets_ -= slot.size();
  slot.message.payload = decltype(slot.message.payload)();
}

void MessagePool::Trim() {
  if (live_ > 0) return;
  slots_ = std::vector<OutgoingMessage>();  // "= {}" would keep the storage
  free_ = kNoMessage;
}

void MessagePool::Release(MessageHandle handle) {
  OutgoingMessage& slot = slots_[handle.value];
  octets_ -= slot.size();
  --live_;
  slot.message.payload = Payload();
  slot.next = free_;
  free_ = handle;
}

}  // namespace jsp::sctp
