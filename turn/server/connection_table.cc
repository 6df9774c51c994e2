#include "turn/server/connection_table.h"

#include <algorithm>
namespace jsp::turn {

ConnectionId ConnectionTable::Add(const RelayedConnection& connection) {
  earliest_ = std::min(earliest_, connection.until);
  while (true) {
    auto id = rng_->Random<uint32_t>();
    if (worker_) id = (id & ~uint32_t{0xff}) | *worker_;
    if (by_id_.emplace(id, connection).second) return {id};
  }
}

RelayedConnection* ConnectionTable::Find(ConnectionId id) {
  const auto found = by_id_.find(id.value);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::optional<ConnectionId> ConnectionTable::FindByClient(const ClientPath& client) const {
  const auto found = id_by_client_.find(client);
  if (found == id_by_client_.end()) return std::nullopt;
  return ConnectionId{found->second};
}

void ConnectionTable::SetDeadline(ConnectionId id, Timestamp at) {
  if (RelayedConnection* connection = Find(id)) connection->until = at;
  earliest_ = std::min(earliest_, at);
}

void ConnectionTable::SetClient(ConnectionId id, const ClientPath& client) {
  RelayedConnection* connection = Find(id);
  if (connection == nullptr) return;
  connection->client = client;
  id_by_client_.emplace(client, id.value);
}

void ConnectionTable::Remove(ConnectionId id) {
  const RelayedConnection* connection = Find(id);
  if (connection == nullptr) return;
  if (connection->client) id_by_client_.erase(*connection->client);
  by_id_.erase(id.value);
}

std::optional<ConnectionId> ConnectionTable::FindDue(Timestamp now) {
  if (now < earliest_) return std::nullopt;
  earliest_ = Timestamp::Never();
  std::optional<ConnectionId> due;
  for (const auto& [id, connection] : by_id_) {
    earliest_ = std::min(earliest_, connection.until);
    if (connection.until <= now) due = ConnectionId{id};
  }
  return due;
}

}  // namespace jsp::turn
