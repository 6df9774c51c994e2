#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "sctp/types.h"
namespace jsp::sctp {

// The transmissions of DATA chunks in the order in which they left: when, and how much had been delivered by then, so
// that an acknowledgement gives a round trip and a delivery rate. A transmission is named by a number that ascends with
// time; 32 bits of it are enough to find it again. Owned by LossDetector. O(1).
class TransmissionLog {
 public:
  struct Record {
    UnwrappedTsn tsn{0};
    Timestamp sent_at;
    Timestamp first_sent_at;  // of the transmission that was acknowledged last when this one left
    Timestamp delivered_at;   // when `delivered` was reached
    uint64_t delivered = 0;   // octets acknowledged before this one left
    bool app_limited = false;
  };

  uint32_t Add(const Record& record) {
    if (records_.full()) records_.set_capacity(records_.capacity() == 0 ? 16 : records_.capacity() * 2);
    records_.push_back(record);
    return static_cast<uint32_t>(first_ + records_.size() - 1);
  }
  // Gives the storage back when nothing is in it.
  void Trim() {
    if (records_.empty()) records_.set_capacity(0);
  }
  // nullptr when it was forgotten. `number` is within 2^31 of the newest.
  const Record* Find(uint32_t number) const {
    const auto index = static_cast<int32_t>(number - static_cast<uint32_t>(first_));
    if (index < 0 || static_cast<size_t>(index) >= records_.size()) return nullptr;
    return &records_[static_cast<size_t>(index)];
  }
  uint32_t next_number() const { return static_cast<uint32_t>(first_ + records_.size()); }
  bool empty() const { return records_.empty(); }
  size_t size() const { return records_.size(); }
  const Record& front() const { return records_.front(); }
  uint32_t front_number() const { return static_cast<uint32_t>(first_); }
  void PopFront() {
    records_.pop_front();
    ++first_;
  }

 private:
  boost::circular_buffer<Record> records_;
  uint64_t first_ = 1;
};

}  // namespace jsp::sctp
