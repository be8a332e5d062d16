// Where a device may be whose path REST has named: links, hard links, "..", and races between the
// look and the open.
#include "file/path_file.hpp"
#include "support/temp_dir.hpp"

#include <fulmar/backend/allowed_paths.hpp>
#include <fulmar/backend/kept_files.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace fulmar::backend {
namespace {

namespace fs = std::filesystem;

struct allowed_paths : testing::Test {
    void SetUp() override {
        fs::create_directories(inside);
        fs::create_directories(outside);
        confine_devices(std::vector<std::string>{inside + "/*.img", inside + "/deep/**"});
    }
    void TearDown() override { confine_devices(std::nullopt); }
    static std::string made(const std::string& path) {
        std::ofstream(path) << "x";
        fs::resize_file(path, 1 << 20);
        return path;
    }
    static open_outcome open(const std::string& path, bool create = false) {
        return path_file::open({.name = "d",
                                .path = path,
                                .size_bytes = create ? 1u << 20 : 0u,
                                .block_bytes = 512,
                                .create = create,
                                .permit = may_back_a_device,
                                .permit_open = may_back_a_device});
    }
    test::temp_dir folder;
    const std::string inside = fs::canonical(folder.path()).string() + "/inside";
    const std::string outside = fs::canonical(folder.path()).string() + "/outside";
};

TEST_F(allowed_paths, patterns_stop_at_a_slash_unless_they_say_everything) {
    EXPECT_TRUE(fits_path_pattern("/a/*.img", "/a/b.img"));
    EXPECT_FALSE(fits_path_pattern("/a/*.img", "/a/b/c.img"));
    EXPECT_FALSE(fits_path_pattern("/a/*", "/a/b/c"));
    EXPECT_TRUE(fits_path_pattern("/a/**", "/a/b/c"));
    EXPECT_TRUE(fits_path_pattern("/a/*/x/**", "/a/b/x/c/d"));
    EXPECT_FALSE(fits_path_pattern("/a/**", "/a"));
    EXPECT_FALSE(fits_path_pattern("/a/**", "/ab/c"));
    EXPECT_TRUE(fits_path_pattern("/a/b", "/a/b"));
    EXPECT_TRUE(fits_path_pattern("/**", "/a"));
}

TEST_F(allowed_paths, what_fits_is_opened_and_created_and_nothing_else) {
    EXPECT_TRUE(open(made(inside + "/a.img")).has_value());
    EXPECT_TRUE(open(inside + "/new.img", true).has_value());
    EXPECT_TRUE(fs::exists(inside + "/new.img"));
    fs::create_directories(inside + "/deep/er");
    EXPECT_TRUE(open(inside + "/deep/er/b", true).has_value());
    for (const std::string& path :
         {made(outside + "/a.img"), inside + "/../outside/a.img", made(inside + "/a.raw"),
          inside + "/deep/../../outside/a.img"}) {
        const open_outcome outcome = open(path);
        ASSERT_FALSE(outcome.has_value()) << path;
        EXPECT_EQ(outcome.error().why.code, errc::permission_denied) << path;
    }
    const open_outcome absent = open(outside + "/no such file.img", true);
    ASSERT_FALSE(absent.has_value());
    EXPECT_EQ(absent.error().why.code, errc::permission_denied) << "nothing is told of it";
    EXPECT_FALSE(fs::exists(outside + "/no such file.img"));
}

TEST_F(allowed_paths, links_lead_nowhere_else) {
    made(outside + "/a.img");
    fs::create_symlink(outside + "/a.img", inside + "/link.img");
    fs::create_directories(inside + "/deep");
    fs::create_symlink(outside, inside + "/deep/folder");
    fs::create_symlink(outside + "/dangling.img", inside + "/dangling.img");
    EXPECT_EQ(open(inside + "/link.img").error().why.code, errc::permission_denied);
    EXPECT_EQ(open(inside + "/deep/folder/a.img").error().why.code, errc::permission_denied);
    EXPECT_FALSE(open(inside + "/deep/folder/new.img", true).has_value());
    EXPECT_FALSE(open(inside + "/dangling.img", true).has_value());
    EXPECT_FALSE(fs::exists(outside + "/new.img"));
    EXPECT_FALSE(fs::exists(outside + "/dangling.img"));
    // One that stays inside is fine.
    made(inside + "/b.img");
    fs::create_symlink(inside + "/b.img", inside + "/deep/b");
    EXPECT_TRUE(open(inside + "/deep/b").has_value());
}

TEST_F(allowed_paths, what_the_configuration_names_is_served_wherever_it_leads) {
    made(outside + "/a.img");
    fs::create_symlink(outside + "/a.img", inside + "/named.img");
    trust_path(inside + "/named.img");
    EXPECT_FALSE(is_confined(inside + "/named.img"));
    EXPECT_TRUE(open(inside + "/named.img").has_value());
    EXPECT_EQ(open(outside + "/a.img").error().why.code, errc::permission_denied);
}

TEST_F(allowed_paths, own_files_are_no_device_under_any_name) {
    const std::string own = made(inside + "/fulmard.img");
    for (const char* ending : {".journal", ".tokens", ".history"}) made(own + ending);
    keep_from_devices(own, "the configuration", true);
    fs::create_hard_link(own, inside + "/hard.img");
    fs::create_hard_link(own + ".tokens", inside + "/tokens.img");
    fs::create_symlink(own, inside + "/soft.img");
    for (const char* name : {"/fulmard.img", "/hard.img", "/tokens.img", "/soft.img"}) {
        const open_outcome outcome = open(inside + name);
        ASSERT_FALSE(outcome.has_value()) << name;
        EXPECT_EQ(outcome.error().why.code, errc::conflict) << name;
    }
    // What is opened is judged as well, whatever it was called when it was looked at.
    const int fd = ::open((inside + "/hard.img").c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_FALSE(may_back_a_device(fd, "/somewhere/else").has_value());
    ::close(fd);
    const int pipe = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    EXPECT_FALSE(may_back_a_device(pipe, "/somewhere/else").has_value());
    ::close(pipe);
}

// Somebody exchanges a file for a link as fast as possible: it is never the link that is opened.
TEST_F(allowed_paths, a_race_between_the_look_and_the_open_is_lost) {
    made(inside + "/a.img");
    std::ofstream(outside + "/secret.img") << std::string(1 << 16, 's');
    const std::string spare = inside + "/spare";
    fs::create_symlink(outside + "/secret.img", spare);
    std::atomic<bool> over{false};
    std::thread exchanger([&] {
        while (!over)
            ::renameat2(AT_FDCWD, spare.c_str(), AT_FDCWD, (inside + "/a.img").c_str(),
                        RENAME_EXCHANGE);
    });
    for (int i = 0; i < 2000; ++i) {
        const open_outcome outcome = open(inside + "/a.img");
        const std::uint64_t bytes = outcome.has_value() ? outcome->what.size_bytes : 1u << 20;
        EXPECT_EQ(bytes, 1u << 20) << "the other one was opened";
    }
    over = true;
    exchanger.join();
}

}  // namespace
}  // namespace fulmar::backend
