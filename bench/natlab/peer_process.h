#pragma once
#include <sys/types.h>

#include <array>
#include <boost/json/object.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/natlab/net_namespace.h"
namespace jsp::natlab {

// A program that speaks the lab's contract (bench/natlab/README.md#foreign-stacks): a JSON object a line, on standard
// input and output. Its standard error is kept. Killed at destruction.
class PeerProcess {
 public:
  using Clock = std::chrono::steady_clock;
  struct Line {
    Clock::time_point at;
    boost::json::object object;
  };

  // `hosts` is its /etc/hosts, if there is any.
  PeerProcess(const NetNamespace& where, const std::vector<std::string>& arguments, const std::string& hosts = {});
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  void Send(const boost::json::object& line);
  // The next line that has come, if there is one. A line that is no JSON object is passed over and quoted by Ended().
  std::optional<Line> Next();
  // For a program that writes lines of its own kind instead: what it has written on both outputs, the end of it.
  void ReadAsText() { is_text_ = true; }
  std::string text() const { return out_text_ + err_text_; }
  // It is gone, or says what nobody understands: why, with the end of its standard error. Empty while all is well.
  std::string Ended();

  // Reads what there is from all of them, until one has something or `deadline` is there.
  static void WaitForSome(std::span<PeerProcess* const> peers, Clock::time_point deadline);

 private:
  void Read(int& descriptor, std::string& text);
  void TakeLines();

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string out_text_;
  std::string err_text_;
  std::vector<Line> lines_;  // the next one at the back
  std::string nonsense_;
  bool is_text_ = false;
};

}  // namespace jsp::natlab
