#include "transport/asio/turn_streams.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/turn_server_core.h"
#include "transport/asio/turn_tcp_relays.h"
namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// Of Data indications and ChannelData messages: at most three octets behind each payload.
constexpr std::array<uint8_t, 4> kZeros{};
// What a request needs at most; 64 KiB for everybody who connects would be an invitation.
constexpr size_t kMaxStrangersMessage = 4096;
// The other side may take so long to end its half.
constexpr Duration kMaxFinishing = std::chrono::seconds(10);
constexpr Duration kMaxSweep = std::chrono::seconds(1);

iovec VectorOf(std::span<const uint8_t> octets) { return {const_cast<uint8_t*>(octets.data()), octets.size()}; }

// An IPv4 address or an IPv6 /64: who has one has all of it.
SocketAddress SourceOf(const IpAddress& ip) {
  if (ip.is_v4()) return {ip, 0};
  std::array<uint8_t, 16> octets{};
  std::copy_n(ip.octets().begin(), 8, octets.begin());
  return {IpAddress::V6(octets), 0};
}

}  // namespace

TurnStream::TurnStream(TurnServerCore& core, Socket socket, const turn::ClientPath& path)
    : TurnConnection(std::move(socket), core.buffer),
      core_(core),
      path_(path),
      framer_(core.options.core.channels),
      last_message_(Now()) {}

void TurnStream::SendSegments(std::span<const turn::Segment> segments) {
  std::array<iovec, 3 * TrainIo::kMaxSegments> pieces;
  size_t count = 0;
  size_t octets = unsent();
  for (const turn::Segment& segment : segments) {
    if (octets >= core_.options.streams.unsent_octets || !is_open()) {
      ++core_.stats.streams.dropped;
      continue;
    }
    octets += segment.size();
    if (segment.prefix_size > 0) pieces[count++] = VectorOf(std::span(segment.prefix).first(segment.prefix_size));
    if (!segment.payload.empty()) pieces[count++] = VectorOf(segment.payload);
    if (segment.padding > 0) pieces[count++] = VectorOf(std::span(kZeros).first(segment.padding));
  }
  if (count > 0) Write(std::span(pieces).first(count));
}

void TurnStream::Splice(const std::shared_ptr<TurnPeerConnection>& peer) {
  is_spliced_ = true;
  peer_ = peer;
}

void TurnStream::HandleOctets(Timestamp now, std::span<const uint8_t> octets) {
  const auto self = shared_from_this();  // what a message causes may close this stream
  auto rest = octets;
  while (!is_spliced_ && !move_) {
    const auto message = framer_.Next(rest);
    if (!message) break;
    last_message_ = now;
    partial_since_ = Timestamp::Never();
    if (!HandleMessage(now, *message)) break;
    if (!is_open()) return core_.Drain(now);
  }
  if (move_) {
    move_->octets.insert(move_->octets.end(), rest.begin(), rest.end());
    return core_.Drain(now);
  }
  const bool is_too_much = is_stranger && framer_.pending() > kMaxStrangersMessage;
  if (is_spliced_) {
    if (!rest.empty()) SendToPeer(rest);
  } else if (framer_.error() || is_too_much) {
    ++core_.stats.streams.broken;
    core_.streams.Close(now, *this);
  } else {
    if (framer_.pending() > 0) partial_since_ = std::min(partial_since_, now);
    if (unsent() >= core_.options.streams.unsent_octets) Pause();
  }
  core_.Drain(now);
}

// False: another worker goes on with this message.
bool TurnStream::HandleMessage(Timestamp now, std::span<const uint8_t> message) {
  const auto answer = [&](std::span<const uint8_t> binding) { core_.AnswerBinding(now, *this, binding); };
  const auto hand_over = [&](turn::WorkerIndex worker, std::span<const uint8_t> octets) {
    move_.emplace(Move{worker, {octets.begin(), octets.end()}});
  };
  const bool any_message = core_.datagrams.FeedFromClient(now, path_, {message, 0}, answer, hand_over);
  if (move_) return false;
  if (any_message) {
    core_.Drain(now);  // RFC 6062 §5.4: what follows may not be a message any more
    core_.streams.Judge(*this);
  } else if (framer_.was_partial()) {
    core_.datagrams.Flush();  // the next message may take its place
  }
  return true;
}

// Not before all of a TLS record was read: the session moves as well.
void TurnStream::HandleRead(Timestamp) {
  if (!move_ || !is_open()) return;
  const Move move = std::move(*move_);
  core_.handover.Send(move.worker, *this, move.octets);
}

void TurnStream::Continue(Timestamp now, std::span<const uint8_t> octets) {
  HandleOctets(now, octets);
  HandleRead(now);
  if (is_open()) Resume();
}

// RFC 6062 §5.4: "Data received on it MUST be sent as-is".
void TurnStream::SendToPeer(std::span<const uint8_t> octets) {
  const auto peer = peer_.lock();
  if (!peer) return;
  peer->Write(octets);
  if (peer->unsent() > 0) Pause();  // until HandleDrained of the peer's
}

void TurnStream::HandleEnd(Timestamp now) {
  core_.streams.Close(now, *this);
  core_.Drain(now);
}

void TurnStream::HandleDrained(Timestamp) {
  Resume();
  if (const auto peer = peer_.lock()) peer->Resume();
}

TurnStreams::TurnStreams(TurnServerCore& core) : core_(core), timer_(core.executor) {}

void TurnStreams::Start() {
  for (const auto& listener : listeners_) Accept(*listener);
  if (!listeners_.empty()) Sweep();
}

void TurnStreams::AddListener(turn::ListenerId id, tcp::acceptor acceptor) {
  listeners_.push_back(std::make_unique<Listener>(Listener{id, std::move(acceptor)}));
}

bool TurnStreams::IsOf(turn::ListenerId id) const {
  return std::ranges::any_of(listeners_, [&](const auto& listener) { return listener->id == id; });
}

std::shared_ptr<TurnStream> TurnStreams::Find(const turn::ClientPath& path) const {
  const auto found = streams_.find(path);
  return found == streams_.end() ? nullptr : found->second;
}

void TurnStreams::Accept(Listener& listener) {
  listener.accepts = true;
  listener.acceptor.async_accept([weak = core_.weak_from_this(), &listener](error_code error, tcp::socket socket) {
    const auto core = weak.lock();
    if (!core || core->phase.stopped) return;
    listener.accepts = false;
    if (error) {
      ++core->stats.streams.accept_errors;  // no descriptor, mostly: the next sweep tries again
      return;
    }
    core->streams.HandleAccepted(listener.id, std::move(socket));
    core->streams.Accept(listener);
  });
}

void TurnStreams::HandleAccepted(turn::ListenerId id, tcp::socket socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const turn::ClientPath path{{FromAsioAddress(remote.address()), remote.port()}, id};
  const auto stream = Enter(path, std::move(socket));
  if (!stream) return;
  if (core_.listening[id.value].transport == turn::ControlTransport::kTls) stream->StartTls(certificate_);
  stream->Resume();
}

// nullptr: one too many.
std::shared_ptr<TurnStream> TurnStreams::Enter(const turn::ClientPath& path, tcp::socket socket) {
  if (const auto old = Find(path)) Close(Now(), *old);  // the system knows it to be gone, and we not yet
  const auto strangers = strangers_.find(SourceOf(path.client.ip));
  const bool too_many =
      strangers != strangers_.end() && strangers->second >= core_.options.streams.strangers_per_source;
  if (too_many || streams_.size() >= core_.options.streams.total) {
    ++core_.stats.streams.refused;
    return nullptr;
  }
  ++core_.stats.streams.accepted;
  ++strangers_[SourceOf(path.client.ip)];
  const auto stream = std::make_shared<TurnStream>(core_, std::move(socket), path);
  streams_.emplace(path, stream);
  return stream;
}

MovingStream TurnStreams::Release(TurnStream& stream) {
  const auto found = streams_.find(stream.path());
  JSP_CHECK(found != streams_.end() && found->second.get() == &stream);
  const auto kept = found->second;
  SetStanding(stream, false);
  streams_.erase(found);
  auto parts = stream.Detach();
  return {stream.path(), MovingSocket(parts.descriptor), std::move(parts.tls), std::move(parts.unsent), {}};
}

void TurnStreams::Adopt(Timestamp now, MovingStream moving) {
  tcp::socket socket(core_.executor);
  error_code error;
  socket.assign(moving.path.client.ip.is_v4() ? tcp::v4() : tcp::v6(), moving.socket.descriptor, error);
  if (error) return;
  (void)moving.socket.Release();
  const auto stream = Enter(moving.path, std::move(socket));
  if (!stream) return;
  stream->Restore(std::move(moving.tls), std::move(moving.unsent));
  stream->Continue(now, moving.octets);
}

void TurnStreams::Judge(TurnStream& stream) {
  if (stream.is_open()) SetStanding(stream, !core_.server.IsServed(stream.path()));
}

void TurnStreams::SetStanding(TurnStream& stream, bool is_stranger) {
  if (stream.is_stranger == is_stranger) return;
  stream.is_stranger = is_stranger;
  const SocketAddress source = SourceOf(stream.path().client.ip);
  if (is_stranger) {
    ++strangers_[source];
  } else if (const auto found = strangers_.find(source); --found->second == 0) {
    strangers_.erase(found);
  }
}

void TurnStreams::Close(Timestamp now, TurnStream& stream) {
  const auto found = streams_.find(stream.path());
  if (found == streams_.end() || found->second.get() != &stream) return;
  const auto kept = found->second;
  SetStanding(stream, false);
  streams_.erase(found);
  stream.Finish();
  KeepFinishing(kept);
  core_.server.HandleClientClosed(now, stream.path());
}

void TurnStreams::KeepFinishing(std::shared_ptr<TurnConnection> connection) {
  if (!connection->is_over()) finishing_.push_back({std::move(connection), Now() + kMaxFinishing});
}

bool TurnStreams::IsExpired(Timestamp now, TurnStream& stream) {
  Judge(stream);
  const Duration idle = core_.options.streams.idle;
  if (stream.partial_since() != Timestamp::Never() && now - stream.partial_since() >= idle) return true;
  return stream.is_stranger && now - stream.last_message() >= idle;
}

void TurnStreams::Sweep() {
  const Duration idle = core_.options.streams.idle;
  timer_.expires_after(std::min(kMaxSweep, idle / 4));
  timer_.async_wait([weak = core_.weak_from_this()](error_code error) {
    const auto core = weak.lock();
    if (!core || core->phase.stopped || error) return;
    TurnStreams& self = core->streams;
    const Timestamp now = Now();
    std::vector<std::shared_ptr<TurnStream>> expired;
    for (const auto& [path, stream] : self.streams_) {
      if (self.IsExpired(now, *stream)) expired.push_back(stream);
    }
    for (const auto& stream : expired) {
      ++core->stats.streams.expired;
      self.Close(now, *stream);
    }
    std::erase_if(self.finishing_, [&](const Finishing& each) {
      if (!each.connection->is_over() && each.until <= now) each.connection->Abort();
      return each.connection->is_over();
    });
    for (const auto& listener : self.listeners_) {
      if (!listener->accepts) self.Accept(*listener);
    }
    core->Drain(now);
    self.Sweep();
  });
}

}  // namespace jsp::transport::io
