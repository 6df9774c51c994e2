#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <mutex>
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
  // `cancel` posts; it is called when the operation's cancellation slot is signalled (for example by awaitable
  // operators), at once when that happened already.
  void OnCancel(std::function<void()> cancel) { holder_->OnCancel(std::move(cancel)); }

 private:
  // The signal comes on the handler's executor, the registration on the operation's.
  class Cancellation {
   public:
    void Request() {
      const std::lock_guard lock(mutex_);
      requested_ = true;
      if (cancel_) cancel_();  // posts
    }
    void Register(std::function<void()> cancel) {
      const std::lock_guard lock(mutex_);
      cancel_ = std::move(cancel);
      if (requested_) cancel_();
    }

   private:
    std::mutex mutex_;
    bool requested_ = false;
    std::function<void()> cancel_;
  };
  struct Base {
    virtual ~Base() = default;
    virtual void Complete(Args... args) = 0;
    virtual void OnCancel(std::function<void()> cancel) = 0;
  };
  template <class Handler>
  struct Holder final : Base {
    using Executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;
    Holder(Handler h, const boost::asio::any_io_executor& fallback)
        : handler(std::move(h)), work(boost::asio::get_associated_executor(handler, fallback)) {
      auto slot = boost::asio::get_associated_cancellation_slot(handler);
      if (!slot.is_connected()) return;
      cancellation = std::make_shared<Cancellation>();
      slot.assign([state = cancellation](boost::asio::cancellation_type) { state->Request(); });
    }
    void Complete(Args... args) override {
      auto executor = work.get_executor();
      boost::asio::post(executor, [h = std::move(handler), values = std::make_tuple(std::move(args)...)]() mutable {
        boost::asio::get_associated_cancellation_slot(h).clear();
        std::apply([&](auto&... v) { std::move(h)(std::move(v)...); }, values);
      });
    }
    void OnCancel(std::function<void()> cancel) override {
      if (!cancellation) return;
      cancellation->Register(std::move(cancel));
    }
    Handler handler;
    boost::asio::executor_work_guard<Executor> work;
    std::shared_ptr<Cancellation> cancellation;  // only where the slot is connected
  };
  std::unique_ptr<Base> holder_;
};

}  // namespace jsp
