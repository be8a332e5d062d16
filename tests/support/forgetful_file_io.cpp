#include "forgetful_file_io.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/engine/reactor.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fulmar::test {

using engine::file_op;
using engine::file_op_kind;

int forgetful_storage::open(const std::string& name, bool create) {
    auto at = names_.find(name);
    if (at == names_.end()) {
        if (!create) return -1;
        at = names_.emplace(name, std::make_shared<inode>()).first;
    }
    open_[next_fd_] = {at->second, at->second->lost_syncs};
    return next_fd_++;
}

int forgetful_storage::open_again(int fd) {
    const std::shared_ptr<inode> file = open_.at(fd).file;
    open_[next_fd_] = {file, file->lost_syncs};
    return next_fd_++;
}

void forgetful_storage::close(int fd) { open_.erase(fd); }

std::uint64_t forgetful_storage::size(int fd) const { return open_.at(fd).file->cached.size(); }

void forgetful_storage::set_size(int fd, std::uint64_t bytes) {
    inode& file = *open_.at(fd).file;
    file.cached.resize(bytes);
    file.durable.resize(bytes);
    file.dirty.erase(file.dirty.lower_bound((bytes + sector_bytes - 1) / sector_bytes),
                     file.dirty.end());
}

std::vector<std::byte> forgetful_storage::contents(int fd) const {
    return open_.at(fd).file->cached;
}

// A cut keeps of each file any subset of its dirty sectors.
void forgetful_storage::power_cut(std::uint32_t seed) {
    std::mt19937 random(seed);
    for (const started& s : under_way_) {
        if (s.op->kind != file_op_kind::write) continue;
        const std::vector<std::byte> bytes = gather(*s.op);
        for (std::size_t at = 0; at < bytes.size();) {
            const std::size_t in_sector = sector_bytes - (s.op->offset + at) % sector_bytes;
            const std::size_t piece = std::min(in_sector, bytes.size() - at);
            if (random() % 2 == 0)
                put(*s.file, s.op->offset + at, std::span(bytes).subspan(at, piece), false);
            at += piece;
        }
    }
    for (const auto& [name, file] : names_) tear(*file, random);
    open_.clear();
    lost_.swap(under_way_);
    under_way_.clear();
    failures_.clear();
}

void forgetful_storage::answer_lost() {
    for (; !lost_.empty(); lost_.pop_front()) {
        file_op& op = *lost_.front().op;
        op.where = file_op::place::idle;
        op.done(op, -EIO);
    }
}

void forgetful_storage::tear(inode& file, std::mt19937& random) {
    // The size first: what lies behind the end is gone whether its sector arrived or not.
    const std::size_t size = random() % 2 == 0 ? file.cached.size() : file.durable.size();
    for (const auto& [sector, when] : file.dirty)
        if (random() % 2 == 0) harden(file, sector);
    file.durable.resize(size);
    file.cached = file.durable;
    file.dirty.clear();
    file.lost_syncs = 0;
}

void forgetful_storage::harden(inode& file, std::uint64_t sector) {
    const std::size_t begin = sector * sector_bytes;
    const std::size_t end = std::min(begin + sector_bytes, file.cached.size());
    if (begin >= end) return;
    if (file.durable.size() < end) file.durable.resize(end);
    std::copy(file.cached.begin() + static_cast<std::ptrdiff_t>(begin),
              file.cached.begin() + static_cast<std::ptrdiff_t>(end),
              file.durable.begin() + static_cast<std::ptrdiff_t>(begin));
}

void forgetful_storage::fail_next(file_op_kind kind, int error, std::uint32_t times) {
    if (times == 0)
        failures_.erase(kind);
    else
        failures_[kind] = {error, times};
}

void forgetful_storage::shuffle(std::uint32_t seed) {
    shuffled_ = seed != 0;
    order_.seed(seed);
}

void forgetful_storage::begin(file_op& op) {
    const auto at = open_.find(op.fd);
    under_way_.push_back({&op, at == open_.end() ? nullptr : at->second.file, clock_});
}

bool forgetful_storage::take_back(file_op& op) {
    return std::erase_if(under_way_, [&op](const started& s) { return s.op == &op; }) != 0;
}

bool forgetful_storage::step(file_op*& op, std::int64_t& result) {
    if (held_ || under_way_.empty()) return false;
    const std::size_t which = shuffled_ ? order_() % under_way_.size() : 0;
    const started s = under_way_[which];
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(which));
    op = s.op;
    result = perform(s);
    return true;
}

std::int64_t forgetful_storage::injected(const file_op& op) {
    if (std::find(refused_.begin(), refused_.end(), op.kind) != refused_.end()) return -EOPNOTSUPP;
    const auto failure = failures_.find(op.kind);
    if (failure == failures_.end()) return 0;
    const int error = failure->second.first;
    if (--failure->second.second == 0) failures_.erase(failure);
    return -error;
}

std::int64_t forgetful_storage::perform(const started& s) {
    const file_op& op = *s.op;
    if (s.file == nullptr) return -EBADF;
    inode& file = *s.file;
    const std::int64_t failure = injected(op);
    switch (op.kind) {
        case file_op_kind::sync:
        case file_op_kind::data_sync: {
            const auto through = open_.find(op.fd);
            if (through == open_.end()) return -EBADF;
            if (failure == -EOPNOTSUPP) return failure;
            if (failure != 0) {
                file.dirty.clear();  // taken for clean, and never written
                ++file.lost_syncs;
            }
            return sync(s, through->second);
        }
        case file_op_kind::read: {
            if (failure != 0) return failure;
            if (op.offset >= file.cached.size()) return 0;
            std::uint64_t at = op.offset;
            for (const iovec& v : op.vectors) {
                const std::size_t piece = std::min<std::size_t>(v.iov_len, file.cached.size() - at);
                std::memcpy(v.iov_base, file.cached.data() + at, piece);
                at += piece;
            }
            return static_cast<std::int64_t>(at - op.offset);
        }
        case file_op_kind::write:
            if (failure != 0) return failure;
            put(file, op.offset, gather(op), op.durable);
            durable_writes_ += op.durable ? 1 : 0;
            return static_cast<std::int64_t>(op.length);
        case file_op_kind::deallocate:
        case file_op_kind::write_zeroes: {
            if (failure != 0) return failure;
            const std::uint64_t end =
                std::min<std::uint64_t>(op.offset + op.length, file.cached.size());
            if (op.offset < end)
                put(file, op.offset, std::vector<std::byte>(end - op.offset), false);
            return 0;
        }
    }
    return -EINVAL;
}

// Only what was there when the sync began is promised.
std::int64_t forgetful_storage::sync(const started& s, open_file& through) {
    inode& file = *s.file;
    if (through.seen_lost_syncs != file.lost_syncs) {
        through.seen_lost_syncs = file.lost_syncs;
        return -EIO;
    }
    ++syncs_;
    for (auto at = file.dirty.begin(); at != file.dirty.end();) {
        if (at->second > s.at) {
            ++at;
            continue;
        }
        harden(file, at->first);
        at = file.dirty.erase(at);
    }
    return 0;
}

void forgetful_storage::put(inode& file, std::uint64_t offset, std::span<const std::byte> bytes,
                            bool durable) {
    if (bytes.empty()) return;
    ++clock_;
    const std::uint64_t end = offset + bytes.size();
    if (file.cached.size() < end) file.cached.resize(end);
    std::copy(bytes.begin(), bytes.end(),
              file.cached.begin() + static_cast<std::ptrdiff_t>(offset));
    for (std::uint64_t sector = offset / sector_bytes; sector * sector_bytes < end; ++sector) {
        if (durable) {
            harden(file, sector);
            file.dirty.erase(sector);
        } else {
            file.dirty[sector] = clock_;
        }
    }
}

std::vector<std::byte> forgetful_storage::gather(const file_op& op) {
    std::vector<std::byte> all;
    for (const iovec& v : op.vectors) {
        const auto* base = static_cast<const std::byte*>(v.iov_base);
        all.insert(all.end(), base, base + v.iov_len);
    }
    return all;
}

forgetful_file_io::forgetful_file_io(forgetful_storage& disk, engine::reactor* r)
    : disk_(disk), reactor_(r) {
    if (reactor_ != nullptr) reactor_->add(*this, engine::stage::reap);
}

forgetful_file_io::~forgetful_file_io() {
    if (reactor_ != nullptr) reactor_->remove(*this, engine::stage::reap);
}

void forgetful_file_io::submit(file_op& op) noexcept {
    FULMAR_ASSERT(op.where == file_op::place::idle);
    op.moved = 0;
    op.where = file_op::place::at_kernel;
    disk_.begin(op);
}

void forgetful_file_io::cancel(file_op& op) noexcept {
    if (!disk_.take_back(op)) return;
    op.where = file_op::place::idle;
    op.done(op, -ECANCELED);
}

bool forgetful_file_io::poll() noexcept {
    constexpr int per_turn = 4;
    file_op* op = nullptr;
    std::int64_t result = 0;
    int answered = 0;
    for (; answered < per_turn && disk_.step(op, result); ++answered) {
        op->where = file_op::place::idle;
        op->done(*op, result);
    }
    return answered != 0;
}

result<engine::file_io*> forgetful_files::for_reactor(engine::reactor& r) {
    if (io_ == nullptr) io_ = std::make_unique<forgetful_file_io>(disk_, &r);
    return io_.get();
}

}  // namespace fulmar::test
