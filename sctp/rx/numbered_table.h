#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>
namespace jsp::sctp {

// Values of groups by their serial numbers, where the peer chooses both: messages of streams by SSN or MID, fragments
// of messages by FSN. A slab and two hashes over it, of a number in its group and of a group: finding, adding and
// taking cost O(1), the values of one group as much as they are many. What is held grows with what is in it and never
// with the distance of two numbers, so that one octet with a far number claims no more than a near one.
//
// The hash is a random member of a universal family (Dietzfelbinger: an odd factor, the upper bits of the product), so
// that no peer can know which numbers collide. Storage is kept for the next values; a steady state allocates nothing.
template <class Number, class Value>
class NumberedTable {
 public:
  using Id = uint32_t;  // of a value, until it is taken
  static constexpr Id kNone = UINT32_MAX;

  explicit NumberedTable(uint64_t key) : factor_((key ^ 0x9e3779b97f4a7c15) | 1) {}  // 2^64 / golden ratio

  // kNone: it is not here.
  Id Find(uint32_t group, Number number) const {
    if (size_ == 0) return kNone;
    for (Id id = by_number_[BucketOf(group, number)]; id != kNone; id = nodes_[id].next) {
      if (nodes_[id].group == group && nodes_[id].number == number) return id;
    }
    return kNone;
  }
  // It is not here yet. Moves other values.
  Id Add(uint32_t group, Number number, Value value) {
    if (free_ == kNone) {
      if (nodes_.size() == by_number_.size()) Rehash(std::max(kMinBuckets, by_number_.size() * 2));
      free_ = static_cast<Id>(nodes_.size());
      nodes_.emplace_back();
    }
    const Id id = free_;
    Node& node = nodes_[id];
    free_ = node.next;
    node.group = group;
    node.number = number;
    node.value.emplace(std::move(value));
    ++size_;
    Link(id);
    return id;
  }
  Value& operator[](Id id) { return *nodes_[id].value; }
  const Value& operator[](Id id) const { return *nodes_[id].value; }
  Number NumberOf(Id id) const { return nodes_[id].number; }
  uint32_t GroupOf(Id id) const { return nodes_[id].group; }
  Value Take(Id id) {
    Unlink(id);
    Node& node = nodes_[id];
    Value value = std::move(*node.value);
    node.value.reset();
    node.next = std::exchange(free_, id);
    --size_;
    return value;
  }

  // All of a group, in no order: until kNone. Take the next one before `id` is taken.
  Id First(uint32_t group) const { return size_ == 0 ? kNone : OfGroup(by_group_[BucketOf(group, 0)], group); }
  Id After(Id id) const { return OfGroup(nodes_[id].next_of_group, nodes_[id].group); }
  // Those of a group with the numbers from, from + 1, …, from + count - 1 into `found`, in this order. Costs as much as
  // `count` or the group, whichever is less.
  void Collect(uint32_t group, Number from, Number count, std::vector<Id>& found) const {
    found.clear();
    if (size_ > 0) found.reserve(kMinBuckets);
    Number seen = 0;
    for (Id id = First(group); id != kNone; id = After(id)) {
      if (static_cast<Number>(NumberOf(id) - from) < count) found.push_back(id);
      if (++seen >= count) return CollectByNumber(group, from, count, found);
    }
    std::ranges::sort(found, {}, [&](Id id) { return static_cast<Number>(NumberOf(id) - from); });
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // The values of the fullest bucket: for tests. O(size).
  size_t longest_bucket() const {
    size_t longest = 0;
    for (const Id first : by_number_) {
      size_t length = 0;
      for (Id id = first; id != kNone; id = nodes_[id].next) ++length;
      longest = std::max(longest, length);
    }
    return longest;
  }
  // Calls visit(id) for every value.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (Id id = 0; id < nodes_.size(); ++id) {
      if (nodes_[id].value) visit(id);
    }
  }
  // Gives the storage back when nothing is in it.
  void Trim() {
    if (size_ > 0) return;
    nodes_ = decltype(nodes_)();
    by_number_ = decltype(by_number_)();
    by_group_ = decltype(by_group_)();
    free_ = kNone;
  }

 private:
  static constexpr size_t kMinBuckets = 16;

  struct Node {
    uint32_t group = 0;
    Number number{};
    Id next = kNone;  // in its bucket of by_number_, or free
    Id next_of_group = kNone;
    Id before_of_group = kNone;  // kNone: the first of its bucket of by_group_
    std::optional<Value> value;
  };

  size_t BucketOf(uint32_t group, Number number) const {
    static_assert(sizeof(Number) <= sizeof(uint32_t));
    const uint64_t key = uint64_t{group} << 32 | number;
    return key * factor_ >> shift_;
  }
  Id OfGroup(Id id, uint32_t group) const {
    while (id != kNone && nodes_[id].group != group) id = nodes_[id].next_of_group;
    return id;
  }
  void CollectByNumber(uint32_t group, Number from, Number count, std::vector<Id>& found) const {
    found.clear();
    for (Number i = 0; i < count; ++i) {
      const Id id = Find(group, static_cast<Number>(from + i));
      if (id != kNone) found.push_back(id);
    }
  }
  void Link(Id id) {
    Node& node = nodes_[id];
    node.next = std::exchange(by_number_[BucketOf(node.group, node.number)], id);
    node.before_of_group = kNone;
    node.next_of_group = std::exchange(by_group_[BucketOf(node.group, 0)], id);
    if (node.next_of_group != kNone) nodes_[node.next_of_group].before_of_group = id;
  }
  void Unlink(Id id) {
    const Node& node = nodes_[id];
    Id* link = &by_number_[BucketOf(node.group, node.number)];
    while (*link != id) link = &nodes_[*link].next;
    *link = node.next;
    if (node.next_of_group != kNone) nodes_[node.next_of_group].before_of_group = node.before_of_group;
    const bool is_first = node.before_of_group == kNone;
    (is_first ? by_group_[BucketOf(node.group, 0)] : nodes_[node.before_of_group].next_of_group) = node.next_of_group;
  }
  void Rehash(size_t buckets) {
    nodes_.reserve(buckets);
    by_number_.assign(buckets, kNone);
    by_group_.assign(buckets, kNone);
    shift_ = 64 - std::countr_zero(buckets);
    ForEach([&](Id id) { Link(id); });
  }

  uint64_t factor_;
  int shift_ = 0;  // 64 less the bits of a bucket's number
  size_t size_ = 0;
  std::vector<Node> nodes_;
  Id free_ = kNone;
  std::vector<Id> by_number_;  // the first of each bucket
  std::vector<Id> by_group_;
};

}  // namespace jsp::sctp
