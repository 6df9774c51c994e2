#include "turn/server/allocation_table.h"

#include <algorithm>
namespace jsp::turn {
namespace {

constexpr auto kLater = [](const auto& a, const auto& b) { return a.at > b.at; };

}  // namespace

std::optional<uint32_t> AllocationTable::Create(const ClientPath& path) {
  if (size() >= limit_ || index_by_path_.contains(path)) return std::nullopt;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(records_.size()));
    records_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  ServerAllocation& record = records_[index];
  const uint32_t generation = record.slot.generation + 1;
  record = {};
  record.slot.generation = generation;
  record.state = ServerAllocation::State::kOpening;
  record.path = path;
  index_by_path_.emplace(path, index);
  return index;
}

std::optional<uint32_t> AllocationTable::Find(const ClientPath& path) const {
  const auto found = index_by_path_.find(path);
  if (found == index_by_path_.end()) return std::nullopt;
  return found->second;
}

bool AllocationTable::IsLive(uint32_t index, uint32_t generation) const {
  return index < records_.size() && records_[index].slot.generation == generation &&
         records_[index].state != ServerAllocation::State::kFree;
}

void AllocationTable::SetNextPath(uint32_t index, const ClientPath& path) {
  ServerAllocation& record = records_[index];
  if (record.move.next_path) index_by_path_.erase(*record.move.next_path);
  record.move.next_path = path;
  index_by_path_.emplace(path, index);
}

void AllocationTable::CommitNextPath(uint32_t index) {
  ServerAllocation& record = records_[index];
  if (!record.move.next_path) return;
  index_by_path_.erase(record.path);
  record.path = *record.move.next_path;
  record.move.next_path.reset();
}

void AllocationTable::Remove(uint32_t index) {
  ServerAllocation& record = records_[index];
  index_by_path_.erase(record.path);
  if (record.move.next_path) index_by_path_.erase(*record.move.next_path);
  const uint32_t generation = record.slot.generation;
  record = {};
  record.slot.generation = generation;
  free_.push_back(index);
}

void AllocationTable::ArmDeadline(uint32_t index, Timestamp at) {
  if (records_[index].slot.armed <= at) return;
  records_[index].slot.armed = at;
  deadlines_.push_back({at, index, records_[index].slot.generation});
  std::push_heap(deadlines_.begin(), deadlines_.end(), kLater);
}

std::optional<uint32_t> AllocationTable::PopDue(Timestamp now) {
  while (!deadlines_.empty() && deadlines_.front().at <= now) {
    const Deadline due = deadlines_.front();
    std::pop_heap(deadlines_.begin(), deadlines_.end(), kLater);
    deadlines_.pop_back();
    if (!IsLive(due.index, due.generation) || records_[due.index].slot.armed != due.at) continue;
    records_[due.index].slot.armed = Timestamp::Never();
    return due.index;
  }
  return std::nullopt;
}

}  // namespace jsp::turn
