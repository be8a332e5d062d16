// More writes under way than the buffers can hold: 64 connections, 128 commands each, 1 MiB each,
// through a pool of 64 MiB. Running out is back-pressure: every command is answered, none waits for
// ever. A sanitizer build moves an eighth of it, and says so.
#include "suite.hpp"

#include <fulmar/base/sanitizer.hpp>

#include <cstdio>
#include <memory>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(credit_test);

#if FULMAR_ASAN || FULMAR_TSAN || !defined(__OPTIMIZE__)
constexpr std::uint32_t full_depth = 16;
#else
constexpr std::uint32_t full_depth = 128;
#endif
constexpr std::uint32_t connections = 64;
constexpr std::uint32_t command_bytes = 1u << 20;

/// One write; counts what came of it.
struct counted_write final : host::request {
    std::uint64_t* succeeded = nullptr;
};

void submit(host::queue& q, counted_write& w, std::span<std::byte> data, std::uint64_t& succeeded) {
    const nvme::block_range range{.slba = 0, .blocks = command_bytes / 512};
    w.command = io_sqe(nvme::io_opcode::write, range);
    w.data = data.data();
    w.data_bytes = command_bytes;
    w.direction = host::transfer::to_controller;
    w.succeeded = &succeeded;
    w.done = [](host::request& r) noexcept {
        if (r.succeeded()) ++*static_cast<counted_write&>(r).succeeded;
    };
    ASSERT_EQ(q.submit(w), host::submit_result::queued);
}

CONFORMANCE(credit_test, every_write_finishes, "E/credit") {
    const auto reactors = static_cast<std::size_t>(data_reactors());
    // With several reactors each has its share of the pool, and every eighth command is enough.
    const std::uint32_t depth = reactors == 1 ? full_depth : full_depth / 8;
    if (depth != 128)
        std::printf(
            "NOTE: %u connections x QD%u x 1 MiB here, QD128 only in release with one data "
            "reactor\n",
            connections, depth);
    setup.pool_bytes = (64u << 20) / reactors;
    setup.spec.devices[0].type = "null";
    host::controller_options options = host_options();
    options.max_r2t = 4;
    const auto c = connect(options);
    std::uint64_t succeeded = 0;
    bytes data = pattern(command_bytes);
    std::vector<std::unique_ptr<counted_write>> writes;
    std::vector<host::queue*> queues;
    for (std::uint16_t qid = 1; qid <= connections; ++qid)
        queues.push_back(must(c->open_io_queue(qid, depth)));
    for (host::queue* q : queues)
        for (std::uint32_t i = 0; i < depth; ++i) {
            writes.push_back(std::make_unique<counted_write>());
            submit(*q, *writes.back(), data, succeeded);
        }
    const host::deadline until(std::chrono::seconds(120));
    std::size_t waiting = writes.size();
    while (waiting != 0 && !until.passed()) {
        waiting = 0;
        for (host::queue* q : queues) {
            q->poll();
            waiting += q->outstanding();
            ASSERT_TRUE(q->is_open()) << q->why_closed().text();
        }
    }
    EXPECT_EQ(waiting, 0u) << "commands that nobody has answered";
    EXPECT_EQ(succeeded, writes.size());
    for (host::queue* q : queues) EXPECT_TRUE(q->checker().clean()) << q->checker().text();
    for (host::queue* q : queues) q->close();
}

// One greedy connection must not keep another from its guarantee.
CONFORMANCE(credit_test, a_greedy_host_starves_nobody, "E/credit") {
    setup.pool_bytes = 8u << 20;
    const auto c = connect();
    host::queue& greedy = *must(c->open_io_queue(1, 64));
    host::queue& modest =
        *must(c->open_io_queue(static_cast<std::uint16_t>(1 + data_reactors()), 8));
    std::uint64_t succeeded = 0;
    bytes data = pattern(command_bytes);
    std::vector<std::unique_ptr<counted_write>> writes;
    for (int i = 0; i < 64; ++i) {
        writes.push_back(std::make_unique<counted_write>());
        submit(greedy, *writes.back(), data, succeeded);
    }
    greedy.poll();
    // It asks, and sends nothing: the R2Ts that it got hold their buffers.
    for (int i = 0; i < 20; ++i) {
        EXPECT_STATUS(write_blocks(modest, 4096, data), sc::success);
        bytes got(command_bytes);
        EXPECT_STATUS(read_blocks(modest, 4096, got), sc::success);
    }
    EXPECT_TRUE(testing::eventually([&] {
        greedy.poll();
        return succeeded == 64;
    }));
}

}  // namespace
}  // namespace fulmar::conformance
