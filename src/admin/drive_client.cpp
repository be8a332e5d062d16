#include "drive_client.hpp"

#include "one_answer.hpp"
#include "reply_path.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <list>
#include <utility>

namespace fulmar::admin {

namespace {
namespace asio = boost::asio;
}  // namespace

class drive_client::impl : public std::enable_shared_from_this<drive_client::impl> {
  public:
    impl(asio::io_context& io, drive_port* port) : io_(io), port_(port) {}

    /// What the port is to call: brings the answer to the admin thread, and is silent when it comes
    /// too late.
    template <typename Answer>
    std::function<void(Answer)> at_home(std::function<void(Answer)> then) {
        auto asked = std::make_shared<one_answer<Answer>>(io_, std::move(then));
        asked->deadline.expires_after(limits::drive_patience);
        asked->deadline.async_wait([asked](boost::system::error_code failure) {
            if (failure) return;
            asked->end(fail(errc::timed_out, "the kernel has not answered about the drive in time",
                            {}, "look at its log; what was asked for may still happen"));
        });
        return [home = replies_, waits = std::weak_ptr(asked)](Answer answer) {
            home->post([waits, late = std::move(answer)]() mutable {
                if (const auto still = waits.lock()) still->end(std::move(late));
            });
        };
    }

    template <typename Answer, typename Ask>
    void ask(std::function<void(Answer)> then, Ask&& run) {
        if (port_ == nullptr)
            return then(fail(errc::not_supported, "this daemon drives no NVMe drives"));
        run(*port_, at_home<Answer>(std::move(then)));
    }

    void take(event newest) {
        ring_.add(std::move(newest));
        std::list<waiter> woken = std::move(waiters_);
        waiters_.clear();
        for (waiter& one : woken) answer(one);
    }

    void wait(std::uint64_t sequence, std::chrono::milliseconds patience, waited then) {
        if (ring_.has_after(sequence) || stopping_) return then(ring_.after(sequence));
        if (waiters_.size() >= limits::max_event_waiters)
            return then(fail(errc::limit_reached, "too many wait for events already", {},
                             "ask without waiting: GET /v1/events"));
        waiters_.push_back({sequence, std::move(then), asio::steady_timer(io_)});
        const std::uint64_t number = waiters_.back().number = ++numbers_;
        waiters_.back().limit.expires_after(patience);
        waiters_.back().limit.async_wait(
            [self = shared_from_this(), number](boost::system::error_code failure) {
                if (!failure) self->give_up(number);
            });
    }

    void stop() {
        stopping_ = true;
        std::list<waiter> left = std::move(waiters_);
        waiters_.clear();
        for (waiter& one : left) answer(one);
    }

    event_ring ring_;
    asio::io_context& io_;
    const std::shared_ptr<reply_path> replies_ = std::make_shared<reply_path>(io_);

  private:
    struct waiter {
        std::uint64_t sequence;
        waited then;
        asio::steady_timer limit;
        std::uint64_t number = 0;
    };

    void answer(waiter& one) {
        one.limit.cancel();
        try {
            one.then(ring_.after(one.sequence));
        } catch (const std::exception& failure) {  // the others still get theirs
            log::error("administration: an answer was dropped: {}", failure.what());
        }
    }

    void give_up(std::uint64_t number) {
        for (auto at = waiters_.begin(); at != waiters_.end(); ++at) {
            if (at->number != number) continue;
            std::list<waiter> late;
            late.splice(late.begin(), waiters_, at);
            return answer(late.front());
        }
    }

    drive_port* port_;
    std::list<waiter> waiters_;
    std::uint64_t numbers_ = 0;
    bool stopping_ = false;
};

drive_client::drive_client(asio::io_context& io, drive_port* port)
    : impl_(std::make_shared<impl>(io, port)) {}
drive_client::~drive_client() { impl_->replies_->close(); }

void drive_client::list(drive_port::listed then) {
    impl_->ask(std::move(then),
               [](drive_port& port, drive_port::listed home) { port.list(std::move(home)); });
}

void drive_client::find(const std::string& which, drive_port::shown then) {
    impl_->ask(std::move(then), [&](drive_port& port, drive_port::shown home) {
        port.find(which, std::move(home));
    });
}

void drive_client::plan(const std::string& which, drive_wish wish, drive_port::planned then) {
    impl_->ask(std::move(then), [&](drive_port& port, drive_port::planned home) {
        port.plan(which, wish, std::move(home));
    });
}

void drive_client::bind(const std::string& address, const std::string& driver,
                        drive_port::finished then) {
    impl_->ask(std::move(then), [&](drive_port& port, drive_port::finished home) {
        port.bind(address, driver, std::move(home));
    });
}

void drive_client::locate(const std::string& address, const std::string& indicator,
                          drive_port::finished then) {
    impl_->ask(std::move(then), [&](drive_port& port, drive_port::finished home) {
        port.locate(address, indicator, std::move(home));
    });
}

void drive_client::publish(event one) {
    asio::post(impl_->io_,
               [self = impl_, one = std::move(one)]() mutable { self->take(std::move(one)); });
}

void drive_client::wait(std::uint64_t sequence, std::chrono::milliseconds patience, waited then) {
    impl_->wait(sequence, patience, std::move(then));
}

std::uint64_t drive_client::newest() const noexcept { return impl_->ring_.newest(); }

void drive_client::stop() { impl_->stop(); }

}  // namespace fulmar::admin
