// Drives that vanish and return under the I/O of hosts, with the real driver and the whole target.
#include "drive_actors.hpp"
#include "time_box.hpp"

#include <gtest/gtest.h>

#include <array>
#include <span>

namespace fulmar::sim {
namespace {

using backend::drive_state;
using core::loss_policy;

constexpr std::array both_policies{loss_policy::fail, loss_policy::hold};

/// When the second sign comes.
enum class gap : std::uint8_t { at_once, soon, while_it_closes, after_release, after_return };
constexpr std::uint64_t gap_count = 5;

bool due(drive_story& s, gap when, std::uint32_t generation, instant since) {
    const backend::pcie_device* driver = s.w.slots().driver(drive_disk);
    switch (when) {
        case gap::at_once: return true;
        case gap::soon: return s.w.now() - since >= milliseconds(5);
        case gap::while_it_closes: return s.w.slots().in(drive_disk).closing();
        case gap::after_release: return driver->status().state == drive_state::absent;
        case gap::after_return: return s.serves() && driver->status().generation != generation;
    }
    return false;
}

void play(const drive_case& c, std::span<const drive_sign> signs, gap when) {
    drive_story s(c);
    s.w.run_for(milliseconds(20 + s.w.pick(60)));
    for (std::size_t i = 0; i < signs.size(); ++i) {
        const std::uint32_t generation = s.w.slots().driver(drive_disk)->status().generation;
        const instant since = s.w.now();
        s.give(signs[i]);
        if (i + 1 < signs.size())
            s.w.run_until([&] { return due(s, when, generation, since); }, seconds(3));
    }
    s.w.run_for(milliseconds(s.w.pick(1'500)));
    s.recover();
}

// Of each pair one moment and one policy, and by seed all others.
void play_pair(std::uint64_t seed) {
    const std::uint64_t pair = seed % (drive_sign_count * drive_sign_count);
    const std::uint64_t more = seed / (drive_sign_count * drive_sign_count) + pair;
    const std::array signs{static_cast<drive_sign>(pair / drive_sign_count),
                           static_cast<drive_sign>(pair % drive_sign_count)};
    const drive_case c{.seed = seed,
                       .on_loss = both_policies[more / gap_count % 2],
                       .operators = more / (2 * gap_count) % 2 == 0};
    const auto when = static_cast<gap>(more % gap_count);
    SCOPED_TRACE(fmt::format("{}, then {}, gap {}, {}", to_string(signs[0]), to_string(signs[1]),
                             static_cast<int>(when),
                             c.on_loss == loss_policy::hold ? "hold" : "fail"));
    play(c, signs, when);
}

TEST(drive_hosts, any_two_signs_are_answered_as_promised) {
    for (std::uint64_t seed = 0; seed < drive_sign_count * drive_sign_count; ++seed) {
        play_pair(seed);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(drive_hosts, any_two_signs_at_any_moment_are_answered_as_promised) {
    many_seeds("drives that two signs are given of", 0.02, play_pair);
}

TEST(drive_hosts, each_sign_alone_is_answered_as_promised) {
    std::uint64_t seed = 0;
    for (const loss_policy on_loss : both_policies)
        for (std::size_t a = 0; a < drive_sign_count; ++a) {
            const std::array signs{static_cast<drive_sign>(a)};
            SCOPED_TRACE(fmt::format("{}, {}", to_string(signs[0]),
                                     on_loss == loss_policy::hold ? "hold" : "fail"));
            play({.seed = ++seed, .on_loss = on_loss}, signs, gap::at_once);
            if (::testing::Test::HasFailure()) return;
        }
}

}  // namespace
}  // namespace fulmar::sim
