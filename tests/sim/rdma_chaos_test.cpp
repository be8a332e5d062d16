// Many seeds of everything at once over fake verbs: hosts that come, load, die and return; devices
// that hold, err, refuse and vanish; queues that fail; reactors that keep no step; a drive that
// holds. At the end nothing is missing: the world's destructor counts buffers, queue pairs,
// identifiers and verbs objects, and names every violation.
#include "many_seeds.hpp"
#include "support/rdma/rdma_world.hpp"

namespace fulmar::transport::rdma::test {
namespace {

using nvme::io_opcode;

struct chaos_host {
    std::shared_ptr<fake_host> wire;
    std::map<std::uint16_t, bool> waiting;  // by CID
    std::uint16_t next_cid = 100;
    std::uint64_t answered = 0;
};

class chaos {
  public:
    explicit chaos(std::uint64_t seed)
        : random_(seed),
          world_(seed, {.shared_receives = seed % 2 == 0,
                        .tells_last_receive = seed % 3 != 0,
                        .drops_completions = seed % 5 != 0,
                        .max_pieces = 1 + static_cast<std::uint32_t>(seed % 5),
                        .max_message_bytes = 20'000,
                        .read_depth = static_cast<std::uint8_t>(1 + seed % 4)}) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            act();
            for (auto n = pick(6); n != 0; --n) go();
            world_.advance(std::chrono::microseconds(pick(20'000)));
            for (chaos_host& h : hosts_) collect(h);
        }
        heal();
        // It still serves, whatever has happened.
        EXPECT_TRUE(world_.pass_until([&] { return world_.listener().waits_for.empty(); },
                                      std::chrono::seconds(5)));
        auto admin = world_.admin();
        auto io = world_.io();
        host_memory& m = io->add_memory(4096);
        EXPECT_EQ(world_.call(*io, world_.keyed(io_opcode::read, 1, 0, m)), nvme::sc::success);
    }

    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    /// Each at its own pace: what one has told another may be heard late.
    void go() {
        switch (pick(4)) {
            case 0: return world_.turn_control();
            case 1: return world_.turn_data();
            case 2: world_.fabric().step(); return;
            default: return world_.turn();
        }
    }

    void act() {
        switch (pick(19)) {
            case 0: return come();
            case 1: return die();
            case 2: return world_.fabric().hold(pick(2) == 0);
            case 3: return world_.spy().hold(pick(2) == 0, pick(2) == 0);
            case 4:
                if (pick(8) == 0) world_.fabric().fail_next_work(IBV_WC_REM_OP_ERR);
                return;
            case 5: world_.fabric().refuse_posts(pick(20) == 0 ? ENOMEM : 0); return;
            case 6:
                if (pick(10) == 0) world_.fabric().remove_device(pick(2) == 0);
                return;
            case 7: return world_.fabric().add_device();
            case 8: return world_.fabric().refuse_receives(pick(3) == 0);
            case 9: return leave_meanwhile();
            case 10:
                if (pick(10) == 0) world_.fabric().break_queues(static_cast<queue_fault>(pick(4)));
                return;
            default: return load();
        }
    }

    void come() {
        if (hosts_.size() >= 6) return;
        auto wire = world_.fabric().connect(world_.request(0));
        hosts_.push_back({.wire = std::move(wire), .waiting = {}});
        chaos_host& h = hosts_.back();
        host_memory& m = h.wire->add_memory(sizeof(nvme::connect_data));
        const auto data = world_.connect_data(nvme::cntlid_dynamic);
        std::memcpy(m.bytes.data(), &data, sizeof data);
        h.wire->send(world_.connect_command(0, 32, nvme::make_keyed_sgl(m.address, 1024, m.key)));
    }

    /// Between two events of the control reactor the data reactor runs, and a host leaves.
    void leave_meanwhile() {
        if (hosts_.empty()) return;
        world_.fabric().meanwhile([this, host = hosts_[pick(hosts_.size())].wire] {
            world_.turn_data();
            world_.fabric().kill(*host);
        });
    }

    void die() {
        if (hosts_.empty()) return;
        const std::size_t i = pick(hosts_.size());
        world_.fabric().kill(*hosts_[i].wire);
        hosts_.erase(hosts_.begin() + static_cast<long>(i));
    }

    // On an admin queue: property gets and identifies; the wire and the buffers are the same.
    void load() {
        if (hosts_.empty()) return;
        chaos_host& h = hosts_[pick(hosts_.size())];
        if (h.wire->now != fake_host::state::connected || h.waiting.size() >= 20) return;
        const std::uint16_t cid = h.next_cid++;
        nvme::sqe c{};
        c.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
        c.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        c.cid = cid;
        c.cdw10 = 1u;
        host_memory& m = h.wire->add_memory(4096);
        c.sgl1 = nvme::make_keyed_sgl(m.address, 4096, m.key, pick(2) == 0);
        h.waiting[cid] = true;
        h.wire->send(c);
    }

    void collect(chaos_host& h) {
        for (; !h.wire->answers.empty(); h.wire->answers.pop_front()) {
            const std::uint16_t cid = h.wire->answers.front().entry.cid.value();
            if (cid == 7) continue;  // the Connect
            EXPECT_EQ(h.waiting.erase(cid), 1u) << "answered twice, or never asked: " << cid;
            ++answered_;
        }
    }

    void heal() {
        world_.fabric().hold(false);
        world_.spy().hold(false);
        world_.fabric().refuse_posts(0);
        world_.fabric().refuse_receives(false);
        world_.fabric().meanwhile(nullptr);
        world_.fabric().fail_next_work(IBV_WC_SUCCESS);  // nothing is left of an armed failure
        // A removal that is still to be heard of would take the device that is there now.
        EXPECT_TRUE(world_.turn_until([&] { return world_.fabric().events_read(); }));
        world_.fabric().add_device();
        end_all();
        // A queue that has failed is noticed by the first that uses it, and made anew after a
        // pause.
        come();
        world_.pass_until([] { return false; }, std::chrono::seconds(1));
        end_all();
        world_.pass_until([] { return false; }, 2 * bounds::part_interval);
    }

    void end_all() {
        for (chaos_host& h : hosts_) world_.fabric().kill(*h.wire);
        hosts_.clear();
        EXPECT_TRUE(world_.pass_until([&] { return world_.rdma().connection_count() == 0; },
                                      std::chrono::seconds(20)));
    }

    std::mt19937_64 random_;
    rdma_world world_;
    std::vector<chaos_host> hosts_;
    std::uint64_t answered_ = 0;
};

/// A device hangs under any number of hosts with all that their queues hold; some die, some are
/// told "later" and try again at once. Beside them a host of another device.
class hung_device {
  public:
    explicit hung_device(std::uint64_t seed)
        : random_(seed),
          world_(seed, {.tells_last_receive = seed % 3 != 0, .drops_completions = seed % 4 != 0}) {}

    void run() {
        auto admin = world_.admin();
        auto io = world_.io(1);
        const auto connections = static_cast<std::uint16_t>(1 + pick(50));
        const auto depth = static_cast<std::uint16_t>(16u << pick(4));
        for (std::uint16_t i = 0; i < connections; ++i)
            flooding_.push_back(
                {.wire = world_.io(static_cast<std::uint16_t>(2 + i), depth), .waiting = {}});
        world_.spy().hold(true, true);
        for (chaos_host& h : flooding_)
            for (std::uint16_t cid = 0; cid + 1 < depth; ++cid) send(h, cid);
        for (int step = 0; step < 60; ++step) {
            for (auto n = pick(30); n != 0; --n) go();
            if (pick(step < 6 ? 2 : 12) == 0) kill_one();
            for (auto n = pick(10); n != 0; --n) go();
            world_.advance(std::chrono::milliseconds(pick(80)));
            for (chaos_host& h : flooding_) collect(h, true);
            if (step > 5) expect_service(*admin, *io);
        }
        world_.spy().hold(false);
        EXPECT_TRUE(world_.pass_until(
            [&] {
                bool done = true;
                for (chaos_host& h : flooding_) {
                    collect(h, false);
                    done = done && h.waiting.empty();
                }
                return done;
            },
            std::chrono::seconds(20)))
            << "not everything was answered";
        world_.pass_until([] { return false; }, 2 * bounds::flush_limit);
        EXPECT_EQ(world_.fabric().missing_receives(), 0u);
    }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    /// The device works off more than the data reactor takes in.
    void go() {
        switch (pick(4)) {
            case 0: return world_.turn_control();
            case 1: return world_.turn_data();
            default: world_.fabric().step(); return;
        }
    }

    void send(chaos_host& h, std::uint16_t cid) {
        h.waiting[cid] = true;
        h.wire->send(world_.in_capsule_write(cid, cid * 16u, 8192, 2), data_);
    }
    void collect(chaos_host& h, bool again) {
        for (; !h.wire->answers.empty(); h.wire->answers.pop_front()) {
            const nvme::cqe& e = h.wire->answers.front().entry;
            ASSERT_EQ(h.waiting.erase(e.cid.value()), 1u) << "answered twice, or never asked";
            if (nvme::is_success(e.get_status())) continue;
            EXPECT_TRUE(e.get_status().is(nvme::sc::namespace_not_ready));
            if (again) send(h, e.cid.value());
        }
    }
    void kill_one() {
        if (flooding_.empty()) return;
        const std::size_t i = pick(flooding_.size());
        world_.fabric().kill(*flooding_[i].wire);
        flooding_.erase(flooding_.begin() + static_cast<long>(i));
    }
    void expect_service(fake_host& admin, fake_host& io) {
        nvme::sqe alive{};
        alive.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::keep_alive);
        alive.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        alive.cid = std::uint16_t{3};
        alive.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
        EXPECT_EQ(world_.call(admin, alive), nvme::sc::success) << "at once";
        host_memory& m = io.add_memory(4096);
        io.send(world_.keyed(io_opcode::read, 5, 0, m));
        EXPECT_TRUE(world_.pass_until([&] { return world_.take(io, 5).has_value(); },
                                      bounds::stall_patience + 2 * bounds::stall_interval))
            << "for want of a receive slot";
        io.memory.clear();
    }

    std::mt19937_64 random_;
    rdma_world world_;
    std::vector<chaos_host> flooding_;
    std::vector<std::byte> data_ = std::vector<std::byte>(8192, std::byte{9});
};

TEST(rdma_chaos, a_device_that_hangs_costs_the_hosts_of_others_half_a_second_at_most) {
    sim::many_seeds("a hung device over verbs", 60, [](std::uint64_t seed) {
        hung_device one(seed);
        one.run();
    });
}

TEST(rdma_chaos, nothing_is_lost_and_it_serves_again) {
    std::uint64_t all = 0;
    std::uint64_t silent = 0;  // the drive or the device was never well for long enough
    sim::many_seeds("chaos over verbs", 4'000, [&](std::uint64_t seed) {
        chaos one(seed);
        one.run(600);
        ++all;
        silent += one.answered() == 0 ? 1 : 0;
    });
    EXPECT_LE(silent * 20, all) << "nothing was ever answered: this proves nothing";
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
