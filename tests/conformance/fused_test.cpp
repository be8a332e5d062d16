// Fused Compare and Write (Base 2.0, section 3.4.2; NVM Command Set 1.0, section 2.4).
#include "suite.hpp"
#include "support/eventually.hpp"
#include "support/reservation_commands.hpp"
#include "support/spy_device.hpp"

#include <fulmar/base/limits.hpp>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::conformance {
namespace {

using nvme::fuse;
using nvme::io_opcode;

constexpr nvme::status invalid_field = sc::invalid_field.no_retry();

struct asked final : host::request {
    bool ended = false;
    bytes sent;

    asked() : request([](host::request& r) noexcept { static_cast<asked&>(r).ended = true; }) {}
};

/// Commands that go out behind each other, in one turn of the queue.
class batch {
  public:
    explicit batch(host::queue& on) : queue_(on) {}

    asked& add(io_opcode opcode, fuse how, const nvme::block_range& range, bytes data,
               bool in_capsule = true, std::uint32_t nsid = 1) {
        asked& r = *requests_.emplace_back(std::make_unique<asked>());
        r.command = io_sqe(opcode, range, nsid);
        r.command.flags = nvme::make_flags(how, nvme::psdt::sgl);
        r.sent = std::move(data);
        r.data = r.sent.data();
        r.data_bytes = static_cast<std::uint32_t>(r.sent.size());
        r.direction = r.sent.empty() ? host::transfer::none : host::transfer::to_controller;
        r.data_in_capsule = in_capsule;
        EXPECT_EQ(queue_.submit(r), host::submit_result::queued);
        return r;
    }
    void turn() { queue_.poll(); }
    [[nodiscard]] bool ended() const {
        return std::all_of(requests_.begin(), requests_.end(),
                           [](const auto& r) { return r->ended; });
    }
    void run(duration within = std::chrono::seconds(20)) {
        const host::deadline until = host::deadline(within);
        while (!ended() && !until.passed()) {
            queue_.wait(until);
            queue_.poll();
        }
        ASSERT_TRUE(ended());
    }
    [[nodiscard]] std::vector<nvme::status> statuses() const {
        std::vector<nvme::status> all;
        for (const auto& r : requests_) all.push_back(r->status());
        return all;
    }

  private:
    host::queue& queue_;
    std::vector<std::unique_ptr<asked>> requests_;
};

using statuses = std::vector<nvme::status>;

struct pair_options {
    std::uint64_t slba = 0;
    std::uint32_t nsid = 1;
    std::uint32_t block_bytes = 512;
    bool first_in_capsule = true;
    bool second_in_capsule = true;
};

statuses compare_and_write(host::queue& q, const bytes& expected, const bytes& wanted,
                           const pair_options& o = {}) {
    const nvme::block_range range{
        .slba = o.slba, .blocks = static_cast<std::uint32_t>(expected.size() / o.block_bytes)};
    batch both(q);
    both.add(io_opcode::compare, fuse::first, range, expected, o.first_in_capsule, o.nsid);
    both.add(io_opcode::write, fuse::second, range, wanted, o.second_in_capsule, o.nsid);
    both.run();
    return both.statuses();
}

const statuses both_succeed{sc::success, sc::success};
const statuses missed{sc::compare_failure.no_retry(), sc::aborted_failed_fused};

class fused_test : public suite {
  protected:
    testing::spy& spying() {
        setup.spec.devices[0].type = "spy";
        setup.devices = spy_.factory();
        return spy_;
    }
    std::unique_ptr<host::controller> connect_as(std::uint32_t number) {
        host::controller_options options = host_options();
        options.hostnqn = "nqn.2026-01.io.fulmar:member-" + std::to_string(number);
        options.hostid = nvme::derive_uuid("a member of a cluster", number);
        return connect(options);
    }

  private:
    testing::spy spy_;
};
INSTANTIATE_TEST_SUITE_P(reactors, fused_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

void expect_blocks(host::queue& q, const bytes& wanted, const pair_options& o = {}) {
    bytes got(wanted.size());
    EXPECT_STATUS(read_blocks(q, o.slba, got, o.nsid, o.block_bytes), sc::success);
    EXPECT_EQ(got, wanted);
}

void compare_and_write_in_each_shape(host::queue& q, std::uint32_t nsid,
                                     std::uint32_t block_bytes) {
    std::uint32_t seed = nsid;
    for (const std::size_t size : {std::size_t{4096}, std::size_t{8192}, std::size_t{20480},
                                   std::size_t{65536}, limits::max_fused_bytes}) {
        for (const int shape : {0, 1, 2, 3}) {
            const pair_options o{.slba = 24,
                                 .nsid = nsid,
                                 .block_bytes = block_bytes,
                                 .first_in_capsule = (shape & 1) == 0,
                                 .second_in_capsule = (shape & 2) == 0};
            const bytes before = pattern(size, ++seed);
            const bytes after = pattern(size, ++seed);
            ASSERT_EQ((write_blocks(q, o.slba, before, nsid, block_bytes)).status(), sc::success);
            EXPECT_EQ(compare_and_write(q, before, after, o), both_succeed) << size << ' ' << shape;
            expect_blocks(q, after, o);
            EXPECT_EQ(compare_and_write(q, before, pattern(size, ++seed), o), missed) << size;
            expect_blocks(q, after, o);
        }
    }
}

CONFORMANCE(fused_test, writes_where_the_blocks_are_as_expected, "D4/fused") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    compare_and_write_in_each_shape(q, 1, 512);
    compare_and_write_in_each_shape(q, 2, 4096);
    EXPECT_TRUE(q.checker().clean()) << q.checker().text();
}

CONFORMANCE(fused_test, writes_at_a_device_that_takes_its_time, "D4/fused") {
    spying();
    const auto c = connect();
    compare_and_write_in_each_shape(*must(c->open_io_queue(1, 8)), 1, 512);
}

CONFORMANCE(fused_test, what_is_missing_is_said, "D4/fused", "B/sgl") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 16));
    const nvme::block_range range{.slba = 0, .blocks = 1};
    const bytes zero(512), one = pattern(512);
    {
        batch b(q);
        b.add(io_opcode::compare, fuse::first, range, zero);
        b.add(io_opcode::read, fuse::none, range, {});
        b.add(io_opcode::write, fuse::second, range, one);
        b.add(io_opcode::compare, fuse::first, range, zero);
        b.add(io_opcode::compare, fuse::first, range, zero);
        b.add(io_opcode::write, fuse::second, range, one);
        b.add(io_opcode::write, fuse::invalid, range, zero);
        b.add(io_opcode::compare, fuse::first, range, one);
        b.add(io_opcode::write, fuse::invalid, range, zero);
        b.run();
        const nvme::status missing = sc::aborted_missing_fused;
        const statuses wanted{missing,       sc::data_sgl_length_invalid.no_retry(),
                              missing,       missing,
                              sc::success,   sc::success,
                              invalid_field, missing,
                              invalid_field};
        EXPECT_EQ(b.statuses(), wanted);
    }
    expect_blocks(q, one);
    batch alone(q);  // and nothing follows
    alone.add(io_opcode::compare, fuse::first, range, one);
    alone.run(2 * limits::fused_patience);
    EXPECT_EQ(alone.statuses(), statuses{sc::aborted_missing_fused});
    EXPECT_EQ(compare_and_write(q, one, zero), both_succeed);
}

CONFORMANCE(fused_test, what_is_wrong_is_said, "D4/fused") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 16));
    struct member {
        io_opcode opcode;
        nvme::block_range range;
        std::uint32_t nsid = 1;
    };
    const auto run_both = [&](const member& first, const member& second) {
        batch b(q);
        b.add(first.opcode, fuse::first, first.range, bytes(first.range.blocks * 512u), true,
              first.nsid);
        b.add(second.opcode, fuse::second, second.range, bytes(second.range.blocks * 512u), true,
              second.nsid);
        b.run();
        return b.statuses();
    };
    const nvme::block_range here{.slba = 8, .blocks = 1}, there{.slba = 9, .blocks = 1};
    const nvme::block_range longer{.slba = 8, .blocks = 2};
    const nvme::block_range too_long{.slba = 0, .blocks = 257};
    const nvme::block_range behind{.slba = std::uint64_t{1} << 40, .blocks = 1};
    const auto compare = io_opcode::compare, write = io_opcode::write;
    const nvme::status beside = sc::aborted_failed_fused;
    const nvme::status no_namespace = sc::invalid_namespace_or_format.no_retry();
    const nvme::status size = sc::atomic_write_unit_exceeded.no_retry();
    const nvme::status range = sc::lba_out_of_range.no_retry();
    using both = statuses;
    EXPECT_EQ(run_both({compare, here}, {write, there}), (both{invalid_field, invalid_field}));
    EXPECT_EQ(run_both({compare, here}, {write, longer}), (both{invalid_field, invalid_field}));
    EXPECT_EQ(run_both({write, here}, {write, here}), (both{invalid_field, beside}));
    EXPECT_EQ(run_both({compare, here}, {compare, here}), (both{beside, invalid_field}));
    EXPECT_EQ(run_both({write, here}, {compare, here}), (both{invalid_field, invalid_field}));
    EXPECT_EQ(run_both({compare, here, 9}, {write, here}), (both{no_namespace, beside}));
    EXPECT_EQ(run_both({compare, here}, {write, here, 9}), (both{beside, no_namespace}));
    EXPECT_EQ(run_both({compare, too_long}, {write, too_long}), (both{size, size}));
    EXPECT_EQ(run_both({compare, behind}, {write, behind}), (both{range, range}));
    EXPECT_EQ(run_both({compare, here}, {write, here}), both_succeed);
}

CONFORMANCE(fused_test, an_abort_of_one_ends_both, "D4/fused", "D3/08") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes zero(512), one = pattern(512);
    EXPECT_EQ(compare_and_write(q, zero, one), both_succeed);
    const nvme::block_range range{.slba = 0, .blocks = 1};
    for (const bool of_first : {true, false}) {
        spy.hold(true);
        batch b(q);
        const asked& first = b.add(io_opcode::compare, fuse::first, range, one);
        const asked& second = b.add(io_opcode::write, fuse::second, range, zero);
        b.turn();
        ASSERT_TRUE(test::eventually([&] { return spy.held() == 1; }));
        nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
        const std::uint32_t cid = (of_first ? first : second).command.cid.value();
        abort.cdw10 = cid << 16 | 1u;
        EXPECT_STATUS(run(c->admin(), {.sqe = abort}), sc::success);
        b.run();
        spy.hold(false);
        EXPECT_EQ(first.status(), sc::aborted_by_request);
        EXPECT_EQ(second.status(), sc::aborted_failed_fused);
        expect_blocks(q, one);
    }
}

CONFORMANCE(fused_test, pairs_that_wait_at_a_gate_are_pairs_still, "D4/fused") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes zero(512), one = pattern(512), two = pattern(512, 2);
    EXPECT_EQ(compare_and_write(q, zero, one), both_succeed);
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    const nvme::block_range range{.slba = 0, .blocks = 1};
    batch b(q);
    b.add(io_opcode::compare, fuse::first, range, one);
    b.add(io_opcode::write, fuse::second, range, two);
    b.add(io_opcode::compare, fuse::first, range, two, false);
    b.add(io_opcode::write, fuse::second, range, zero, false);
    b.turn();
    EXPECT_FALSE(b.ended());
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    b.run();
    EXPECT_EQ(b.statuses(), (statuses{sc::success, sc::success, sc::success, sc::success}));
    expect_blocks(q, zero);
}

CONFORMANCE(fused_test, a_reservation_denies_the_pair, "D4/fused", "D4/0D") {
    const auto holder = connect_as(1), other = connect_as(2);
    host::queue& hers = *must(holder->open_io_queue(1, 8));
    host::queue& his = *must(other->open_io_queue(1, 8));
    const auto send = [&](io_opcode opcode, nvme::reservation_command how, std::uint64_t first,
                          std::uint64_t second) {
        const auto keys = test::reservation_keys(first, second);
        return run_write(hers, test::reservation_sqe(opcode, how, 1), nvme::wire_bytes(keys));
    };
    EXPECT_STATUS(send(io_opcode::reservation_register, {}, 0, 7), sc::success);
    EXPECT_STATUS(send(io_opcode::reservation_acquire, {.type = 1}, 7, 0), sc::success);
    const bytes zero(512), one = pattern(512);
    EXPECT_EQ(compare_and_write(his, zero, one),
              (statuses{sc::aborted_failed_fused, sc::reservation_conflict.no_retry()}));
    EXPECT_EQ(compare_and_write(hers, zero, one), both_succeed);
    expect_blocks(his, one);
}

CONFORMANCE(fused_test, blocks_that_cannot_be_read_fail_the_pair, "D4/fused", "D4/04") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes zeroes(1024), ones = pattern(1024, 1);
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_uncorrectable, {.slba = 1})}),
                  sc::success);
    EXPECT_EQ(compare_and_write(q, zeroes, ones),
              (statuses{sc::unrecovered_read_error.no_retry(), sc::aborted_failed_fused}));
    EXPECT_STATUS(write_blocks(q, 1, std::span(zeroes).first(512)), sc::success);
    EXPECT_EQ(compare_and_write(q, zeroes, ones), both_succeed);
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::verify, {.blocks = 2})}), sc::success);
}

CONFORMANCE(fused_test, is_told, "D4/fused", "D6/01") {
    const auto c = connect();
    const auto page = must(c->identify_controller());
    EXPECT_EQ(page.fuses.value(), nvme::fuses::compare_and_write);
    EXPECT_EQ(page.acwu.value(), 31);  // 128 KiB of 4 KiB blocks
}

// Each adds 1, in a block that all of them use, while others write blocks beside it, which have the
// same locks, and find there what they have written.
CONFORMANCE(fused_test, four_writers_count_without_losing_one, "D4/fused") {
    constexpr std::uint32_t writers = 4, others = 3, rounds = 100;
    std::vector<std::unique_ptr<host::controller>> all;
    std::vector<host::queue*> queues;
    for (std::uint32_t i = 0; i < writers + others; ++i) {
        all.push_back(connect_as(i));
        queues.push_back(must(all.back()->open_io_queue(1, 8)));
    }
    std::atomic<bool> counted{false};
    std::vector<std::thread> threads;
    const auto count = [&](host::queue& q) {
        for (std::uint32_t done = 0; done < rounds;) {
            bytes now(512);
            ASSERT_EQ(read_blocks(q, 64, now).status(), sc::success);
            bytes next = now;
            std::uint64_t number = 0;
            std::memcpy(&number, now.data(), sizeof number);
            ++number;
            std::memcpy(next.data(), &number, sizeof number);
            const statuses got = compare_and_write(q, now, next, {.slba = 64});
            done += got == both_succeed ? 1 : 0;
            if (got == both_succeed) continue;
            ASSERT_EQ(got, missed);
        }
    };
    const auto write_beside = [&](host::queue& q, std::uint32_t i) {
        for (std::uint32_t seed = i; !counted; seed += others) {
            const bytes mine = pattern(4096, seed);
            ASSERT_EQ(write_blocks(q, 72 + 8 * i, mine).status(), sc::success);
            bytes found(mine.size());
            ASSERT_EQ(read_blocks(q, 72 + 8 * i, found).status(), sc::success);
            ASSERT_EQ(found, mine);
        }
    };
    for (std::uint32_t i = 0; i < writers; ++i) threads.emplace_back([&, i] { count(*queues[i]); });
    for (std::uint32_t i = 0; i < others; ++i)
        threads.emplace_back([&, i] { write_beside(*queues[writers + i], i); });
    for (std::uint32_t i = 0; i < writers; ++i) threads[i].join();
    counted = true;
    for (std::uint32_t i = 0; i < others; ++i) threads[writers + i].join();
    bytes last(512);
    EXPECT_STATUS(read_blocks(*queues[0], 64, last), sc::success);
    std::uint64_t sum = 0;
    std::memcpy(&sum, last.data(), sizeof sum);
    EXPECT_EQ(sum, std::uint64_t{writers} * rounds);
}

// The order in which VMFS uses its locks: one is taken with ATS (a Compare and Write of one block
// of 512 bytes), kept alive by heartbeats that write the same block with a new generation, and
// given back; another host that comes meanwhile misses. Its resource clusters are pairs of 128 KiB,
// whose data the target fetches.
CONFORMANCE(fused_test, the_locks_of_vmfs, "D4/fused") {
    const auto a = connect_as(1), b = connect_as(2);
    host::queue& mine = *must(a->open_io_queue(1, 8));
    host::queue& other = *must(b->open_io_queue(1, 8));
    const pair_options lock{.slba = 4096};
    const bytes unlocked(512), taken = pattern(512, 1);
    EXPECT_EQ(compare_and_write(mine, unlocked, taken, lock), both_succeed);
    EXPECT_EQ(compare_and_write(other, unlocked, pattern(512, 2), lock), missed);
    bytes beat = taken;
    for (std::uint32_t generation = 10; generation < 20; ++generation) {
        const bytes next = pattern(512, generation);
        EXPECT_EQ(compare_and_write(mine, beat, next, lock), both_succeed);
        EXPECT_EQ(compare_and_write(other, beat, pattern(512, 2), lock), missed);
        beat = next;
    }
    const pair_options cluster{.slba = 8192, .first_in_capsule = false, .second_in_capsule = false};
    const bytes before(limits::max_fused_bytes), after = pattern(limits::max_fused_bytes, 3);
    EXPECT_EQ(compare_and_write(mine, before, after, cluster), both_succeed);
    EXPECT_EQ(compare_and_write(mine, beat, unlocked, lock), both_succeed);
    EXPECT_EQ(compare_and_write(other, unlocked, pattern(512, 2), lock), both_succeed);
    EXPECT_EQ(compare_and_write(other, after, before, cluster), both_succeed);
    expect_blocks(mine, before, cluster);
}

}  // namespace
}  // namespace fulmar::conformance
