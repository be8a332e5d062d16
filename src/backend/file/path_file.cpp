#include "path_file.hpp"

#include "block_size.hpp"
#include "claims.hpp"
#include "direct_probe.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace fulmar::backend {

namespace {

/// A new name in a folder survives a crash only when the folder does.
void sync_folder_of(const std::string& path) noexcept {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    const unique_fd fd(
        ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd) ::fsync(fd.get());
}

/// A number of the block layer about the disk `device` is, or is a part of; 0 when there is none.
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

}  // namespace

result<std::unique_ptr<path_file>> path_file::open(const file_options& options) {
    std::unique_ptr<path_file> file(new path_file(options));
    const auto prepare = [&file]() -> result<void> {
        FULMAR_CHECK(file->open_or_create());
        FULMAR_CHECK(file->take_claim());
        FULMAR_CHECK(file->lock());
        FULMAR_TRY(const std::uint64_t present, file->size());
        const std::uint64_t wanted = file->options_.size_bytes;
        if (wanted > present) FULMAR_CHECK(file->set_size(present, wanted));
        if (wanted != 0 && wanted < present)
            file->add_note(
                fmt::format("it has {} bytes, of which the first {} are used", present, wanted));
        file->open_direct();
        file->probe_deallocate();
        return {};
    };
    if (auto ready = prepare(); !ready) {
        if (file->created_) ::unlink(options.path.c_str());
        return tl::unexpected(std::move(ready).error());
    }
    file->created_ = false;
    return file;
}

path_file::~path_file() {
    if (claimed_) release_file(claim_);
}

result<void> path_file::open_or_create() {
    if (options_.path.empty())
        return fail(errc::invalid_argument, "a file device needs a path", "/path");
    // Looked at before it is opened: opening a pipe or a character device may do something.
    if (::stat(options_.path.c_str(), &stat_) != 0) {
        if (errno != ENOENT)
            return fail_errno(fmt::format("cannot look at {}", options_.path), errno, "/path",
                              "the daemon's user must be able to enter its folder");
        FULMAR_CHECK(create());
    } else if (!S_ISREG(stat_.st_mode) && !S_ISBLK(stat_.st_mode)) {
        return fail(errc::invalid_argument,
                    fmt::format("{} is neither a regular file nor a block device", options_.path),
                    "/path", "name a regular file, or a block device such as /dev/vdb");
    } else {
        buffered_.reset(::open(options_.path.c_str(), O_RDWR | O_CLOEXEC));
        if (!buffered_)
            return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path",
                              "the daemon's user must be able to read and write it");
    }
    if (::fstat(buffered_.get(), &stat_) != 0)
        return fail_errno(fmt::format("cannot look at {}", options_.path), errno, "/path",
                          "the daemon's user must be able to enter its folder");
    is_block_ = S_ISBLK(stat_.st_mode);
    claim_ = is_block_ ? fmt::format("block:{}:{}", major(stat_.st_rdev), minor(stat_.st_rdev))
                       : fmt::format("file:{}:{}", stat_.st_dev, stat_.st_ino);
    return {};
}

result<void> path_file::create() {
    if (options_.size_bytes == 0)
        return fail(errc::not_found, fmt::format("{} does not exist", options_.path), "/path",
                    "give a size to create it, or mount what it is on");
    buffered_.reset(::open(options_.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!buffered_)
        return fail_errno(fmt::format("cannot create {}", options_.path), errno, "/path",
                          "its folder must exist and belong to the daemon's user");
    created_ = true;
    return {};
}

result<void> path_file::take_claim() {
    FULMAR_CHECK(claim_file(claim_, options_.name, options_.path));
    claimed_ = true;
    return {};
}

// A descriptor of its own for the lock, so that reopen() can replace the others without giving it
// up.
result<void> path_file::lock() {
    const int flags = O_RDWR | O_CLOEXEC | (is_block_ ? O_EXCL : 0);
    unique_fd fresh(::open(options_.path.c_str(), flags));
    if (!fresh) {
        if (errno != EBUSY)
            return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path",
                              "the daemon's user must be able to read and write it");
        return fail(errc::conflict,
                    fmt::format("{} is mounted or in use by another program", options_.path),
                    "/path", "unmount it, or end that program; `lsof` names it");
    }
    if (!is_block_ && ::flock(fresh.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(errc::conflict,
                        fmt::format("{} is locked by another program", options_.path), "/path",
                        "two targets must not serve one file");
        add_note("the file system knows no locks: nothing keeps another program out");
    }
    if (!is_same(fresh.get()))
        return fail(errc::unavailable, fmt::format("{} is being replaced", options_.path), "/path");
    lock_ = std::move(fresh);
    return {};
}

bool path_file::is_same(int fd) const noexcept {
    struct ::stat now {};
    if (::fstat(fd, &now) != 0) return false;
    if (is_block_) return S_ISBLK(now.st_mode) && now.st_rdev == stat_.st_rdev;
    return now.st_dev == stat_.st_dev && now.st_ino == stat_.st_ino;
}

// Not by its path, which may name another file by now.
int path_file::open_for_sync() noexcept {
    std::array<char, 32> name{};
    *fmt::format_to_n(name.data(), name.size() - 1, "/proc/self/fd/{}", buffered_.get()).out = '\0';
    const int fd = ::open(name.data(), O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

void path_file::open_direct() {
    if (!options_.direct) return;
    direct_answer answer = probe_direct(options_.path, is_block_, options_.block_bytes);
    if (answer.fd && !is_same(answer.fd.get())) answer = {};
    direct_ = std::move(answer.fd);
    memory_alignment_ = answer.memory_alignment;
    if (!direct_)
        add_note(fmt::format("O_DIRECT is not possible, data goes through the page cache: {}",
                             answer.why_not));
}

void path_file::probe_deallocate() {
    if (is_block_) {
        // The kernel punches holes in a block device by a command that zeroes; without one it
        // refuses.
        can_deallocate_ = queue_limit(stat_.st_rdev, "write_zeroes_max_bytes") != 0;
        return;
    }
    // Behind the end there is nothing to lose.
    constexpr off_t far = off_t{1} << 42;
    can_deallocate_ =
        ::fallocate(buffered_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, far, 4096) == 0 ||
        errno == EFBIG;
}

void path_file::add_note(const std::string& text) {
    if (!note_.empty()) note_ += "; ";
    note_ += text;
}

result<std::uint64_t> path_file::size() {
    std::uint64_t bytes = 0;
    if (is_block_) {
        if (::ioctl(buffered_.get(), BLKGETSIZE64, &bytes) != 0)
            return fail_errno(fmt::format("cannot read the size of {}", options_.path), errno);
        return bytes;
    }
    struct ::stat now {};
    if (::fstat(buffered_.get(), &now) != 0)
        return fail_errno(fmt::format("cannot read the size of {}", options_.path), errno);
    return static_cast<std::uint64_t>(now.st_size);
}

tl::unexpected<error> path_file::size_refused(int why, std::uint64_t bytes) const {
    std::string what = fmt::format("cannot make {} {} bytes large", options_.path, bytes);
    if (why == EFBIG || why == EINVAL)
        return fail_errno(std::move(what), EFBIG, "/size",
                          "choose a size that its file system can have");
    if (why == ENOSPC || why == EDQUOT)
        return fail_errno(std::move(what), ENOSPC, "/size",
                          "free space on its file system, or choose a smaller size");
    return fail_errno(std::move(what), why, "/size",
                      "`fulmar device list` and the daemon's log say more");
}

result<void> path_file::set_size(std::uint64_t old_bytes, std::uint64_t new_bytes) {
    if (is_block_) {
        FULMAR_TRY(const std::uint64_t present, size());
        if (new_bytes <= present) return {};
        return fail(errc::invalid_argument,
                    fmt::format("{} has {} bytes only", options_.path, present), "/size",
                    "make the block device larger first");
    }
    // Of a file that is larger than the device the rest is not ours to cut off.
    FULMAR_TRY(const std::uint64_t present, size());
    if (present > old_bytes && new_bytes <= present) return {};
    if (::ftruncate(buffered_.get(), static_cast<off_t>(new_bytes)) != 0)
        return size_refused(errno, new_bytes);
    if (::fsync(buffered_.get()) != 0)
        return fail_errno(fmt::format("cannot make the size of {} durable", options_.path), errno);
    if (created_) sync_folder_of(options_.path);
    return {};
}

result<void> path_file::reopen() {
    unique_fd fresh(::open(options_.path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fresh)
        return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path",
                          "the daemon's user must be able to read and write it");
    if (!is_same(fresh.get()))
        return fail(errc::conflict, fmt::format("{} is another file than it was", options_.path),
                    "/path", "create a new device for it");
    unique_fd fresh_direct;
    if (direct_) {
        fresh_direct = probe_direct(options_.path, is_block_, options_.block_bytes).fd;
        if (!fresh_direct)
            return fail(errc::io_error,
                        fmt::format("{} cannot be read with O_DIRECT any more", options_.path),
                        "/path");
    }
    // A block device that went away and came back has lost our exclusive open; one that never left
    // still has it.
    if (is_block_) {
        unique_fd exclusive(::open(options_.path.c_str(), O_RDWR | O_EXCL | O_CLOEXEC));
        if (exclusive) lock_ = std::move(exclusive);
    }
    // Pages that failed to be written are marked clean: reads must not find them.
    ::posix_fadvise(fresh.get(), 0, 0, POSIX_FADV_DONTNEED);
    if (::dup3(fresh.get(), buffered_.get(), O_CLOEXEC) < 0 ||
        (direct_ && ::dup3(fresh_direct.get(), direct_.get(), O_CLOEXEC) < 0))
        return fail_errno(fmt::format("cannot replace the descriptor of {}", options_.path), errno);
    return {};
}

}  // namespace fulmar::backend
