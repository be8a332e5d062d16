// What a file held before the target came is what it holds afterwards: every allocated byte and the
// size, over every start, creation, failure, resize and reopen, for files of every size.
#include <fulmar/backend/file_device.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/uring_file_io.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <support/io_runner.hpp>
#include <support/temp_dir.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

namespace fulmar::backend {
namespace {

using test::hand_reactor;

constexpr std::uint64_t largest = UINT64_MAX;  ///< as large as the file system can have it
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

/// Everything that a file system tells of a file's contents.
struct contents {
    std::uint64_t bytes = 0;
    std::map<std::uint64_t, std::string> allocated;  ///< by offset
    friend bool operator==(const contents&, const contents&) = default;
};

void PrintTo(const contents& c, std::ostream* out) {
    *out << c.bytes << " bytes";
    for (const auto& [at, text] : c.allocated)
        *out << ", " << text.size() << " allocated at " << at << " ("
             << std::count(text.begin(), text.end(), '\0') << " zeros)";
}

contents contents_of(const std::string& path) {
    contents seen;
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct ::stat s {};
    if (!fd || ::fstat(fd.get(), &s) != 0) return seen;
    seen.bytes = static_cast<std::uint64_t>(s.st_size);
    for (off_t at = 0; (at = ::lseek(fd.get(), at, SEEK_DATA)) >= 0;) {
        // In memory the kernel rounds up to a page, which the largest offset is not.
        const auto end = static_cast<off_t>(
            std::min(seen.bytes, static_cast<std::uint64_t>(::lseek(fd.get(), at, SEEK_HOLE))));
        std::string text(static_cast<std::size_t>(end - at), '?');
        EXPECT_EQ(::pread(fd.get(), text.data(), text.size(), at), end - at)
            << "at " << at << ": " << std::strerror(errno);
        seen.allocated.emplace(at, std::move(text));
        at = end;
    }
    return seen;
}

void put(const std::string& path, std::uint64_t at, const std::string& text) {
    const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::pwrite(fd.get(), text.data(), text.size(), static_cast<off_t>(at)),
              static_cast<ssize_t>(text.size()));
}

/// The largest size that the file system of `path` lets it have.
std::uint64_t largest_of(const std::string& path) {
    std::uint64_t good = 0;
    for (std::uint64_t step = std::uint64_t{1} << 62; step != 0; step /= 2)
        if (::truncate(path.c_str(), static_cast<off_t>(good + step)) == 0) good += step;
    return good;
}

struct sized {
    const char* folder;  ///< null: on disk
    std::uint64_t bytes;
};

class untouched_storage : public ::testing::TestWithParam<sized> {
  protected:
    /// A sparse file with data in all the places that somebody could take for empty.
    void SetUp() override {
        const unique_fd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        ASSERT_TRUE(made);
        bytes = GetParam().bytes == largest ? largest_of(path) : GetParam().bytes;
        ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(bytes)), 0);
        for (unsigned power = 9; power < 63; ++power) put_at(std::uint64_t{1} << power);
        put_at(0);
        put_at(bytes - std::min<std::uint64_t>(bytes, 4096));
        put(path, bytes - 1, "e");
        before = contents_of(path);
        ASSERT_EQ(before.bytes, bytes);
    }
    void put_at(std::uint64_t at) {
        if (at >= bytes) return;
        put(path, at, std::string(std::min<std::uint64_t>(4096, bytes - at), 'd'));
    }
    result<std::unique_ptr<device>> open(file_options options) {
        options.path = path;
        return make_file_device(options, *reactor, *files);
    }
    void expect_untouched(const char* after) {
        EXPECT_EQ(contents_of(path), before) << "after " << after;
        before = contents_of(path);
    }

    test::temp_dir dir{GetParam().folder == nullptr ? std::getenv("TMPDIR") : GetParam().folder};
    std::string path = dir / "namespace";
    std::uint64_t bytes = 0;
    contents before;
    hand_reactor reactor;
    std::unique_ptr<engine::file_io_provider> files = engine::make_uring_files();
};

TEST_P(untouched_storage, opening_in_every_way_leaves_every_byte) {
    for (const std::uint32_t block : {512u, 4096u})
        for (const bool direct : {true, false})
            for (const std::uint64_t size : {std::uint64_t{0}, bytes - bytes % block, bytes / 2}) {
                auto device = open(
                    {.size_bytes = size - size % block, .block_bytes = block, .direct = direct});
                EXPECT_EQ(device.has_value(), bytes >= block);
                device = tl::unexpected(error{});
                expect_untouched("an open");
            }
}

TEST_P(untouched_storage, opening_that_fails_leaves_every_byte) {
    EXPECT_FALSE(open({.size_bytes = 1000}));
    expect_untouched("a size that is refused");
    const unique_fd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_FALSE(open({}));
    EXPECT_FALSE(open({.size_bytes = std::uint64_t{1} << 61}));
    expect_untouched("an open that found it locked");
}

TEST_P(untouched_storage, serving_resizing_and_reopening_leave_every_byte) {
    if (bytes < 8192) GTEST_SKIP() << "too small to be resized within its size";
    auto device = open({.size_bytes = 4096}).value();
    for (const std::uint64_t blocks : {std::uint64_t{1}, bytes / 1024, std::uint64_t{8}}) {
        ASSERT_TRUE(device->resize(blocks, shrinking::allowed));
        expect_untouched("a resize of a device within its file");
    }
    ASSERT_TRUE(device->resize(0));
    expect_untouched("another look at the size");
    ASSERT_TRUE(device->reopen());
    expect_untouched("a reopen");
    auto channel = device->open_channel(*reactor).value();
    test::io_runner io(reactor, *channel);
    std::vector<std::byte> block(512);
    EXPECT_EQ(io.read(0, 1, block), nvme::sc::success);
    EXPECT_EQ(io.flush(), nvme::sc::success);
    channel.reset();
    device.reset();
    expect_untouched("service");
}

INSTANTIATE_TEST_SUITE_P(of, untouched_storage,
                         ::testing::Values(sized{nullptr, 1}, sized{nullptr, 511},
                                           sized{nullptr, 512}, sized{nullptr, 4097},
                                           sized{nullptr, 1 << 20}, sized{nullptr, 2 * tib},
                                           sized{nullptr, 4 * tib}, sized{nullptr, 4 * tib + 4096},
                                           sized{nullptr, 5 * tib}, sized{nullptr, largest},
                                           sized{"/dev/shm", 5 * tib}, sized{"/dev/shm", largest}),
                         [](const auto& p) {
                             const std::string bytes = p.param.bytes == largest
                                                           ? "the_limit"
                                                           : fmt::format("{}_bytes", p.param.bytes);
                             return bytes + (p.param.folder == nullptr ? "_on_disk" : "_in_memory");
                         });

}  // namespace
}  // namespace fulmar::backend
