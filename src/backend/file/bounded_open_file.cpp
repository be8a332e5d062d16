#include "bounded_open_file.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace fulmar::backend {

namespace {

/// Shared by the thread and who waits for it; whoever is last destroys what came of it.
template <typename T>
struct blocking_call {
    std::mutex lock;
    std::condition_variable ended;
    std::optional<result<T>> outcome;
};

/// Nobody could catch anything behind it.
template <typename T>
result<T> run(const std::function<result<T>()>& work) noexcept {
    try {
        return work();
    } catch (const std::exception& failure) {
        return fail(errc::no_memory, failure.what());
    }
}

template <typename T>
result<T> wait_for(const std::shared_ptr<blocking_call<T>>& call, std::function<result<T>()> work,
                   duration limit) {
    try {
        std::thread([call, work = std::move(work)]() mutable {
            result<T> outcome = run(work);
            work = nullptr;  // what it holds goes before anybody hears
            const std::lock_guard guard(call->lock);
            call->outcome.emplace(std::move(outcome));
            call->ended.notify_one();
        }).detach();
    } catch (const std::system_error& failure) {
        return fail(errc::no_memory, failure.what());
    }
    std::unique_lock guard(call->lock);
    if (!call->ended.wait_for(guard, limit, [&] { return call->outcome.has_value(); }))
        return fail(errc::timed_out, "the storage does not answer", "/path",
                    "look at what it is on; what was asked may still happen when it answers");
    return std::move(*call->outcome);
}

}  // namespace

result<std::unique_ptr<bounded_open_file>> bounded_open_file::open(opener open, duration limit) {
    using opened = std::unique_ptr<backing_file>;
    FULMAR_TRY(auto file,
               wait_for<opened>(std::make_shared<blocking_call<opened>>(), std::move(open), limit));
    return std::unique_ptr<bounded_open_file>(new bounded_open_file(std::move(file), limit));
}

result<void> bounded_open_file::run(std::function<result<void>()> work, duration limit) {
    return wait_for<void>(std::make_shared<blocking_call<void>>(), std::move(work), limit);
}

template <typename T>
result<T> bounded_open_file::ask(std::function<result<T>(backing_file&)> what) {
    if (!asked_.expired())
        return fail(errc::unavailable, "the storage has not answered what was asked before",
                    "/path", "try again when it does");
    auto asked = std::make_shared<const char>();  // the thread's, until it comes back
    asked_ = asked;
    return wait_for<T>(
        std::make_shared<blocking_call<T>>(),
        [file = file_, what = std::move(what), asked = std::move(asked)] { return what(*file); },
        limit_);
}

result<std::uint64_t> bounded_open_file::size() {
    return ask<std::uint64_t>([](backing_file& f) { return f.size(); });
}

result<void> bounded_open_file::set_size(std::uint64_t old_bytes, std::uint64_t new_bytes) {
    return ask<void>([=](backing_file& f) { return f.set_size(old_bytes, new_bytes); });
}

result<void> bounded_open_file::reopen() {
    return ask<void>([](backing_file& f) { return f.reopen(); });
}

}  // namespace fulmar::backend
