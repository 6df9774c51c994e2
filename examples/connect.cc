// Connects to `jsp serve` at the URL given, says hello on a channel that echoes, and prints the answer.
#include <boost/asio.hpp>
#include <iostream>

#include "transport/connection.h"

int main(int argc, char** argv) {
  boost::asio::io_context io;
  jsp::Connection connection;
  int result = 1;
  jsp::Connection::async_connect(
      io.get_executor(), argc > 1 ? argv[1] : "http://127.0.0.1:8080", {}, [&](auto error, jsp::Connection connected) {
        connection = std::move(connected);
        if (error) return void(std::cerr << connection.error() << "\n");
        connection->async_send(boost::asio::buffer("hello", 5), [](auto, size_t) {});
        connection->async_receive([&](auto receive_error, jsp::Message message) {
          std::cout << (receive_error ? receive_error.message() : std::string(message.text())) << "\n";
          result = receive_error ? 1 : 0;
          connection = {};
        });
      });
  io.run();
  return result;
}
