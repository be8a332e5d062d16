// Which paths no device may be on. Looks at names, opens nothing. What is kept is entered before
// the first device is made, and only read from then on.
#include <fulmar/backend/kept_files.hpp>

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::backend {

namespace fs = std::filesystem;

namespace {

struct kept_file {
    std::string path;  // with every link followed; empty: only the number is known
    std::string what;
    bool and_beside = false;
    dev_t device = 0;  // of one that is known by its descriptor
    ino_t inode = 0;
};

std::vector<kept_file>& all_kept() {
    static std::vector<kept_file> all;
    return all;
}

/// Links followed as far as there is something.
std::string whole_path(const std::string& path) {
    std::error_code failure;
    const auto out =
        std::filesystem::weakly_canonical(std::filesystem::absolute(path, failure), failure);
    return failure ? path : out.string();
}

std::optional<struct stat> look(const std::string& path) {
    struct stat found {};
    if (path.empty() || ::stat(path.c_str(), &found) != 0) return std::nullopt;
    return found;
}

bool is_same(const struct stat& a, dev_t device, ino_t inode) noexcept {
    return a.st_dev == device && a.st_ino == inode;
}

/// Something below `folder` whose name begins with `prefix` is that file: keys are one folder
/// deeper.
bool is_in_folder(const fs::path& folder, std::string_view prefix, const struct stat& file,
                  bool and_below) {
    std::error_code failure;
    fs::directory_iterator at(folder, failure);
    for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
        if (!at->path().filename().string().starts_with(prefix)) continue;
        const auto other = look(at->path().string());
        if (other && is_same(file, other->st_dev, other->st_ino)) return true;
        if (other && and_below && S_ISDIR(other->st_mode) &&
            is_in_folder(at->path(), {}, file, false))
            return true;
    }
    return false;
}

/// Hard links, and the same through another mount: the journal, reservations, tokens, keys.
bool is_another_name_beside(const std::string& path, const struct stat& file) {
    const fs::path own(path);
    return is_in_folder(own.parent_path(), own.filename().string() + ".", file, true);
}

bool names(const kept_file& k, const std::string& path, const std::optional<struct stat>& found) {
    if (!k.path.empty() && path == k.path) return true;
    if (k.and_beside && path.starts_with(k.path + ".")) return true;
    if (!found) return false;
    if (k.inode != 0 && is_same(*found, k.device, k.inode)) return true;
    const auto now = look(k.path);  // another name for it: a hard link, or by another mount
    if (now && is_same(*found, now->st_dev, now->st_ino)) return true;
    return k.and_beside && is_another_name_beside(k.path, *found);
}

tl::unexpected<error> is_ours(const std::string& path, const kept_file& k) {
    return fail(errc::conflict,
                fmt::format("{} is {} of this daemon, or is kept for it", path, k.what), "/path",
                "hosts would overwrite it: name another file");
}

constexpr auto no_storage = std::to_array<std::pair<unsigned long, std::string_view>>({
    {PROC_SUPER_MAGIC, "proc"},
    {SYSFS_MAGIC, "sysfs"},
    {DEBUGFS_MAGIC, "debugfs"},
    {TRACEFS_MAGIC, "tracefs"},
    {SECURITYFS_MAGIC, "securityfs"},
    {SELINUX_MAGIC, "selinuxfs"},
    {SMACK_MAGIC, "smackfs"},
    {CGROUP_SUPER_MAGIC, "cgroup"},
    {CGROUP2_SUPER_MAGIC, "cgroup2"},
    {BPF_FS_MAGIC, "bpf"},
    {PSTOREFS_MAGIC, "pstore"},
    {EFIVARFS_MAGIC, "efivarfs"},
    {DEVPTS_SUPER_MAGIC, "devpts"},
    {BINFMTFS_MAGIC, "binfmt_misc"},
    {NSFS_MAGIC, "nsfs"},
    {HUGETLBFS_MAGIC, "hugetlbfs"},
    {0x62656570, "configfs"},
    {0x19800202, "mqueue"},
});

std::string_view no_storage_of(const struct statfs& system) {
    for (const auto& [magic, name] : no_storage)
        if (magic == static_cast<unsigned long>(system.f_type)) return name;
    return {};
}

std::string_view no_storage_at(const std::string& path) {
    struct statfs system {};
    if (::statfs(path.c_str(), &system) != 0) return {};
    if (const std::string_view name = no_storage_of(system); !name.empty()) return name;
    const auto type = static_cast<unsigned long>(system.f_type);
    const bool memory = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
    return memory && path.starts_with("/dev/") ? "memory below /dev" : std::string_view();
}

tl::unexpected<error> not_storage(const std::string& path, std::string_view kind) {
    return fail(errc::invalid_argument,
                fmt::format("{} is on a file system that is no storage ({})", path, kind), "/path",
                "name a file on a disk, or use a device of type \"ram\"");
}

}  // namespace

void keep_from_devices(const std::string& path, const std::string& what, bool and_beside) {
    if (!path.empty())
        all_kept().push_back({.path = whole_path(path), .what = what, .and_beside = and_beside});
}

void keep_from_devices(int fd, const std::string& what) {
    struct stat found {};
    if (::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return;
    all_kept().push_back({.path = {},
                          .what = what,
                          .and_beside = false,
                          .device = found.st_dev,
                          .inode = found.st_ino});
}

result<void> may_back_a_device(const std::string& path) {
    const std::string whole = whole_path(path);
    const auto found = look(whole);
    for (const kept_file& k : all_kept())
        if (names(k, whole, found)) return is_ours(path, k);
    if (found && !S_ISREG(found->st_mode)) return {};  // a block device; others are refused later
    const std::string folder = std::filesystem::path(whole).parent_path().string();
    const std::string_view kind = no_storage_at(found ? whole : folder);
    if (!kind.empty()) return not_storage(path, kind);
    return {};
}

result<void> may_back_a_device(int fd, const std::string& path) {
    struct stat found {};
    if (::fstat(fd, &found) != 0)
        return fail_errno(fmt::format("cannot look at {}", path), errno, "/path");
    if (S_ISBLK(found.st_mode)) return {};
    if (!S_ISREG(found.st_mode))
        return fail(errc::invalid_argument,
                    fmt::format("{} is neither a regular file nor a block device", path), "/path");
    for (const kept_file& k : all_kept())
        if (names(k, {}, found)) return is_ours(path, k);
    struct statfs system {};
    if (::fstatfs(fd, &system) == 0 && !no_storage_of(system).empty())
        return not_storage(path, no_storage_of(system));
    return {};
}

}  // namespace fulmar::backend
