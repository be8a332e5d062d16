// Storage that hangs costs the control reactor a bounded time, once.
#include "bounded_open_file.hpp"

#include "support/eventually.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <memory>
#include <new>
#include <thread>

namespace fulmar::backend {
namespace {

using namespace std::chrono_literals;

/// Hangs in reopen() until told otherwise; tells when it is destroyed.
class hanging_file final : public backing_file {
  public:
    struct told {
        std::latch go_on{1};
        std::latch destroyed{1};
    };
    explicit hanging_file(std::shared_ptr<told> t) : told_(std::move(t)) {}
    ~hanging_file() override { told_->destroyed.count_down(); }
    [[nodiscard]] int fd() const noexcept override { return -1; }
    [[nodiscard]] int unaligned_fd() const noexcept override { return -1; }
    [[nodiscard]] std::uint32_t memory_alignment() const noexcept override { return 1; }
    [[nodiscard]] int open_for_sync() noexcept override { return -1; }
    void close_for_sync(int) noexcept override {}
    [[nodiscard]] bool can_deallocate() const noexcept override { return false; }
    [[nodiscard]] const std::string& claim() const noexcept override { return text_; }
    [[nodiscard]] const std::string& note() const noexcept override { return text_; }
    result<std::uint64_t> size() override { return 4096; }
    result<void> set_size(std::uint64_t, std::uint64_t new_bytes) override {
        if (new_bytes == 0) return fail(errc::io_error, "no", "/size");
        return {};
    }
    result<void> reopen() override {
        told_->go_on.wait();
        return {};
    }

  private:
    std::shared_ptr<told> told_;
    std::string text_;
};

/// However busy the machine is, a thread is run within `patience`.
std::unique_ptr<bounded_open_file> open_hanging(std::shared_ptr<hanging_file::told> told,
                                                duration patience = 1s) {
    return bounded_open_file::open(
               [told]() -> result<std::unique_ptr<backing_file>> {
                   return std::make_unique<hanging_file>(told);
               },
               patience)
        .value();
}

TEST(bounded_open_file, passes_on_what_the_file_says) {
    const auto told = std::make_shared<hanging_file::told>();
    told->go_on.count_down();
    const auto file = open_hanging(told, 60s);
    // One call right after the other: none is in the next one's way.
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(file->size().value(), 4096u);
        EXPECT_TRUE(file->set_size(0, 1));
        EXPECT_EQ(file->set_size(0, 0).error().where, "/size");
        EXPECT_TRUE(file->reopen());
    }
    const auto refused = bounded_open_file::open(
        []() -> result<std::unique_ptr<backing_file>> {
            return fail(errc::not_found, "it is not there", "/path");
        },
        10s);
    EXPECT_EQ(refused.error().code, errc::not_found);
}

TEST(bounded_open_file, gives_up_a_call_that_hangs_and_asks_nothing_else_until_it_ends) {
    const auto told = std::make_shared<hanging_file::told>();
    const auto file = open_hanging(told);
    const auto hung = file->reopen();
    ASSERT_FALSE(hung);
    EXPECT_EQ(hung.error().code, errc::timed_out);
    EXPECT_FALSE(hung.error().remedy.empty());
    EXPECT_EQ(file->size().error().code, errc::unavailable);
    EXPECT_EQ(file->reopen().error().code, errc::unavailable);
    told->go_on.count_down();
    EXPECT_TRUE(test::eventually([&] { return file->size().has_value(); }));
    EXPECT_TRUE(file->reopen());
}

TEST(bounded_open_file, outlives_its_owner_while_a_thread_hangs_in_it) {
    const auto told = std::make_shared<hanging_file::told>();
    auto file = open_hanging(told);
    EXPECT_FALSE(file->reopen());
    file.reset();
    EXPECT_FALSE(told->destroyed.try_wait()) << "somebody is still in it";
    told->go_on.count_down();
    told->destroyed.wait();
}

TEST(bounded_open_file, tells_when_memory_runs_out_on_its_thread) {
    const auto opened = bounded_open_file::open(
        []() -> result<std::unique_ptr<backing_file>> { throw std::bad_alloc(); }, 10s);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, errc::no_memory);
}

TEST(bounded_open_file, an_open_that_hangs_is_given_up) {
    const auto told = std::make_shared<hanging_file::told>();
    const auto opened = bounded_open_file::open(
        [told]() -> result<std::unique_ptr<backing_file>> {
            told->go_on.wait();
            return std::make_unique<hanging_file>(told);
        },
        50ms);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, errc::timed_out);
    told->go_on.count_down();
    told->destroyed.wait();  // what was opened too late is closed again
}

}  // namespace
}  // namespace fulmar::backend
