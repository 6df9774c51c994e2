#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
namespace jsp {

// Holds one completion handler of any kind until its operation ends, with its executor and outstanding work (Boost 1.81
// has no any_completion_handler yet). Complete() posts: a handler never runs inside the call that started or ended it.
template <class... Args>
class Completion {
 public:
  Completion() = default;
  template <class Handler>
  Completion(Handler handler, const boost::asio::any_io_executor& fallback)
      : holder_(std::make_unique<Holder<Handler>>(std::move(handler), fallback)) {}

  explicit operator bool() const { return holder_ != nullptr; }
  void Complete(Args... args) {
    auto holder = std::move(holder_);
    if (holder) holder->Complete(std::move(args)...);
  }
  // `cancel` runs when the operation's cancellation slot is signalled (for example by awaitable operators).
  void OnCancel(std::function<void()> cancel) { holder_->OnCancel(std::move(cancel)); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void Complete(Args... args) = 0;
    virtual void OnCancel(std::function<void()> cancel) = 0;
  };
  template <class Handler>
  struct Holder final : Base {
    using Executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;
    Holder(Handler h, const boost::asio::any_io_executor& fallback)
        : handler(std::move(h)), work(boost::asio::get_associated_executor(handler, fallback)) {}
    void Complete(Args... args) override {
      boost::asio::get_associated_cancellation_slot(handler).clear();
      auto executor = work.get_executor();
      boost::asio::post(executor, [h = std::move(handler), values = std::make_tuple(std::move(args)...)]() mutable {
        std::apply([&](auto&... v) { std::move(h)(std::move(v)...); }, values);
      });
    }
    void OnCancel(std::function<void()> cancel) override {
      auto slot = boost::asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.assign([cancel = std::move(cancel)](boost::asio::cancellation_type) { cancel(); });
    }
    Handler handler;
    boost::asio::executor_work_guard<Executor> work;
  };
  std::unique_ptr<Base> holder_;
};

}  // namespace jsp
