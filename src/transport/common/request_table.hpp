// The requests of one connection: a few from the start (Connect, and one more), the rest when
// Connect has told the depth of the queue. Taking and giving back never allocate.
#pragma once

#include <fulmar/base/intrusive.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace fulmar::transport::common {

/// `Request` has `owner`, `in_use`, `free_hook`, and `tag` where it is to know its place: then
/// find() gives it by that.
/// Called on: owning reactor, all methods.
template <typename Request>
class request_table {
  public:
    static constexpr std::uint32_t first_count = 2;
    using owner_type = std::remove_pointer_t<decltype(Request::owner)>;

    explicit request_table(owner_type& owner) noexcept {
        for (std::uint32_t i = 0; i < first_count; ++i) {
            prepare(first_[i], i, &owner);
            free_.push_back(first_[i]);
        }
    }
    ~request_table() { free_.clear(); }
    request_table(const request_table&) = delete;
    request_table& operator=(const request_table&) = delete;

    /// Room for `depth` more than those from the start. An earlier room (of a Connect that failed
    /// later on) is replaced by a larger one, unless `is_busy` says of one of its requests that it
    /// cannot go: the Connect that asks may be in it. False: no memory, or it cannot.
    template <typename IsBusy>
    [[nodiscard]] bool grow(std::uint32_t depth, IsBusy&& is_busy) noexcept {
        if (more_ != nullptr) {
            if (depth <= more_count_) return true;
            for (std::uint32_t i = 0; i < more_count_; ++i)
                if (is_busy(std::as_const(more_[i]))) return false;
        }
        std::unique_ptr<Request[]> larger(new (std::nothrow) Request[depth]);
        if (larger == nullptr) return false;
        for (std::uint32_t i = 0; i < more_count_; ++i) free_.erase(free_.iterator_to(more_[i]));
        more_ = std::move(larger);
        more_count_ = depth;
        for (std::uint32_t i = 0; i < depth; ++i) {
            prepare(more_[i], first_count + i, first_[0].owner);
            free_.push_front(more_[i]);
        }
        return true;
    }
    /// The same where a request that is not in use can always go.
    [[nodiscard]] bool grow(std::uint32_t depth) noexcept {
        return grow(depth, [](const Request& r) { return r.in_use; });
    }

    /// Null: all are in use.
    [[nodiscard]] Request* take() noexcept {
        if (free_.empty()) return nullptr;
        Request& r = free_.front();
        free_.pop_front();
        r.in_use = true;
        return &r;
    }
    /// The warmest is the next that is taken.
    void give_back(Request& r) noexcept {
        r.in_use = false;
        free_.push_front(r);
    }
    /// It has ended, and is not to be taken again: the connection has stopped.
    void retire(Request& r) noexcept { r.in_use = false; }

    /// Null: there is no such tag. Says nothing of whether it is in use.
    [[nodiscard]] Request* find(std::uint32_t tag) noexcept {
        if (tag < first_count) return &first_[tag];
        const std::uint32_t index = tag - first_count;
        return index < more_count_ ? &more_[index] : nullptr;
    }
    [[nodiscard]] std::uint32_t size() const noexcept { return first_count + more_count_; }

    /// Shows each that is in use. `visit` may end the one that it is shown, no other.
    template <typename Visit>
    void each_in_use(Visit&& visit) noexcept {
        for (Request& r : first_)
            if (r.in_use) visit(r);
        for (std::uint32_t i = 0; i < more_count_; ++i)
            if (more_[i].in_use) visit(more_[i]);
    }
    /// True when `is_so` says it of one in use.
    template <typename IsSo>
    [[nodiscard]] bool any_in_use(IsSo&& is_so) noexcept {
        bool any = false;
        each_in_use([&](const Request& r) { any = any || is_so(r); });
        return any;
    }

  private:
    static void prepare(Request& r, std::uint32_t place, owner_type* owner) noexcept {
        r.owner = owner;
        if constexpr (requires { r.tag; }) r.tag = static_cast<decltype(r.tag)>(place);
    }

    std::array<Request, first_count> first_;
    std::unique_ptr<Request[]> more_;
    std::uint32_t more_count_ = 0;
    intrusive_list<Request, &Request::free_hook> free_;
};

}  // namespace fulmar::transport::common
