// Many seeds of everything at once over fake verbs: hosts that come, load, die and return; devices
// that hold, err, refuse and vanish; a drive that holds. At the end nothing is missing: the world's
// destructor counts buffers, queue pairs, identifiers and verbs objects, and names every breach.
#include "support/rdma/rdma_world.hpp"
#include "time_box.hpp"

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
                        .max_pieces = 1 + static_cast<std::uint32_t>(seed % 5),
                        .max_message_bytes = 20'000,
                        .read_depth = static_cast<std::uint8_t>(1 + seed % 4)}) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            act();
            for (auto n = pick(4); n != 0; --n) world_.turn();
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

    void act() {
        switch (pick(16)) {
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
        world_.fabric().fail_next_work(IBV_WC_SUCCESS);  // nothing is left of an armed failure
        // A removal that is still to be heard of would take the device that is there now.
        EXPECT_TRUE(world_.turn_until([&] { return world_.fabric().events_read(); }));
        world_.fabric().add_device();
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

TEST(rdma_chaos, nothing_is_lost_and_it_serves_again) {
    std::uint64_t all = 0;
    std::uint64_t silent = 0;  // the drive or the device was never well for long enough
    sim::many_seeds("chaos over verbs", 0.1, [&](std::uint64_t seed) {
        chaos one(seed);
        one.run(600);
        ++all;
        silent += one.answered() == 0 ? 1 : 0;
    });
    EXPECT_LE(silent * 20, all) << "nothing was ever answered: this proves nothing";
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
