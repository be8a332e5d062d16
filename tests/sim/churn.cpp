#include "churn.hpp"

#include "actors.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fulmar::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds transition_timeout{400};
constexpr milliseconds shutdown_timeout{2'000};

world_options shape(std::uint64_t seed, unsigned data_reactors) {
    world_options o;
    o.seed = seed;
    o.data_reactors = data_reactors;
    o.limits.transition_timeout_ms = static_cast<std::uint32_t>(transition_timeout.count());
    o.limits.shutdown_timeout_ms = static_cast<std::uint32_t>(shutdown_timeout.count());
    o.limits.connect_wait_ms = 250;
    o.limits.first_pdu_timeout_ms = 2'000;
    o.limits.send_stall_s = 1;
    o.limits.data_stall_s = 1;
    std::mt19937_64 random(seed * 31 + data_reactors);
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    o.fabric.delay_max = one_in(3) ? milliseconds(3) : microseconds(200);
    o.fabric.window = one_in(3) ? 2 : 16;
    o.fabric.break_chance = one_in(2) ? 0.001 : 0;
    o.fabric.corrupt_chance = one_in(3) ? 0.02 : 0;
    o.fault_profile.delay_max = one_in(3) ? milliseconds(20) : microseconds(500);
    o.fault_profile.error_chance = one_in(2) ? 0.02 : 0;
    o.fault_profile.ignore_abort_chance = one_in(2) ? 1 : 0.3;
    o.fault_profile.answers_inline = one_in(6);
    return o;
}

// SIGTERM while everybody goes on.
void stop_in_the_middle(world& w, const std::vector<std::unique_ptr<random_host>>& hosts,
                        random_operator& operators) {
    bool stopped = false;
    const instant begun = w.now();
    w.target().shut_down([&] { stopped = true; });
    const instant end = begun + shutdown_timeout + milliseconds(200);
    while (!stopped && w.now() < end) {
        for (const auto& h : hosts)
            if (w.chance(0.5)) h->act();
        if (w.chance(0.02)) operators.act();
        w.round();
    }
    EXPECT_TRUE(stopped) << "the shutdown did not end in time";
}

}  // namespace

std::uint64_t churn(std::uint64_t seed, unsigned data_reactors, unsigned drives) {
    world_options o = shape(seed, data_reactors);
    for (unsigned i = 0; i < drives; ++i) o.drives.push_back(fmt::format("d{}", i));
    world w(std::move(o));
    stage_set set;
    for (int i = 0; i < 3; ++i) set.subsystems.push_back(fmt::format("nqn.2024-01.sim:s{}", i));
    for (int i = 0; i < 5; ++i) set.disks.push_back(fmt::format("d{}", i));
    for (int i = 0; i < 4; ++i) set.hosts.push_back(fmt::format("nqn.2024-01.sim:h{}", i));
    for (const std::string& disk : set.disks)
        (void)w.change(core::create_device{w.device_for(disk)});
    {
        random_operator operators(w, set, 3 * (transition_timeout + milliseconds(400)));
        random_accidents accidents(w, set, w.chance(0.3) ? 0.02 : 0.002);
        std::vector<std::unique_ptr<random_host>> hosts;
        for (std::size_t i = 0; i < set.hosts.size(); ++i)
            hosts.push_back(std::make_unique<random_host>(w, set, i));
        const double operator_rate = w.chance(0.5) ? 0.05 : 0.01;
        const std::uint64_t rounds = 200 + w.pick(1'200);
        for (std::uint64_t i = 0; i < rounds; ++i) {
            for (const auto& h : hosts)
                if (w.chance(0.5)) h->act();
            if (w.chance(operator_rate)) operators.act();
            accidents.act();
            w.round();
        }
        operators.check();
        if (w.chance(0.2)) stop_in_the_middle(w, hosts, operators);
    }
    w.rest();
    return w.trace_hash();
}

}  // namespace fulmar::sim
