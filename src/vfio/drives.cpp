#include <fulmar/base/unique_fd.hpp>
#include <fulmar/vfio/drives.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>

namespace fulmar::vfio {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view nvme_class = "0x010802";
constexpr const char* vfio_driver = "vfio-pci";

std::string read_text(const std::string& path) {
    std::string text;
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return text;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

std::string link_name(const std::string& path) {
    std::error_code ignored;
    return fs::read_symlink(path, ignored).filename().string();
}

result<void> write_text(const std::string& path, const std::string& text) {
    unique_fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno("cannot open", errno, path);
    if (::write(fd.get(), text.data(), text.size()) < 0)
        return fail_errno(fmt::format("cannot write '{}'", text), errno, path);
    return {};
}

std::string folder_of(const pci_address& address, const system_paths& paths) {
    return fmt::format("{}/devices/{}", paths.pci, address.text());
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed))
        names.push_back(at->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

// The fields of a line of /proc/self/mountinfo: 2 is the device's number, 4 where it is mounted.
void add_mounts(const std::string& disk, const std::string& number, const system_paths& paths,
                std::vector<std::string>& users) {
    const std::string all = read_text(paths.proc + "/self/mountinfo");
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t end = std::min(all.find('\n', at), all.size());
        std::string_view line(all.data() + at, end - at);
        at = end + 1;
        std::string_view fields[5];
        for (std::string_view& field : fields) {
            field = line.substr(0, line.find(' '));
            line.remove_prefix(std::min(field.size() + 1, line.size()));
        }
        if (fields[2] == number)
            users.push_back(fmt::format("/dev/{} is mounted on {}", disk, fields[4]));
    }
}

// What uses `disk`, a disk or a partition, as far as the kernel tells.
void add_users(const std::string& folder, const std::string& disk, const system_paths& paths,
               std::vector<std::string>& users) {
    add_mounts(disk, read_text(folder + "/dev"), paths, users);
    for (const std::string& holder : names_in(folder + "/holders"))
        users.push_back(fmt::format("/dev/{} is part of {}", disk, holder));
    const std::string swaps = read_text(paths.proc + "/swaps");
    if (swaps.find(fmt::format("/dev/{} ", disk)) != std::string::npos)
        users.push_back(fmt::format("/dev/{} is swap space", disk));
    for (const std::string& name : names_in(folder))
        if (name.starts_with(disk) && name != disk)
            add_users(folder + "/" + name, name, paths, users);
}

// The disk itself can be taken by somebody whom no list names (a database, a daemon).
void add_exclusive_user(const std::string& disk, const system_paths& paths,
                        std::vector<std::string>& users) {
    if (!users.empty()) return;
    unique_fd fd(::open(fmt::format("{}/{}", paths.dev, disk).c_str(),
                        O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
    if (!fd && errno == EBUSY)
        users.push_back(fmt::format("/dev/{} is open for exclusive use", disk));
}

std::vector<std::string> users_of(const std::string& folder, const system_paths& paths) {
    std::vector<std::string> users;
    for (const std::string& controller : names_in(folder + "/nvme")) {
        const std::string below = folder + "/nvme/" + controller;
        for (std::string disk : names_in(below)) {
            if (!disk.starts_with("nvme")) continue;
            // A path of a multipath disk (nvme0c0n1): what users open is nvme0n1.
            std::string disk_folder = below + "/" + disk;
            const std::size_t c = disk.find('c', 4);
            const std::size_t n = disk.find('n', 4);
            if (c != std::string::npos && n != std::string::npos && c < n) {
                disk = disk.substr(0, c) + disk.substr(n);
                disk_folder =
                    fs::path(paths.pci).parent_path().parent_path().string() + "/block/" + disk;
            }
            add_users(disk_folder, disk, paths, users);
            add_exclusive_user(disk, paths, users);
        }
    }
    return users;
}

std::string slot_of(const pci_address& address, const system_paths& paths) {
    const std::string place = address.text().substr(0, address.text().find('.'));
    for (const std::string& slot : names_in(paths.pci + "/slots"))
        if (read_text(fmt::format("{}/slots/{}/address", paths.pci, slot)) == place) return slot;
    return {};
}

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

void add_identity(drive_info& info, const std::string& folder) {
    for (const std::string& controller : names_in(folder + "/nvme")) {
        const std::string below = folder + "/nvme/" + controller;
        // Before that its driver may not have asked the drive yet: the kernel says "(efault)".
        if (read_text(below + "/state") == "live") {
            info.serial = trimmed(read_text(below + "/serial"));
            info.model = trimmed(read_text(below + "/model"));
            info.firmware = trimmed(read_text(below + "/firmware_rev"));
            info.subsystem_nqn = trimmed(read_text(below + "/subsysnqn"));
        }
        for (const std::string& name : names_in(below))
            if (name.starts_with("nvme") && name.find('n', 4) != std::string::npos)
                info.disks.push_back(name);
    }
}

// Of a drive that somebody of this process has open: links and the slot's own attribute.
drive_info describe_by_links(const pci_address& address, const system_paths& paths) {
    const std::string folder = folder_of(address, paths);
    drive_info info{.address = address};
    info.driver = link_name(folder + "/driver");
    if (auto group = iommu_group_of(address, paths)) info.iommu_group = *group;
    info.slot = slot_of(address, paths);
    return info;
}

drive_info describe(const pci_address& address, const system_paths& paths) {
    const std::string folder = folder_of(address, paths);
    drive_info info{.address = address};
    info.driver = link_name(folder + "/driver");
    if (auto group = iommu_group_of(address, paths)) info.iommu_group = *group;
    info.slot = slot_of(address, paths);
    info.vendor = read_text(folder + "/vendor");
    info.device = read_text(folder + "/device");
    info.users = users_of(folder, paths);
    add_identity(info, folder);
    return info;
}

}  // namespace

std::vector<drive_info> list_drives(const system_paths& paths, std::span<const pci_address> open) {
    std::vector<drive_info> drives;
    for (const std::string& name : names_in(paths.pci + "/devices")) {
        const auto address = parse_pci_address(name);
        if (address && std::find(open.begin(), open.end(), *address) != open.end()) {
            drives.push_back(describe_by_links(*address, paths));
            continue;
        }
        if (!address || !read_text(folder_of(*address, paths) + "/class").starts_with(nvme_class))
            continue;
        drives.push_back(describe(*address, paths));
    }
    return drives;
}

result<drive_info> find_drive(const pci_address& address, const system_paths& paths) {
    const std::string kind = read_text(folder_of(address, paths) + "/class");
    if (kind.empty())
        return fail(errc::not_found, fmt::format("there is nothing at {}", address.text()), {},
                    "fulmar drive list shows the drives of this machine");
    if (!kind.starts_with(nvme_class))
        return fail(errc::not_found, fmt::format("{} is not an NVMe drive", address.text()), {},
                    "fulmar drive list shows the drives of this machine");
    return describe(address, paths);
}

result<void> set_indicator(const pci_address& address, slot_indicator to,
                           const system_paths& paths) {
    const std::string slot = slot_of(address, paths);
    if (slot.empty())
        return fail(errc::not_supported,
                    fmt::format("{} is in no hot-plug slot that the kernel knows", address.text()),
                    {}, "its serial number is on its label; fulmar drive list shows it");
    const std::string light = fmt::format("{}/slots/{}/attention", paths.pci, slot);
    if (::access(light.c_str(), F_OK) != 0)
        return fail(errc::not_supported, fmt::format("slot {} has no attention indicator", slot),
                    {}, "its serial number is on its label; fulmar drive list shows it");
    return write_text(light, fmt::format("{}", static_cast<int>(to)));
}

result<int> iommu_group_of(const pci_address& address, const system_paths& paths) {
    const std::string folder = folder_of(address, paths);
    if (::access(folder.c_str(), F_OK) != 0)
        return fail(errc::not_found, fmt::format("there is nothing at {}", address.text()));
    const std::string group = link_name(folder + "/iommu_group");
    int number = -1;
    const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), number);
    if (error != std::errc{} || end != group.data() + group.size())
        return fail(
            errc::not_supported,
            fmt::format("no IOMMU guards {}: a drive could write to all of memory", address.text()),
            {}, "switch the IOMMU on (firmware, and intel_iommu=on or amd_iommu=on)");
    return number;
}

result<void> bind_drive(const pci_address& address, const std::string& driver,
                        const system_paths& paths) {
    FULMAR_TRY(const drive_info drive, find_drive(address, paths));
    if (!driver.empty() && drive.driver == driver) return {};
    if (!drive.users.empty())
        return fail(errc::conflict,
                    fmt::format("{} is in use: {}", address.text(), drive.users.front()), {},
                    "unmount it, or stop who uses it");
    if (driver == vfio_driver) {
        FULMAR_CHECK(iommu_group_of(address, paths));
        if (::access((paths.pci + "/drivers/vfio-pci").c_str(), F_OK) != 0)
            return fail(errc::not_supported, "the kernel's vfio-pci driver is not loaded", {},
                        "modprobe vfio-pci");
    }
    const std::string folder = folder_of(address, paths);
    FULMAR_CHECK(write_text(folder + "/driver_override", driver.empty() ? "\n" : driver));
    // Only now: a kernel that has just found the drive may have given it to its own driver
    // meanwhile.
    const std::string holder = link_name(folder + "/driver");
    if (!driver.empty() && holder == driver) return {};
    if (const auto users = users_of(folder, paths); !users.empty())
        return fail(errc::conflict, fmt::format("{} is in use: {}", address.text(), users.front()),
                    {}, "unmount it, or stop who uses it");
    if (!holder.empty()) FULMAR_CHECK(write_text(folder + "/driver/unbind", address.text()));
    FULMAR_CHECK(write_text(paths.pci + "/drivers_probe", address.text()));
    const std::string now = link_name(folder + "/driver");
    if (!driver.empty() && now != driver)
        return fail(errc::io_error,
                    fmt::format("{} went to '{}', not to {}", address.text(), now, driver), {},
                    "the kernel's log says why");
    return {};
}

}  // namespace fulmar::vfio
