// The way of another thread's answer to the admin thread. Whoever answers may outlive the server:
// the control reactor has a write in a disk that hangs, a helper waits for the kernel. Its answer
// is dropped then.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <mutex>
#include <utility>

namespace fulmar::admin {

class reply_path {
  public:
    explicit reply_path(boost::asio::io_context& io) noexcept : io_(&io) {}

    /// Runs `answer` on the admin thread, or never. Called on: any thread. May throw
    /// std::bad_alloc.
    template <typename Answer>
    void post(Answer&& answer) {
        const std::lock_guard guard(lock_);
        if (io_ != nullptr) boost::asio::post(*io_, std::forward<Answer>(answer));
    }

    /// Before the io_context goes. Called on: any thread.
    void close() noexcept {
        const std::lock_guard guard(lock_);
        io_ = nullptr;
    }

  private:
    std::mutex lock_;
    boost::asio::io_context* io_;
};

}  // namespace fulmar::admin
