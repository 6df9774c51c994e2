#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/expected.h"
namespace jsp::signaling {

struct Answer {
  std::string sdp;
  std::string session_url;  // absolute; of PATCH and DELETE
};

struct ClientError {
  boost::system::error_code code;
  unsigned http_status = 0;  // 0: no response came
  std::string message;       // one line: what happened and what to do
};

// "http://host[:port][/path]"; an empty path becomes "/offer".
struct HttpUrl {
  std::string host;  // without brackets
  uint16_t port = 80;
  std::string path = "/offer";
  bool IsLoopback() const;  // "localhost", 127/8, ::1
};
Expected<HttpUrl, std::string> ParseHttpUrl(std::string_view url);

// POSTs the offer. `done` is called once, on the executor, never inside this call.
void PostOffer(const boost::asio::any_io_executor& executor, const HttpUrl& url, std::string sdp,
               std::chrono::milliseconds timeout, std::function<void(Expected<Answer, ClientError>)> done);
// PATCHes an application/trickle-ice-sdpfrag (RFC 8840 §9).
void PatchSession(const boost::asio::any_io_executor& executor, const std::string& session_url, std::string fragment,
                  std::chrono::milliseconds timeout, std::function<void(Expected<void, ClientError>)> done);
// RFC 9725: PATCHes the fragment of an ICE restart, and gets the peer's.
void RestartSession(const boost::asio::any_io_executor& executor, const std::string& session_url, std::string fragment,
                    std::chrono::milliseconds timeout, std::function<void(Expected<std::string, ClientError>)> done);
void DeleteSession(const boost::asio::any_io_executor& executor, const std::string& session_url,
                   std::chrono::milliseconds timeout, std::function<void(Expected<void, ClientError>)> done);

}  // namespace jsp::signaling
