// Unit tests of fulmar/backend/kept_files.hpp.
#include "support/temp_dir.hpp"

#include <fulmar/backend/kept_files.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace fulmar::backend {
namespace {

struct kept_files : testing::Test {
    std::string file(const std::string& name) const {
        const std::string path = (dir.path() / name).string();
        std::ofstream(path) << "x";
        return path;
    }
    std::string absent(const std::string& name) const { return (dir.path() / name).string(); }
    test::temp_dir dir;
};

void expect_refused(const std::string& path, errc why, const std::string& says) {
    const result<void> answer = may_back_a_device(path);
    ASSERT_FALSE(answer) << path;
    EXPECT_EQ(answer.error().code, why) << answer.error().text();
    EXPECT_EQ(answer.error().where, "/path");
    EXPECT_NE(answer.error().message.find(says), std::string::npos) << answer.error().text();
    EXPECT_FALSE(answer.error().remedy.empty());
}

TEST_F(kept_files, the_daemons_own_files_are_refused_under_every_name) {
    const std::string own = file("fulmard.json");
    const std::string journal = file("fulmard.json.journal");
    keep_from_devices(own, "the configuration", true);
    expect_refused(own, errc::conflict, "the configuration");
    expect_refused(journal, errc::conflict, "the configuration");
    expect_refused(absent("fulmard.json.superseded"), errc::conflict, "the configuration");
    std::filesystem::create_symlink(own, dir.path() / "link");
    expect_refused(absent("link"), errc::conflict, "the configuration");
    std::filesystem::create_hard_link(own, dir.path() / "hard");
    expect_refused(absent("hard"), errc::conflict, "the configuration");
    std::filesystem::create_hard_link(journal, dir.path() / "hard2");
    expect_refused(absent("hard2"), errc::conflict, "the configuration");
    std::filesystem::create_directory_symlink(dir.path(), dir.path() / "folder");
    expect_refused(absent("folder/fulmard.json"), errc::conflict, "the configuration");
    expect_refused(absent("./folder/./fulmard.json"), errc::conflict, "the configuration");
    EXPECT_TRUE(may_back_a_device(file("fulmard.image")));
    EXPECT_TRUE(may_back_a_device(absent("new.image")));
}

TEST_F(kept_files, keys_and_reservations_are_refused_by_other_names_of_theirs) {
    keep_from_devices(file("fulmard.json"), "the configuration", true);
    std::filesystem::create_directory(dir.path() / "fulmard.json.keys");
    std::filesystem::create_directory(dir.path() / "others");
    const std::string image = file("others/image");
    for (const char* own : {"fulmard.json.keys/host1", "fulmard.json.reservations.1234"}) {
        std::filesystem::create_hard_link(file(own), dir.path() / "others/name");
        expect_refused(absent("others/name"), errc::conflict, "the configuration");
        // Whatever was looked at before: what is opened counts.
        const int fd = ::open(absent("others/name").c_str(), O_RDONLY);
        EXPECT_FALSE(may_back_a_device(fd, image));
        ::close(fd);
        std::filesystem::remove(dir.path() / "others/name");
    }
    EXPECT_TRUE(may_back_a_device(image));
}

TEST_F(kept_files, another_mount_makes_nothing_else_of_them) {
    keep_from_devices(file("fulmard.json"), "the configuration", true);
    std::filesystem::create_directory(dir.path() / "fulmard.json.keys");
    file("fulmard.json.keys/host1");
    file("fulmard.json.journal");
    std::filesystem::create_directory(dir.path() / "mount");
    bool mounted = false;
    std::thread([&] {  // in a view of its own, which ends with it
        mounted =
            ::unshare(CLONE_NEWNS) == 0 &&
            ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
            ::mount(dir.path().c_str(), absent("mount").c_str(), nullptr, MS_BIND, nullptr) == 0;
        if (!mounted) return;
        for (const char* own : {"mount/fulmard.json", "mount/fulmard.json.journal",
                                "mount/fulmard.json.keys/host1"}) {
            expect_refused(absent(own), errc::conflict, "the configuration");
            const int fd = ::open(absent(own).c_str(), O_RDONLY);
            EXPECT_FALSE(may_back_a_device(fd, own));
            ::close(fd);
        }
        EXPECT_TRUE(may_back_a_device(file("mount/image")));
    })
        .join();
    if (!mounted) GTEST_SKIP() << "no mounts for this user";
}

TEST_F(kept_files, a_name_that_is_free_is_kept_for_the_daemon) {
    keep_from_devices(absent("admin.token"), "the token");
    expect_refused(absent("admin.token"), errc::conflict, "the token");
}

TEST_F(kept_files, a_log_that_is_open_is_refused) {
    const std::string log = file("fulmard.log");
    const int fd = ::open(log.c_str(), O_WRONLY);
    keep_from_devices(fd, "the log");
    ::close(fd);
    expect_refused(log, errc::conflict, "the log");
}

TEST_F(kept_files, what_is_no_storage_is_refused) {
    expect_refused("/proc/self/comm", errc::invalid_argument, "proc");
    expect_refused("/proc/not-there", errc::invalid_argument, "proc");
    expect_refused("/sys/kernel/uevent_seqnum", errc::invalid_argument, "sysfs");
    std::filesystem::create_symlink("/proc/self/comm", dir.path() / "link");
    expect_refused(absent("link"), errc::invalid_argument, "proc");
    if (std::filesystem::exists("/dev/shm"))
        expect_refused("/dev/shm/fulmar-test-image", errc::invalid_argument, "memory");
}

}  // namespace
}  // namespace fulmar::backend
