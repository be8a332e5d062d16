#include "storage_facts.hpp"

#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace fulmar::backend {

namespace {

// Since Linux 6.9; older headers do not have it.
struct fs_uuid {
    std::uint8_t length;
    std::array<std::uint8_t, 16> bytes;
};
constexpr unsigned long get_fs_uuid = _IOR(0x15, 0, fs_uuid);

/// File systems whose inode numbers are those on the disk. Elsewhere (FUSE, overlays, FAT) they may
/// be others after each mount.
bool keeps_inode_numbers(std::uint64_t magic) noexcept {
    constexpr std::array<std::uint64_t, 10> keepers{
        EXT4_SUPER_MAGIC,       XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,    F2FS_SUPER_MAGIC,
        NFS_SUPER_MAGIC,        TMPFS_MAGIC,     0x2fc12fc1 /* zfs */, 0x01161970 /* gfs2 */,
        0x7461636f /* ocfs2 */, 0x00c36400 /* ceph */};
    return std::find(keepers.begin(), keepers.end(), magic) != keepers.end();
}

/// Those whose f_fsid comes from their UUID, not from where they are mounted.
bool keeps_fsid(std::uint64_t magic) noexcept {
    return magic == EXT4_SUPER_MAGIC || magic == BTRFS_SUPER_MAGIC;
}

std::string hex(const std::uint8_t* bytes, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
}

void add_file_facts(int fd, const struct ::stat& about, storage_facts& facts) {
    fs_uuid uuid{};
    constexpr std::array<std::uint8_t, 16> none{};
    if (::ioctl(fd, get_fs_uuid, &uuid) == 0 && uuid.length <= uuid.bytes.size() &&
        uuid.bytes != none)
        facts["fs_uuid"] = hex(uuid.bytes.data(), uuid.length);
    struct ::statfs fs {};
    if (::fstatfs(fd, &fs) != 0) return;
    const auto magic = static_cast<std::uint64_t>(fs.f_type);
    if (keeps_fsid(magic)) {
        std::array<std::uint8_t, sizeof fs.f_fsid> bytes{};
        std::memcpy(bytes.data(), &fs.f_fsid, bytes.size());
        facts["fsid"] = hex(bytes.data(), bytes.size());
    }
    if (!keeps_inode_numbers(magic)) return;
    facts["inode"] = fmt::format("{}", about.st_ino);
    struct ::statx s {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &s) == 0 && (s.stx_mask & STATX_BTIME) != 0)
        facts["born"] = fmt::format("{}.{:09}", s.stx_btime.tv_sec, s.stx_btime.tv_nsec);
}

std::string attribute_text(const std::string& path) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> text{};
    const ssize_t got = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
    std::string_view said(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    while (!said.empty() && (said.back() == '\n' || said.back() == ' ' || said.back() == '\0'))
        said.remove_suffix(1);
    while (!said.empty() && said.front() == ' ') said.remove_prefix(1);
    return std::string(said);
}

void add_disk_facts(int fd, const struct ::stat& about, storage_facts& facts) {
    const std::string place =
        fmt::format("/sys/dev/block/{}:{}", major(about.st_rdev), minor(about.st_rdev));
    const bool partition = ::access((place + "/partition").c_str(), F_OK) == 0;
    const std::string disk = partition ? place + "/.." : place;
    const auto add = [&](const char* name, std::initializer_list<std::string> paths) {
        for (const std::string& path : paths) {
            std::string said = attribute_text(path);
            if (said.empty()) continue;
            facts[name] = std::move(said);
            return;
        }
    };
    add("wwid", {disk + "/wwid", disk + "/device/wwid"});
    add("serial", {disk + "/serial", disk + "/device/serial"});
    add("dm_uuid", {place + "/dm/uuid"});
    add("md_uuid", {disk + "/md/uuid"});
    if (partition) add("partition", {place + "/partition"});
    const std::string events = attribute_text(place + "/uevent");
    constexpr std::string_view key = "PARTUUID=";
    if (const auto at = events.find(key); at != std::string::npos)
        facts["partition_uuid"] =
            events.substr(at + key.size(), events.find('\n', at) - at - key.size());
    struct ::loop_info64 loop {};
    if (::ioctl(fd, LOOP_GET_STATUS64, &loop) == 0)
        facts["loop_inode"] = fmt::format("{}", loop.lo_inode);
}

constexpr int most_layers = 16;  // a mapped device on a loop device on a partition …

// `place` is the device's folder in /sys/dev/block.
void add_below(const std::string& place, std::set<std::string>& found, int layers) {
    if (layers == 0) return;
    const auto add = [&](const std::string& folder) {
        const std::string number = attribute_text(folder + "/dev");
        if (number.empty() || !found.insert("block:" + number).second) return;
        add_below("/sys/dev/block/" + number, found, layers - 1);
    };
    if (::access((place + "/partition").c_str(), F_OK) == 0) add(place + "/..");
    std::error_code none;
    for (std::filesystem::directory_iterator at(place + "/slaves", none), end; at != end;
         at.increment(none))
        add(at->path().string());
    struct ::stat behind {};
    if (const std::string file = attribute_text(place + "/loop/backing_file");
        !file.empty() && ::stat(file.c_str(), &behind) == 0) {
        found.insert(claim_of(behind));
        found.merge(claims_below(behind));
    }
}

}  // namespace

std::uint64_t queue_limit(dev_t device, const char* name) noexcept {
    const std::string folder = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
    for (const char* queue : {"/queue/", "/../queue/"}) {
        const unique_fd fd(::open((folder + queue + name).c_str(), O_RDONLY | O_CLOEXEC));
        std::array<char, 32> text{};
        if (fd && ::read(fd.get(), text.data(), text.size() - 1) > 0)
            return std::strtoull(text.data(), nullptr, 10);
    }
    return 0;
}

// Of the disk that a file is on, too, where that is one.
std::uint32_t block_bytes_of(const std::string& path) noexcept {
    struct ::stat about {};
    const std::string folder = std::filesystem::path(path).parent_path().string();
    if (::stat(path.c_str(), &about) != 0 &&
        ::stat(folder.empty() ? "." : folder.c_str(), &about) != 0)
        return 512;
    const dev_t disk = S_ISBLK(about.st_mode) ? about.st_rdev : about.st_dev;
    return queue_limit(disk, "logical_block_size") >= 4096 ? 4096 : 512;
}

std::string claim_of(const struct ::stat& about) {
    if (S_ISBLK(about.st_mode))
        return fmt::format("block:{}:{}", major(about.st_rdev), minor(about.st_rdev));
    return fmt::format("file:{}:{}", about.st_dev, about.st_ino);
}

std::set<std::string> claims_below(const struct ::stat& about) {
    std::set<std::string> found;
    if (S_ISBLK(about.st_mode))
        add_below(fmt::format("/sys/dev/block/{}:{}", major(about.st_rdev), minor(about.st_rdev)),
                  found, most_layers);
    return found;
}

storage_facts read_facts(int fd, const struct ::stat& about) {
    storage_facts facts{{"kind", S_ISBLK(about.st_mode) ? "block device" : "file"}};
    if (S_ISBLK(about.st_mode))
        add_disk_facts(fd, about, facts);
    else
        add_file_facts(fd, about, facts);
    return facts;
}

std::string changed_facts(const storage_facts& before, const storage_facts& now) {
    std::string changed;
    for (const auto& [name, was] : before) {
        const auto is = now.find(name);
        if (is == now.end() || is->second == was) continue;
        changed += fmt::format("{}{} is {} and was {}", changed.empty() ? "" : ", ", name,
                               is->second, was);
    }
    return changed;
}

bool can_compare(const storage_facts& before, const storage_facts& now) {
    return std::any_of(before.begin(), before.end(), [&now](const auto& fact) {
        return fact.first != "kind" && now.contains(fact.first);
    });
}

}  // namespace fulmar::backend
