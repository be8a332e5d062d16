#include "invariant_checker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::sim {

void invariant_checker::say(std::string what) {
    if (complaints_.size() < 20) complaints_.push_back(std::move(what));
}

void invariant_checker::complain(std::string what) {
    const std::lock_guard hold(lock_);
    say(std::move(what));
}

std::vector<std::string> invariant_checker::complaints() const {
    const std::lock_guard hold(lock_);
    return complaints_;
}

// --- commands ------------------------------------------------------------------------------------

void invariant_checker::sent(std::uint64_t connection, std::uint16_t cid, moment at,
                             std::uint64_t id) {
    const std::lock_guard hold(lock_);
    ++commands_;
    last_[{connection, cid}] = id;
    const bool fresh =
        open_.emplace(std::pair(connection, cid), command{.id = id, .sent = at}).second;
    if (!fresh) say(fmt::format("the test itself used CID {} twice on {}", cid, connection));
    auto each = writes_.find(id);
    if (each == writes_.end()) return;
    for (std::uint32_t left = each->second.blocks; left != 0; --left)
        (each++)->second.connection = connection;
}

void invariant_checker::arrived(std::uint64_t connection, std::uint16_t cid, moment at) {
    const std::lock_guard hold(lock_);
    const auto found = last_.find({connection, cid});  // its host may have gone meanwhile
    if (found == last_.end()) return;
    const auto first = writes_.find(found->second);
    if (first == writes_.end()) return;
    auto each = first;
    for (std::uint32_t left = first->second.blocks; left != 0; --left)
        (each++)->second.arrived = at;
}

std::uint64_t invariant_checker::answered(std::uint64_t connection, std::uint16_t cid, moment) {
    const std::lock_guard hold(lock_);
    const auto found = open_.find({connection, cid});
    if (found == open_.end()) {
        say(fmt::format("connection {}: CID {} was answered twice, or never asked", connection,
                        cid));
        return 0;
    }
    const std::uint64_t id = found->second.id;
    open_.erase(found);
    ++answers_;
    return id;
}

void invariant_checker::closed(std::uint64_t connection) {
    const std::lock_guard hold(lock_);
    open_.erase(open_.lower_bound({connection, 0}), open_.upper_bound({connection, 0xffff}));
}

std::size_t invariant_checker::unanswered() const {
    const std::lock_guard hold(lock_);
    return open_.size();
}

// --- namespaces ----------------------------------------------------------------------------------

const incarnation* invariant_checker::last_of(const std::string& disk) const {
    const auto found = disks_.find(disk);
    if (found == disks_.end()) return nullptr;
    for (auto at = found->second.rbegin(); at != found->second.rend(); ++at)
        if (const incarnation& it = lives_.at(*at); !it.refused) return &it;
    return nullptr;
}

std::uint64_t invariant_checker::attach_asked(const std::string& disk, const std::string& nqn,
                                              std::uint32_t nsid, moment at, bool holds) {
    const std::lock_guard hold(lock_);
    if (const incarnation* old = last_of(disk); old != nullptr && old->gone == never) return 0;
    const std::uint64_t number = next_life_++;
    disks_[disk].push_back(number);
    lives_.emplace(
        number,
        incarnation{.number = number, .nqn = nqn, .nsid = nsid, .asked = at, .holds = holds});
    return number;
}

void invariant_checker::attach_answered(std::uint64_t number, bool succeeded) {
    const std::lock_guard hold(lock_);
    const auto found = lives_.find(number);
    if (found == lives_.end()) return;
    found->second.confirmed = succeeded;
    found->second.refused = !succeeded;
}

void invariant_checker::removed(const std::string& nqn, std::uint32_t nsid, moment at,
                                bool quiesce_kept) {
    const std::lock_guard hold(lock_);
    for (auto& [number, it] : lives_) {
        if (it.nqn != nqn || it.nsid != nsid || it.gone != never || !it.confirmed) continue;
        it.gone = at;
        it.fenced = quiesce_kept;
    }
}

void invariant_checker::deleted(const std::string& nqn, moment asked, moment at,
                                bool quiesce_kept) {
    const std::lock_guard hold(lock_);
    for (auto& [number, it] : lives_) {
        if (it.nqn != nqn || it.gone != never || it.refused || it.asked > asked) continue;
        it.gone = at;
        it.fenced = quiesce_kept;
    }
}

bool invariant_checker::is_free(const std::string& disk) const {
    const std::lock_guard hold(lock_);
    const incarnation* it = last_of(disk);
    return it == nullptr || it->gone != never;
}

// --- disks ---------------------------------------------------------------------------------------

std::uint64_t invariant_checker::submitted(const std::string& disk, moment at) {
    const std::lock_guard hold(lock_);
    const incarnation* it = last_of(disk);
    if (it == nullptr) {
        say(fmt::format("disk {} got I/O and backs no namespace", disk));
        return 0;
    }
    if (it->gone != never)
        say(fmt::format("disk {} got I/O at {}, after its namespace {} of {} was removed at {}",
                        disk, at, it->nsid, it->nqn, it->gone));
    return it->number;
}

void invariant_checker::landed(const std::string& disk, std::uint64_t number, std::uint64_t lba,
                               std::uint64_t tag, moment at) {
    const std::lock_guard hold(lock_);
    const auto life = lives_.find(number);
    if (life == lives_.end()) return;
    const incarnation& it = life->second;
    if (it.gone != never && it.fenced)
        say(fmt::format("disk {} was touched at {}, after a promise given at {}", disk, at,
                        it.gone));
    if (const incarnation* heir = last_of(disk); heir->number != number && heir->confirmed)
        say(fmt::format("disk {} was given to {}/{} with I/O of {}/{} still at it", disk, heir->nqn,
                        heir->nsid, it.nqn, it.nsid));
    if (tag == 0) return;
    const auto found = writes_.find(tag);
    if (found == writes_.end())
        return say(fmt::format("disk {} got a write that nobody sent", disk));
    write& w = found->second;
    if (w.lba != lba) say(fmt::format("a write for LBA {} landed on {}", w.lba, lba));
    if (w.nqn != it.nqn || w.nsid != it.nsid)
        say(fmt::format("a write to namespace {} of {} landed in {} of {}", w.nsid, w.nqn, it.nsid,
                        it.nqn));
    if (w.arrived < it.asked)
        say(fmt::format("a write that arrived at {} landed in a namespace that was asked for at {}",
                        w.arrived, it.asked));
    if (w.incarnation != 0) say(fmt::format("write {} landed twice", tag));
    if (expelled_.contains({w.nqn, w.host}))
        say(fmt::format("a write of {} landed after its removal from {}", w.host, w.nqn));
    if (ended_.contains(w.connection))
        say(fmt::format("a write of connection {} landed after its controller was ended",
                        w.connection));
    w.incarnation = number;
    by_block_[{number, lba}].push_back(tag);
}

bool invariant_checker::power_lost(std::uint64_t number, std::uint64_t lba, std::uint64_t left) {
    const std::lock_guard hold(lock_);
    const auto life = lives_.find(number);
    if (life == lives_.end()) return false;
    const std::vector<std::uint64_t>& tags = by_block_[{number, lba}];
    const auto there = std::find(tags.rbegin(), tags.rend(), left);
    for (auto at = tags.rbegin(); at != there; ++at) {
        write& w = writes_.at(*at);
        if (w.durable) say(fmt::format("write {} was durable, and is gone", *at));
        w.gone = true;
        w.may_go = w.may_go || !life->second.holds;
    }
    return there != tags.rend();
}

void invariant_checker::loss_accepted(const std::string& disk) {
    const std::lock_guard hold(lock_);
    const incarnation* it = last_of(disk);
    if (it == nullptr) return;
    for (const std::uint64_t tag : unflushed_[it->number]) writes_.at(tag).may_go = true;
}

// --- data ----------------------------------------------------------------------------------------

std::uint64_t invariant_checker::new_write(const std::string& nqn, std::uint32_t nsid,
                                           std::uint64_t lba, std::uint32_t blocks,
                                           const std::string& host, moment at, bool fua) {
    const std::lock_guard hold(lock_);
    const std::uint64_t first = next_tag_;
    for (std::uint32_t i = 0; i < blocks; ++i)
        writes_.emplace(next_tag_++, write{.nqn = nqn,
                                           .nsid = nsid,
                                           .lba = lba + i,
                                           .blocks = i == 0 ? blocks : 0,
                                           .host = host,
                                           .sent = at,
                                           .fua = fua});
    return first;
}

void invariant_checker::write_answered(std::uint64_t first_tag, bool succeeded, moment at) {
    const std::lock_guard hold(lock_);
    auto each = writes_.find(first_tag);
    if (each == writes_.end()) return;
    for (std::uint32_t left = each->second.blocks; left != 0; --left, ++each) {
        write& w = each->second;
        if (succeeded && w.incarnation == 0)
            say(fmt::format("write {} was answered with success and is on no disk", each->first));
        w.failed = !succeeded;
        if (!succeeded) continue;
        w.acked = at;
        if (w.gone && w.fua) say(fmt::format("write {} was durable, and is gone", each->first));
        w.durable = w.fua;
        if (!w.fua && w.incarnation != 0) unflushed_[w.incarnation].push_back(each->first);
    }
}

void invariant_checker::flush_answered(const std::string& nqn, std::uint32_t nsid, bool succeeded,
                                       moment sent) {
    const std::lock_guard hold(lock_);
    if (!succeeded) return;
    for (auto& [number, tags] : unflushed_) {
        const incarnation& it = lives_.at(number);
        if (it.nqn != nqn || it.nsid != nsid || it.gone != never) continue;
        std::erase_if(tags, [&](std::uint64_t tag) {
            write& w = writes_.at(tag);
            if (w.acked >= sent) return false;
            if (w.gone && !w.may_go)
                say(
                    fmt::format("a Flush of {}/{} succeeded, and write {} that was acknowledged "
                                "before it is gone",
                                nqn, nsid, tag));
            w.durable = !w.gone;
            return true;
        });
    }
}

void invariant_checker::read_answered(std::uint64_t connection, std::uint16_t cid,
                                      const std::string& nqn, std::uint32_t nsid, std::uint64_t lba,
                                      const stamp& found, moment sent, moment at) {
    const std::lock_guard hold(lock_);
    const std::string who =
        fmt::format("connection {} CID {}, LBA {} of {}/{}", connection, cid, lba, nqn, nsid);
    const auto life = lives_.find(found.incarnation);
    if (life == lives_.end()) return say(who + ": read from a disk without a namespace");
    const incarnation& it = life->second;
    if (it.nqn != nqn || it.nsid != nsid)
        return say(fmt::format("{}: read data of {}/{}", who, it.nqn, it.nsid));
    if (it.gone < sent) return say(who + ": read from a namespace that was gone when it was sent");
    if (found.lba != lba) return say(fmt::format("{}: read LBA {}", who, found.lba));
    if (found.tag == 0) {
        for (const std::uint64_t tag : by_block_[{it.number, lba}])
            if (const write& w = writes_.at(tag); w.acked < sent && !(w.gone && w.may_go))
                return say(fmt::format("{}: write {} was acknowledged and is lost", who, tag));
        return;
    }
    const auto source = writes_.find(found.tag);
    if (source == writes_.end() || source->second.sent > at)
        return say(fmt::format("{}: read tag {}, which nobody wrote", who, found.tag));
    const write& w = source->second;
    if (w.failed || w.acked == never) return;  // it may land whenever it likes
    for (const std::uint64_t tag : by_block_[{it.number, lba}]) {
        const write& later = writes_.at(tag);
        if (later.gone && later.may_go) continue;
        if (later.sent > w.acked && later.acked < sent)
            return say(fmt::format("{}: read write {}, older than write {}", who, found.tag, tag));
    }
}

// --- hosts ---------------------------------------------------------------------------------------

void invariant_checker::host_removed(const std::string& nqn, const std::string& host) {
    const std::lock_guard hold(lock_);
    expelled_.emplace(nqn, host);
}

void invariant_checker::host_added(const std::string& nqn, const std::string& host) {
    const std::lock_guard hold(lock_);
    expelled_.erase({nqn, host});
}

void invariant_checker::connection_ended(std::uint64_t connection) {
    const std::lock_guard hold(lock_);
    ended_.insert(connection);
}

}  // namespace fulmar::sim
