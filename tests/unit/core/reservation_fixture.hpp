// A namespace with reservations, and its commands by name: for tests of the rules.
#pragma once

#include "reservation/reservation_rules.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace fulmar::core::test {

inline constexpr nvme::reservation_type single_holder_types[] = {
    nvme::reservation_type::write_exclusive, nvme::reservation_type::exclusive_access,
    nvme::reservation_type::write_exclusive_registrants,
    nvme::reservation_type::exclusive_access_registrants};
inline constexpr nvme::reservation_type shared_types[] = {
    nvme::reservation_type::write_exclusive_all, nvme::reservation_type::exclusive_access_all};

inline nvme::host_id numbered_host(unsigned number) {
    nvme::host_id id;
    id.bytes[0] = static_cast<std::uint8_t>(number >> 8);
    id.bytes[1] = static_cast<std::uint8_t>(number);
    return id;
}

/// Commands of hosts to one namespace, whose state is kept.
struct reservation_fixture : testing::Test {
    using host_id = nvme::host_id;
    static inline const host_id a = numbered_host(1), b = numbered_host(2), c = numbered_host(3),
                                d = numbered_host(4);
    static constexpr std::uint64_t key_a = 0xa, key_b = 0xb, key_c = 0xc;
    static constexpr nvme::status conflicts = nvme::sc::reservation_conflict.no_retry();
    static constexpr nvme::status invalid_field = nvme::sc::invalid_field.no_retry();
    using told = std::vector<reservation_effect>;

    reservation_state state;
    reservation_outcome last;

    nvme::status run(const host_id& who, const reservation_request& asked) {
        const reservation_state before = state;
        last = decide(state, who, asked);
        EXPECT_EQ(state, before) << "deciding changes nothing";
        if (!nvme::is_success(last.status)) {
            EXPECT_FALSE(last.next) << "what is refused changes nothing";
            EXPECT_TRUE(last.effects.empty());
        }
        reservation_outcome adopted = last;
        adopt(state, adopted);
        EXPECT_TRUE(is_possible(state));
        return last.status;
    }
    nvme::status add(const host_id& who, std::uint64_t key,
                     nvme::persist_change persist = nvme::persist_change::keep) {
        return run(who, {.opcode = nvme::io_opcode::reservation_register,
                         .command = {.action = 0, .persist = persist},
                         .other_key = key});
    }
    nvme::status remove(const host_id& who, std::uint64_t key, bool ignore = false,
                        nvme::persist_change persist = nvme::persist_change::keep) {
        return run(who,
                   {.opcode = nvme::io_opcode::reservation_register,
                    .command = {.action = 1, .ignore_existing_key = ignore, .persist = persist},
                    .current_key = key});
    }
    nvme::status replace(const host_id& who, std::uint64_t from, std::uint64_t to,
                         bool ignore = false,
                         nvme::persist_change persist = nvme::persist_change::keep) {
        return run(who,
                   {.opcode = nvme::io_opcode::reservation_register,
                    .command = {.action = 2, .ignore_existing_key = ignore, .persist = persist},
                    .current_key = from,
                    .other_key = to});
    }
    nvme::status acquire(const host_id& who, std::uint64_t key, nvme::reservation_type type) {
        return run(who, {.opcode = nvme::io_opcode::reservation_acquire,
                         .command = {.action = 0, .type = static_cast<std::uint8_t>(type)},
                         .current_key = key});
    }
    nvme::status preempt(const host_id& who, std::uint64_t key, std::uint64_t victim,
                         nvme::reservation_type type, bool and_abort = false) {
        return run(who, {.opcode = nvme::io_opcode::reservation_acquire,
                         .command = {.action = static_cast<std::uint8_t>(and_abort ? 2 : 1),
                                     .type = static_cast<std::uint8_t>(type)},
                         .current_key = key,
                         .other_key = victim});
    }
    nvme::status release(const host_id& who, std::uint64_t key, nvme::reservation_type type) {
        return run(who, {.opcode = nvme::io_opcode::reservation_release,
                         .command = {.action = 0, .type = static_cast<std::uint8_t>(type)},
                         .current_key = key});
    }
    nvme::status clear(const host_id& who, std::uint64_t key) {
        return run(who, {.opcode = nvme::io_opcode::reservation_release,
                         .command = {.action = 1},
                         .current_key = key});
    }
    /// A, B and C are registrants, and A holds.
    void let_a_hold(nvme::reservation_type type) {
        state = {};
        add(a, key_a);
        add(b, key_b);
        add(c, key_c);
        EXPECT_EQ(acquire(a, key_a, type), nvme::sc::success);
    }
    [[nodiscard]] bool holds(const host_id& who) const { return state.is_held_by(who); }
};

}  // namespace fulmar::core::test
