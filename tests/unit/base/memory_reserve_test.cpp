// What happens when the system gives no more memory: in a child of its own each time, under a real
// limit.
#include <fulmar/base/memory_reserve.hpp>
#include <fulmar/base/sanitizer.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace fulmar {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t reserve_bytes = 8 * mib;

// Private writable memory, as the kernel counts it.
std::size_t data_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmData:")) return std::stoul(line.substr(7)) * kib;
    return 0;
}

void no_more_than(rlim_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    ASSERT_EQ(::setrlimit(RLIMIT_DATA, &limit), 0);
}

/// All that can be had, in pieces; the pieces stay.
template <typename Stop>
std::size_t take_pieces(std::vector<std::unique_ptr<std::byte[]>>& into, Stop&& stop) {
    constexpr std::size_t piece = 16 * kib;
    while (into.size() < into.capacity() && !stop()) {
        std::byte* const got = new (std::nothrow) std::byte[piece];
        if (got == nullptr) break;
        into.emplace_back(got);
    }
    return into.size() * piece;
}

/// Runs `body` in a child that has little memory; what it expects in vain is told here.
template <typename Body>
void in_a_child([[maybe_unused]] Body&& body) {
#if FULMAR_ASAN || FULMAR_TSAN
    GTEST_SKIP() << "the sanitizers' allocator ends the process where malloc() says no";
#else
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        bool good = false;
        try {
            body();
            good = !::testing::Test::HasFailure();
        } catch (const std::exception& failure) {
            std::printf("%s\n", failure.what());
        }
        std::fflush(nullptr);
        ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
#endif
}

TEST(memory_reserve, is_whole_where_none_is_kept) { EXPECT_TRUE(memory_reserve::whole()); }

TEST(memory_reserve, is_used_when_there_is_no_more_and_filled_again_when_there_is) {
    in_a_child([] {
        std::vector<std::unique_ptr<std::byte[]>> pieces;
        pieces.reserve(64 * kib);
        ASSERT_TRUE(memory_reserve::keep(reserve_bytes));
        no_more_than(data_bytes() + 16 * mib);
        // Until the reserve has to help; then what it is good for is still to be had. What is
        // expected of it needs memory itself, so that is said afterwards.
        const std::size_t before =
            take_pieces(pieces, [] { return memory_reserve::times_given() != 0; });
        const bool whole_without = memory_reserve::whole();
        const std::size_t after = take_pieces(pieces, [] { return false; }) - before;
        const bool whole_at_the_end = memory_reserve::whole();
        no_more_than(RLIM_INFINITY);
        EXPECT_GE(before, 8 * mib);
        EXPECT_FALSE(whole_without);
        EXPECT_GE(after, reserve_bytes / 2);
        EXPECT_LE(after, 2 * reserve_bytes);
        EXPECT_FALSE(whole_at_the_end);
        EXPECT_EQ(memory_reserve::times_given(), 1u);

        EXPECT_TRUE(memory_reserve::whole());  // there is memory again
        no_more_than(data_bytes() + 16 * mib);
        take_pieces(pieces, [] { return memory_reserve::times_given() != 1; });
        no_more_than(RLIM_INFINITY);
        EXPECT_EQ(memory_reserve::times_given(), 2u);
    });
}

TEST(memory_reserve, does_not_make_room_for_what_nobody_has) {
    in_a_child([] {
        ASSERT_TRUE(memory_reserve::keep(reserve_bytes));
        no_more_than(data_bytes() + 16 * mib);
        EXPECT_THROW(static_cast<void>(std::make_unique<std::byte[]>(1024 * mib)), std::bad_alloc);
        EXPECT_EQ(memory_reserve::times_given(), 1u);  // it was tried, and
        EXPECT_TRUE(memory_reserve::whole());          // is back as soon as somebody asks
    });
}

TEST(memory_reserve, says_when_it_cannot_be_kept) {
    in_a_child([] {
        no_more_than(data_bytes() + mib);
        const auto kept = memory_reserve::keep(reserve_bytes);
        ASSERT_FALSE(kept);
        EXPECT_NE(kept.error().message.find("8388608 bytes in reserve"), std::string::npos)
            << kept.error().message;
        EXPECT_TRUE(memory_reserve::whole());  // none is kept
    });
}

}  // namespace
}  // namespace fulmar
