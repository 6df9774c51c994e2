#include "transport/signaling/routes.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace jsp::signaling {
namespace {

constexpr std::string_view kSession = "/session/";
constexpr std::string_view kSdp = "application/sdp";                       // RFC 8866 §8.1
constexpr std::string_view kFragment = "application/trickle-ice-sdpfrag";  // RFC 8840 §9

// RFC 9110: the type is case-insensitive, parameters follow a semicolon.
bool IsType(std::string_view content_type, std::string_view wanted) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') content_type.remove_suffix(1);
  return std::ranges::equal(content_type, wanted,
                            [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

RoutedReply WrongMethod(std::string allow) {
  return {.reply = {.status = 405, .body = "this resource takes " + allow}, .allow = std::move(allow)};
}

RoutedReply WrongType(std::string_view wanted) {
  return {.reply = {.status = 415, .body = "the Content-Type must be " + std::string(wanted)}};
}

void RouteSession(Resources& resources, const RequestView& request, std::string_view id,
                  std::function<void(RoutedReply)> done) {
  if (request.method == "PATCH") {
    if (!IsType(request.content_type, kFragment)) return done(WrongType(kFragment));
    // RFC 9725 §4.3.3: what restarts ICE matches any generation of the session.
    if (request.if_match != "*" && request.if_match != "\"*\"") {
      return done({.reply = resources.HandleFragment(id, request.body)});
    }
    return resources.HandleRestart(id, request.body, [done = std::move(done)](Reply reply) {
      const bool is_done = reply.status == 200;
      done({.reply = std::move(reply), .content_type = is_done ? kFragment : RoutedReply{}.content_type});
    });
  }
  if (request.method == "DELETE") return done({.reply = resources.HandleDelete(id)});
  done(WrongMethod("PATCH, DELETE"));
}

}  // namespace

void Route(Resources& resources, const RequestView& request, std::function<void(RoutedReply)> done) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (path == "/offer") {
    if (request.method != "POST") return done(WrongMethod("POST"));
    if (!IsType(request.content_type, kSdp)) return done(WrongType(kSdp));
    return resources.HandleOffer(std::string(request.body), [done = std::move(done)](Reply reply) {
      const bool created = reply.status == 201;
      done({.reply = std::move(reply), .content_type = created ? kSdp : RoutedReply{}.content_type});
    });
  }
  if (path == "/" || path == "/stats") {
    if (request.method != "GET") return done(WrongMethod("GET"));
    if (path == "/") return done({.reply = {.body = resources.Page()}, .content_type = "text/html; charset=utf-8"});
    return done({.reply = {.body = resources.StatsJson()}, .content_type = "application/json"});
  }
  if (path.starts_with(kSession) && path.size() > kSession.size()) {
    return RouteSession(resources, request, path.substr(kSession.size()), std::move(done));
  }
  done({.reply = {.status = 404, .body = "no such resource"}});
}

}  // namespace jsp::signaling
