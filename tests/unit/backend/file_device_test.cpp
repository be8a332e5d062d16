// The file backend on real files and block devices, through io_uring.
#include "file_status.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/uring_file_io.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <support/io_runner.hpp>
#include <support/loop_device.hpp>
#include <support/temp_dir.hpp>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstring>
#include <deque>
#include <fstream>
#include <random>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
using test::all_zero;
using test::hand_reactor;
using test::io_runner;
using test::loop_device;
using test::test_op;

/// Memory as requests have it: aligned.
struct buffer {
    explicit buffer(std::size_t bytes, unsigned seed = 0)
        : region(source().allocate(bytes).value()) {
        std::mt19937 random(seed);
        if (seed != 0)
            for (std::size_t i = 0; i < bytes; ++i)
                region.data()[i] = static_cast<std::byte>(random());
    }
    static mem::heap_memory& source() {
        static mem::heap_memory m;
        return m;
    }
    operator std::span<std::byte>() { return {region.data(), region.size()}; }
    operator std::span<const std::byte>() const { return {region.data(), region.size()}; }
    [[nodiscard]] std::span<std::byte> part(std::size_t at, std::size_t bytes) {
        return {region.data() + at, bytes};
    }
    mem::dma_region region;
};

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

class file_device_test : public ::testing::Test {
  protected:
    ~file_device_test() override { close(); }
    void open(file_options options) {
        if (options.path.empty()) options.path = path;
        options.create = options.size_bytes != 0;
        device = make_file_device(options, *reactor, *files).value();
        device->set_listener(&listener);
        channel = device->open_channel(*reactor).value();
    }
    void close() {
        channel.reset();
        device.reset();
    }
    io_runner io() { return {reactor, *channel}; }
    errc refusal(const file_options& options) {
        return make_file_device(options, *reactor, *files).error().code;
    }

    test::temp_dir dir;
    std::string path = dir / "namespace";
    hand_reactor reactor;
    std::unique_ptr<engine::file_io_provider> files = engine::make_uring_files();
    test::test_listener listener;
    std::unique_ptr<backend::device> device;
    std::unique_ptr<io_channel> channel;
};

TEST_F(file_device_test, creates_a_sparse_file_of_the_size_asked_for) {
    open({.size_bytes = 64 << 20});
    EXPECT_EQ(device->geometry().block_count, (64u << 20) / 512);
    struct stat s {};
    ASSERT_EQ(::stat(path.c_str(), &s), 0);
    EXPECT_EQ(s.st_size, 64 << 20);
    EXPECT_LT(s.st_blocks * 512, 1 << 20);
    EXPECT_EQ(s.st_mode & 0777, 0600u);
    EXPECT_EQ(device->identity().claim, fmt::format("file:{}:{}", s.st_dev, s.st_ino));
    EXPECT_TRUE(device->geometry().volatile_write_cache);
    EXPECT_EQ(device->note(), "");
}

TEST_F(file_device_test, refuses_what_cannot_be_served) {
    EXPECT_EQ(refusal({.path = path}), errc::not_found);  // absent, and no size
    EXPECT_EQ(refusal({.path = dir.path().string()}), errc::invalid_argument);
    EXPECT_EQ(refusal({.path = "/dev/null", .size_bytes = 512}), errc::invalid_argument);
    EXPECT_EQ(refusal({.path = path, .size_bytes = 512}), errc::not_found);  // nobody asked for it
    EXPECT_EQ(refusal({.path = dir / "no/such/folder", .size_bytes = 512, .create = true}),
              errc::not_found);
    EXPECT_EQ(refusal({.path = path, .size_bytes = 1000}), errc::invalid_argument);
    EXPECT_EQ(refusal({.path = path, .size_bytes = 1024, .block_bytes = 1024}),
              errc::invalid_argument);
    EXPECT_FALSE(std::filesystem::exists(path));
    std::ofstream(path) << "tiny";
    EXPECT_EQ(refusal({.path = path}), errc::invalid_argument);  // not one block
}

TEST_F(file_device_test, takes_back_what_it_created_when_it_fails) {
    EXPECT_FALSE(make_file_device(
        {.path = path, .size_bytes = std::uint64_t{1} << 62, .create = true}, *reactor, *files));
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(file_device_test, one_file_backs_one_device) {
    open({.name = "first", .size_bytes = 1 << 20});
    auto second = make_file_device({.name = "second", .path = path}, *reactor, *files);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::conflict);
    EXPECT_NE(second.error().message.find("first"), std::string::npos) << second.error().text();
    std::filesystem::create_hard_link(path, dir / "alias");
    EXPECT_EQ(refusal({.name = "second", .path = dir / "alias"}), errc::conflict);
    close();
    const unique_fd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);  // another program
    EXPECT_EQ(refusal({.name = "second", .path = path}), errc::conflict);
    ::flock(other.get(), LOCK_UN);
    open({.name = "again"});
}

TEST_F(file_device_test, uses_what_is_there) {
    std::ofstream(path) << std::string(10'000, 'x');
    open({});
    EXPECT_EQ(device->geometry().block_count, 19u);  // rounded down
    close();
    open({.size_bytes = 4096});
    EXPECT_EQ(device->geometry().block_count, 8u);
    EXPECT_NE(device->note().find("first 4096"), std::string::npos);
    EXPECT_EQ(device->resize(4).error().code, errc::conflict);
    ASSERT_TRUE(device->resize(4, shrinking::allowed));
    EXPECT_EQ(std::filesystem::file_size(path), 10'000u) << "what is not ours is not cut off";
    close();
    EXPECT_EQ(refusal({.path = path, .size_bytes = 20'480, .create = true}), errc::conflict);
    EXPECT_EQ(std::filesystem::file_size(path), 10'000u) << "nobody asked to make it larger";
}

struct variant {
    std::uint32_t block_bytes;
    bool direct;
};
class file_device_contents : public file_device_test,
                             public ::testing::WithParamInterface<variant> {
  protected:
    /// `count` blocks from `first` and as many from the start, to the middle of the device: more
    /// than its scratch memory holds at times.
    void copy_two(std::vector<std::byte>& model, std::uint32_t first, std::uint32_t count,
                  bool fua) {
        const std::size_t block = GetParam().block_bytes;
        const auto middle = static_cast<std::uint32_t>(model.size() / block / 2);
        count = std::min(count, middle / 2);
        first = std::min(first, middle - count);
        ASSERT_EQ(io().copy({{first, count}, {0, count}}, middle, fua), sc::success);
        std::memcpy(&model[middle * block], &model[first * block], count * block);
        std::memcpy(&model[(middle + count) * block], model.data(), count * block);
    }
};

// Every operation against a plain copy of the contents.
TEST_P(file_device_contents, behaves_like_an_array_of_blocks) {
    const std::uint32_t block = GetParam().block_bytes;
    open({.size_bytes = 4 << 20, .block_bytes = block, .direct = GetParam().direct});
    const auto blocks = static_cast<std::uint32_t>(device->geometry().block_count);
    std::vector<std::byte> model(std::size_t{blocks} * block);
    std::mt19937 random(7);
    for (int step = 1; step <= 150; ++step) {
        const auto first = static_cast<std::uint32_t>(random() % blocks);
        const auto count = static_cast<std::uint32_t>(
            1 + random() % std::min(blocks - first, random() % 8 == 0 ? 2048u : 64u));
        const std::span<std::byte> expected =
            std::span(model).subspan(std::size_t{first} * block, std::size_t{count} * block);
        const std::size_t piece = random() % 2 == 0 ? SIZE_MAX : 16384;
        switch (random() % 8) {
            case 0:
            case 1: {
                buffer data(expected.size(), static_cast<unsigned>(step));
                ASSERT_EQ(io().write(first, count, data, random() % 16 == 0, piece), sc::success);
                std::memcpy(expected.data(), data.region.data(), expected.size());
                break;
            }
            case 2: {
                buffer data(expected.size(), 1);
                ASSERT_EQ(io().read(first, count, data, piece), sc::success);
                ASSERT_TRUE(same(data, expected));
                break;
            }
            case 3:
                ASSERT_EQ(io().write_zeroes(first, count, random() % 16 == 0), sc::success);
                std::fill(expected.begin(), expected.end(), std::byte{0});
                break;
            case 4:
                ASSERT_EQ(io().deallocate({{first, count}, {0, 0}, {blocks - 1, 1}}), sc::success);
                std::fill(expected.begin(), expected.end(), std::byte{0});
                std::fill(model.end() - block, model.end(), std::byte{0});
                break;
            case 5: {
                buffer data(expected.size());
                std::memcpy(data.region.data(), expected.data(), expected.size());
                ASSERT_EQ(io().compare(first, count, data), sc::success);
                data.region.data()[random() % expected.size()] ^= std::byte{1};
                ASSERT_EQ(io().compare(first, count, data), sc::compare_failure.no_retry());
                break;
            }
            case 6:
                ASSERT_NO_FATAL_FAILURE(copy_two(model, first, count, random() % 4 == 0));
                break;
            default:
                if (random() % 4 == 0) {
                    ASSERT_EQ(io().flush(), sc::success);
                }
                ASSERT_EQ(io().verify(first, count), sc::success);
        }
    }
    // Nothing of it lives in our memory only.
    close();
    std::ifstream file(path, std::ios::binary);
    std::vector<std::byte> stored(model.size());
    file.read(reinterpret_cast<char*>(stored.data()), static_cast<std::streamsize>(stored.size()));
    EXPECT_TRUE(same(stored, model));
    EXPECT_EQ(listener.losses, 0);
}

INSTANTIATE_TEST_SUITE_P(variants, file_device_contents,
                         ::testing::Values(variant{512, true}, variant{512, false},
                                           variant{4096, true}, variant{4096, false}),
                         [](const auto& v) {
                             return fmt::format("{}{}", v.param.block_bytes,
                                                v.param.direct ? "direct" : "cached");
                         });

TEST_F(file_device_test, write_uncorrectable_is_refused_since_a_file_keeps_no_marks) {
    open({.size_bytes = 1 << 20});
    EXPECT_FALSE(device->geometry().write_uncorrectable);
    EXPECT_TRUE(io().write_uncorrectable(0, 1).is(sc::invalid_opcode));
    EXPECT_EQ(io().verify(0, 1), sc::success);
    close();
}

TEST_F(file_device_test, unaligned_memory_is_served_too) {
    open({.size_bytes = 1 << 20});
    buffer data(8192 + 512, 3), back(8192 + 512);
    ASSERT_EQ(io().write(8, 16, data.part(3, 8192), true), sc::success);
    ASSERT_EQ(io().read(8, 16, back.part(0, 8192)), sc::success);
    EXPECT_TRUE(same(back.part(0, 8192), data.part(3, 8192)));
    ASSERT_EQ(io().read(8, 16, back.part(5, 8192), 1000), sc::success);
    EXPECT_TRUE(same(back.part(5, 8192), data.part(3, 8192)));
}

TEST_F(file_device_test, more_operations_than_slots_wait_in_order) {
    open({.size_bytes = 4 << 20, .block_bytes = 4096});
    constexpr std::uint32_t count = 1000;
    buffer data(count * 4096, 9), back(count * 4096);
    std::deque<test_op> ops;
    for (std::uint32_t i = 0; i < count; ++i) {
        test_op& op = ops.emplace_back();
        op.kind = io_kind::write;
        op.first_block = i;
        op.block_count = 1;
        op.fua = i % 500 == 0;
        op.set_data(data.part(i * 4096, 4096));
        channel->submit(op);
    }
    EXPECT_EQ(channel->outstanding(), count);
    ASSERT_TRUE(reactor.run_until([this] { return channel->outstanding() == 0; }));
    for (const test_op& op : ops) {
        ASSERT_EQ(op.answers, 1);
        ASSERT_EQ(op.status, sc::success);
    }
    for (std::uint32_t i = 0; i < count; i += 200)
        ASSERT_EQ(io().read(i, 200, back.part(i * 4096, 200 * 4096)), sc::success);
    EXPECT_TRUE(same(back, data));
}

TEST_F(file_device_test, aborts_what_waits) {
    open({.size_bytes = 4 << 20, .block_bytes = 4096});
    buffer data(4096, 1);
    std::deque<test_op> ops;
    for (int i = 0; i < 300; ++i) {
        test_op& op = ops.emplace_back();
        op.kind = i % 3 == 0 ? io_kind::verify : i % 3 == 1 ? io_kind::flush : io_kind::read;
        op.block_count = 1;
        if (op.kind == io_kind::read) op.set_data(data);
        channel->submit(op);
    }
    for (test_op& op : ops)
        if (!op.finished()) channel->abort(op);
    ASSERT_TRUE(reactor.run_until([this] { return channel->outstanding() == 0; }));
    for (const test_op& op : ops) {
        ASSERT_EQ(op.answers, 1);
        EXPECT_TRUE(op.status == sc::success || op.status == sc::aborted_by_request)
            << describe(op.status);
    }
    EXPECT_EQ(ops.back().status, sc::aborted_by_request);
    EXPECT_EQ(device->state(), device_state::ready);
}

TEST_F(file_device_test, resizes_the_file) {
    open({.size_bytes = 1 << 20});
    buffer data(512, 4);
    ASSERT_EQ(io().write(2047, 1, data), sc::success);
    const auto refused = device->resize(1024);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::conflict);
    EXPECT_EQ(refused.error().where, "/size");
    EXPECT_EQ(std::filesystem::file_size(path), 1u << 20);
    EXPECT_EQ(device->geometry().block_count, 2048u);
    ASSERT_TRUE(device->resize(1024, shrinking::allowed));
    EXPECT_EQ(std::filesystem::file_size(path), 512u * 1024);
    EXPECT_TRUE(io().read(2047, 1, data).is(sc::lba_out_of_range));
    ASSERT_TRUE(device->resize(4096));
    EXPECT_EQ(std::filesystem::file_size(path), 2u << 20);
    ASSERT_EQ(io().read(2047, 1, data), sc::success);
    EXPECT_TRUE(all_zero(data));
    std::filesystem::resize_file(path, 3 << 20);  // somebody else
    ASSERT_TRUE(device->resize(0));
    EXPECT_EQ(device->geometry().block_count, 6144u);
    EXPECT_EQ(listener.resizes, 3);
    std::filesystem::resize_file(path, 1 << 20);
    EXPECT_EQ(device->resize(0).error().code, errc::conflict) << "looking is no wish to shrink";
    EXPECT_EQ(device->geometry().block_count, 6144u);
    ASSERT_TRUE(device->resize(0, shrinking::allowed));
    EXPECT_EQ(device->geometry().block_count, 2048u);
}

TEST_F(file_device_test, a_file_cut_off_behind_our_back_is_a_read_error) {
    buffer data(8192, 4);
    for (const int how : {0, 1, 2}) {
        open({.size_bytes = 1 << 20});
        std::filesystem::resize_file(path, 4096);
        EXPECT_EQ(how == 2 ? io().verify(0, 16) : io().read(how * 1000, 16, data),
                  sc::unrecovered_read_error.no_retry());
        EXPECT_EQ(device->state(), device_state::lost);
        close();
        std::filesystem::remove(path);
    }
}

TEST_F(file_device_test, falls_back_from_direct_and_says_so) {
    std::ofstream(dir / "disk") << "";
    std::filesystem::resize_file(dir / "disk", 1 << 20);
    const loop_device loop(dir / "disk", 4096);  // blocks of 512 are too small for O_DIRECT
    if (loop.path.empty()) GTEST_SKIP() << "no loop device can be set up here";
    open({.name = "disk", .path = loop.path});
    buffer data(4096, 4), back(4096);
    EXPECT_EQ(io().write(0, 8, data, true), sc::success);
    EXPECT_EQ(io().read(0, 8, back), sc::success);
    EXPECT_TRUE(same(data, back));
    EXPECT_EQ(io().write_zeroes(0, 8, true), sc::success);
    EXPECT_EQ(io().read(0, 8, back), sc::success);
    EXPECT_TRUE(all_zero(back));
    EXPECT_NE(device->note().find("O_DIRECT is not possible"), std::string::npos);
    close();
}

// Blocks of 512 on storage of 4096, as a disk that was moved has them: every operation works at
// every alignment, and nothing beside it changes.
TEST_F(file_device_test, small_blocks_on_large_ones_are_zeroed_and_deallocated_at_every_alignment) {
    std::ofstream(dir / "disk") << "";
    std::filesystem::resize_file(dir / "disk", 1 << 20);
    const loop_device loop(dir / "disk", 4096);
    if (loop.path.empty()) GTEST_SKIP() << "no loop device can be set up here";
    open({.name = "disk", .path = loop.path});
    EXPECT_EQ(device->geometry().optimal_io_blocks, 8u);
    buffer data(32 * 512, 4), back(32 * 512);
    for (std::uint32_t first = 0; first < 9; ++first)
        for (const std::uint32_t count : {1u, 7u, 8u, 9u, 16u, 17u}) {
            SCOPED_TRACE(fmt::format("{} blocks from {}", count, first));
            ASSERT_EQ(io().write(0, 32, data), sc::success);
            ASSERT_EQ(io().write_zeroes(first, count, true), sc::success);
            ASSERT_EQ(io().read(0, 32, back), sc::success);
            EXPECT_TRUE(same(back.part(0, first * 512), data.part(0, first * 512)));
            EXPECT_TRUE(all_zero(back.part(first * 512, count * 512)));
            const std::size_t end = (first + count) * 512;
            EXPECT_TRUE(same(back.part(end, 32 * 512 - end), data.part(end, 32 * 512 - end)));

            ASSERT_EQ(io().write(0, 32, data), sc::success);
            ASSERT_EQ(io().deallocate({{first, count}}), sc::success);
            ASSERT_EQ(io().read(0, 32, back), sc::success);
            for (std::uint32_t block = 0; block < 32; ++block) {
                const bool whole = block >= (first + 7) / 8 * 8 && block < (first + count) / 8 * 8;
                const auto got = back.part(block * 512, 512);
                EXPECT_TRUE(whole ? all_zero(got) : same(got, data.part(block * 512, 512)))
                    << block;
            }
        }
    EXPECT_EQ(device->state(), device_state::ready);
    close();
}

TEST_F(file_device_test, a_loop_device_and_the_file_behind_it_are_one_storage) {
    std::ofstream(dir / "disk") << "";
    std::filesystem::resize_file(dir / "disk", 1 << 20);
    const loop_device loop(dir / "disk");
    if (loop.path.empty()) GTEST_SKIP() << "no loop device can be set up here";
    open({.name = "file", .path = dir / "disk"});
    auto second = make_file_device({.name = "loop", .path = loop.path}, *reactor, *files);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::conflict);
    EXPECT_NE(second.error().message.find("device file"), std::string::npos)
        << second.error().text();
    close();
    open({.name = "loop", .path = loop.path});
    EXPECT_EQ(refusal({.name = "file", .path = dir / "disk"}), errc::conflict);
    close();
}

TEST_F(file_device_test, a_block_device_that_became_smaller_is_noticed) {
    std::ofstream(dir / "disk") << "";
    std::filesystem::resize_file(dir / "disk", 1 << 20);
    auto loop = std::make_unique<loop_device>(dir / "disk");
    if (loop->path.empty()) GTEST_SKIP() << "no loop device can be set up here";
    open({.name = "loop", .path = loop->path});
    ::ioctl(loop->fd.get(), LOOP_SET_CAPACITY);
    std::filesystem::resize_file(dir / "disk", 512 * 1024);
    ::ioctl(loop->fd.get(), LOOP_SET_CAPACITY);
    EXPECT_EQ(io().flush(), sc::write_fault.no_retry());
    EXPECT_EQ(device->condition(), "lost");
    close();
}

TEST_F(file_device_test, serves_files_in_memory) {
    test::temp_dir memory("/dev/shm");
    path = memory / "file";
    open({.size_bytes = 1 << 20});
    buffer data(4096, 4), back(4096);
    EXPECT_EQ(io().write(0, 8, data, true), sc::success);
    EXPECT_EQ(io().write_zeroes(0, 4, true),
              sc::success);  // tmpfs cannot zero a range: a hole does it
    EXPECT_EQ(io().read(0, 8, back), sc::success);
    EXPECT_TRUE(all_zero(back.part(0, 2048)));
    EXPECT_TRUE(same(back.part(2048, 2048), data.part(2048, 2048)));
    close();
}

/// A file system of 1 MiB, where our rights allow one.
struct small_file_system {
    explicit small_file_system(const std::string& at) {
        std::filesystem::create_directory(at);
        if (::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=1m") == 0) path = at;
    }
    ~small_file_system() {
        if (!path.empty()) ::umount2(path.c_str(), MNT_DETACH);
    }
    std::string path;
};

TEST_F(file_device_test, a_full_disk_is_not_a_loss) {
    const small_file_system small(dir / "small");
    if (small.path.empty()) GTEST_SKIP() << "no file system can be mounted here";
    open({.path = small.path + "/file", .size_bytes = 4 << 20});
    buffer data(1 << 20, 4);
    EXPECT_EQ(io().write(0, 1024, data.part(0, 512 * 1024), true), sc::success);
    nvme::status last = sc::success;
    for (std::uint32_t at = 1024; at < 8192 && last == sc::success; at += 1024)
        last = io().write(at, 1024, data.part(0, 512 * 1024));
    EXPECT_EQ(last, sc::capacity_exceeded.no_retry());
    reactor->run_once();
    EXPECT_TRUE(device->full()) << "operators are told";
    EXPECT_EQ(io().write(6144, 1024, data.part(0, 512 * 1024), true),
              sc::capacity_exceeded.no_retry());
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(io().flush(), sc::success);
    EXPECT_EQ(io().deallocate({{0, 1024}}), sc::success);
    EXPECT_EQ(io().write(6144, 512, data.part(0, 256 * 1024), true), sc::success);
    close();
}

TEST_F(file_device_test, reopens_the_same_file_only) {
    open({.size_bytes = 1 << 20});
    buffer data(4096, 4), back(4096);
    ASSERT_EQ(io().write(0, 8, data, true), sc::success);
    ASSERT_TRUE(device->reopen());
    EXPECT_EQ(io().read(0, 8, back), sc::success);
    EXPECT_TRUE(same(data, back));
    EXPECT_EQ(io().flush(), sc::success);
    std::filesystem::rename(path, dir / "moved");
    EXPECT_EQ(device->reopen().error().code, errc::not_found);
    std::filesystem::copy_file(dir / "moved", path);
    EXPECT_EQ(device->reopen().error().code, errc::conflict);
    EXPECT_EQ(io().read(0, 8, back), sc::success) << "the old one still serves";
}

TEST(file_status, tells_hosts_the_truth) {
    EXPECT_EQ(status_of(EIO, io_kind::read), sc::unrecovered_read_error.no_retry());
    EXPECT_EQ(status_of(EIO, io_kind::compare), sc::unrecovered_read_error.no_retry());
    EXPECT_EQ(status_of(EIO, io_kind::write), sc::write_fault.no_retry());
    EXPECT_EQ(status_of(EIO, io_kind::flush), sc::write_fault.no_retry());
    EXPECT_EQ(status_of(EROFS, io_kind::write), sc::write_fault.no_retry());
    EXPECT_EQ(status_of(ENOSPC, io_kind::write), sc::capacity_exceeded.no_retry());
    EXPECT_EQ(status_of(EDQUOT, io_kind::write), sc::capacity_exceeded.no_retry());
    EXPECT_EQ(status_of(ECANCELED, io_kind::write), sc::aborted_by_request);
    EXPECT_EQ(status_of(ENOMEM, io_kind::read), sc::command_interrupted);
    EXPECT_EQ(status_of(EINVAL, io_kind::read), sc::unrecovered_read_error.no_retry());
    EXPECT_EQ(status_of(EINVAL, io_kind::write_zeroes), sc::write_fault.no_retry());
    EXPECT_EQ(status_of(EBADF, io_kind::read), sc::internal_error.no_retry());
    EXPECT_EQ(status_of(ENODEV, io_kind::read), device_gone);
}

TEST_F(file_device_test, serves_block_devices) {
    std::ofstream(dir / "disk") << "";
    std::filesystem::resize_file(dir / "disk", 8 << 20);
    const loop_device loop(dir / "disk");
    if (loop.path.empty()) GTEST_SKIP() << "no loop device can be set up here";
    open({.name = "disk", .path = loop.path});
    EXPECT_EQ(device->geometry().block_count, (8u << 20) / 512);
    EXPECT_EQ(device->identity().claim.substr(0, 6), "block:");
    buffer data(64 * 1024, 6), back(64 * 1024);
    ASSERT_EQ(io().write(100, 128, data, true), sc::success);
    ASSERT_EQ(io().read(100, 128, back), sc::success);
    EXPECT_TRUE(same(data, back));
    ASSERT_EQ(io().write_zeroes(110, 20, true), sc::success);
    ASSERT_EQ(io().deallocate({{140, 16}}), sc::success);
    ASSERT_EQ(io().read(100, 128, back), sc::success);
    EXPECT_TRUE(all_zero(back.part(10 * 512, 20 * 512)));
    EXPECT_TRUE(all_zero(back.part(40 * 512, 16 * 512)));
    EXPECT_TRUE(same(back.part(30 * 512, 10 * 512), data.part(30 * 512, 10 * 512)));
    ASSERT_EQ(io().flush(), sc::success);
    EXPECT_EQ(refusal({.name = "other", .path = loop.path}), errc::conflict);
    EXPECT_EQ(device->resize(1 << 20).error().code, errc::invalid_argument);
    EXPECT_TRUE(device->reopen());
    ASSERT_EQ(io().read(100, 128, back), sc::success);
    close();
    const unique_fd mounted(
        ::open(loop.path.c_str(), O_RDWR | O_EXCL | O_CLOEXEC));  // somebody else's claim
    EXPECT_EQ(refusal({.name = "disk", .path = loop.path}), errc::conflict);
}

}  // namespace
}  // namespace fulmar::backend
