#pragma once
#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>
namespace jsp {

// A map that nearly always holds little, in objects of which there are many: the first entries stand in an array of
// their number, and only more than kFew of them in a hash table, of which the smallest takes half a kilobyte. O(1) at
// any size. Pointers to values are valid until the next insertion or erasure.
template <class Key, class T>
class FewMap {
 public:
  static constexpr size_t kFew = 8;

  T* Find(const Key& key) {
    if (many_) {
      const auto found = many_->find(key);
      return found == many_->end() ? nullptr : &found->second;
    }
    const auto found = std::ranges::find(few_, key, &Entry::first);
    return found == few_.end() ? nullptr : &found->second;
  }
  const T* Find(const Key& key) const { return const_cast<FewMap*>(this)->Find(key); }
  bool Contains(const Key& key) const { return Find(key) != nullptr; }
  // The value of `key`, made of `arguments` if there was none; and whether that was so.
  template <class... Arguments>
  std::pair<T*, bool> TryEmplace(const Key& key, Arguments&&... arguments) {
    if (T* known = Find(key)) return {known, false};
    if (!many_ && few_.size() == kFew) UseTable();
    if (many_) return {&many_->try_emplace(key, std::forward<Arguments>(arguments)...).first->second, true};
    if (few_.size() == few_.capacity()) few_.reserve(few_.size() + 1);  // eight times at most
    few_.emplace_back(std::piecewise_construct, std::forward_as_tuple(key),
                      std::forward_as_tuple(std::forward<Arguments>(arguments)...));
    return {&few_.back().second, true};
  }
  T& operator[](const Key& key) { return *TryEmplace(key).first; }
  // False: there was none.
  bool Erase(Key key) {
    if (many_) {
      const bool was_there = many_->erase(key) > 0;
      if (many_->size() <= kFew / 2) UseArray();
      return was_there;
    }
    const auto found = std::ranges::find(few_, key, &Entry::first);
    if (found == few_.end()) return false;
    if (found != few_.end() - 1) *found = std::move(few_.back());
    few_.pop_back();
    if (few_.empty()) Clear();
    return true;
  }
  void Clear() {
    std::vector<Entry>().swap(few_);
    many_.reset();
  }
  size_t size() const { return many_ ? many_->size() : few_.size(); }
  bool empty() const { return size() == 0; }
  // visit(key, value), in no particular order. The map must stay as it is meanwhile.
  template <class Visit>
  void ForEach(Visit&& visit) {
    for (auto& [key, value] : few_) visit(std::as_const(key), value);
    if (!many_) return;
    for (auto& [key, value] : *many_) visit(key, value);
  }
  template <class Visit>
  void ForEach(Visit&& visit) const {
    const_cast<FewMap*>(this)->ForEach([&visit](const Key& key, const T& value) { visit(key, value); });
  }

 private:
  using Entry = std::pair<Key, T>;

  void UseTable() {
    many_ = std::make_unique<boost::unordered_flat_map<Key, T>>();
    for (auto& [key, value] : few_) many_->try_emplace(key, std::move(value));
    std::vector<Entry>().swap(few_);
  }
  // Half of what made the table, so that one entry that comes and goes does not move them all.
  void UseArray() {
    const auto table = std::exchange(many_, nullptr);
    few_.reserve(table->size());
    for (auto& [key, value] : *table) few_.emplace_back(key, std::move(value));
  }

  std::vector<Entry> few_;
  std::unique_ptr<boost::unordered_flat_map<Key, T>> many_;  // then it holds all
};

}  // namespace jsp
