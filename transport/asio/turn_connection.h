#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "dtls/stream_session.h"
#include "transport/asio/native_socket.h"
namespace jsp::transport::io {

// A TCP connection of a TURN server, of a client, maybe with TLS, or with a peer (RFC 6062). Never waits for a reader:
// what the kernel does not take is kept, and whoever writes looks at unsent(). Reads into a buffer that all connections
// share, so that an idle one costs little. Owned by a table of the server; operations in the background hold it weakly.
class TurnConnection : public std::enable_shared_from_this<TurnConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  // `buffer`, of the server, outlives the connection.
  TurnConnection(Socket socket, std::span<uint8_t> buffer);
  virtual ~TurnConnection() = default;
  TurnConnection(const TurnConnection&) = delete;
  TurnConnection& operator=(const TurnConnection&) = delete;

  Socket& socket() { return socket_; }
  // What another worker goes on with: the socket, TLS session and unsent octets of this connection, which is over.
  struct Parts {
    int descriptor;  // the caller's
    std::optional<dtls::StreamSession> tls;
    std::vector<uint8_t> unsent;
  };
  Parts Detach();
  // Of a new connection on the same socket.
  void Restore(std::optional<dtls::StreamSession> tls, std::vector<uint8_t> unsent);
  // Before anything is read or written: what passes is the plaintext of a TLS session, as the server of it.
  void StartTls(std::shared_ptr<const dtls::StreamContext> context);
  // Reads from now on, until Pause().
  void Resume();
  void Pause() { reads_ = false; }
  void Write(std::span<const iovec> pieces);
  void Write(std::span<const uint8_t> octets);
  // Octets that wait for the other side to read.
  size_t unsent() const { return unsent_.size() - sent_; }

  // What was written still goes, then FIN; what comes is thrown away. is_over() once the other side has ended too.
  void Finish();
  // At once.
  void Abort();
  bool is_over() const { return state_ == State::kOver; }
  bool is_open() const { return state_ == State::kOpen; }

 protected:
  // While is_open(): what came; the end of it, or of the connection, once; and that nothing is unsent any more.
  virtual void HandleOctets(Timestamp now, std::span<const uint8_t> octets) = 0;
  virtual void HandleEnd(Timestamp now) = 0;
  virtual void HandleDrained(Timestamp now) = 0;
  // All that one look brought was handled.
  virtual void HandleRead(Timestamp) {}

 private:
  enum class State : uint8_t { kOpen, kFinishing, kOver };
  void WaitReadable();
  void WaitWritable();
  void WriteToSocket(std::span<const iovec> pieces);
  void HandleTlsRecords(Timestamp now, std::span<const uint8_t> records);
  void SendTls(Timestamp now, std::span<const uint8_t> plaintext);
  void FlushTls(Timestamp now);
  void HandleReadable();
  void HandleWritable();
  void HandleBroken();
  void MaybeSendFin();

  Socket socket_;
  std::span<uint8_t> buffer_;
  std::optional<dtls::StreamSession> tls_;
  std::vector<uint8_t> unsent_;
  size_t sent_ = 0;  // octets of `unsent_` that are gone
  State state_ = State::kOpen;
  bool reads_ = false;
  bool waits_readable_ = false;
  bool waits_writable_ = false;
  bool is_broken_ = false;  // writing failed: reading will tell
};

}  // namespace jsp::transport::io
