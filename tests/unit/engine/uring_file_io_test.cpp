#include "uring_file_io.hpp"

#include "support/eventually.hpp"

#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <numeric>
#include <thread>
#include <vector>

namespace fulmar::engine {
namespace {

using namespace std::chrono_literals;

constexpr unsigned deferred = IORING_SETUP_DEFER_TASKRUN;
constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN;

struct test_file_op : file_op {
    test_file_op() {
        done = [](file_op& op, std::int64_t r) noexcept {
            auto& self = static_cast<test_file_op&>(op);
            self.result = r;
            ++self.answers;
        };
    }
    test_file_op(file_op_kind k, int file, std::uint64_t at, std::span<const iovec> v)
        : test_file_op() {
        kind = k;
        fd = file;
        offset = at;
        vectors = v;
        for (const iovec& one : v) length += one.iov_len;
    }
    std::int64_t result = -1;
    std::atomic<int> answers{0};
};

struct pipe_pair {
    pipe_pair() {
        std::array<int, 2> fds;
        if (::pipe2(fds.data(), O_CLOEXEC) != 0) std::abort();
        out.reset(fds[0]);
        in.reset(fds[1]);
    }
    void put(std::size_t bytes, char fill) const {
        const std::string data(bytes, fill);
        EXPECT_EQ(::write(in.get(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
    }
    unique_fd out, in;
};

/// Parameter: setup flags that the "kernel" does not have.
class uring_file_io_test : public ::testing::TestWithParam<unsigned> {
  protected:
    uring_file_io_test() { start(256); }
    void start(std::uint32_t depth) {
        io.reset();
        io = uring_file_io::create(*loop, {.depth = depth, .forbidden_flags = GetParam()}).value();
    }
    bool turn_until(const std::function<bool()>& condition) {
        return test::eventually(condition, 30s, [this] { loop->run_once(); });
    }
    std::int64_t run(test_file_op& op) {
        io->submit(op);
        EXPECT_EQ(op.answers, 0) << "answered inside submit()";
        EXPECT_TRUE(turn_until([&op] { return op.answers != 0; }));
        EXPECT_EQ(op.answers, 1);
        return op.result;
    }
    int make_file() {
        file.reset(::open((dir / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        return file.get();
    }
    monotonic_clock clock;
    std::unique_ptr<reactor> loop =
        reactor::create({.id = {}, .busy_window = 100us, .clock = &clock}).value();
    std::unique_ptr<uring_file_io> io;
    test::temp_dir dir;
    unique_fd file;
};

TEST_P(uring_file_io_test, uses_the_best_setup_that_there_is) {
    const unsigned best = GetParam() == 0 ? deferred : GetParam() == deferred ? cooperative : 0;
    EXPECT_EQ(io->flags() & best, best);
    EXPECT_EQ(io->flags() & GetParam(), 0u);
}

TEST_P(uring_file_io_test, moves_bytes_through_scatter_lists) {
    const int fd = make_file();
    std::vector<char> source(100'000), back(source.size());
    std::iota(source.begin(), source.end(), 0);
    std::array<iovec, 3> pieces{iovec{source.data(), 1}, iovec{source.data() + 1, 60'000},
                                iovec{source.data() + 60'001, 39'999}};
    test_file_op write(file_op_kind::write, fd, 512, pieces);
    write.durable = true;
    EXPECT_EQ(run(write), 100'000);
    std::array<iovec, 2> halves{iovec{back.data(), 50'000}, iovec{back.data() + 50'000, 50'000}};
    test_file_op read(file_op_kind::read, fd, 512, halves);
    EXPECT_EQ(run(read), 100'000);
    EXPECT_EQ(source, back);
    test_file_op sync;
    sync.kind = file_op_kind::sync;
    sync.fd = fd;
    EXPECT_EQ(run(sync), 0);
    sync.answers = 0;
    sync.kind = file_op_kind::data_sync;
    EXPECT_EQ(run(sync), 0);
}

TEST_P(uring_file_io_test, reports_the_end_of_the_file_and_nothing_else_as_short) {
    const int fd = make_file();
    ASSERT_EQ(::ftruncate(fd, 1000), 0);
    std::vector<char> data(4096);
    std::array<iovec, 1> all{iovec{data.data(), data.size()}};
    test_file_op read(file_op_kind::read, fd, 600, all);
    EXPECT_EQ(run(read), 400);
    read.answers = 0;
    read.offset = 5000;
    EXPECT_EQ(run(read), 0);
}

// A pipe gives what it has: the operation goes on, through the middle of vectors, until all is
// there.
TEST_P(uring_file_io_test, continues_what_the_kernel_did_piecemeal) {
    const pipe_pair pipe;
    std::vector<char> data(30);
    std::array<iovec, 3> pieces{iovec{data.data(), 10}, iovec{data.data() + 10, 10},
                                iovec{data.data() + 20, 10}};
    test_file_op read(file_op_kind::read, pipe.out.get(), 0, pieces);
    io->submit(read);
    for (const auto& [bytes, fill] : {std::pair{4, 'a'}, {6, 'b'}, {13, 'c'}, {7, 'd'}}) {
        EXPECT_EQ(read.answers, 0);
        pipe.put(static_cast<std::size_t>(bytes), fill);
        const auto before = read.moved;
        turn_until([&] { return read.answers != 0 || read.moved != before; });
    }
    ASSERT_TRUE(turn_until([&] { return read.answers == 1; }));
    EXPECT_EQ(read.result, 30);
    EXPECT_EQ(std::string(data.begin(), data.end()), "aaaabbbbbbcccccccccccccddddddd");
}

TEST_P(uring_file_io_test, punches_and_zeroes) {
    const int fd = make_file();
    std::vector<char> data(64 * 1024, 'x');
    std::array<iovec, 1> all{iovec{data.data(), data.size()}};
    test_file_op write(file_op_kind::write, fd, 0, all);
    ASSERT_EQ(run(write), 64 * 1024);
    test_file_op punch;
    punch.kind = file_op_kind::deallocate;
    punch.fd = fd;
    punch.offset = 4096;
    punch.length = 8192;
    ASSERT_EQ(run(punch), 0);
    test_file_op zero;
    zero.kind = file_op_kind::write_zeroes;
    zero.fd = fd;
    zero.offset = 512 + 32768;
    zero.length = 512;
    const std::int64_t zeroed = run(zero);
    test_file_op read(file_op_kind::read, fd, 0, all);
    ASSERT_EQ(run(read), 64 * 1024);
    EXPECT_EQ(data[4095], 'x');
    EXPECT_EQ(data[4096], 0);
    EXPECT_EQ(data[4096 + 8191], 0);
    EXPECT_EQ(data[4096 + 8192], 'x');
    if (zeroed == -EOPNOTSUPP) return;  // tmpfs
    EXPECT_EQ(data[32768 + 511], 'x');
    EXPECT_EQ(data[32768 + 512], 0);
    EXPECT_EQ(data[32768 + 1024], 'x');
}

TEST_P(uring_file_io_test, passes_errors_on) {
    std::array<char, 512> data{};
    std::array<iovec, 1> all{iovec{data.data(), data.size()}};
    const unique_fd full(::open("/dev/full", O_RDWR | O_CLOEXEC));
    test_file_op write(file_op_kind::write, full.get(), 0, all);
    EXPECT_EQ(run(write), -ENOSPC);
    test_file_op bad(file_op_kind::read, 9999, 0, all);
    EXPECT_EQ(run(bad), -EBADF);
}

TEST_P(uring_file_io_test, takes_more_than_the_ring_holds) {
    start(4);
    const int fd = make_file();
    constexpr std::size_t count = 500;
    std::vector<std::uint64_t> values(count), back(count);
    std::iota(values.begin(), values.end(), 1);
    std::deque<test_file_op> ops;
    std::deque<std::array<iovec, 1>> vectors;
    for (std::size_t i = 0; i < count; ++i) {
        vectors.push_back({iovec{&values[i], 8}});
        ops.emplace_back(file_op_kind::write, fd, i * 8, vectors.back());
        io->submit(ops.back());
    }
    EXPECT_EQ(io->outstanding(), count);
    ASSERT_TRUE(turn_until([this] { return io->outstanding() == 0; }));
    for (const auto& op : ops) {
        EXPECT_EQ(op.answers, 1);
        EXPECT_EQ(op.result, 8);
    }
    EXPECT_EQ(::pread(fd, back.data(), count * 8, 0), static_cast<ssize_t>(count * 8));
    EXPECT_EQ(values, back);
}

// As many as three devices have at once.
TEST_P(uring_file_io_test, files_that_hang_hold_up_no_others) {
    const pipe_pair pipe;
    std::array<char, 8> data, back{};
    std::array<iovec, 1> nowhere{iovec{data.data(), 1}};
    std::deque<test_file_op> hung;
    for (int i = 0; i < 3 * 256; ++i) {
        hung.emplace_back(file_op_kind::read, pipe.out.get(), 0, nowhere);
        io->submit(hung.back());
    }
    loop->run_once();
    const int fd = make_file();
    EXPECT_EQ(::pwrite(fd, "fulmar", 6, 0), 6);
    std::array<iovec, 1> here{iovec{back.data(), 6}};
    test_file_op read(file_op_kind::read, fd, 0, here);
    EXPECT_EQ(run(read), 6);
    test_file_op sync(file_op_kind::data_sync, fd, 0, {});
    EXPECT_EQ(run(sync), 0);
    EXPECT_EQ(io->outstanding(), hung.size());
    pipe.put(hung.size(), 'z');
    ASSERT_TRUE(turn_until([this] { return io->outstanding() == 0; }));
    for (const auto& op : hung) EXPECT_EQ(op.result, 1);
}

TEST_P(uring_file_io_test, cancels_what_waits_and_what_the_kernel_holds) {
    start(4);
    const pipe_pair pipe;
    std::array<char, 8> data;
    std::array<iovec, 1> all{iovec{data.data(), data.size()}};
    std::deque<test_file_op> ops;
    for (int i = 0; i < 6; ++i) {
        ops.emplace_back(file_op_kind::read, pipe.out.get(), 0, all);
        io->submit(ops.back());
    }
    loop->run_once();
    io->cancel(ops[5]);  // still queued
    EXPECT_EQ(ops[5].answers, 1);
    EXPECT_EQ(ops[5].result, -ECANCELED);
    for (int i = 0; i < 4; ++i) io->cancel(ops[static_cast<std::size_t>(i)]);  // at the kernel
    ASSERT_TRUE(turn_until(
        [&] { return ops[0].answers && ops[1].answers && ops[2].answers && ops[3].answers; }));
    EXPECT_TRUE(ops[0].result == -ECANCELED || ops[0].result == -EINTR) << ops[0].result;
    pipe.put(8, 'z');
    ASSERT_TRUE(turn_until([&] { return ops[4].answers == 1; }));
    EXPECT_EQ(ops[4].result, 8);
    EXPECT_EQ(io->outstanding(), 0u);
}

TEST_P(uring_file_io_test, a_broken_ring_answers_everything) {
    const pipe_pair pipe;
    std::array<char, 8> data;
    std::array<iovec, 1> all{iovec{data.data(), data.size()}};
    test_file_op at_kernel(file_op_kind::read, pipe.out.get(), 0, all),
        late(file_op_kind::read, pipe.out.get(), 0, all);
    io->submit(at_kernel);
    loop->run_once();
    io->give_up_for_test();
    EXPECT_EQ(run(late), -EIO);
    EXPECT_EQ(at_kernel.answers, 0);
    pipe.put(8, 'q');
    ASSERT_TRUE(turn_until([&] { return at_kernel.answers == 1; }));
    EXPECT_EQ(at_kernel.result, 8);
}

// A sleeping reactor is woken by a completion that nobody announced.
TEST_P(uring_file_io_test, the_provider_tells_when_the_kernel_holds_something) {
    const pipe_pair pipe;
    std::array<char, 8> data{};
    std::array<iovec, 1> all{iovec{data.data(), 1}};
    test_file_op read(file_op_kind::read, pipe.out.get(), 0, all);
    const std::unique_ptr<file_io_provider> files =
        make_uring_files({.forbidden_flags = GetParam()});
    EXPECT_TRUE(files->at_rest());
    files->for_reactor(*loop).value()->submit(read);
    loop->run_once();
    EXPECT_FALSE(files->at_rest());
    pipe.put(1, 'r');
    ASSERT_TRUE(turn_until([&] { return read.answers == 1; }));
    EXPECT_TRUE(files->at_rest());
}

TEST_P(uring_file_io_test, completions_end_the_sleep) {
    io.reset();
    const pipe_pair pipe;
    const int fd = make_file();
    std::array<char, 8> data{};
    std::array<iovec, 1> all{iovec{data.data(), data.size()}};
    test_file_op read(file_op_kind::read, pipe.out.get(), 0, all),
        write(file_op_kind::write, fd, 0, all), sync;
    write.durable = true;
    sync.kind = file_op_kind::sync;
    sync.fd = fd;
    std::unique_ptr<file_io_provider> files =
        make_uring_files({.depth = 256, .forbidden_flags = GetParam()});
    struct submit_message : message {
        submit_message(std::function<void()> f)
            : message([](message& m) noexcept { static_cast<submit_message&>(m).run(); }),
              run(std::move(f)) {}
        std::function<void()> run;
    } begin([&] {
        file_io* mine = files->for_reactor(*loop).value();
        EXPECT_EQ(mine, files->for_reactor(*loop).value());
        for (test_file_op* op : {&read, &write, &sync}) mine->submit(*op);
    });
    std::jthread thread([this] { loop->run(); });
    loop->post(begin);
    const auto wait_for = [](const test_file_op& op) {
        for (int i = 0; i < 500 && op.answers == 0; ++i) std::this_thread::sleep_for(10ms);
        return op.answers == 1;
    };
    EXPECT_TRUE(wait_for(write));
    EXPECT_TRUE(wait_for(sync));
    // A reactor that does not sleep makes thousands of turns a millisecond.
    bool still = false;
    for (int i = 0; i < 500 && !still; ++i) {
        const auto turns = loop->counters().turns.load();
        std::this_thread::sleep_for(10ms);
        still = loop->counters().turns.load() == turns && loop->counters().sleeps.load() != 0;
    }
    EXPECT_TRUE(still) << "the reactor does not sleep while an operation is at the kernel";
    EXPECT_EQ(read.answers, 0);
    pipe.put(8, 'w');
    EXPECT_TRUE(wait_for(read));
    EXPECT_EQ(read.result, 8);
    loop->stop();
    thread.join();
    files.reset();
}

INSTANTIATE_TEST_SUITE_P(setups, uring_file_io_test,
                         ::testing::Values(0u, deferred, deferred | cooperative),
                         [](const auto& test) -> std::string {
                             return test.param == 0          ? "defer"
                                    : test.param == deferred ? "coop"
                                                             : "plain";
                         });

TEST(uring_probe, works_here) { EXPECT_TRUE(probe_uring()); }

}  // namespace
}  // namespace fulmar::engine
