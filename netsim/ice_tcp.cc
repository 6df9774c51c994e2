#include "netsim/ice_tcp.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace jsp::netsim {

void IceTcp::Listen(const SocketAddress& address) {
  parts_.tcp.Listen(address, {this, &IceTcp::Accept});
  parts_.peer.AddTcpListener(now(), {address});
}

IceTcp::Connection& IceTcp::Add(Connection connection) {
  connections_.push_back(std::make_unique<Connection>(std::move(connection)));
  Connection& added = *connections_.back();
  const StreamObserver observer{&added, &IceTcp::HandleConnected, &IceTcp::HandleOctets, &IceTcp::HandleClosed,
                                &IceTcp::HandleWritable};
  added.stream = std::make_unique<Stream>(parts_.world, parts_.host, parts_.tcp, observer, Stream::Tls{});
  return added;
}

void IceTcp::Remove(const Connection* connection) {
  std::erase_if(connections_, [&](const auto& known) { return known.get() == connection; });
}

TcpObserver IceTcp::Accept(void* self, TcpSocketId socket, const SocketAddress& local, const SocketAddress& remote) {
  auto& tcp = *static_cast<IceTcp*>(self);
  const auto visitor = tcp.door_.HandleAccepted(tcp.now(), remote.ip);
  tcp.RemoveVisitors();
  Connection& connection = tcp.Add({.owner = &tcp, .listener = local, .remote = remote, .visitor = visitor});
  const TcpObserver observer = connection.stream->Accept(socket);
  if (!visitor) {
    tcp.Remove(&connection);
    return {};
  }
  tcp.Poll();  // for the timer
  return observer;
}

bool IceTcp::TakeEvent(const transport::PeerEvent& event) {
  if (const auto* wanted = std::get_if<transport::event::TcpConnectWanted>(&event)) {
    Add({.owner = this, .remote = wanted->remote, .id = wanted->id}).stream->Connect(wanted->local, wanted->remote);
    return true;
  }
  if (const auto* closed = std::get_if<transport::event::TcpCloseWanted>(&event)) {
    std::erase_if(connections_, [&](const auto& known) { return known->id == closed->id; });
    return true;
  }
  return false;
}

void IceTcp::Write(ice::TcpId id, std::span<const uint8_t> octets) {
  const auto found = std::ranges::find(connections_, std::optional(id), [](const auto& known) { return known->id; });
  if (found != connections_.end()) (*found)->stream->Write(octets);
}

bool IceTcp::IsBusy() const {
  return std::ranges::any_of(connections_, [](const auto& known) { return known->stream->IsBusy(); });
}

void IceTcp::HandleTimeout() {
  door_.HandleTimeout(now());
  RemoveVisitors();
}

void IceTcp::RemoveVisitors() {
  while (const auto refused = door_.PollRefused()) {
    std::erase_if(connections_, [&](const auto& known) { return known->visitor == refused; });
  }
}

void IceTcp::HandleConnected(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  if (!connection.id) return;
  IceTcp& tcp = *connection.owner;
  tcp.parts_.peer.HandleTcpConnected(tcp.now(), *connection.id);
  tcp.Poll();
}

bool IceTcp::LetIn(Connection& connection, std::span<const uint8_t>& octets) {
  if (connection.id) return true;
  const auto heard = door_.HandleOctets(*connection.visitor, octets);
  if (heard.verdict == ice::TcpDoor::Verdict::kWait) return false;
  if (heard.verdict == ice::TcpDoor::Verdict::kCheck) {
    connection.id = parts_.peer.HandleTcpAccepted(now(), connection.listener, connection.remote, heard.check);
    door_.HandleLeft(*connection.visitor);
    connection.visitor.reset();
  }
  if (connection.id) return true;
  Remove(&connection);
  return false;
}

void IceTcp::HandleOctets(void* self, std::span<const uint8_t> octets) {
  auto& connection = *static_cast<Connection*>(self);
  IceTcp& tcp = *connection.owner;
  if (tcp.LetIn(connection, octets)) tcp.parts_.peer.HandleTcpOctets(tcp.now(), *connection.id, octets);
  tcp.Poll();
}

void IceTcp::HandleClosed(void* self, std::string) {
  auto& connection = *static_cast<Connection*>(self);
  IceTcp& tcp = *connection.owner;
  if (connection.visitor) tcp.door_.HandleGone(*connection.visitor);
  const auto id = connection.id;
  tcp.Remove(&connection);
  if (id) tcp.parts_.peer.HandleTcpClosed(tcp.now(), *id);
  tcp.Poll();
}

void IceTcp::HandleWritable(void* self) { static_cast<Connection*>(self)->owner->Poll(); }

}  // namespace jsp::netsim
