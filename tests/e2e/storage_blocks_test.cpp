// What hosts see of storage with its own mind: a disk of 4096-byte sectors behind blocks of 512,
// and one that has no room left.
#include "daemon.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <fulmar/base/unique_fd.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/status.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <span>
#include <vector>

namespace fulmar::e2e {
namespace {

namespace fs = std::filesystem;
namespace sc = nvme::sc;
using nlohmann::json;
using bytes = std::vector<std::byte>;

std::string serving(const std::string& path, const std::string& more) {
    return R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 1},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "disk", "type": "file", "path": ")" +
           path + "\"" + more + R"(}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:blocks", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "disk"}]}]
})";
}

class storage_blocks : public testing::Test {
  protected:
    void serve(const std::string& path, const std::string& more = {}) {
        d.write_config(serving(path, more));
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = "nqn.2026-11.io.fulmar:blocks";
        auto made = host::controller::connect(options);
        ASSERT_TRUE(made) << made.error().text() << d.log();
        controller = std::move(*made);
        queue = controller->open_io_queue(1, 8).value();
    }
    void stop() {
        controller.reset();
        EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    }
    nvme::status run(host::command what) {
        what.sqe.nsid = 1;
        auto got = host::execute(*queue, what, host::deadline(std::chrono::seconds(20)));
        EXPECT_TRUE(got) << got.error().text();
        return got ? got->status() : nvme::status(sc::internal_error);
    }
    static nvme::sqe on_blocks(nvme::io_opcode opcode, const nvme::block_range& where) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(opcode);
        nvme::encode_block_range(sqe, where);
        return sqe;
    }
    nvme::status write(std::uint64_t block, std::span<std::byte> data) {
        return run({.sqe = on_blocks(
                        nvme::io_opcode::write,
                        {.slba = block, .blocks = static_cast<std::uint32_t>(data.size() / 512)}),
                    .direction = host::transfer::to_controller,
                    .data = data});
    }
    nvme::status flush() {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::flush);
        return run({.sqe = sqe});
    }
    bytes read(std::uint64_t block, std::uint32_t blocks) {
        bytes data(std::size_t{blocks} * 512);
        EXPECT_EQ(run({.sqe = on_blocks(nvme::io_opcode::read, {.slba = block, .blocks = blocks}),
                       .direction = host::transfer::from_controller,
                       .data = data}),
                  sc::success);
        return data;
    }
    nvme::status write_zeroes(std::uint64_t block, std::uint32_t blocks, bool deallocate) {
        return run({.sqe = on_blocks(nvme::io_opcode::write_zeroes,
                                     {.slba = block, .blocks = blocks, .deac = deallocate})});
    }
    nvme::status deallocate(std::uint64_t block, std::uint32_t blocks) {
        nvme::dsm_range range{};
        range.slba = block;
        range.blocks = blocks;
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::dataset_management);
        nvme::encode_dataset_management(
            sqe, {.ranges = 1, .attributes = nvme::dsm_attribute::deallocate});
        return run({.sqe = sqe,
                    .direction = host::transfer::to_controller,
                    .data = std::as_writable_bytes(std::span(&range, 1))});
    }
    json get(const std::string& what) {
        auto client = test::http_client::unix_socket(d.folder() + "/admin.sock");
        return json::parse(client.send("GET", what).body);
    }

    daemon_process d{serving("unused", "")};
    std::unique_ptr<host::controller> controller;
    host::queue* queue = nullptr;
};

/// A disk with such sectors, where the kernel and our rights allow one.
struct loop_disk {
    explicit loop_disk(const std::string& backing, std::uint32_t bytes = 4096) {
        std::ofstream(backing) << "x";
        fs::resize_file(backing, 4 << 20);
        const unique_fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
        if (!control) return;
        const std::string name =
            fmt::format("/dev/loop{}", ::ioctl(control.get(), LOOP_CTL_GET_FREE));
        fd.reset(::open(name.c_str(), O_RDWR | O_CLOEXEC));
        const unique_fd file(::open(backing.c_str(), O_RDWR | O_CLOEXEC));
        if (!fd || !file) return;
        struct ::loop_config how {};
        how.fd = static_cast<std::uint32_t>(file.get());
        how.block_size = bytes;
        if (::ioctl(fd.get(), LOOP_CONFIGURE, &how) == 0) path = name;
    }
    ~loop_disk() {
        if (!path.empty()) ::ioctl(fd.get(), LOOP_CLR_FD);
    }
    unique_fd fd;
    std::string path;
};

// What mkfs and blkdiscard do: ranges that begin and end anywhere.
TEST_F(storage_blocks, of_512_on_sectors_of_4096_are_zeroed_and_deallocated_at_every_alignment) {
    const loop_disk disk(d.folder() + "/sectors");
    if (disk.path.empty()) GTEST_SKIP() << "NOT TESTED: no loop device can be set up here";
    serve(disk.path);
    EXPECT_TRUE(d.says("device disk: O_DIRECT is not possible"));
    const auto page = controller->identify_namespace(1).value();
    EXPECT_EQ(page.npwg.value() + 1, 8);
    EXPECT_EQ(page.npdg.value() + 1, 8);
    EXPECT_EQ(page.nows.value() + 1, 8);
    bytes data(32 * 512, std::byte{'d'});
    const auto is = [](const bytes& all, std::uint32_t from, std::uint32_t to, char what) {
        return std::all_of(all.begin() + from * 512, all.begin() + to * 512,
                           [what](std::byte b) { return b == std::byte(what); });
    };
    for (const std::uint32_t first : {0u, 1u, 7u, 8u})
        for (const std::uint32_t count : {1u, 7u, 8u, 9u, 23u}) {
            SCOPED_TRACE(fmt::format("{} blocks from {}", count, first));
            const std::uint32_t end = first + count;
            for (const bool deac : {false, true}) {
                ASSERT_EQ(write(0, data), sc::success);
                ASSERT_EQ(write_zeroes(first, count, deac), sc::success);
                const bytes now = read(0, 32);
                EXPECT_TRUE(is(now, 0, first, 'd') && is(now, first, end, 0) &&
                            is(now, end, 32, 'd'));
            }
            ASSERT_EQ(write(0, data), sc::success);
            ASSERT_EQ(deallocate(first, count), sc::success);
            const bytes now = read(0, 32);
            const std::uint32_t whole = (first + 7) / 8 * 8;
            const std::uint32_t whole_end = std::max(whole, end / 8 * 8);
            EXPECT_TRUE(is(now, 0, whole, 'd') && is(now, whole, whole_end, 0) &&
                        is(now, whole_end, 32, 'd'));
        }
    EXPECT_EQ(flush(), sc::success);
    EXPECT_EQ(get("/v1/health")["status"], "ok");
    stop();
}

// Whoever says nothing gets what the storage works in; what is configured already keeps its blocks.
TEST_F(storage_blocks, of_a_new_device_are_those_of_its_storage_and_are_written_out) {
    const loop_disk disk(d.folder() + "/sectors");
    if (disk.path.empty()) GTEST_SKIP() << "NOT TESTED: no loop device can be set up here";
    std::ofstream(d.folder() + "/image") << std::string(1 << 20, 'x');
    d.write_config(serving(d.folder() + "/image", ""));
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    auto client = test::http_client::unix_socket(d.folder() + "/admin.sock");
    const auto made = client.send(
        "POST", "/v1/devices", json{{"name", "new"}, {"type", "file"}, {"path", disk.path}}.dump());
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(json::parse(made.body)["block_size"], 4096);
    for (const bool killed : {true, false}) {
        EXPECT_EQ(d.stop(killed ? SIGKILL : SIGTERM), killed ? 128 + SIGKILL : 0) << d.log();
        std::ifstream in(d.config_path());
        const json file = json::parse(in);
        for (const json& one : file["devices"])  // by the fold at the next start
            EXPECT_EQ(one.value("block_size", 512), one["name"] == "new" ? 4096 : 512) << one;
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
        EXPECT_EQ(get("/v1/devices/new")["block_size"], 4096);
        EXPECT_EQ(get("/v1/devices/disk")["block_size"], 512);
    }
    std::ifstream in(d.config_path());
    const json file = json::parse(in);
    for (const json& one : file["devices"]) EXPECT_TRUE(one.contains("block_size")) << one;
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// A host relies on one block being whole (AWUPF 0): who serves larger ones than the disk has is
// told.
TEST_F(storage_blocks, larger_than_the_sectors_of_their_disk_are_warned_about) {
    const loop_disk disk(d.folder() + "/sectors", 512);
    if (disk.path.empty()) GTEST_SKIP() << "NOT TESTED: no loop device can be set up here";
    const std::string warning =
        "its blocks have 4096 bytes, and the disk writes 512 at once: after a power failure one "
        "may be half old and half new";
    serve(disk.path, R"(, "block_size": 4096)");
    EXPECT_TRUE(d.says("device disk: " + warning));
    EXPECT_THAT(get("/v1/devices/disk")["status"]["note"].get<std::string>(),
                testing::HasSubstr(warning));
    EXPECT_EQ(controller->identify_namespace(1).value().nawupf.value(), 0);
    stop();
    serve(disk.path, R"(, "block_size": 512)");
    EXPECT_THAT(get("/v1/devices/disk").dump(), testing::Not(testing::HasSubstr("half new")));
    stop();
}

/// A file system of 4 MiB, where our rights allow one.
struct small_file_system {
    explicit small_file_system(const std::string& at) {
        fs::create_directory(at);
        if (::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=4m") == 0) path = at;
    }
    ~small_file_system() {
        if (!path.empty()) ::umount2(path.c_str(), MNT_DETACH);
    }
    std::string path;
};

TEST_F(storage_blocks, without_room_refuse_writes_lose_nothing_and_say_so_until_there_is_room) {
    const small_file_system small(d.folder() + "/small");
    if (small.path.empty()) GTEST_SKIP() << "NOT TESTED: no file system can be mounted here";
    serve(small.path + "/image", R"(, "size": "16MiB", "create": true)");
    std::ofstream(small.path + "/other") << std::string(2 << 20, 'o');
    bytes data(128 * 1024, std::byte{'d'});
    std::uint64_t written = 0;
    nvme::status last = sc::success;
    for (std::uint64_t at = 0; at < 32768 && last == sc::success; at += data.size() / 512) {
        last = write(at, data);
        if (last == sc::success) written = at + data.size() / 512;
    }
    EXPECT_EQ(last, sc::capacity_exceeded.no_retry());
    EXPECT_GT(written, 0u);
    EXPECT_EQ(flush(), sc::success) << "what was acknowledged is there";
    for (std::uint64_t at = 0; at < written; at += data.size() / 512)
        EXPECT_EQ(read(at, static_cast<std::uint32_t>(data.size() / 512)), data) << at;
    EXPECT_EQ(write(0, data), sc::success) << "that has its place already";

    EXPECT_TRUE(d.says("device disk is full"));
    const json health = get("/v1/health");
    EXPECT_EQ(health["status"], "degraded");
    ASSERT_EQ(health["devices_degraded"].size(), 1u) << health.dump(2);
    EXPECT_EQ(health["devices_degraded"][0]["state"], "full");
    EXPECT_EQ(get("/v1/devices/disk")["status"]["state"], "ready");
    const finished status = e2e::run({"fulmar", "status", "--admin", d.folder() + "/admin.sock"});
    EXPECT_EQ(status.exit_code, 1);
    EXPECT_THAT(status.output, testing::HasSubstr("device disk is full"));

    fs::remove(small.path + "/other");
    EXPECT_TRUE(test::eventually([&] { return get("/v1/health")["status"] == "ok"; })) << d.log();
    EXPECT_TRUE(d.says("device disk has room again"));
    EXPECT_EQ(write(written, data), sc::success);
    EXPECT_EQ(flush(), sc::success);
    stop();
}

}  // namespace
}  // namespace fulmar::e2e
