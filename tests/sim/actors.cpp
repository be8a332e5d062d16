#include "actors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::sim {

using std::chrono::milliseconds;

// --- hosts ---------------------------------------------------------------------------------------

random_host::random_host(world& w, const stage_set& set, std::size_t number)
    : world_(w), set_(set), number_(number) {}

void random_host::act() {
    std::erase_if(queues_, [](const auto& q) { return q->closed(); });
    if (admin_ != nullptr && admin_->closed() && phase_ != phase::away) {
        if (world_.chance(0.5)) queues_.clear();
        admin_.reset();
        phase_ = phase::away;
    }
    switch (phase_) {
        case phase::away:
            if (world_.chance(0.1)) approach();
            return;
        case phase::connecting:
        case phase::enabling:
        case phase::resetting:
            if (waiting_->done) return go_on();
            if (world_.chance(0.002)) admin_->cut();
            return;
        case phase::live: live(); return;
    }
}

void random_host::approach() {
    identity who;
    who.host = set_.hosts[number_];
    who.host_id = static_cast<std::uint8_t>(number_ + 1);
    who.subsystem = set_.subsystems[world_.pick(set_.subsystems.size())];
    queues_.clear();
    admin_ = world_.open(who);
    constexpr std::uint32_t keep_alives[] = {0, 300, 2'000};
    waiting_ = admin_->connect(0, nvme::cntlid_dynamic, keep_alives[world_.pick(3)]);
    events_ = 0;
    phase_ = phase::connecting;
}

void random_host::go_on() {
    const bool fine = waiting_->answered && nvme::is_success(waiting_->status);
    if (!fine || phase_ == phase::enabling) {
        phase_ = fine ? phase::live : phase::away;
        if (!fine) admin_.reset();
        return;
    }
    waiting_ = admin_->enable();
    phase_ = phase::enabling;
}

void random_host::live() {
    const std::uint64_t what = world_.pick(1000);
    if (what < 700) return some_io();
    if (what < 850) return some_admin();
    if (what < 960) return some_queue();
    some_trouble();
}

queue* random_host::any_io() {
    return queues_.empty() ? nullptr : queues_[world_.pick(queues_.size())].get();
}

// Every host writes into blocks of its own, so that what a read must find is known.
void random_host::some_io() {
    queue* q = any_io();
    if (q == nullptr) return some_queue();
    if (q->room() == 0) return;
    const auto nsid = static_cast<std::uint32_t>(1 + world_.pick(3));
    const std::uint64_t lba = number_ * 256 + world_.pick(8);
    const auto blocks = static_cast<std::uint32_t>(1 + world_.pick(4));
    switch (world_.pick(8)) {
        case 0: (void)q->io(nvme::io_opcode::flush, nsid); return;
        case 1: (void)q->read(nsid, number_ * 256 + 64, 128); return;
        case 2: (void)q->write(nsid, number_ * 256 + 64, 96, false); return;
        case 3:
        case 4: (void)q->read(nsid, lba, blocks); return;
        default: (void)q->write(nsid, lba, blocks, world_.chance(0.6), world_.chance(0.1)); return;
    }
}

void random_host::some_admin() {
    if (admin_->room() < 6) return;
    using op = nvme::admin_opcode;
    switch (world_.pick(7)) {
        case 0:
            if (events_ < 3) (void)admin_->async_event();
            ++events_;
            return;
        case 1:
            if (queue* q = any_io()) {
                const auto cids = q->outstanding_cids();
                if (!cids.empty()) (void)admin_->abort(q->qid(), cids[world_.pick(cids.size())]);
            }
            return;
        case 2: (void)admin_->admin(op::identify, 0, 4096, 1); return;
        case 3: (void)admin_->admin(op::identify, 1, 4096, 0); return;
        case 4:
            (void)admin_->admin(op::get_log_page, 0, 4096, 0x03ff'0004);
            return;  // changed list
        case 5:
            (void)admin_->admin(op::set_features, 0, 0, 0x0b, 0x0900);
            return;  // event configuration
        default: (void)admin_->keep_alive(); return;
    }
}

void random_host::some_queue() {
    if (queues_.size() < 3 && world_.chance(0.7)) {
        const auto qid = static_cast<std::uint16_t>(1 + world_.pick(3));
        const bool taken = std::any_of(queues_.begin(), queues_.end(),
                                       [&](const auto& q) { return q->qid() == qid; });
        if (taken && !world_.chance(0.1)) return;
        auto q = world_.open(admin_->who());
        (void)q->connect(qid, admin_->controller());
        queues_.push_back(std::move(q));
        return;
    }
    if (queues_.empty() || !world_.chance(0.1)) return;
    const std::size_t which = world_.pick(queues_.size());
    switch (world_.pick(4)) {
        case 0: queues_[which]->cut(); return;
        case 1: queues_[which]->connection().finish(); return;
        case 2: (void)queues_[which]->disconnect(); return;
        default: queues_.erase(queues_.begin() + static_cast<std::ptrdiff_t>(which)); return;
    }
}

void random_host::some_trouble() {
    queue* q = any_io();
    switch (world_.pick(12)) {
        case 0: admin_->cut(); return;
        case 1:
            waiting_ = admin_->disable();
            phase_ = phase::resetting;
            return;
        case 2: (void)admin_->shut_down(); return;
        case 3:
            if (q != nullptr) q->connection().set_reading(false);
            return;
        case 4:
            if (q != nullptr) q->connection().set_sending_data(false);
            return;
        default:
            for (const auto& each : queues_) {
                each->connection().set_reading(true);
                each->connection().set_sending_data(true);
            }
            return;
    }
}

// --- operators -----------------------------------------------------------------------------------

std::string random_operator::free_disk() {
    for (int tries = 0; tries < 4; ++tries) {
        const std::string& disk = set_.disks[world_.pick(set_.disks.size())];
        if (world_.judge().is_free(disk)) return disk;
    }
    return {};
}

core::subsystem_spec random_operator::some_subsystem(const std::string& nqn) {
    core::subsystem_spec spec;
    spec.nqn = nqn;
    spec.allow_any_host = world_.chance(0.5);
    spec.hosts = set_.hosts;
    std::vector<std::string> used;
    for (std::uint64_t count = world_.pick(3); count != 0; --count) {
        const std::string disk = free_disk();
        if (disk.empty() || std::find(used.begin(), used.end(), disk) != used.end()) break;
        used.push_back(disk);
        core::namespace_spec n;
        n.nsid = static_cast<std::uint32_t>(used.size());
        n.device = disk;
        spec.namespaces.push_back(n);
    }
    return spec;
}

core::change random_operator::some_change() {
    const std::string& nqn = set_.subsystems[world_.pick(set_.subsystems.size())];
    const std::string& host = set_.hosts[world_.pick(set_.hosts.size())];
    const std::string& disk = set_.disks[world_.pick(set_.disks.size())];
    const auto nsid = static_cast<std::uint32_t>(1 + world_.pick(3));
    constexpr core::ana_state anas[] = {core::ana_state::optimized, core::ana_state::non_optimized,
                                        core::ana_state::inaccessible};
    if (world_.is_drive(disk) && world_.chance(0.3)) {
        if (world_.chance(0.6)) return core::attach_device{disk};
        return core::detach_device{disk, world_.chance(0.5)};
    }
    switch (world_.pick(20)) {
        case 0:
        case 1:
        case 2: return core::create_subsystem{some_subsystem(nqn)};
        case 3: return core::delete_subsystem{nqn};
        case 4: return core::pause_subsystem{nqn};
        case 5:
        case 6:
        case 7: return core::resume_subsystem{nqn};
        case 8:
        case 9:
            if (const std::string free = free_disk(); !free.empty()) {
                core::add_namespace add{nqn, {}};
                add.spec.nsid = nsid;
                add.spec.device = free;
                return add;
            }
            return core::remove_namespace{nqn, nsid};
        case 10: return core::remove_namespace{nqn, nsid};
        case 11:
            return core::set_ana_state{nqn, nsid, anas[world_.pick(8) < 6 ? 0 : world_.pick(3)]};
        case 12: return core::remove_host{nqn, host};
        case 13: return core::add_host{nqn, host};
        case 14:
            return core::resize_device{disk, (2048 + world_.pick(4) * 512) * block_bytes,
                                       world_.chance(0.8)};
        case 15: return core::set_allow_any_host{nqn, world_.chance(0.5)};
        case 16:
            if (world_.chance(0.3)) return core::remove_listener{"loopback:sim:4420"};
            return core::add_listener{{"loopback", "sim", 4420}};
        case 17: return core::add_listener{{"loopback", "sim", 4420}};
        case 18: return some_device(disk);
        default: return core::reopen_device{disk};
    }
}

// A free device goes and comes again; one that is in use is refused, which is an answer too.
core::change random_operator::some_device(const std::string& disk) {
    if (world_.chance(0.3)) return core::delete_device{disk};
    return core::create_device{world_.device_for(disk)};
}

void random_operator::act() {
    for (const question& q : asked_)
        if (q.ticket->done()) check(q);
    std::erase_if(asked_, [](const question& q) { return q.ticket->done(); });
    if (asked_.size() >= 6) return;
    const std::size_t ahead = asked_.size();
    asked_.push_back({world_.ask(some_change()), ahead});
}

void random_operator::check() {
    for (const question& q : asked_) check(q);
}

void random_operator::check(const question& q) {
    const duration allowed = limit_ * static_cast<int>(q.ahead + 1);
    const instant end = q.ticket->done() ? q.ticket->answered : world_.now();
    if (end - q.ticket->asked > allowed)
        world_.judge().complain(fmt::format("{} took more than {} ms", q.ticket->text,
                                            std::chrono::ceil<milliseconds>(allowed).count()));
}

// --- accidents -----------------------------------------------------------------------------------

void random_accidents::act() {
    std::erase_if(endings_, [&](const ending& e) {
        if (e.when > world_.now()) return false;
        if (e.disk.empty())
            world_.freeze(e.reactor, false);
        else if (world_.is_drive(e.disk))
            world_.slots().bring_back(e.disk);
        else
            world_.disk_named(e.disk).set_stalled(false);
        return true;
    });
    if (!world_.chance(rate_)) return;
    const std::string& disk = set_.disks[world_.pick(set_.disks.size())];
    const instant soon = world_.now() + milliseconds(world_.pick(1'500));
    if (world_.is_drive(disk) && world_.chance(0.8)) {
        world_.slots().give(disk, static_cast<drive_fault>(world_.pick(drive_fault_count)));
        endings_.push_back({soon, disk, 0});
        return;
    }
    switch (world_.pick(5)) {
        case 0:
        case 1:
        case 2:
            if (world_.is_drive(disk)) return world_.slots().in(disk).drive().hold(true);
            world_.note("disk {} stalls", disk);
            world_.disk_named(disk).set_stalled(true);
            endings_.push_back({soon, disk, 0});
            return;
        case 3: world_.lose(disk); return;
        default: {
            const std::size_t reactor = world_.pick(world_.data_reactors());
            world_.freeze(reactor, true);
            endings_.push_back({world_.now() + milliseconds(world_.pick(100)), {}, reactor});
            return;
        }
    }
}

}  // namespace fulmar::sim
