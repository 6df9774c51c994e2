#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <optional>
#include <utility>
namespace jsp {

// FIFO of a core's events. Grows by doubling and keeps its storage, so a steady state allocates nothing. What may be
// queued is bounded by the core that pushes, not here: an accepted event is never lost.
template <class Event>
class EventQueue {
 public:
  void Push(Event event) {
    if (events_.full()) events_.set_capacity(events_.capacity() == 0 ? 1 : events_.capacity() * 2);
    events_.push_back(std::move(event));
  }
  std::optional<Event> Pop() {
    if (events_.empty()) return std::nullopt;
    std::optional<Event> front(std::move(events_.front()));
    events_.pop_front();
    return front;
  }
  // Gives the storage back when nothing is queued.
  void Trim() {
    if (events_.empty()) events_.set_capacity(0);
  }
  bool empty() const { return events_.empty(); }
  size_t size() const { return events_.size(); }

 private:
  boost::circular_buffer<Event> events_;
};

}  // namespace jsp
