#pragma once
#include <cstddef>
#include <string>
#include <utility>
#include <vector>
namespace jsp::tool {

// A program started by a test or a benchmark, with its standard output and error in pipes that are read to the end.
// Killed when it is still running at destruction.
class ChildProcess {
 public:
  struct Result {
    int exit_code = -1;  // -1: a signal ended it
    std::string out;
    std::string err;
    double cpu_seconds = 0;  // user and system
    size_t max_rss = 0;      // octets; the most that it had in memory
  };

  // `arguments[0]` is the path of the program.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line of standard output, without its end; empty when there is none any more.
  std::string ReadLine() { return ReadLineOf(out_); }
  // The same of standard error.
  std::string ReadErrorLine() { return ReadLineOf(err_); }
  void Signal(int signal);
  // Octets: the most that the running process had in memory so far.
  size_t MaxRss() const;
  // Reads both pipes to their ends and waits.
  Result Wait();

  static Result Run(const std::vector<std::string>& arguments) { return ChildProcess(arguments).Wait(); }

 private:
  static std::string ReadLineOf(int descriptor);

  int pid_ = -1;
  int out_ = -1;
  int err_ = -1;
};

// A `jsp serve` on a free port of loopback.
class ServeProcess {
 public:
  explicit ServeProcess(const std::string& jsp, std::vector<std::string> options = {});
  const std::string& url() const { return url_; }
  ChildProcess& process() { return process_; }

 private:
  static std::vector<std::string> Arguments(const std::string& jsp, std::vector<std::string> options);

  ChildProcess process_;
  std::string url_;
};

}  // namespace jsp::tool
