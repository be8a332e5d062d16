#include "path_file.hpp"

#include "block_size.hpp"
#include "claims.hpp"
#include "direct_probe.hpp"
#include "file_status.hpp"
#include "storage_facts.hpp"

#include <fulmar/backend/allowed_paths.hpp>
#include <fulmar/base/limits.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace fulmar::backend {

namespace {

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

std::string name_in_folder(const std::string& path) {
    return std::filesystem::path(path).filename().string();
}

// Nothing on the way may be a link: where a path may lead was decided before.
int open_without_links(const std::string& path, int flags) noexcept {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_NO_SYMLINKS;
    return static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
}

// A descriptor by a name that nobody can give to another file.
std::array<char, 32> name_of(const unique_fd& fd) noexcept {
    std::array<char, 32> name{};
    *fmt::format_to_n(name.data(), name.size() - 1, "/proc/self/fd/{}", fd.get()).out = '\0';
    return name;
}

}  // namespace

open_outcome path_file::open(const file_options& options, const storage_record* known,
                             bool accept) {
    std::shared_ptr<path_file> file(std::unique_ptr<path_file>(new path_file(options)));
    if (auto ready = file->prepare(known, accept); !ready)
        return tl::unexpected(open_failure{file->failure_, std::move(ready).error()});
    return opened_file{file, file->what_};
}

result<void> path_file::prepare(const storage_record* known, bool accept) {
    failure_ = file_event::refuse;
    confined_ = is_confined(options_.path);
    place_ = options_.path;
    // What is judged is what is opened: a link that changes after that leads nowhere.
    if (confined_) {
        FULMAR_TRY(place_, allowed_place(options_.path));
    }
    if (options_.permit != nullptr) FULMAR_CHECK(options_.permit(options_.path));
    failure_ = file_event::absent;
    if (known != nullptr) options_.create = false;
    if (auto there = open_or_create(); !there) {
        if (known != nullptr && there.error().code == errc::not_found)
            there.error().remedy =
                "it was there before: mount what it is on; a new one is made by deleting the "
                "device and `fulmar device create --create` alone";
        return there;
    }
    failure_ = file_event::refuse;
    if (options_.permit_open != nullptr)
        FULMAR_CHECK(options_.permit_open(buffered_.get(), options_.path));
    failure_ = file_event::absent;
    FULMAR_CHECK(take_claim());
    FULMAR_CHECK(lock());
    FULMAR_TRY(std::uint64_t present, size());
    what_ = {options_.path, present, read_facts(buffered_.get(), stat_)};
    failure_ = file_event::refuse;
    if (known != nullptr) FULMAR_CHECK(compare(*known, accept));
    const std::uint64_t wanted = options_.size_bytes;
    if (wanted > present && known != nullptr && may_grow(*known)) {
        FULMAR_CHECK(make_size(wanted));
        what_.size_bytes = present = wanted;
    }
    if (wanted > present)
        return fail(
            errc::conflict,
            fmt::format("{} has {} bytes, and the device {}", options_.path, present, wanted),
            "/size",
            "restore what is missing, then `fulmar device reopen`; or give the device the "
            "size that is there: `fulmar device resize --shrink`");
    if (present < options_.block_bytes)
        return fail(errc::invalid_argument,
                    fmt::format("{} has {} bytes: not one block", options_.path, present), "/size");
    if (wanted != 0 && wanted < present)
        add_note(fmt::format("it has {} bytes, of which the first {} are used", present, wanted));
    if (int logical = 0; is_block_ && ::ioctl(buffered_.get(), BLKSSZGET, &logical) == 0)
        storage_block_ = static_cast<std::uint32_t>(logical);
    warn_of_torn_blocks();
    open_direct();
    ask_deallocate();
    return {};
}

result<void> path_file::compare(const storage_record& known, bool accept) {
    if (accept) return {};
    std::string changed = changed_facts(known.facts, what_.facts);
    // Larger is no change.
    if (changed.empty() && options_.size_bytes == 0 && what_.size_bytes < known.size_bytes)
        changed = fmt::format("size is {} and was {}", what_.size_bytes, known.size_bytes);
    if (!changed.empty())
        return fail(errc::conflict,
                    fmt::format("{} is not what it was: {}", options_.path, changed), "/path",
                    fmt::format("put back what was there; or, when this is what hosts are to have, "
                                "`fulmar device reopen {} --accept`, in REST {{\"accept\": true}}",
                                options_.name));
    if (!can_compare(known.facts, what_.facts))
        add_note("nothing tells whether it is the same storage as at the last start");
    return {};
}

// It is the file that it was, and as large: its device was given more since, by an edit of the
// configuration while nobody served it. What lost its end is smaller than it was.
bool path_file::may_grow(const storage_record& known) const {
    return !is_block_ && what_.size_bytes >= known.size_bytes &&
           changed_facts(known.facts, what_.facts).empty();
}

path_file::~path_file() {
    if (claimed_) release_file(claim_);
}

result<void> path_file::open_or_create() {
    if (options_.path.empty())
        return fail(errc::invalid_argument, "a file device needs a path", "/path");
    // Looked at before it is opened: opening a pipe or a character device may do something.
    if (::stat(place_.c_str(), &stat_) != 0) {
        if (errno != ENOENT)
            return fail_errno(fmt::format("cannot look at {}", options_.path), errno, "/path",
                              "the daemon's user must be able to enter its folder");
        FULMAR_CHECK(create());
    } else if (!S_ISREG(stat_.st_mode) && !S_ISBLK(stat_.st_mode)) {
        return fail(errc::invalid_argument,
                    fmt::format("{} is neither a regular file nor a block device", options_.path),
                    "/path", "name a regular file, or a block device such as /dev/vdb");
    } else {
        // To close a disk that was open for writing makes udev look at it: of one that somebody
        // uses, nothing is opened but what fails.
        if (S_ISBLK(stat_.st_mode)) {
            FULMAR_CHECK(open_exclusive());
            buffered_ = same_open_disk();
        } else {
            buffered_.reset(open_place(O_RDWR | O_CLOEXEC));
        }
        if (!buffered_)
            return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path",
                              "the daemon's user must be able to read and write it");
    }
    if (::fstat(buffered_.get(), &stat_) != 0)
        return fail_errno(fmt::format("cannot look at {}", options_.path), errno, "/path",
                          "the daemon's user must be able to enter its folder");
    is_block_ = S_ISBLK(stat_.st_mode);
    claim_ = claim_of(stat_);
    return {};
}

// Under its name it is there when it is whole, and never in the place of another.
result<void> path_file::create() {
    if (!options_.create)
        return fail(errc::not_found, fmt::format("{} does not exist", options_.path), "/path",
                    "mount what it is on; or have it created: \"create\": true with a size");
    const unique_fd folder(open_folder());
    if (!folder) return creation_failed();
    buffered_.reset(::openat(folder.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!buffered_ && (errno == EOPNOTSUPP || errno == EISDIR))
        return create_in_place(folder.get());
    if (!buffered_) return creation_failed();
    FULMAR_CHECK(make_size(options_.size_bytes));
    if (::linkat(AT_FDCWD, name_of(buffered_).data(), folder.get(), name_in_folder(place_).c_str(),
                 AT_SYMLINK_FOLLOW) != 0)
        return creation_failed();
    ::fsync(folder.get());  // a new name in a folder survives a crash only when the folder does
    return {};
}

// Where the file system has no files without a name.
result<void> path_file::create_in_place(int folder) {
    const std::string name = name_in_folder(place_);
    buffered_.reset(::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!buffered_) return creation_failed();
    if (auto sized = make_size(options_.size_bytes); !sized) {
        struct ::stat ours {
        }, now{};
        if (::fstat(buffered_.get(), &ours) == 0 &&
            ::fstatat(folder, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
            ours.st_dev == now.st_dev && ours.st_ino == now.st_ino)
            ::unlinkat(folder, name.c_str(), 0);
        return sized;
    }
    ::fsync(folder);
    return {};
}

int path_file::open_place(int flags) const noexcept {
    return confined_ ? open_without_links(place_, flags) : ::open(place_.c_str(), flags);
}

int path_file::open_folder() const noexcept {
    const std::string folder = folder_of(place_);
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return confined_ ? open_without_links(folder, flags) : ::open(folder.c_str(), flags);
}

tl::unexpected<error> path_file::creation_failed() const {
    return fail_errno(fmt::format("cannot create {}", options_.path), errno, "/path",
                      "its folder must exist and belong to the daemon's user");
}

result<void> path_file::take_claim() {
    FULMAR_CHECK(claim_file(claim_, claims_below(stat_), options_.name, options_.path));
    claimed_ = true;
    return {};
}

// A descriptor of its own for the lock, so that reopen() can replace the others without giving it
// up.
result<void> path_file::lock() {
    if (!lock_) FULMAR_CHECK(open_exclusive());
    if (!is_block_ && ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(errc::conflict,
                        fmt::format("{} is locked by another program", options_.path), "/path",
                        "two targets must not serve one file");
        add_note("the file system knows no locks: nothing keeps another program out");
    }
    if (!is_same(lock_.get()))
        return fail(errc::unavailable, fmt::format("{} is being replaced", options_.path), "/path");
    return {};
}

result<void> path_file::open_exclusive() {
    const int flags = O_RDWR | O_CLOEXEC | (S_ISBLK(stat_.st_mode) ? O_EXCL : 0);
    lock_.reset(open_place(flags));
    if (lock_) return {};
    if (errno != EBUSY)
        return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path",
                          "the daemon's user must be able to read and write it");
    return fail(errc::conflict,
                fmt::format("{} is mounted or in use by another program", options_.path), "/path",
                "unmount it, or end that program; `lsof` names it");
}

// Through an open file that is not the exclusive one, the kernel does not deallocate or zero what
// has unwritten pages: EBUSY.
unique_fd path_file::same_open_disk() const noexcept {
    return unique_fd(::fcntl(lock_.get(), F_DUPFD_CLOEXEC, 0));
}

bool path_file::is_same(int fd) const noexcept {
    struct ::stat now {};
    return ::fstat(fd, &now) == 0 && is_same(now);
}

bool path_file::is_same(const struct ::stat& now) const noexcept {
    if (is_block_) return S_ISBLK(now.st_mode) && now.st_rdev == stat_.st_rdev;
    return now.st_dev == stat_.st_dev && now.st_ino == stat_.st_ino;
}

// Not by its path, which may name another file by now.
int path_file::open_for_sync() noexcept {
    const int fd = ::open(name_of(buffered_).data(), O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

// One block is what a host takes for granted (AWUPF 0).
void path_file::warn_of_torn_blocks() {
    const std::uint64_t physical =
        queue_limit(is_block_ ? stat_.st_rdev : stat_.st_dev, "physical_block_size");
    if (blocks_may_tear(options_.block_bytes, physical))
        add_note(
            fmt::format("its blocks have {} bytes, and the disk writes {} at once: after a "
                        "power failure one may be half old and half new",
                        options_.block_bytes, physical));
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

// Of a file system this cannot be learned without punching a hole, and no place in or behind a file
// is known to hold nothing. So a file counts as able until a host's Deallocate is refused.
void path_file::ask_deallocate() {
    // The kernel punches holes in a block device by a command that zeroes; without one it refuses.
    can_deallocate_ = !is_block_ || queue_limit(stat_.st_rdev, "write_zeroes_max_bytes") != 0;
}

void path_file::add_note(const std::string& text) {
    if (!note_.empty()) note_ += "; ";
    note_ += text;
}

// Of a block device the link count says nothing, and one that was taken away has no size.
file_loss_cause path_file::judge(std::uint64_t bytes, unsigned how) const noexcept {
    std::uint64_t present = 0;
    if (is_block_) {
        if (::ioctl(buffered_.get(), BLKGETSIZE64, &present) != 0) return file_loss_cause::none;
        return present == 0      ? file_loss_cause::gone
               : present < bytes ? file_loss_cause::smaller
                                 : file_loss_cause::none;
    }
    struct ::statx now {};
    if (::statx(buffered_.get(), "", static_cast<int>(AT_EMPTY_PATH | how),
                STATX_SIZE | STATX_NLINK, &now) != 0)
        return means_gone(errno) ? file_loss_cause::gone : file_loss_cause::none;
    if (now.stx_size < bytes) return file_loss_cause::smaller;
    return now.stx_nlink == 0 ? file_loss_cause::unlinked : file_loss_cause::none;
}

file_loss_cause path_file::glance(std::uint64_t bytes) const noexcept {
    return judge(bytes, AT_STATX_DONT_SYNC);
}

// That a path cannot be looked at says nothing of what it names.
file_loss_cause path_file::look(std::uint64_t bytes) const noexcept {
    const file_loss_cause here = judge(bytes, AT_STATX_FORCE_SYNC);
    if (here != file_loss_cause::none) return here;
    struct ::stat named {};
    if (::stat(options_.path.c_str(), &named) != 0)
        return errno == ENOENT || errno == ENOTDIR ? file_loss_cause::absent
                                                   : file_loss_cause::none;
    return is_same(named) ? file_loss_cause::none : file_loss_cause::replaced;
}

// Of the disk under a block device that is none, a thin volume, nobody tells.
std::optional<bool> path_file::has_room() const noexcept {
    struct ::statvfs system {};
    if (is_block_ || ::fstatvfs(buffered_.get(), &system) != 0) return {};
    return std::uint64_t{system.f_bavail} * system.f_frsize >= limits::storage_room_bytes;
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
    return make_size(new_bytes);
}

result<void> path_file::make_size(std::uint64_t bytes) {
    if (::ftruncate(buffered_.get(), static_cast<off_t>(bytes)) != 0)
        return size_refused(errno, bytes);
    if (::fsync(buffered_.get()) != 0)
        return fail_errno(fmt::format("cannot make the size of {} durable", options_.path), errno);
    return {};
}

result<void> path_file::reopen() {
    unique_fd fresh(::open(options_.path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fresh)
        return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path",
                          "the daemon's user must be able to read and write it");
    if (!is_same(fresh.get()))
        return fail(errc::conflict, fmt::format("{} is another file than it was", options_.path),
                    "/path",
                    fmt::format("put back what was there; or, when this is what hosts are to have, "
                                "`fulmar device reopen {} --accept`, in REST {{\"accept\": true}}",
                                options_.name));
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
        fresh = same_open_disk();
        if (!fresh) return fail_errno(fmt::format("cannot open {}", options_.path), errno, "/path");
    }
    // Pages that failed to be written are marked clean: reads must not find them.
    ::posix_fadvise(fresh.get(), 0, 0, POSIX_FADV_DONTNEED);
    if (::dup3(fresh.get(), buffered_.get(), O_CLOEXEC) < 0 ||
        (direct_ && ::dup3(fresh_direct.get(), direct_.get(), O_CLOEXEC) < 0))
        return fail_errno(fmt::format("cannot replace the descriptor of {}", options_.path), errno);
    return {};
}

}  // namespace fulmar::backend
