// A question on its way to another thread: whichever comes first ends it, the answer or the
// deadline; what comes later finds nobody. Called on: admin thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <utility>

namespace fulmar::admin {

template <typename Answer>
struct one_answer {
    one_answer(boost::asio::io_context& io, std::function<void(Answer)> next)
        : deadline(io), then(std::move(next)) {}
    void end(Answer with) {
        deadline.cancel();
        if (then) std::exchange(then, nullptr)(std::move(with));
    }
    boost::asio::steady_timer deadline;
    std::function<void(Answer)> then;
};

}  // namespace fulmar::admin
