// An allocator that fails on demand: the n-th allocation of the code under test, and no other.
// Linked into what names it; `operator new` of that program counts then.
#pragma once

#include <cstdint>

namespace fulmar::test {

/// What a failure meets.
enum class shortage : std::uint8_t {
    bare,          ///< std::bad_alloc, or null
    with_reserve,  ///< first the new handler, as in the daemon: memory_reserve gives what it keeps
    bare_but_for_json,  ///< bare; but the destructor of a JSON tree needs memory and can tell
                        ///< nobody that there is none: with_reserve. For programs that export
                        ///< symbols
};

/// The `nth` allocation (from 0) inside watched_memory on this thread fails, while this lives.
class failing_memory {
  public:
    explicit failing_memory(std::uint64_t nth, shortage how = shortage::bare) noexcept;
    ~failing_memory();
    failing_memory(const failing_memory&) = delete;
    failing_memory& operator=(const failing_memory&) = delete;

    /// It came to that one.
    [[nodiscard]] bool hit() const noexcept;
};

/// Allocations of this thread count while this lives: around calls into the code under test, so
/// that those of the test itself do not.
class watched_memory {
  public:
    watched_memory() noexcept;
    ~watched_memory();
    watched_memory(const watched_memory&) = delete;
    watched_memory& operator=(const watched_memory&) = delete;
};

/// None counts while this lives: for what the code under test calls of the test, and for its next
/// try.
class unwatched_memory {
  public:
    unwatched_memory() noexcept;
    ~unwatched_memory();
    unwatched_memory(const unwatched_memory&) = delete;
    unwatched_memory& operator=(const unwatched_memory&) = delete;
};

/// Runs `attempt` again and again, each time with the next allocation failing, until it gets
/// through without any. Returns how many failed.
template <typename Attempt>
std::uint64_t fail_each_allocation(Attempt&& attempt, shortage how = shortage::bare,
                                   std::uint64_t most = 10'000) {
    for (std::uint64_t nth = 0; nth < most; ++nth) {
        failing_memory memory(nth, how);
        attempt(nth);
        if (!memory.hit()) return nth;
    }
    return most;
}

}  // namespace fulmar::test
