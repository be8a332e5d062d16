#include <fulmar/admin/config.hpp>
#include <fulmar/admin/disk.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace fulmar::admin {

result<void> disk::reserve(int fd, std::uint64_t from, std::uint64_t bytes) {
    if (from >= bytes) return {};
    return write_synced(fd, from, std::string(static_cast<std::size_t>(bytes - from), '\0'));
}

result<void> disk::replace(const std::string& path, std::string_view text) {
    const std::string place = target_of(path);
    const std::string fresh = place + ".new";
    FULMAR_CHECK(make_synced(fresh, text, place));
    if (result<void> renamed = rename(fresh, place); !renamed) {
        static_cast<void>(remove(fresh));
        return renamed;
    }
    return sync_folder(folder_of(place));
}

namespace {

class real_disk final : public disk {
  public:
    result<std::string> read(const std::string& path) override {
        const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) return fail_errno("cannot open the file", errno, path);
        std::string text;
        std::array<char, 64 * 1024> block{};
        for (;;) {
            const ssize_t got = ::read(file.get(), block.data(), block.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail_errno("cannot read the file", errno, path);
            if (got == 0) return text;
            text.append(block.data(), static_cast<std::size_t>(got));
        }
    }

    result<std::vector<std::string>> list(const std::string& folder,
                                          const std::string& prefix) override {
        const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), &::closedir);
        if (dir == nullptr) return fail_errno("cannot list the folder", errno, folder);
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(dir.get()))
            if (std::string_view(entry->d_name).starts_with(prefix))
                names.emplace_back(entry->d_name);
        std::sort(names.begin(), names.end());
        return names;
    }

    result<int> open_locked(const std::string& path) override {
        unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) return fail_errno("cannot open the file", errno, path);
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return fail(errc::conflict, "another fulmard uses this configuration", path,
                            "stop it, or give this one a configuration file of its own");
            return fail_errno("cannot lock the file", errno, path);
        }
        return file.release();
    }

    result<void> truncate(int fd, std::uint64_t bytes) override {
        if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
            return fail_errno("cannot cut the journal", errno);
        return {};
    }

    result<void> write_synced(int fd, std::uint64_t offset, std::string_view text) override {
        while (!text.empty()) {
            const ssize_t put = ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return fail_errno("cannot write the journal", errno);
            text.remove_prefix(static_cast<std::size_t>(put));
            offset += static_cast<std::uint64_t>(put);
        }
        if (::fdatasync(fd) != 0) return fail_errno("cannot sync the journal", errno);
        return {};
    }

    void close(int fd) noexcept override { ::close(fd); }

    result<void> make_synced(const std::string& path, std::string_view text,
                             const std::string& like) override {
        ::unlink(path.c_str());
        const unique_fd file(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
        if (!file) return fail_errno("cannot create the file", errno, path);
        struct stat about {};
        if (::stat(like.c_str(), &about) == 0) {
            if (::fchmod(file.get(), about.st_mode & 07777) != 0)
                return fail_errno("cannot set the mode of the file", errno, path);
            // Only root may give a file away; without that the file is ours, which is as good.
            if (::fchown(file.get(), about.st_uid, about.st_gid) != 0 && errno != EPERM)
                return fail_errno("cannot set the owner of the file", errno, path);
        }
        while (!text.empty()) {
            const ssize_t put = ::write(file.get(), text.data(), text.size());
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return fail_errno("cannot write the file", errno, path);
            text.remove_prefix(static_cast<std::size_t>(put));
        }
        if (::fsync(file.get()) != 0) return fail_errno("cannot sync the file", errno, path);
        return {};
    }

    result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0)
            return fail_errno("cannot replace the file", errno, to);
        return {};
    }

    result<void> remove(const std::string& path) override {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            return fail_errno("cannot remove the file", errno, path);
        return {};
    }

    std::string target_of(const std::string& path) override {
        std::error_code failed;
        if (!std::filesystem::is_symlink(path, failed)) return path;
        const auto real = std::filesystem::canonical(path, failed);
        return failed ? path : real.string();
    }

    result<void> sync_folder(const std::string& folder) override {
        const unique_fd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!dir) return fail_errno("cannot open the folder", errno, folder);
        if (::fsync(dir.get()) != 0) return fail_errno("cannot sync the folder", errno, folder);
        return {};
    }
};

}  // namespace

disk& system_disk() {
    static real_disk instance;
    return instance;
}

}  // namespace fulmar::admin
