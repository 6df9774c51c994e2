#include "transport/asio/loop_buffers.h"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>

namespace jsp::transport::io {

LoopBuffers::LoopBuffers(boost::asio::execution_context& context) : boost::asio::execution_context::service(context) {
  for (Blocks& blocks : kept_) blocks.reserve(kMaxKept);
}

LoopBuffers& LoopBuffers::Of(const boost::asio::any_io_executor& executor) {
  return boost::asio::use_service<LoopBuffers>(boost::asio::query(executor, boost::asio::execution::context));
}

std::unique_ptr<uint8_t[]> LoopBuffers::Take(Kind kind) {
  {
    const std::lock_guard lock(mutex_);
    Blocks& blocks = kept_[static_cast<size_t>(kind)];
    if (!blocks.empty()) {
      auto block = std::move(blocks.back());
      blocks.pop_back();
      return block;
    }
  }
  return std::unique_ptr<uint8_t[]>(new uint8_t[kind == Kind::kReceive ? kReceiveOctets : kSendOctets]);
}

void LoopBuffers::Give(Kind kind, std::unique_ptr<uint8_t[]> block) {
  const std::lock_guard lock(mutex_);
  Blocks& blocks = kept_[static_cast<size_t>(kind)];
  if (blocks.size() < kMaxKept) blocks.push_back(std::move(block));
}

}  // namespace jsp::transport::io
