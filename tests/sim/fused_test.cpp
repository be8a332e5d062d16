// Fused Compare and Write among ordinary commands of several hosts on the same blocks: nothing
// comes between a Compare and its Write, whatever the disk, the connections, aborts, pauses and the
// scheduler do.
#include "many_seeds.hpp"
#include "scenario.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace fulmar::sim {
namespace {

using nvme::fuse;
using nvme::io_opcode;

constexpr unsigned hosts_at_work = 3;
constexpr std::uint32_t cell_blocks = 2;
/// Two in one stripe of the locks, one across two stripes, one whose stripe has the same lock.
constexpr std::array<std::uint64_t, 4> cells{0, 2, 127, 64 * 128};

struct attempt {
    std::size_t cell = 0;
    std::uint64_t expected = 0;
    std::uint64_t wanted = 0;
    command_ref first{}, second{};
};

nvme::sqe of(io_opcode opcode, fuse how, std::uint64_t lba) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.flags = nvme::make_flags(how, nvme::psdt::sgl);
    sqe.nsid = 1;
    nvme::encode_block_range(sqe, {.slba = lba, .blocks = cell_blocks});
    return sqe;
}

std::vector<std::byte> stamped(std::uint64_t tag) {
    std::vector<std::byte> data(std::size_t{cell_blocks} * block_bytes);
    for (std::uint32_t i = 0; i < cell_blocks; ++i)
        write_stamp(data.data() + i * block_bytes, {.tag = tag});
    return data;
}

class writers {
  public:
    explicit writers(world& w) : world_(w) {
        for (unsigned i = 0; i < hosts_at_work; ++i) {
            who_[i] = host(static_cast<int>(i), one, w.pick(w.data_reactors()));
            who_[i].tcp = w.chance(0.5);
            join(i);
        }
    }

    void act() {
        const std::uint64_t chosen = world_.pick(100);
        const auto at = static_cast<unsigned>(world_.pick(hosts_at_work));
        const auto cell = static_cast<std::size_t>(world_.pick(cells.size()));
        if (chosen < 35) return pair(at, cell);
        if (chosen < 55) return write(at, cell);
        if (chosen < 85) return read(at, cell);
        if (chosen < 90) return abort_one(at);
        if (chosen < 93) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 95) return reconnect(at);
        if (chosen < 97) return (void)world_.ask(core::pause_subsystem{one});
        if (chosen < 99) return (void)world_.ask(core::resume_subsystem{one});
        lose_and_return();
    }

    void end() {
        world_.disk_named("a").set_stalled(false);
        resume();
        EXPECT_TRUE(world_.run_until([this] { return all_done(); }));
        for (const attempt& a : attempts_) check(a);
    }
    [[nodiscard]] std::uint64_t succeeded_pairs() const { return succeeded_; }

  private:
    void join(unsigned i) {
        admin_[i] = world_.admin(who_[i]);
        io_[i] =
            world_.io(*admin_[i], 1, static_cast<std::size_t>(world_.pick(world_.data_reactors())));
    }
    void reconnect(unsigned i) {
        io_[i]->cut();
        admin_[i]->cut();
        EXPECT_TRUE(world_.run_until([&] { return io_[i]->closed() && admin_[i]->closed(); }));
        resume();
        join(i);
    }
    void resume() {  // what is paused lets nobody in
        const auto resumed = world_.ask(core::resume_subsystem{one});
        EXPECT_TRUE(world_.run_until([&] { return resumed->done(); }));
    }
    [[nodiscard]] bool can_send(unsigned at, std::size_t count) const {
        return !io_[at]->closed() && io_[at]->room() >= count;
    }
    [[nodiscard]] bool all_done() const {
        return std::all_of(attempts_.begin(), attempts_.end(),
                           [](const attempt& a) { return a.first->done && a.second->done; });
    }

    void pair(unsigned at, std::size_t cell) {
        if (!can_send(at, 2)) return;
        attempt a{.cell = cell, .expected = known_[at][cell], .wanted = ++last_tag_};
        a.first = io_[at]->submit(of(io_opcode::compare, fuse::first, cells[cell]),
                                  stamped(a.expected), world_.chance(0.5));
        a.second = io_[at]->submit(of(io_opcode::write, fuse::second, cells[cell]),
                                   stamped(a.wanted), world_.chance(0.5));
        a.second->then = [this, at, cell, tag = a.wanted](command& c) {
            if (!c.answered || !nvme::is_success(c.status)) return;
            known_[at][cell] = tag;
            ++succeeded_;
        };
        attempts_.push_back(std::move(a));
    }
    void write(unsigned at, std::size_t cell) {
        if (!can_send(at, 1)) return;
        (void)io_[at]->submit(of(io_opcode::write, fuse::none, cells[cell]), stamped(++last_tag_),
                              world_.chance(0.5));
    }
    void read(unsigned at, std::size_t cell) {
        if (!can_send(at, 1)) return;
        const command_ref c = io_[at]->submit(of(io_opcode::read, fuse::none, cells[cell]), {},
                                              false, cell_blocks * block_bytes);
        c->then = [this, at, cell](command& done) {
            if (!done.answered || !nvme::is_success(done.status)) return;
            known_[at][cell] = read_stamp(done.data.data()).tag;
        };
    }
    void abort_one(unsigned at) {
        if (io_[at]->closed() || admin_[at]->closed() || admin_[at]->room() == 0) return;
        const std::vector<std::uint16_t> all = io_[at]->outstanding_cids();
        if (!all.empty()) (void)admin_[at]->abort(1, all[world_.pick(all.size())]);
    }
    void lose_and_return() {
        disk& d = world_.disk_named("a");
        if (d.lost()) return;
        world_.lose("a");
        world_.run_for(milliseconds(5));
        d.set_lost(false);
        (void)world_.ask(core::reopen_device{.name = "a"});
    }

    // Answered or not: where its Write has landed, it landed on what it was compared with.
    void check(const attempt& a) {
        for (std::uint32_t i = 0; i < cell_blocks; ++i) {
            const std::uint64_t lba = cells[a.cell] + i;
            const std::vector<std::uint64_t> all = world_.disk_named("a").history(lba);
            const auto landed = std::find(all.begin(), all.end(), a.wanted);
            if (landed == all.end()) {
                EXPECT_FALSE(succeeded(a.second)) << "a Write that never landed";
                continue;
            }
            EXPECT_FALSE(has(a.first, sc::compare_failure.no_retry())) << "it landed all the same";
            const std::uint64_t before = landed == all.begin() ? 0 : *std::prev(landed);
            EXPECT_EQ(before, a.expected) << "a write came in between, at block " << lba;
        }
    }

    world& world_;
    std::array<identity, hosts_at_work> who_;
    std::array<std::unique_ptr<queue>, hosts_at_work> admin_;
    std::array<std::unique_ptr<queue>, hosts_at_work> io_;
    std::array<std::array<std::uint64_t, cells.size()>, hosts_at_work> known_{};
    std::vector<attempt> attempts_;
    std::uint64_t last_tag_ = 0;
    std::uint64_t succeeded_ = 0;
};

std::uint64_t play(std::uint64_t seed) {
    world_options o = options(1 + seed % 3, seed);
    o.subsystems = {subsystem(one, {"a"})};
    o.fault_profile = {.delay_min = {},
                       .delay_max = milliseconds(3),
                       .ignore_abort_chance = 0.5,
                       .answers_inline = seed % 7 == 0};
    o.limits.transition_timeout_ms = 200;
    o.tcp = true;
    world w(o);
    w.disk_named("a").set_blocks(64 * 256);
    w.disk_named("a").keep_history();
    std::uint64_t succeeded = 0;
    {
        writers all(w);
        for (int step = 0; step < 200; ++step) {
            all.act();
            for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) w.round();
        }
        all.end();
        succeeded = all.succeeded_pairs();
    }
    w.rest();
    return succeeded;
}

TEST(fused_pairs, nothing_comes_between_a_compare_and_its_write) {
    std::uint64_t pairs = 0, played = 0;
    many_seeds("fused pairs among other commands", 1'000, [&](std::uint64_t seed) {
        pairs += play(seed);
        ++played;
    });
    EXPECT_GT(pairs, 5 * played) << "hardly any pair was carried out";
}

}  // namespace
}  // namespace fulmar::sim
