#include "dtls/datagram_queue.h"

#include "base/check.h"
namespace jsp::dtls {
namespace {

// A slot that held a jumbo datagram gives its storage back, so that a peer cannot make an idle session large.
constexpr size_t kMaxKeptCapacity = 2048;

}  // namespace

bool DatagramQueue::Push(std::span<const uint8_t> datagram) {
  if (count_ == limits_.datagrams || datagram.size() > limits_.octets - octets_) return false;
  if (slots_.empty()) slots_.resize(limits_.datagrams);
  slots_[(head_ + count_) % slots_.size()].assign(datagram.begin(), datagram.end());
  ++count_;
  octets_ += datagram.size();
  return true;
}

void DatagramQueue::Pop() {
  JSP_CHECK(count_ > 0);
  octets_ -= slots_[head_].size();
  auto& slot = slots_[head_];
  slot.clear();
  if (slot.capacity() > kMaxKeptCapacity) slot.shrink_to_fit();
  --count_;
  head_ = empty() ? 0 : (head_ + 1) % slots_.size();  // an empty queue begins again with the slots that have storage
}

void DatagramQueue::Clear() {
  while (!empty()) Pop();
}

void DatagramQueue::Release() {
  std::vector<std::vector<uint8_t>>().swap(slots_);  // `= {}` would keep the slots
  head_ = count_ = octets_ = 0;
}

}  // namespace jsp::dtls
