#include "forgetful_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fulmar::test {

namespace {
const char* const power = "the power is off";
}

bool forgetful_disk::spend() {
    if (off_) return false;
    if (budget_ != UINT32_MAX && budget_-- == 0) {
        off_ = true;
        return false;
    }
    return true;
}

result<void> forgetful_disk::check(const std::string& path) const {
    if (refused_error_ != 0 && path.starts_with(refused_prefix_))
        return fail_errno("refused", refused_error_, path);
    return {};
}

void forgetful_disk::change_folder(std::function<void(folder_map&)> how) {
    how(cached_);
    unsynced_changes_.push_back(std::move(how));
}

void forgetful_disk::overwrite(inode& file, std::uint64_t offset, std::string_view text) {
    if (file.cached.size() < offset + text.size()) file.cached.resize(offset + text.size());
    std::copy(text.begin(), text.end(), file.cached.begin() + static_cast<std::ptrdiff_t>(offset));
}

result<std::string> forgetful_disk::read(const std::string& path) {
    const std::lock_guard guard(lock_);
    if (off_) return fail(errc::io_error, power, path);
    const auto found = cached_.find(path);
    if (found == cached_.end()) return fail_errno("cannot open", ENOENT, path);
    return found->second->cached;
}

result<std::vector<std::string>> forgetful_disk::list(const std::string& folder,
                                                      const std::string& prefix) {
    const std::lock_guard guard(lock_);
    if (off_) return fail(errc::io_error, power, folder);
    std::vector<std::string> out;
    for (const auto& [path, file] : cached_)
        if (path.starts_with(folder + "/" + prefix)) out.push_back(path.substr(folder.size() + 1));
    return out;
}

result<int> forgetful_disk::open_locked(const std::string& path) {
    const std::lock_guard guard(lock_);
    FULMAR_CHECK(check(path));
    if (!cached_.contains(path)) {
        if (!spend()) return fail(errc::io_error, power, path);
        change_folder([path, file = std::make_shared<inode>()](folder_map& f) { f[path] = file; });
    }
    open_[++next_fd_] = cached_[path];
    return next_fd_;
}

result<void> forgetful_disk::truncate(int fd, std::uint64_t bytes) {
    const std::lock_guard guard(lock_);
    if (!spend()) return fail(errc::io_error, power);
    open_.at(fd)->cached.resize(bytes);
    return {};
}

result<void> forgetful_disk::write_synced(int fd, std::uint64_t offset, std::string_view text) {
    const std::lock_guard guard(lock_);
    inode& file = *open_.at(fd);
    if (!spend()) return fail(errc::io_error, power);
    overwrite(file, offset, text);
    if (!spend()) return fail(errc::io_error, power);
    file.sync();
    return {};
}

void forgetful_disk::close(int fd) noexcept {
    const std::lock_guard guard(lock_);
    open_.erase(fd);
}

result<void> forgetful_disk::make_synced(const std::string& path, std::string_view text,
                                         const std::string&) {
    const std::lock_guard guard(lock_);
    FULMAR_CHECK(check(path));
    auto file = std::make_shared<inode>();
    if (!spend()) return fail(errc::io_error, power, path);
    change_folder([path, file](folder_map& f) { f[path] = file; });
    file->cached = text;
    if (!spend()) return fail(errc::io_error, power, path);
    file->sync();
    return {};
}

result<void> forgetful_disk::rename(const std::string& from, const std::string& to) {
    const std::lock_guard guard(lock_);
    FULMAR_CHECK(check(to));
    if (!cached_.contains(from)) return fail_errno("cannot rename", ENOENT, from);
    if (!spend()) return fail(errc::io_error, power, to);
    change_folder([from, to](folder_map& f) {
        if (const auto node = f.extract(from)) f[to] = node.mapped();
    });
    return {};
}

result<void> forgetful_disk::remove(const std::string& path) {
    const std::lock_guard guard(lock_);
    if (!spend()) return fail(errc::io_error, power, path);
    change_folder([path](folder_map& f) { f.erase(path); });
    return {};
}

result<void> forgetful_disk::sync_folder(const std::string& folder) {
    const std::lock_guard guard(lock_);
    if (!spend()) return fail(errc::io_error, power, folder);
    durable_ = cached_;
    unsynced_changes_.clear();
    return {};
}

void forgetful_disk::submit(engine::file_op& op) noexcept {
    const std::lock_guard guard(lock_);
    queue_.push_back(&op);
}

std::int64_t forgetful_disk::perform(engine::file_op& op) {
    inode& file = *open_.at(op.fd);
    if (write_error_ != 0) return -write_error_;
    if (op.kind == engine::file_op_kind::write) {
        if (!spend()) return -EIO;
        std::uint64_t at = op.offset;
        for (const iovec& piece : op.vectors) {
            overwrite(file, at, {static_cast<const char*>(piece.iov_base), piece.iov_len});
            at += piece.iov_len;
        }
    }
    if (op.kind != engine::file_op_kind::write || op.durable) {
        if (!spend()) return -EIO;
        file.sync();
    }
    return op.kind == engine::file_op_kind::write ? static_cast<std::int64_t>(op.length) : 0;
}

bool forgetful_disk::complete_one() {
    engine::file_op* op = nullptr;
    std::int64_t outcome = 0;
    {
        const std::lock_guard guard(lock_);
        if (queue_.empty()) return false;
        op = queue_.front();
        queue_.pop_front();
        outcome = perform(*op);
    }
    op->done(*op, outcome);
    return true;
}

void forgetful_disk::refuse_queued() {
    std::deque<engine::file_op*> queued;
    {
        const std::lock_guard guard(lock_);
        queued.swap(queue_);
    }
    for (engine::file_op* op : queued) op->done(*op, -ECANCELED);
}

void forgetful_disk::cut_after(std::uint32_t operations) {
    const std::lock_guard guard(lock_);
    budget_ = operations;
}

bool forgetful_disk::off() const {
    const std::lock_guard guard(lock_);
    return off_;
}

void forgetful_disk::power_on() {
    const std::lock_guard guard(lock_);
    const auto pick = [this](std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n)(random_);
    };
    const std::size_t kept = pick(unsynced_changes_.size());
    for (std::size_t i = 0; i < kept; ++i) unsynced_changes_[i](durable_);
    std::set<inode*> seen;
    for (auto& [path, file] : durable_) {
        if (!seen.insert(file.get()).second || file->durable == file->cached) continue;
        std::string survived = pick(1) == 0 ? file->durable : file->cached;
        survived.resize(survived.size());
        for (std::size_t at = 0; at < survived.size(); at += sector) {
            const std::string& from = pick(1) == 0 ? file->durable : file->cached;
            const std::size_t length = std::min(sector, survived.size() - at);
            for (std::size_t i = at; i < at + length; ++i)
                survived[i] = i < from.size() ? from[i] : '\0';
        }
        file->durable = survived;
        file->cached = survived;
    }
    cached_ = durable_;
    unsynced_changes_.clear();
    queue_.clear();
    open_.clear();
    off_ = false;
    budget_ = UINT32_MAX;
}

void forgetful_disk::fail_writes(int code) {
    const std::lock_guard guard(lock_);
    write_error_ = code;
}

void forgetful_disk::refuse(const std::string& path_prefix, int code) {
    const std::lock_guard guard(lock_);
    refused_prefix_ = path_prefix;
    refused_error_ = code;
}

void forgetful_disk::put(const std::string& path, std::string_view text) {
    const std::lock_guard guard(lock_);
    auto file = std::make_shared<inode>(inode{std::string(text), std::string(text)});
    cached_[path] = file;
    durable_[path] = file;
}

std::string forgetful_disk::text(const std::string& path) {
    const std::lock_guard guard(lock_);
    const auto found = cached_.find(path);
    return found == cached_.end() ? std::string() : found->second->cached;
}

std::vector<std::string> forgetful_disk::names() {
    const std::lock_guard guard(lock_);
    std::vector<std::string> out;
    for (const auto& [path, file] : cached_) out.push_back(path);
    return out;
}

}  // namespace fulmar::test
