// What hosts do: each writes blocks of its own, so that what a read must find is known.
#include "player.hpp"

#include <fulmar/nvme/registers.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::sim {

namespace {
constexpr std::uint64_t blocks_of_a_guest = 256;
constexpr std::size_t most_queues = 4;
constexpr std::uint32_t all_notices = 0x0900;  // namespaces, ANA

bool good(const command& c) { return c.answered && nvme::is_success(c.status); }
}  // namespace

queue* player::some_queue(guest& g) {
    std::erase_if(g.queues, [](const auto& q) { return q->closed(); });
    const std::size_t which = in_.pick(most_queues);
    if (g.queues.empty() || which == 0) return g.admin.get();
    return g.queues[which % g.queues.size()].get();
}

player::guest* player::guest_with_io() {
    guest& g = some_guest();
    std::erase_if(g.queues, [](const auto& q) { return q->closed(); });
    return g.queues.empty() ? nullptr : &g;
}

player::guest& player::some_guest() { return guests_[in_.pick(guests_.size())]; }

// Connects, and goes on from there as far as it is told.
void player::come() {
    guest& g = some_guest();
    const std::uint8_t how = in_.next();
    const bool is_there = g.admin != nullptr && !g.admin->closed();
    if (is_there && (how & 0x80) == 0) return;
    static constexpr std::uint32_t keep_alives[] = {0, 0, 300, 2'000};
    g.queues.clear();
    const bool wild = static_cast<std::size_t>(&g - guests_.data()) >= judged_guests;
    g.who.subsystem = wild ? subsystems_.back() : subsystems_[how % (subsystems_.size() - 1)];
    g.who.group.reset();
    if ((how & 2) != 0) g.who.group = how >> 4 & 3u;
    arrive(g, keep_alives[how >> 2 & 3u], (how & 0x40) == 0);
}

void player::arrive(guest& g, std::uint32_t keep_alive_ms, bool goes_on) {
    g.admin = world_.open(g.who);
    const command_ref connecting = g.admin->connect(0, nvme::cntlid_dynamic, keep_alive_ms);
    if (!goes_on) return;
    connecting->then = [learn = connecting->then, &g, this](command& c) {
        learn(c);
        if (!good(c)) return;
        g.admin->enable()->then = [&g, this](command& enabled) {
            if (good(enabled)) add_queue(g, static_cast<std::uint16_t>(g.queues.size() + 1));
        };
    };
}

void player::add_queue(guest& g, std::uint16_t qid) {
    auto q = world_.open(g.who);
    (void)q->connect(qid, g.admin->controller());
    g.queues.push_back(std::move(q));
}

void player::set_controller() {
    guest& g = some_guest();
    const std::uint8_t how = in_.next();
    if (g.admin == nullptr || g.admin->room() == 0) return;
    switch (how % 8) {
        case 0: (void)g.admin->disable(); return;
        case 1: (void)g.admin->shut_down(); return;
        case 2: (void)g.admin->property_get(nvme::register_offset::csts); return;
        case 3: (void)g.admin->property_set(how * 4u, how); return;
        default: (void)g.admin->enable(); return;
    }
}

void player::join() {
    guest& g = some_guest();
    const std::uint8_t how = in_.next();
    if (g.admin == nullptr || g.queues.size() >= most_queues) return;
    g.who.group.reset();
    if ((how & 0x20) != 0) g.who.group = how >> 6;
    add_queue(g, static_cast<std::uint16_t>(how % most_queues));
}

void player::write() {
    guest* const g = guest_with_io();
    const std::uint8_t where = in_.next();
    const std::uint8_t how = in_.next();
    if (g == nullptr || g == &guests_.back()) return;
    queue& q = *g->queues[where % g->queues.size()];
    if (q.room() == 0) return;
    const std::uint64_t mine = (g->who.host_id - 1u) * blocks_of_a_guest;
    const std::uint32_t nsid = 1 + (where >> 2) % 3u;
    const bool fua = (how & 0xc0) == 0xc0;
    if ((how & 7) == 7) return (void)q.write(nsid, mine + 64, 32 + (how & 0x38), false, fua);
    for (unsigned count = 1 + (how >> 3 & 3u); count != 0 && q.room() != 0; --count)
        (void)q.write(nsid, mine + (where >> 4) + count, 1 + (how & 3u), (how & 4) == 0, fua);
}

void player::read() {
    guest* const g = guest_with_io();
    const std::uint8_t where = in_.next();
    const std::uint8_t how = in_.next();
    if (g == nullptr || g == &guests_.back()) return;
    queue& q = *g->queues[where % g->queues.size()];
    if (q.room() == 0) return;
    const std::uint64_t mine = (g->who.host_id - 1u) * blocks_of_a_guest;
    const std::uint32_t nsid = 1 + (where >> 2) % 3u;
    if ((how & 7) == 7) return (void)q.read(nsid, mine + 64, 128);
    for (unsigned count = 1 + (how >> 3 & 3u); count != 0 && q.room() != 0; --count)
        (void)q.read(nsid, mine + (where >> 4) + count, 1 + (how & 3u));
}

void player::other_io() {
    guest* const g = guest_with_io();
    const std::uint8_t where = in_.next();
    if (g == nullptr) return;
    queue& q = *g->queues[where % g->queues.size()];
    if (q.room() == 0) return;
    using op = nvme::io_opcode;
    static constexpr op all[] = {op::flush, op::flush, op::flush, op::flush, op::verify, op::flush};
    (void)q.io(all[(where >> 4) % std::size(all)], 1 + (where >> 2) % 3u);
}

void player::admin_command() {
    guest& g = some_guest();
    const std::uint8_t how = in_.next();
    if (g.admin == nullptr || g.admin->room() < 2) return;
    using op = nvme::admin_opcode;
    const std::uint32_t nsid = how >> 4 & 3u;
    switch (how % 16) {
        case 0:
        case 1:
        case 2: (void)g.admin->async_event(); return;
        case 3:
            g.admin->keep_alive()->then = [this](command& c) {
                if (c.answered && c.status.is(nvme::sc::namespace_not_ready))
                    world_.judge().complain("a Keep Alive was stopped at a gate");
            };
            return;
        case 4: (void)g.admin->admin(op::set_features, 0, 0, 0x0b, all_notices); return;
        case 5: (void)g.admin->admin(op::set_features, 0, 0, 0x06, how >> 4 & 1u); return;
        case 6: (void)g.admin->admin(op::set_features, 0, 0, 0x07, 0x0003'0003); return;
        case 7: (void)g.admin->admin(op::get_features, nsid, 0, how >> 4); return;
        case 8: (void)g.admin->admin(op::get_log_page, 0, 4096, 0x03ff'0004); return;
        case 9: (void)g.admin->admin(op::get_log_page, 0, 4096, 0x03ff'0000 | how >> 4); return;
        case 10: (void)g.admin->admin(op::identify, nsid, 4096, how >> 4); return;
        default: (void)g.admin->admin(op::identify, nsid, 4096, how >> 7); return;
    }
}

void player::abort() {
    guest& g = some_guest();
    const std::uint8_t which = in_.next();
    if (g.admin == nullptr || g.admin->room() == 0) return;
    queue* const q = some_queue(g);
    if (q == nullptr) return;
    const auto cids = q->outstanding_cids();
    const std::uint16_t cid = cids.empty() ? which : cids[which % cids.size()];
    (void)g.admin->abort(q->qid(), cid);
}

void player::leave() {
    guest& g = some_guest();
    queue* const q = some_queue(g);
    if (q == nullptr) return;
    switch (in_.pick(4)) {
        case 0: q->cut(); return;
        case 1: q->connection().finish(); return;
        case 2: (void)q->disconnect(); return;
        default:
            if (q == g.admin.get()) return g.admin.reset();
            std::erase_if(g.queues, [&](const auto& each) { return each.get() == q; });
    }
}

void player::turn_lazy() {
    queue* const q = some_queue(some_guest());
    if (q == nullptr) return;
    switch (in_.pick(4)) {
        case 0: q->connection().set_reading(false); return;
        case 1: q->connection().set_sending_data(false); return;
        case 2: q->connection().set_reading(true); return;
        default: q->connection().set_sending_data(true); return;
    }
}

void player::act_wildly() { wild_[in_.pick(wild_.size())]->act(in_); }

// Any command of the last guest, with data or room for an answer or neither.
void player::submit_anything() {
    guest& g = guests_.back();
    const std::uint8_t how = in_.next();
    queue* q = g.admin.get();
    if (!g.queues.empty() && (how & 3) != 0) q = g.queues[how % g.queues.size()].get();
    if (q == nullptr || q->closed() || q->room() == 0) return;
    nvme::sqe sqe{};
    const auto bytes = in_.some((how & 4) != 0 ? sizeof sqe : 16);
    std::memcpy(&sqe, bytes.data(), bytes.size());
    if ((how & 8) == 0) sqe.nsid = sqe.nsid.value() & 3u;
    if ((how & 16) == 0) sqe.set_cdw10_11(sqe.cdw10_11() & 0x7ff);
    const std::size_t length = (how >> 5) * std::size_t{512};
    if ((how & 3) == 1)
        (void)q->submit(sqe, std::vector<std::byte>(length), length <= 2048);
    else
        (void)q->submit(sqe, {}, false, static_cast<std::uint32_t>(length));
}

void player::let_hosts_behave() {
    for (const auto& w : wild_) w->behave();
    const auto behave = [](queue& q) {
        q.connection().set_reading(true);
        q.connection().set_sending_data(true);
    };
    for (guest& g : guests_) {
        if (g.admin != nullptr) behave(*g.admin);
        for (const auto& q : g.queues) behave(*q);
    }
}

}  // namespace fulmar::sim
