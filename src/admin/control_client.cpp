#include "control_client.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/eventfd.h>

#include <atomic>
#include <exception>
#include <list>
#include <system_error>
#include <utility>

namespace fulmar::admin {

namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

struct call;

/// Where answers wait for the admin thread. Every call holds a share: it outlives the client when
/// an answer comes too late.
struct inbox {
    std::atomic<call*> newest{nullptr};
    unique_fd wakeup{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

    /// In the place of the newest call once nobody takes answers any more.
    [[nodiscard]] call* closed() noexcept { return reinterpret_cast<call*>(this); }
};

struct call final : core::control_request {
    call(std::variant<core::change, core::query> command, bool wants_durable,
         std::shared_ptr<inbox> to, control_client::then continuation,
         std::function<void()> on_settled)
        : control_request(std::move(command), wants_durable, &call::reply),
          home(std::move(to)),
          next(std::move(continuation)),
          settled(std::move(on_settled)) {}

    /// On the control reactor.
    static void reply(core::control_request& request) noexcept {
        auto& self = static_cast<call&>(request);
        // The admin thread may have the call as soon as it is in the stack.
        const std::shared_ptr<inbox> to = self.home;
        call* newest = to->newest.load(std::memory_order_relaxed);
        do {
            if (newest == to->closed()) {  // too late for anybody
                delete &self;
                return;
            }
            self.below = newest;
        } while (!to->newest.compare_exchange_weak(newest, &self, std::memory_order_release,
                                                   std::memory_order_relaxed));
        if (newest != nullptr) return;  // the one below has woken the thread
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t ignored = ::write(to->wakeup.get(), &one, sizeof one);
    }

    std::shared_ptr<inbox> home;
    call* below = nullptr;
    control_client::then next;  // empty: nobody waits any more
    std::function<void()> settled;
    steady_clock::time_point deadline;
    std::list<call*>::iterator place;
};

}  // namespace

class control_client::impl final : public std::enable_shared_from_this<control_client::impl> {
  public:
    impl(asio::io_context& io, core::control_port& port, std::chrono::milliseconds patience)
        : port_(port), patience_(patience), wakeup_(io), sweep_(io) {
        if (!inbox_->wakeup) throw std::system_error(errno, std::generic_category(), "eventfd");
        wakeup_.assign(::dup(inbox_->wakeup.get()));
    }

    void start() {
        wait_for_answers();
        wait_for_deadline();
    }

    void submit(std::variant<core::change, core::query> what, bool durable, then next,
                std::function<void()> settled) {
        auto fresh = std::make_unique<call>(std::move(what), durable, inbox_, std::move(next),
                                            std::move(settled));
        fresh->deadline = steady_clock::now() + patience_;
        fresh->place = calls_.insert(calls_.end(), fresh.get());
        port_.submit(*fresh.release());  // it comes back through the inbox
    }

    void close() {
        boost::system::error_code ignored;
        wakeup_.close(ignored);
        sweep_.cancel();
        for (call* one : calls_) one->next = nullptr;
        call* answered = inbox_->newest.exchange(inbox_->closed(), std::memory_order_acq_rel);
        while (answered != nullptr && answered != inbox_->closed()) {
            const std::unique_ptr<call> done(std::exchange(answered, answered->below));
            calls_.erase(done->place);
        }
    }

    [[nodiscard]] std::size_t outstanding() const noexcept { return calls_.size(); }

  private:
    void wait_for_answers() {
        wakeup_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code failure) {
                               if (failure) return;
                               self->wait_for_answers();  // first: a continuation may throw
                               self->take_answers();
                           });
    }

    void take_answers() {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t ignored = ::read(inbox_->wakeup.get(), &count, sizeof count);
        if (inbox_->newest.load(std::memory_order_relaxed) == inbox_->closed()) return;
        call* stack = inbox_->newest.exchange(nullptr, std::memory_order_acquire);
        call* in_order = nullptr;
        while (stack != nullptr) {
            call* const top = std::exchange(stack, stack->below);
            top->below = std::exchange(in_order, top);
        }
        while (in_order != nullptr) {
            const std::unique_ptr<call> done(std::exchange(in_order, in_order->below));
            calls_.erase(done->place);
            const then next = std::move(done->next);
            try {
                if (done->settled) done->settled();
                if (next) next(std::move(done->outcome), done->revision);
            } catch (const std::exception& failure) {  // the others still get their answers
                log::error("administration: an answer was dropped: {}", failure.what());
            }
        }
    }

    /// Calls are in the order of their deadlines, as all have the same patience.
    void wait_for_deadline() {
        sweep_.expires_after(std::chrono::milliseconds(200));
        sweep_.async_wait([self = shared_from_this()](boost::system::error_code failure) {
            if (failure) return;
            self->wait_for_deadline();  // first: a continuation may throw
            const auto now = steady_clock::now();
            std::vector<then> late;
            for (call* one : self->calls_) {
                if (one->deadline > now) break;
                if (one->next) late.push_back(std::exchange(one->next, nullptr));
            }
            for (const then& next : late)
                next(fail(errc::timed_out, "the control reactor has not answered in time", {},
                          "look at /v1/health and the log; the change may still happen"),
                     0);
        });
    }

    core::control_port& port_;
    std::chrono::milliseconds patience_;
    std::shared_ptr<inbox> inbox_ = std::make_shared<inbox>();
    asio::posix::stream_descriptor wakeup_;
    asio::steady_timer sweep_;
    std::list<call*> calls_;
};

control_client::control_client(asio::io_context& io, core::control_port& port,
                               std::chrono::milliseconds patience)
    : impl_(std::make_shared<impl>(io, port, patience)) {
    impl_->start();
}
control_client::~control_client() { impl_->close(); }
void control_client::submit(std::variant<core::change, core::query> what, bool durable, then next,
                            std::function<void()> settled) {
    impl_->submit(std::move(what), durable, std::move(next), std::move(settled));
}
std::size_t control_client::outstanding() const noexcept { return impl_->outstanding(); }

}  // namespace fulmar::admin
