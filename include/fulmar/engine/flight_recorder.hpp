// The flight recorder: the last things of note that happened on one reactor, in a ring of fixed
// size. Written by its reactor without allocating or locking; read by any thread, also while the
// process is dying. Not for every command: transitions, parks, replays, drops, comings and goings.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/base/limits.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fulmar::engine {

/// What its writer says of an event. Texts must be literals: only their addresses are kept.
struct flight_note {
    const char* what = "";  ///< "subsystem", "parked", …
    const char* detail = "";
    subsystem_id subsystem{};  ///< not valid: it concerns none
    namespace_id ns{};
    std::uint64_t object = 0;  ///< connection, controller or transition number; 0: none
    std::uint64_t value = 0;   ///< a count, or a command identifier; `what` says which
};

/// A note with its place in time.
struct flight_entry : flight_note {
    std::uint64_t sequence = 0;  ///< counts from 1 per reactor: a gap is what has been overwritten
    instant at{};
    reactor_id reactor{};
};

/// Called on: owning reactor, unless a method says otherwise.
class flight_recorder {
  public:
    /// Joins the list that dump_flight_recorders() walks, as long as that has room (it has for
    /// every reactor of a process).
    flight_recorder(reactor_id where);
    ~flight_recorder();
    flight_recorder(const flight_recorder&) = delete;
    flight_recorder& operator=(const flight_recorder&) = delete;

    void note(instant at, const flight_note& what) noexcept;

    /// Copies what is there, oldest first, leaving out what is overwritten meanwhile.
    /// Called on: any thread.
    void collect(std::vector<flight_entry>& into) const;
    /// The `back`th entry before the newest (0: the newest); false when it is not there (any more).
    /// Called on: any thread; never allocates.
    bool read(std::uint64_t back, flight_entry& into) const noexcept;
    /// Entries ever written. Called on: any thread.
    [[nodiscard]] std::uint64_t written() const noexcept {
        return next_.load(std::memory_order_acquire);
    }

  private:
    // A sequence lock per entry, all of it atomic: `sequence` is odd while the entry changes.
    struct slot {
        std::atomic<std::uint64_t> sequence{0};
        std::array<std::atomic<std::uint64_t>, 7> words{};
    };
    static_assert(sizeof(slot) == limits::cache_line);
    // Memory for one. Slots are made as they are first written: a ring that is seldom full costs
    // neither the time nor the memory of one that is.
    struct alignas(slot) room {
        std::array<std::byte, sizeof(slot)> bytes;
    };
    [[nodiscard]] slot& slot_of(std::uint64_t number) const noexcept;

    reactor_id where_;
    std::unique_ptr<room[]> rooms_;
    std::atomic<std::uint64_t> next_{0};
};

/// One line for people: seconds since `zero`, reactor, what happened to whom. Returns its length,
/// with the newline. Never allocates.
/// Called on: any thread.
std::size_t print_flight_entry(const flight_entry& entry, instant zero,
                               std::span<char> into) noexcept;

/// Writes the rings of all reactors of this process to `fd`, reactor by reactor, oldest first. For
/// signal handlers and the assertion hook: neither allocates nor locks. Called on: any thread.
void dump_flight_recorders(int fd) noexcept;

}  // namespace fulmar::engine
