#include "bench/natlab/json_lines.h"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <cstdint>
#include <set>
#include <vector>

namespace jsp::natlab {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// What boost::json::basic_parser calls for each part of a text.
struct Handler {
  static constexpr size_t max_object_size = 4096;
  static constexpr size_t max_array_size = 65536;
  static constexpr size_t max_key_size = 256;
  static constexpr size_t max_string_size = 65536;

  struct Level {
    std::string path;
    bool is_array = false;
    size_t index = 0;
    std::set<std::string> keys{};
  };
  size_t line = 1;
  std::string key;
  std::string problem;
  std::vector<Level> levels;
  std::map<std::string, size_t> lines;

  // The path of the value that begins.
  std::string Path() const {
    if (levels.empty()) return {};
    const Level& level = levels.back();
    if (level.is_array) return level.path + "[" + std::to_string(level.index) + "]";
    return level.path.empty() ? key : level.path + "." + key;
  }
  bool Open(bool is_array) {
    lines[Path()] = line;
    levels.push_back({Path(), is_array});
    return true;
  }
  bool Close() {
    levels.pop_back();
    return Next();
  }
  bool Value() {
    lines[Path()] = line;
    return Next();
  }
  bool Next() {
    if (!levels.empty() && levels.back().is_array) ++levels.back().index;
    return true;
  }
  bool Key(error_code& error) {
    if (levels.back().keys.insert(key).second) return true;
    problem = "key '" + Path() + "' is there twice";
    error = json::error::syntax;
    return false;
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return Open(false); }
  bool on_object_end(size_t, error_code&) { return Close(); }
  bool on_array_begin(error_code&) { return Open(true); }
  bool on_array_end(size_t, error_code&) { return Close(); }
  bool on_key_part(json::string_view part, size_t total, error_code&) {
    if (part.size() == total) key.clear();
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, size_t total, error_code& error) {
    (void)on_key_part(part, total, error);
    return Key(error);
  }
  bool on_string_part(json::string_view, size_t, error_code&) { return true; }
  bool on_string(json::string_view, size_t, error_code&) { return Value(); }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(int64_t, json::string_view, error_code&) { return Value(); }
  bool on_uint64(uint64_t, json::string_view, error_code&) { return Value(); }
  bool on_double(double, json::string_view, error_code&) { return Value(); }
  bool on_bool(bool, error_code&) { return Value(); }
  bool on_null(error_code&) { return Value(); }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }
};

}  // namespace

// The parser is given line by line, so that what it says while it has a line belongs to that one.
Expected<std::map<std::string, size_t>, JsonProblem> IndexJsonLines(std::string_view text) {
  json::basic_parser<Handler> parser(json::parse_options{});
  error_code error;
  for (size_t begin = 0; begin < text.size() && !error;) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string_view line = text.substr(begin, end - begin);
    const size_t taken = parser.write_some(true, line.data(), line.size(), error);
    if (!error && taken < line.size() && line.find_first_not_of(" \t\r\n", taken) != std::string_view::npos) {
      error = json::error::extra_data;
    }
    if (error) break;
    if (!parser.done() || end < text.size()) parser.handler().line += line.ends_with('\n') ? 1 : 0;
    begin = end;
  }
  if (!error && !parser.done()) parser.write_some(false, "", 0, error);
  const Handler& handler = parser.handler();
  if (!error) return handler.lines;
  return Unexpected(JsonProblem{handler.line, handler.problem.empty() ? error.message() : handler.problem});
}

}  // namespace jsp::natlab
